"""Ratios of two independent sets of values: another run, another client. Two arms of one run are paired instead."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import stdtr

from harness.stats.estimate import Estimate
from harness.stats.paired import exp, quantile_of_t

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

LEVEL = 0.95


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A ratio of two independent sets, and how surprising it would be if nothing had changed."""

    ratio: Estimate
    p_value: float
    """Two-sided; 1 when an interval cannot be made."""


def change(head: Sequence[float], base: Sequence[float], *, level: float = LEVEL) -> Change:
    """Head / base of geometric means: Welch's t on the logarithms, equal variances not assumed.

    `n` is the smaller number of values. With fewer than two on either side the interval is (0, inf).
    Raises ValueError for an empty side, or values that are not positive and finite.
    """
    over, under = _logs(head), _logs(base)
    point = float(np.mean(over) - np.mean(under))
    n = min(over.size, under.size)
    if n < 2:
        return Change(ratio=_estimate(point, math.inf, level, n), p_value=1.0)
    squares = np.array([np.var(side, ddof=1) / side.size for side in (over, under)])
    spread = math.sqrt(float(squares.sum()))
    if spread == 0:
        return Change(ratio=_estimate(point, 0.0, level, n), p_value=1.0 if point == 0 else 0.0)
    #: Welch 1947, Satterthwaite 1946
    freedom = float(squares.sum() ** 2 / (squares[0] ** 2 / (over.size - 1) + squares[1] ** 2 / (under.size - 1)))
    half = quantile_of_t((1 + level) / 2, freedom) * spread
    return Change(ratio=_estimate(point, half, level, n), p_value=float(2 * stdtr(freedom, -abs(point) / spread)))


def holm(p_values: Sequence[float]) -> list[float]:
    """The p-values adjusted for their number, in the order given (Holm 1979)."""
    order = sorted(range(len(p_values)), key=lambda index: p_values[index])
    adjusted = [1.0] * len(p_values)
    running = 0.0
    for rank, index in enumerate(order):
        running = max(running, min(1.0, (len(p_values) - rank) * p_values[index]))
        adjusted[index] = running
    return adjusted


def _logs(values: Sequence[float]) -> NDArray[np.float64]:
    array = np.asarray(values, dtype=np.float64)
    if array.size == 0 or not np.all(np.isfinite(array) & (array > 0)):
        raise ValueError("a ratio wants positive, finite values on both sides")
    return np.log(array)


def _estimate(point: float, half: float, level: float, n: int) -> Estimate:
    return Estimate(point=exp(point), low=exp(point - half), high=exp(point + half), level=level, n=n)
