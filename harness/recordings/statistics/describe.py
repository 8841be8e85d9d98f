"""A whole recording in figures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.recordings.format import MARKET
from harness.recordings.statistics import arrivals, depth, kinds, tickers, trades
from harness.recordings.statistics.events import (
    BOOK_TICKER,
    DEPTH_KINDS,
    TRADE_KINDS,
    BookTickerEvent,
    DepthEvent,
    TradeEvent,
    Unreadable,
    read,
    seen,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.recordings.format import Recording
    from harness.recordings.statistics.arrivals import Arrivals, EventTimes
    from harness.recordings.statistics.depth import DepthStatistics
    from harness.recordings.statistics.events import Seen
    from harness.recordings.statistics.kinds import KindStatistics, SymbolStatistics
    from harness.recordings.statistics.tickers import BookTickerStatistics
    from harness.recordings.statistics.trades import TradeStatistics
    from harness.units import Nanoseconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Description:
    """A recording in figures.

    Rates are over market and account frames and the time from the first to the last of them, peaks over sliding
    windows.
    """

    name: str
    title: str
    market: str
    source: str
    sha256: str
    frames: int
    span_ns: Nanoseconds
    """From the recording's start to its last frame."""
    gaps_marked: int
    """Times in which a connection of the capture was away, as the recording itself tells."""
    unreadable: int
    """Depth, trade and bookTicker frames that are not of their event's shape; they are in no figure of those events."""
    unreadable_first_line: int | None
    messages_per_second: float
    peak_in_1_s: int
    peak_in_100_ms: int
    arrivals: Arrivals | None
    """None where there are REST bodies only."""
    event_times: EventTimes | None
    """None where no market frame bears an event time."""
    kinds: tuple[KindStatistics, ...]
    """The most frequent first."""
    messages_per_second_by_symbol: dict[str, float]
    """Of market frames, the busiest first; a stream of all symbols under its own name."""
    symbols: SymbolStatistics | None
    depth_levels_median: float | None
    depth_levels_p95: float | None
    """Bids and asks of a diff event together; None without depth events."""
    depth_events: int
    sequence_gaps: int
    """Depth events that do not follow the one before of their stream."""
    depth: DepthStatistics | None
    trades: tuple[TradeStatistics, ...]
    """`aggTrade` and `trade`, each where there are any."""
    book_tickers: BookTickerStatistics | None


def describe(recording: Recording) -> Description:
    """The figures of a recording. Frames that cannot be read are counted, never an error."""
    found = seen(recording)
    market = [one for one in found if one.frame.connection == MARKET]
    served = [one for one in found if one.kind != "rest"]
    span_ns = served[-1].frame.at - served[0].frame.at if served else 0
    unreadable = Unreadable()
    came = arrivals.arrivals(served)
    rates = kinds.symbol_rates(market, span_ns)
    books = depth.depth(read(_of(market, DEPTH_KINDS), DepthEvent, unreadable))
    return Description(
        name=recording.name,
        title=recording.header.title,
        market=recording.header.market,
        source=recording.header.source,
        sha256=recording.sha256,
        frames=len(found),
        span_ns=recording.span_ns,
        gaps_marked=len(recording.gaps),
        messages_per_second=came.per_second if came else 0.0,
        peak_in_1_s=came.peak_in_1_s if came else 0,
        peak_in_100_ms=came.peak_in_100_ms if came else 0,
        arrivals=came,
        event_times=arrivals.event_times(market, recording.header.start_ms),
        kinds=kinds.kinds(found, span_ns),
        messages_per_second_by_symbol=rates,
        symbols=kinds.symbols(rates),
        depth_levels_median=books.levels.p50 if books else None,
        depth_levels_p95=books.levels.p95 if books else None,
        depth_events=books.events if books else 0,
        sequence_gaps=books.sequence_gaps if books else 0,
        depth=books,
        trades=_trades(market, unreadable),
        book_tickers=tickers.book_tickers(
            read(_of(market, frozenset({BOOK_TICKER})), BookTickerEvent, unreadable), span_ns
        ),
        # Last: all that is read above is counted by now.
        unreadable=unreadable.count,
        unreadable_first_line=unreadable.first_line,
    )


def _of(found: Sequence[Seen], wanted: frozenset[str]) -> list[Seen]:
    return [one for one in found if one.kind in wanted]


def _trades(market: Sequence[Seen], unreadable: Unreadable) -> tuple[TradeStatistics, ...]:
    figures = (
        trades.trades(kind, read(_of(market, frozenset({kind})), TradeEvent, unreadable))
        for kind in sorted(TRADE_KINDS)
    )
    return tuple(one for one in figures if one is not None)
