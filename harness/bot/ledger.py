"""The bot's own books: a position is booked when its order is sent; account events only reconcile."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harness.bot.strategy import Features
    from harness.exchange.orders import Fill


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """What was bought and not yet sold."""

    entry: Fill
    features: Features

    @property
    def entry_price(self) -> float:
        """For the hot path; money is booked from the fill."""
        return float(self.entry.price)


@dataclass(frozen=True, slots=True, kw_only=True)
class TradeRecord:
    """A trade as the database keeps it: written when opened, again when closed, under the same id."""

    trade_id: str
    symbol: str
    quantity: Decimal
    entry_price: Decimal
    opened_ms: int
    features: Features
    fees: Decimal
    exit_price: Decimal | None = None
    pnl: Decimal | None = None
    """In the quote asset, fees taken off."""
    closed_ms: int | None = None
    reason: str | None = None
    """Why it was closed, by name."""


class Ledger:
    """Open positions by symbol, and when each symbol was last closed."""

    def __init__(self) -> None:
        self.positions: dict[str, Position] = {}
        self.closed_ms: dict[str, int] = {}
        self.trades_opened = 0
        self.trades_closed = 0

    def open(self, fill: Fill, features: Features) -> TradeRecord:
        """Book a bought position."""
        position = Position(entry=fill, features=features)
        self.positions[fill.order.symbol] = position
        self.trades_opened += 1
        return _record(position)

    def close(self, fill: Fill, reason: str) -> TradeRecord:
        """Book the sale of all that is held of a symbol."""
        position = self.positions.pop(fill.order.symbol)
        self.closed_ms[fill.order.symbol] = fill.order.time_ms
        self.trades_closed += 1
        return _record(position, fill, reason)


def _record(position: Position, exit_fill: Fill | None = None, reason: str | None = None) -> TradeRecord:
    entry = position.entry
    fees = entry.fee + (exit_fill.fee if exit_fill else Decimal(0))
    return TradeRecord(
        trade_id=entry.order.client_order_id,
        symbol=entry.order.symbol,
        quantity=entry.order.quantity,
        entry_price=entry.price,
        opened_ms=entry.order.time_ms,
        features=position.features,
        fees=fees,
        exit_price=exit_fill.price if exit_fill else None,
        pnl=exit_fill.notional - entry.notional - fees if exit_fill else None,
        closed_ms=exit_fill.order.time_ms if exit_fill else None,
        reason=reason,
    )
