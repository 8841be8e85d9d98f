"""The bot's own books: a position is booked when its order is sent; account events only reconcile."""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from harness.exchange.orders import Fill

_DAY_MS = 86_400_000
_NOTHING = Decimal(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """What was bought and not yet sold."""

    entry: Fill
    features: dict[str, float]
    strategy: str
    stop_price: float
    """Closed at or below this."""
    target_price: float
    """Closed at or above this."""
    deadline_ms: int
    """Closed at this event time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TradeRecord:
    """A trade as the database keeps it: written when opened, again when closed, under the same id."""

    trade_id: str
    symbol: str
    strategy: str
    quantity: Decimal
    entry_price: Decimal
    opened_ms: int
    features: dict[str, float]
    fees: Decimal
    exit_price: Decimal | None = None
    pnl: Decimal | None = None
    """In the quote asset, fees taken off."""
    closed_ms: int | None = None
    reason: str | None = None
    """Why it was closed, by name."""


class Ledger:
    """Open positions by symbol, when each symbol was last closed, and what was won and lost."""

    def __init__(self) -> None:
        self.positions: dict[str, Position] = {}
        self.closed_ms: dict[str, int] = {}
        self.trades_opened = 0
        self.trades_closed = 0
        self.committed = _NOTHING
        """Paid for what is held."""
        self.realised = _NOTHING
        """Profit of all closed trades, fees taken off."""
        self._day = 0
        self._realised_today = _NOTHING

    def open(self, position: Position) -> TradeRecord:
        """Book a bought position."""
        self._hold(position)
        self.trades_opened += 1
        return _opened(position)

    def close(self, fill: Fill, reason: str) -> TradeRecord:
        """Book the sale of all that is held of a symbol."""
        position = self.positions.pop(fill.order.symbol)
        entry = position.entry
        profit = fill.notional - entry.notional - entry.fee - fill.fee
        self.committed -= entry.notional
        self.closed_ms[fill.order.symbol] = fill.order.time_ms
        self.trades_closed += 1
        self._earn(profit, fill.order.time_ms)
        return _closed(position, fill, profit, reason)

    def realised_on(self, time_ms: int) -> Decimal:
        """Profit of the trades closed on the UTC day of an event time."""
        return self._realised_today if time_ms // _DAY_MS == self._day else _NOTHING

    def restore(
        self, positions: Iterable[Position], closed_ms: dict[str, int], realised: Decimal, today: tuple[int, Decimal]
    ) -> None:
        """What an earlier life of the bot left; `today` is an event time (ms) and the profit of its UTC day."""
        for position in positions:
            self._hold(position)
        self.closed_ms.update(closed_ms)
        self.realised = realised
        self._day, self._realised_today = today[0] // _DAY_MS, today[1]

    def _hold(self, position: Position) -> None:
        self.positions[position.entry.order.symbol] = position
        self.committed += position.entry.notional

    def _earn(self, profit: Decimal, time_ms: int) -> None:
        day = time_ms // _DAY_MS
        if day != self._day:
            self._day, self._realised_today = day, _NOTHING
        self._realised_today += profit
        self.realised += profit


def _opened(position: Position) -> TradeRecord:
    entry = position.entry
    return TradeRecord(
        trade_id=entry.order.client_order_id,
        symbol=entry.order.symbol,
        strategy=position.strategy,
        quantity=entry.order.quantity,
        entry_price=entry.price,
        opened_ms=entry.order.time_ms,
        features=position.features,
        fees=entry.fee,
    )


def _closed(position: Position, fill: Fill, profit: Decimal, reason: str) -> TradeRecord:
    return replace(
        _opened(position),
        fees=position.entry.fee + fill.fee,
        exit_price=fill.price,
        pnl=profit,
        closed_ms=fill.order.time_ms,
        reason=reason,
    )
