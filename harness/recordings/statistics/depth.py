"""Diff events of the book: levels, deletions, bytes, the grid of their times, ids, sequence."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import numpy as np

from harness.recordings.statistics.spread import Spread, spread

if TYPE_CHECKING:
    from collections.abc import Iterable

    from harness.recordings.statistics.events import DepthEvent, Seen

_PHASES_TOLD: Final = 3
#: Of what the phase is the remainder, in ms: the shortest interval that both markets offer.
_GRID_MS: Final = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class DepthStatistics:
    """Diff events (not partial books) of all symbols together; levels are bids and asks of one event."""

    events: int
    levels: Spread
    log_levels_mean: float | None
    """Of the natural logarithm of the levels, over events that have any."""
    log_levels_deviation: float | None
    """Of the population."""
    deletions: float | None
    """Share of levels whose quantity is 0."""
    bytes_base: float | None
    """a in `bytes = a + b * levels`, least squares; None where all events have as many levels."""
    bytes_per_level: float | None
    """b in the same."""
    event_spacing_ms: Spread | None
    """Of E between events of one stream, all streams together."""
    most_at_one_time: int
    """The most events, of whatever symbols, that share one E."""
    phases: tuple[tuple[int, int], ...]
    """The most common E mod 100 ms with their events, the most frequent first."""
    update_ids: Spread
    """Ids that an event covers, from its first to its last, both included."""
    sequence_pairs: int
    """Neighbours of one stream that were compared."""
    sequence_gaps: int
    """Spot: U is not the previous u + 1. USD-M: pu is not the previous u."""


@dataclass(slots=True)
class _Gathered:
    levels: list[int] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)
    ids: list[int] = field(default_factory=list)
    spacing: list[float] = field(default_factory=list)
    at_time: Counter[float] = field(default_factory=Counter)
    deleted: int = 0
    pairs: int = 0
    gaps: int = 0


def depth(events: Iterable[tuple[Seen, DepthEvent]]) -> DepthStatistics | None:
    """The figures of diff events in their order; None for none."""
    all_of = _gathered(events)
    levels, ids = spread(all_of.levels), spread(all_of.ids)
    if levels is None or ids is None:
        return None
    logs = np.log([count for count in all_of.levels if count])
    base, slope = _line(all_of.levels, all_of.sizes)
    phases: Counter[int] = Counter()
    for time, count in all_of.at_time.items():
        phases[int(time) % _GRID_MS] += count
    return DepthStatistics(
        events=len(all_of.levels),
        levels=levels,
        log_levels_mean=float(logs.mean()) if len(logs) else None,
        log_levels_deviation=float(logs.std()) if len(logs) else None,
        deletions=all_of.deleted / sum(all_of.levels) if len(logs) else None,
        bytes_base=base,
        bytes_per_level=slope,
        event_spacing_ms=spread(all_of.spacing),
        most_at_one_time=max(all_of.at_time.values(), default=0),
        phases=tuple(phases.most_common(_PHASES_TOLD)),
        update_ids=ids,
        sequence_pairs=all_of.pairs,
        sequence_gaps=all_of.gaps,
    )


def _gathered(events: Iterable[tuple[Seen, DepthEvent]]) -> _Gathered:
    found = _Gathered()
    before: dict[str, tuple[int, float | None]] = {}
    for seen, event in events:
        found.levels.append(len(event.b) + len(event.a))
        found.sizes.append(len(seen.frame.body))
        found.ids.append(event.u - event.U + 1)
        found.deleted += sum(not quantity.strip("0.") for side in (event.b, event.a) for _, quantity in side)
        stream = seen.place.stream or seen.place.symbol
        last, last_ms = before.get(stream, (None, None))
        if last is not None:
            found.pairs += 1
            found.gaps += last + 1 != event.U if event.pu is None else event.pu != last
        if seen.event_ms is not None:
            found.at_time[seen.event_ms] += 1
            if last_ms is not None:
                found.spacing.append(seen.event_ms - last_ms)
        before[stream] = event.u, seen.event_ms
    return found


def _line(levels: list[int], sizes: list[int]) -> tuple[float | None, float | None]:
    if min(levels) == max(levels):
        return None, None
    slope, base = np.polyfit(levels, sizes, 1)
    return float(base), float(slope)
