"""Made-up decisions for the tests of what is written."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

from harness.bot.decision import Decision, SignalRecord
from harness.bot.ledger import TradeRecord
from harness.exchange.orders import Order, Side

NOON_MS = int(datetime(2026, 10, 5, 12, tzinfo=UTC).timestamp() * 1_000)
DAY_MS = 86_400_000
FEATURES = {"momentum": 1.5, "flow": -0.25, "whole": 2.0, "tiny": 1e-7}


def order(number: int, *, epoch: int = 1, side: Side = Side.BUY, symbol: str = "BTCUSDT") -> Order:
    return Order(
        client_order_id=f"{epoch}-{number}-{side[0]}",
        symbol=symbol,
        side=side,
        quantity=Decimal("0.01162000"),
        price=Decimal("86000.01"),
        time_ms=NOON_MS + number,
    )


def opened(number: int, *, epoch: int = 1, symbol: str = "BTCUSDT", time_ms: int | None = None) -> TradeRecord:
    return TradeRecord(
        trade_id=f"{epoch}-{number}-B",
        symbol=symbol,
        strategy="momentum",
        quantity=Decimal("0.01162000"),
        entry_price=Decimal("86000.01"),
        opened_ms=NOON_MS + number if time_ms is None else time_ms,
        features=FEATURES,
        fees=Decimal("0.99932012"),
    )


def closed(trade: TradeRecord, pnl: str = "1.25", *, time_ms: int | None = None) -> TradeRecord:
    return replace(
        trade,
        exit_price=Decimal("86100.5"),
        pnl=Decimal(pnl),
        closed_ms=trade.opened_ms + 500 if time_ms is None else time_ms,
        reason="take-profit",
        fees=Decimal("1.99980793"),
    )


def signal(number: int, *, epoch: int = 1) -> SignalRecord:
    return SignalRecord(
        signal_id=f"{epoch}-{number}",
        symbol="BTCUSDT",
        strategy="momentum",
        signal="ENTER",
        confidence=0.75,
        features=FEATURES,
        outcome=f"{epoch}-{number}-B",
        time_ms=NOON_MS + number,
    )


def entry(number: int, *, epoch: int = 1, symbol: str = "BTCUSDT") -> Decision:
    """An order with the trade that it opens and the signal that it came of."""
    return Decision(
        order=order(number, epoch=epoch, symbol=symbol),
        trade=opened(number, epoch=epoch, symbol=symbol),
        signal=signal(number, epoch=epoch),
    )


def leaving(number: int, trade: TradeRecord, *, epoch: int = 1) -> Decision:
    """An order with the trade that it closes."""
    return Decision(order=order(number, epoch=epoch, side=Side.SELL, symbol=trade.symbol), trade=closed(trade))
