"""From a signal to an order or to a refusal by name; all in event time."""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum
from typing import TYPE_CHECKING

from harness.bot.ledger import Position
from harness.bot.signal import Signal

if TYPE_CHECKING:
    from harness.bot.ledger import Ledger
    from harness.bot.market import SymbolState
    from harness.bot.settings import RiskSettings
    from harness.exchange.filters import SymbolFilters
    from harness.exchange.orders import Fill

_LEAVE = Signal.LEAVE


class Refusal(StrEnum):
    """Why a wish to enter was not granted."""

    COOL_DOWN = "cool-down"
    TOO_MANY_OPEN = "too many open"
    DAILY_LOSS = "daily loss limit"
    UNSURE = "low confidence"
    NO_CASH = "no cash"
    TOO_SMALL = "below minimum notional"


class Exit(StrEnum):
    """Why a position is closed."""

    REVERSAL = "reversal"
    STOP_LOSS = "stop-loss"
    TAKE_PROFIT = "take-profit"
    TIME_OUT = "time-out"


class Risk:
    """Limits over the ledger."""

    def __init__(self, settings: RiskSettings, ledger: Ledger) -> None:
        self._settings = settings
        self._ledger = ledger
        self._loss_limit = Decimal(repr(settings.daily_loss_limit))

    def position(self, entry: Fill, features: dict[str, float], strategy: str) -> Position:
        """The position that a fill opens, with the prices and the time at which it is closed."""
        settings, price = self._settings, float(entry.price)
        return Position(
            entry=entry,
            features=features,
            strategy=strategy,
            stop_price=price * (1.0 - settings.stop_loss),
            target_price=price * (1.0 + settings.take_profit),
            deadline_ms=entry.order.time_ms + settings.maximum_hold_ms,
        )

    def exit_of(self, position: Position, price: float, signal: Signal, time_ms: int) -> Exit | None:
        """The reason to close an open position now, if there is one."""
        if price <= position.stop_price:
            return Exit.STOP_LOSS
        if price >= position.target_price:
            return Exit.TAKE_PROFIT
        if time_ms >= position.deadline_ms:
            return Exit.TIME_OUT
        return Exit.REVERSAL if signal is _LEAVE else None

    def size_of(self, state: SymbolState, filters: SymbolFilters, time_ms: int, confidence: float) -> Decimal | Refusal:
        """The quantity to buy, rounded to the lot, or why nothing may be bought."""
        refusal = self._refusal(state.symbol, time_ms, confidence)
        if refusal is not None:
            return refusal
        settings, ledger = self._settings, self._ledger
        capital = settings.capital + float(ledger.realised)
        cash = capital - float(ledger.committed)
        if cash <= 0.0:
            return Refusal.NO_CASH
        # At its stop-loss the position loses this share of the capital, fees and slippage left out.
        notional = min(capital * settings.risk_fraction / settings.stop_loss, settings.maximum_notional, cash)
        price = state.ask or state.price
        quantity = filters.round_quantity(notional / price)
        return quantity if filters.is_enough(filters.round_price(price), quantity) else Refusal.TOO_SMALL

    def _refusal(self, symbol: str, time_ms: int, confidence: float) -> Refusal | None:
        settings, ledger = self._settings, self._ledger
        closed_ms = ledger.closed_ms.get(symbol)
        if closed_ms is not None and time_ms - closed_ms < settings.cool_down_ms:
            return Refusal.COOL_DOWN
        if len(ledger.positions) >= settings.maximum_open:
            return Refusal.TOO_MANY_OPEN
        if self._loss_limit and ledger.realised_on(time_ms) <= -self._loss_limit:
            return Refusal.DAILY_LOSS
        return Refusal.UNSURE if confidence < settings.minimum_confidence else None
