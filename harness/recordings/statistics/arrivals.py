"""When frames came: rate, gaps, bins, the fullest windows, on the receive time and on the exchange's event time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from harness.recordings.statistics.spread import Bins, Spread, bins, peak, spread
from harness.units import NS_PER_MS, NS_PER_S, Nanoseconds

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.recordings.statistics.events import Seen
    from harness.recordings.statistics.spread import Integers

_SECOND: Final = Nanoseconds(NS_PER_S)
_TENTH: Final = Nanoseconds(100 * NS_PER_MS)
_US_PER_MS: Final = 1_000
_US_PER_S: Final = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrivals:
    """Market and account frames on the receive time."""

    frames: int
    span_s: float
    """From the first to the last of them."""
    per_second: float
    """Frames by span."""
    gaps_ms: Spread | None
    """Between neighbours."""
    gaps_variation: float | None
    """Standard deviation (of the population) of the gaps by their mean: 1 for a Poisson process."""
    gaps_below_1_ms: float | None
    """Share of the gaps."""
    in_1_s: Bins
    in_100_ms: Bins
    peak_in_1_s: int
    """In any window `[t, t + 1 s)`, not only in whole bins."""
    peak_in_100_ms: int
    worst_second_to_mean: float
    """peak_in_1_s by the mean rate in as long a time."""
    worst_100_ms_to_mean: float


@dataclass(frozen=True, slots=True, kw_only=True)
class EventTimes:
    """Market frames on the exchange's event time E, in its order; only those that bear one."""

    frames: int
    peak_in_1_s: int
    peak_in_100_ms: int
    worst_second_to_mean: float
    """peak_in_1_s by the mean of these frames in as long a time: the burst on the server's side."""
    worst_100_ms_to_mean: float
    receive_minus_event_ms: Spread
    """Where the recorder's clock was not synchronised, its spread says something, its level nothing."""


def arrivals(found: Sequence[Seen]) -> Arrivals | None:
    """The figures of frames in their order; None for none."""
    if not found:
        return None
    times = np.array([one.frame.at for one in found], dtype=np.int64)
    gaps = np.diff(times)
    mean_gap = float(gaps.mean()) if len(gaps) else 0.0
    span_ns = int(times[-1] - times[0])
    worst = peak(times, _SECOND), peak(times, _TENTH)
    return Arrivals(
        frames=len(times),
        span_s=span_ns / NS_PER_S,
        per_second=rate(len(times), span_ns),
        gaps_ms=spread(gaps / NS_PER_MS),
        gaps_variation=float(gaps.std()) / mean_gap if mean_gap else None,
        gaps_below_1_ms=float((gaps < NS_PER_MS).mean()) if len(gaps) else None,
        in_1_s=bins(times, _SECOND),
        in_100_ms=bins(times, _TENTH),
        peak_in_1_s=worst[0],
        peak_in_100_ms=worst[1],
        worst_second_to_mean=worst[0] / len(times) * span_ns / _SECOND,
        worst_100_ms_to_mean=worst[1] / len(times) * span_ns / _TENTH,
    )


def event_times(found: Sequence[Seen], start_ms: int) -> EventTimes | None:
    """The figures of the frames that bear E; `start_ms` is the unix time of the recording's zero."""
    borne = [(one.event_ms, one.frame.at / NS_PER_MS + start_ms) for one in found if one.event_ms is not None]
    if not borne:
        return None
    # In whole microseconds: sorted, since E is not quite in the order of arrival.
    times: Integers = np.sort(np.array([round(event * _US_PER_MS) for event, _ in borne], dtype=np.int64))
    span_us = int(times[-1] - times[0])
    worst = peak(times, _US_PER_S), peak(times, _US_PER_S // 10)
    delays = spread([received - event for event, received in borne])
    assert delays is not None  # noqa: S101  # there is at least one
    return EventTimes(
        frames=len(times),
        peak_in_1_s=worst[0],
        peak_in_100_ms=worst[1],
        worst_second_to_mean=worst[0] / len(times) * span_us / _US_PER_S,
        worst_100_ms_to_mean=worst[1] / len(times) * span_us / (_US_PER_S // 10),
        receive_minus_event_ms=delays,
    )


def rate(count: int, span_ns: int) -> float:
    """Events a second over a span; 0 for a span of no length that holds none, the count by one ns for one that does."""
    return count * NS_PER_S / max(span_ns, 1)
