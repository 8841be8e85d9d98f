"""From a signal to an order or to a refusal by name; all in event time."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from harness.bot.strategy import Signal

if TYPE_CHECKING:
    from decimal import Decimal

    from harness.bot.ledger import Ledger, Position
    from harness.bot.market import SymbolState
    from harness.bot.settings import RiskSettings
    from harness.exchange.filters import SymbolFilters


class Refusal(StrEnum):
    """Why a wish to enter was not granted."""

    COOL_DOWN = "cool-down"
    TOO_MANY_OPEN = "too many open"
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

    def exit_of(self, position: Position, state: SymbolState, signal: Signal, time_ms: int) -> Exit | None:
        """The reason to close an open position now, if there is one."""
        settings, price, entry = self._settings, state.price, position.entry_price
        if price <= entry * (1.0 - settings.stop_loss):
            return Exit.STOP_LOSS
        if price >= entry * (1.0 + settings.take_profit):
            return Exit.TAKE_PROFIT
        if time_ms - position.entry.order.time_ms >= settings.maximum_hold_ms:
            return Exit.TIME_OUT
        return Exit.REVERSAL if signal is Signal.LEAVE else None

    def size_of(self, state: SymbolState, filters: SymbolFilters, time_ms: int) -> Decimal | Refusal:
        """The quantity to buy, rounded to the lot, or why nothing may be bought."""
        settings, ledger = self._settings, self._ledger
        closed_ms = ledger.closed_ms.get(state.symbol)
        if closed_ms is not None and time_ms - closed_ms < settings.cool_down_ms:
            return Refusal.COOL_DOWN
        if len(ledger.positions) >= settings.maximum_open:
            return Refusal.TOO_MANY_OPEN
        price = state.ask or state.price
        quantity = filters.round_quantity(settings.notional / price)
        return quantity if filters.is_enough(filters.round_price(price), quantity) else Refusal.TOO_SMALL
