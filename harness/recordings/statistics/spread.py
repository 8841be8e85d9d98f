"""Quantiles of a sample; how many events fell into equal bins of time, and into the fullest window."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from harness.units import NS_PER_MS, Nanoseconds

if TYPE_CHECKING:
    from collections.abc import Sequence

Integers: TypeAlias = "np.ndarray[tuple[int], np.dtype[np.int64]]"
Numbers: TypeAlias = "Sequence[float] | np.ndarray[tuple[int], np.dtype[np.int64 | np.float64]]"


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """A sample by its quantiles, interpolated linearly (type 7 of Hyndman & Fan 1996, numpy's own)."""

    count: int
    mean: float
    min: float
    p50: float
    p90: float
    p95: float
    p99: float
    max: float


def spread(values: Numbers) -> Spread | None:
    """The quantiles of a sample, in its unit; None for an empty one."""
    if not len(values):
        return None
    sample = np.asarray(values, dtype=np.float64)
    low, p50, p90, p95, p99, high = np.percentile(sample, (0, 50, 90, 95, 99, 100)).tolist()
    return Spread(count=len(sample), mean=float(sample.mean()), min=low, p50=p50, p90=p90, p95=p95, p99=p99, max=high)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bins:
    """Events in equal bins of time, from the first event on; the last bin is counted as if it were whole."""

    width_ms: int
    p50: float
    p95: float
    p99: float
    max: int
    fano: float
    """Variance (of the population) by mean: 1 for a Poisson process."""


def bins(times_ns: Integers, width_ns: Nanoseconds) -> Bins:
    """Counts a bin of times that never run back, of which there is at least one."""
    # Not bincount: a silence of days must not cost memory for each of its bins.
    taken, counts = np.unique((times_ns - times_ns[0]) // width_ns, return_counts=True)
    total = int(taken[-1]) + 1
    mean = len(times_ns) / total
    variance = float((counts.astype(np.float64) ** 2).sum()) / total - mean**2
    p50, p95, p99 = (_quantile(np.sort(counts), total, share) for share in (0.5, 0.95, 0.99))
    return Bins(
        width_ms=width_ns // NS_PER_MS,
        p50=p50,
        p95=p95,
        p99=p99,
        max=int(counts.max()),
        fano=max(0.0, variance) / mean,
    )


def _quantile(ordered: Integers, total: int, share: float) -> float:
    """As `np.percentile` of `ordered` with zeros before it, `total` in all."""
    place = share * (total - 1)
    below = int(place)
    zeros = total - len(ordered)

    def at(index: int) -> float:
        return float(ordered[index - zeros]) if index >= zeros else 0.0

    return at(below) + (place - below) * (at(min(below + 1, total - 1)) - at(below))


def peak(times: Integers, window: int) -> int:
    """The most events in any window `[t, t + window)`, of times in order; 0 for none."""
    if not len(times):
        return 0
    ends = np.searchsorted(times, times + window, side="left")
    return int((ends - np.arange(len(times))).max())
