"""Momentum: enter when the price runs ahead of its average with the trades behind it; leave when it falls back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.bot.signal import Signal

if TYPE_CHECKING:
    from harness.bot.market import SymbolState
    from harness.bot.settings import MomentumSettings

_HOLD, _ENTER, _LEAVE = Signal.HOLD, Signal.ENTER, Signal.LEAVE
_LEAST_PRICE = 1e-12


class Momentum:
    """Judges on every price, trade and candle; without memory of its own."""

    name = "momentum"
    #: Momentum is the fast over the slow average, less one, in mean moves; the gap is the price over the day's
    #: volume-weighted mean, less one.
    features = ("momentum", "imbalance", "flow", "spread", "trend", "rsi", "atr", "vwap_gap")

    def __init__(self, settings: MomentumSettings) -> None:
        self._warm_up = settings.warm_up
        self._entry = settings.entry
        self._exit = -settings.exit
        self._flow = settings.flow

    def judge(self, state: SymbolState) -> tuple[Signal, tuple[float, ...]]:
        """Signal and features of this moment, all finite."""
        slow, volatility, flow, vwap = state.slow, state.volatility, state.flow, state.today.value
        momentum = (state.fast / slow - 1.0) / volatility if volatility > 0.0 and slow > 0.0 else 0.0
        gap = state.price / vwap - 1.0 if vwap >= _LEAST_PRICE else 0.0
        features = (momentum, state.imbalance, flow, state.spread, state.trend, state.rsi, state.atr, gap)
        if state.observations < self._warm_up:
            return _HOLD, features
        if momentum > self._entry and flow >= self._flow:
            return _ENTER, features
        return (_LEAVE if momentum < self._exit else _HOLD), features

    def confidence(self, signal: Signal, features: tuple[float, ...]) -> float:
        """0 at the threshold, towards 1 as the momentum goes beyond it."""
        threshold = abs(self._entry if signal is _ENTER else self._exit)
        beyond = abs(features[0])
        return max(0.0, 1.0 - threshold / beyond) if beyond > 0.0 else 0.0
