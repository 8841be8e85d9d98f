"""A simple deterministic momentum strategy: from a symbol's state to a signal, without memory of its own."""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from harness.bot.market import SymbolState
    from harness.bot.settings import StrategySettings


class Signal(IntEnum):
    """What the strategy would like; the numbers enter the digest and are never reused."""

    HOLD = 0
    ENTER = 1
    LEAVE = 2


class Features(NamedTuple):
    """What a signal rests on; stored with the trade and hashed by their exact bits."""

    momentum: float
    """Fast over slow average, less one, in mean absolute moves."""
    imbalance: float
    flow: float
    spread: float
    trend: float


class MomentumStrategy:
    """Enter when the price runs ahead of its average with the trades behind it; leave when it falls back."""

    def __init__(self, settings: StrategySettings) -> None:
        self._settings = settings

    def features(self, state: SymbolState) -> Features:
        """The vector of this moment; all finite."""
        drift = state.fast / state.slow - 1.0 if state.slow > 0 else 0.0
        momentum = drift / state.volatility if state.volatility > 0 else 0.0
        return Features(momentum, state.imbalance, state.flow, state.spread, state.trend)

    def signal(self, state: SymbolState, features: Features) -> Signal:
        """What these features call for."""
        settings = self._settings
        if state.observations < settings.warm_up:
            return Signal.HOLD
        if features.momentum > settings.entry and features.flow >= settings.flow:
            return Signal.ENTER
        if features.momentum < -settings.exit:
            return Signal.LEAVE
        return Signal.HOLD
