"""Mean reversion: buy what closed candles call oversold and what has left its bands below; sell back in the middle."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.bot.signal import Signal

if TYPE_CHECKING:
    from harness.bot.market import SymbolState
    from harness.bot.settings import ReversionSettings

_HOLD, _ENTER, _LEAVE = Signal.HOLD, Signal.ENTER, Signal.LEAVE
#: Places beyond these say no more; the bound keeps a feature finite when the bands have no width to speak of.
_FARTHEST = 100.0


class Reversion:
    """Judges the price against indicators of closed candles; without memory of its own."""

    name = "mean-reversion"
    #: The place is that of the price in the Bollinger bands: 0 at the lower, 1 at the upper.
    features = ("place", "rsi", "atr", "imbalance", "flow", "spread")

    def __init__(self, settings: ReversionSettings) -> None:
        self._settings = settings

    def judge(self, state: SymbolState) -> tuple[Signal, tuple[float, ...]]:
        """Signal and features of this moment, all finite."""
        settings = self._settings
        width = state.band_high - state.band_low
        place = 0.5
        if width > 0.0:
            place = min(max((state.price - state.band_low) / width, -_FARTHEST), _FARTHEST)
        features = (place, state.rsi, state.atr, state.imbalance, state.flow, state.spread)
        if width <= 0.0:
            return _HOLD, features
        if place < settings.entry and state.rsi < settings.oversold:
            return _ENTER, features
        return (_LEAVE if place > settings.exit else _HOLD), features

    def confidence(self, signal: Signal, features: tuple[float, ...]) -> float:
        """0 at the threshold; 1 a whole width of the bands beyond it."""
        threshold = self._settings.entry if signal is _ENTER else self._settings.exit
        return min(abs(features[0] - threshold), 1.0)
