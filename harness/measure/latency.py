"""Latency from the schedule: when a frame was due, not when it happened to be sent (MEASURING.md, rule 10)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from hdrh.histogram import HdrHistogram

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: From 1 ns to 10 minutes, three significant digits.
_LOWEST_NS, _HIGHEST_NS, _DIGITS = 1, 600_000_000_000, 3


def latencies(scheduled_ns: NDArray[np.int64], decided_ns: NDArray[np.int64], *, warm_up: int) -> NDArray[np.int64]:
    """Nanoseconds from the scheduled send of each frame to its decision, joined by position, warm-up left out.

    Raises ValueError when the two logs are not of the same frames.
    """
    if scheduled_ns.shape != decided_ns.shape:
        raise ValueError(f"{scheduled_ns.size} frames were sent and {decided_ns.size} were decided on")
    return (decided_ns - scheduled_ns)[warm_up:]


def histogram(values_ns: NDArray[np.int64]) -> str:
    """HdrHistogram, V2 encoding in base64; what lies outside its range counts at its edge."""
    made = HdrHistogram(_LOWEST_NS, _HIGHEST_NS, _DIGITS)
    values, counts = np.unique(np.clip(values_ns, _LOWEST_NS, _HIGHEST_NS), return_counts=True)
    for value, count in zip(values.tolist(), counts.tolist(), strict=True):
        made.record_value(value, count)
    encoded = made.encode()
    return encoded.decode("ascii") if isinstance(encoded, bytes) else str(encoded)
