"""Ratios of two arms from values paired by block, and levels of one arm (MEASURING.md, rules 3 and 4)."""

from __future__ import annotations

import math
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import stdtrit

from harness.stats.estimate import Estimate

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

LEVEL = 0.95


def ratio(arm: Sequence[float], reference: Sequence[float], *, level: float = LEVEL) -> Estimate:
    """Arm / reference from one robust value a block each, in the same order of blocks.

    The mean of the log ratios and its Student t interval, back on the scale of the ratio; with fewer than two
    blocks the interval is (0, inf). Raises ValueError for unequal lengths, no block, or values that are not positive.
    """
    if len(arm) != len(reference):
        raise ValueError(f"{len(arm)} blocks of the arm against {len(reference)} of the reference")
    return _exp(_t_interval(_logs(arm) - _logs(reference), level))


def level_of(values: Sequence[float], *, level: float = LEVEL) -> Estimate:
    """The geometric mean of one value a block with its t interval: descriptive, for this host only."""
    return _exp(_t_interval(_logs(values), level))


def bootstrap_ratio(
    arm: Sequence[Sequence[float]],
    reference: Sequence[Sequence[float]],
    *,
    seed: int,
    resamples: int = 2_000,
    level: float = LEVEL,
) -> Estimate:
    """The cross-check: a hierarchical percentile bootstrap, first over blocks, then over passes within each.

    Takes the passes of each block; the block's value is their median. Same seed, same interval.
    """
    if len(arm) != len(reference) or not arm:
        raise ValueError("the bootstrap wants the same blocks, at least one, of both arms")
    random = np.random.Generator(np.random.PCG64(seed))
    blocks = len(arm)
    draws = np.empty(resamples)
    for index in range(resamples):
        chosen = random.integers(0, blocks, blocks)
        draws[index] = np.mean([_resampled_log_ratio(arm[block], reference[block], random) for block in chosen])
    tail = (1 - level) / 2
    low, high = np.quantile(draws, [tail, 1 - tail])
    point = float(np.mean([math.log(np.median(a) / np.median(r)) for a, r in zip(arm, reference, strict=True)]))
    return _exp(Estimate(point=point, low=float(low), high=float(high), level=level, n=blocks))


@cache
def quantile_of_t(probability: float, freedom: float) -> float:
    """Student's t quantile; `scipy.special` has the same function as `scipy.stats` and loads a second faster."""
    return float(stdtrit(freedom, probability))


def _resampled_log_ratio(arm: Sequence[float], reference: Sequence[float], random: np.random.Generator) -> float:
    resampled = (np.median(random.choice(np.asarray(passes), len(passes))) for passes in (arm, reference))
    over, under = resampled
    return math.log(over / under)


def _logs(values: Sequence[float]) -> NDArray[np.float64]:
    array = np.asarray(values, dtype=np.float64)
    if array.size == 0:
        raise ValueError("no block to estimate from")
    if not np.all(np.isfinite(array) & (array > 0)):
        raise ValueError("a ratio wants positive, finite values")
    return np.log(array)


def _t_interval(values: NDArray[np.float64], level: float) -> Estimate:
    n = int(values.size)
    point = float(np.mean(values))
    if n < 2:
        return Estimate(point=point, low=-math.inf, high=math.inf, level=level, n=n)
    half = quantile_of_t((1 + level) / 2, n - 1) * float(np.std(values, ddof=1)) / math.sqrt(n)
    return Estimate(point=point, low=point - half, high=point + half, level=level, n=n)


def _exp(logarithm: Estimate) -> Estimate:
    return Estimate(
        point=exp(logarithm.point),
        low=exp(logarithm.low),
        high=exp(logarithm.high),
        level=logarithm.level,
        n=logarithm.n,
    )


def exp(logarithm: float) -> float:
    """E to that power; infinite where a float cannot hold it."""
    try:
        return math.exp(logarithm)
    except OverflowError:
        return math.inf
