"""Frames by kind and by symbol."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from harness.recordings.statistics.arrivals import rate
from harness.recordings.statistics.events import symbol_of
from harness.recordings.statistics.spread import peak, spread
from harness.units import NS_PER_MS, NS_PER_S

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.recordings.statistics.events import Seen


@dataclass(frozen=True, slots=True, kw_only=True)
class KindStatistics:
    """Frames of one kind: stream kinds as in `exchange.streams`, event names for account events, or "rest"."""

    kind: str
    count: int
    share: float
    """Of all frames, REST bodies included."""
    share_of_served: float | None
    """Of market and account frames; None for REST bodies."""
    per_second: float
    bytes_min: int
    bytes_median: float
    bytes_p95: float
    bytes_p99: float
    bytes_max: int
    """UTF-8 bytes of the whole frame, with its envelope."""
    gap_p50_ms: float | None
    """Between frames of this kind, of whatever symbol; None for fewer than three."""
    gap_p99_ms: float | None
    peak_in_1_s: int
    peak_in_100_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SymbolStatistics:
    """How unevenly market frames fall to symbols; streams of all symbols are left out."""

    symbols: int
    per_second_max: float
    per_second_median: float
    per_second_min: float
    top_share: float
    """Of the busiest symbol, among market frames of one symbol."""
    rank_exponent: float | None
    """s in rate ~ rank^-s: least squares on the logarithms of rate and rank; None for fewer than three symbols."""


def kinds(found: Sequence[Seen], span_ns: int) -> tuple[KindStatistics, ...]:
    """The figures by kind, the most frequent first."""
    by_kind: dict[str, list[Seen]] = defaultdict(list)
    for one in found:
        by_kind[one.kind].append(one)
    served = sum(one.kind != "rest" for one in found)
    ranked = sorted(by_kind.items(), key=lambda item: (-len(item[1]), item[0]))
    return tuple(_kind(kind, those, len(found), served, span_ns) for kind, those in ranked)


def _kind(kind: str, found: Sequence[Seen], of_all: int, served: int, span_ns: int) -> KindStatistics:
    times = np.array([one.frame.at for one in found], dtype=np.int64)
    sizes = spread([len(one.frame.body) for one in found])
    gaps = spread(np.diff(times) / NS_PER_MS) if len(times) > 2 else None
    assert sizes is not None  # noqa: S101  # a kind has a frame
    return KindStatistics(
        kind=kind,
        count=len(found),
        share=len(found) / of_all,
        share_of_served=None if kind == "rest" else len(found) / served,
        per_second=rate(len(found), span_ns),
        bytes_min=int(sizes.min),
        bytes_median=sizes.p50,
        bytes_p95=sizes.p95,
        bytes_p99=sizes.p99,
        bytes_max=int(sizes.max),
        gap_p50_ms=gaps.p50 if gaps else None,
        gap_p99_ms=gaps.p99 if gaps else None,
        peak_in_1_s=peak(times, NS_PER_S),
        peak_in_100_ms=peak(times, 100 * NS_PER_MS),
    )


def symbol_rates(market: Sequence[Seen], span_ns: int) -> dict[str, float]:
    """Market frames a second by symbol, the busiest first; a stream of all symbols under its own name."""
    counts = Counter(symbol_of(one.place) for one in market)
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return {symbol: rate(count, span_ns) for symbol, count in ranked}


def symbols(rates: dict[str, float]) -> SymbolStatistics | None:
    """How uneven the rates are; None where no frame is of one symbol."""
    ranked = sorted((value for name, value in rates.items() if name and "!" not in name), reverse=True)
    if not ranked:
        return None
    ranks = np.arange(1, len(ranked) + 1)
    exponent = -np.polyfit(np.log(ranks), np.log(ranked), 1)[0] if len(ranked) > 2 else None
    return SymbolStatistics(
        symbols=len(ranked),
        per_second_max=ranked[0],
        per_second_median=float(np.median(ranked)),
        per_second_min=ranked[-1],
        top_share=ranked[0] / sum(ranked),
        rank_exponent=None if exponent is None else float(exponent),
    )
