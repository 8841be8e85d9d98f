"""How often a market's streams speak and how large its depth events are: where spot and USD-M differ."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from harness.recordings.generate.dice import Dice

_SECOND_US: Final = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Rhythm:
    """One market's figures."""

    kline_us: int
    ticker_us: int
    aggregate_us: int
    """How long trades at one price are gathered into one aggregate; 0: each order is told of at once."""
    improved_per_mille: int
    """Aggregates in which somebody got a better price than the book's (RPI orders)."""
    depth_grid: bool
    """Whether depth events of many symbols share moments every 100 ms, or each symbol goes its own way."""
    stalls_per_mille: int
    """Frames behind which the line holds the next ones back for a moment."""
    shock_quotes: tuple[int, int]
    """What news set off at each symbol: so many quotes, and up to so many more."""
    deep_per_quote: float
    """How often something changes behind the touch, for each time that somebody quotes near it."""
    log_levels: tuple[float, float]
    """Mean of the logarithm of levels an event: of the quietest symbol, and of the busiest."""
    log_levels_deviation: float
    depth_lag_ms: int
    """Most that a depth event lies behind its transaction time."""
    lags: tuple[tuple[int, int], ...]
    """(per mille of trades, milliseconds from the trade to its event); the rest takes a log-normal time."""

    def lag_ms(self, dice: Dice) -> int:
        """From a trade to the event that tells of it."""
        drawn = dice.below(1_000)
        for per_mille, lag in self.lags:
            if drawn < per_mille:
                return lag
            drawn -= per_mille
        return min(4 + dice.spread(11, 0.9), 100)

    def levels(self, dice: Dice, size: float) -> int:
        """Levels of a depth event: log-normal, with a rare tail to some hundreds."""
        low, high = self.log_levels
        mean = low + (high - low) * math.sqrt(size)  # a root is exact on every platform, other powers are not
        drawn = dice.log_normal(mean, self.log_levels_deviation)
        tail = dice.below(10_000)
        if tail < 4:
            drawn *= 30
        elif tail < 130:
            drawn *= 4
        return max(1, min(drawn, 550))


#: Spot: sections 2 and 3 of the measured statistics (docs/recordings.md); the grid as on one stream of 2025.
SPOT: Final = Rhythm(
    kline_us=2 * _SECOND_US,
    ticker_us=_SECOND_US,
    aggregate_us=0,
    improved_per_mille=0,
    depth_grid=True,
    stalls_per_mille=35,
    shock_quotes=(2, 4),
    deep_per_quote=1.4,
    log_levels=(0.5, 1.95),
    log_levels_deviation=0.85,
    depth_lag_ms=0,
    lags=((250, 0), (600, 1), (90, 2), (20, 3)),
)
USDM: Final = Rhythm(
    kline_us=_SECOND_US // 4,
    ticker_us=2 * _SECOND_US,
    aggregate_us=_SECOND_US // 10,
    improved_per_mille=60,
    depth_grid=False,
    stalls_per_mille=100,
    shock_quotes=(6, 6),
    deep_per_quote=14.0,
    log_levels=(1.3, 2.35),
    log_levels_deviation=0.8,
    depth_lag_ms=3,
    lags=((200, 0), (600, 1), (150, 2), (40, 3)),
)


def rhythm_of(market: str) -> Rhythm:
    """The figures of "spot" or "usdm"."""
    return USDM if market == "usdm" else SPOT
