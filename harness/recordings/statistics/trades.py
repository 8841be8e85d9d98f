"""Trades: how they cluster in instants, and how side and price persist."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from harness.recordings.statistics.spread import Spread, spread

if TYPE_CHECKING:
    from collections.abc import Iterable

    from harness.recordings.statistics.events import Seen, TradeEvent

#: Times of more digits are in microseconds.
_MICROSECONDS_FROM: Final = 10**14


@dataclass(frozen=True, slots=True, kw_only=True)
class TradeStatistics:
    """`aggTrade` or `trade` events of all symbols; an instant is a symbol and a trade time T."""

    kind: str
    events: int
    instants: int
    events_per_instant: Spread
    instant_gaps_ms: Spread | None
    """Between neighbouring instants of one symbol, all symbols together."""
    same_side: float | None
    """Share whose aggressor's side is that of the symbol's event before."""
    same_price: float | None
    """Share whose price is that of the symbol's event before."""
    raw_trades: Spread | None
    """Trades that an aggregate holds, l - f + 1; None for `trade`."""
    event_minus_trade_ms: Spread | None
    """E - T."""


@dataclass(slots=True)
class _Gathered:
    instants: dict[str, Counter[float]] = field(default_factory=lambda: defaultdict(Counter))
    raw: list[int] = field(default_factory=list)
    delays: list[float] = field(default_factory=list)
    events: int = 0
    pairs: int = 0
    sides: int = 0
    prices: int = 0


def trades(kind: str, events: Iterable[tuple[Seen, TradeEvent]]) -> TradeStatistics | None:
    """The figures of trades of one kind in their order; None for none."""
    found = _gathered(events)
    counts = spread([count for times in found.instants.values() for count in times.values()])
    if counts is None:
        return None
    gaps: list[float] = []
    for times in found.instants.values():
        ordered = sorted(times)
        gaps += [after - before for before, after in pairwise(ordered)]
    return TradeStatistics(
        kind=kind,
        events=found.events,
        instants=counts.count,
        events_per_instant=counts,
        instant_gaps_ms=spread(gaps),
        same_side=found.sides / found.pairs if found.pairs else None,
        same_price=found.prices / found.pairs if found.pairs else None,
        raw_trades=spread(found.raw),
        event_minus_trade_ms=spread(found.delays),
    )


def _gathered(events: Iterable[tuple[Seen, TradeEvent]]) -> _Gathered:
    found = _Gathered()
    before: dict[str, TradeEvent] = {}
    for seen, event in events:
        symbol = seen.place.symbol
        time_ms = event.T if event.T < _MICROSECONDS_FROM else event.T / 1_000
        found.events += 1
        found.instants[symbol][time_ms] += 1
        if event.f is not None and event.l is not None:
            found.raw.append(event.l - event.f + 1)
        if seen.event_ms is not None:
            found.delays.append(seen.event_ms - time_ms)
        if last := before.get(symbol):
            found.pairs += 1
            found.sides += last.m == event.m
            found.prices += last.p == event.p
        before[symbol] = event
    return found
