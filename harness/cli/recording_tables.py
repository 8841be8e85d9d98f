"""What `tickproof recording info` shows: the figures of a recording as text and tables."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from rich.markup import escape
from rich.table import Table

from harness.units import NS_PER_S

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from rich.console import Console

    from harness.recordings.calibration import Finding
    from harness.recordings.statistics import Description
    from harness.recordings.statistics.arrivals import Arrivals, EventTimes
    from harness.recordings.statistics.depth import DepthStatistics
    from harness.recordings.statistics.spread import Bins, Spread
    from harness.recordings.statistics.tickers import BookTickerStatistics
    from harness.recordings.statistics.trades import TradeStatistics

#: More symbols would make the table longer than a screen.
_SYMBOLS_SHOWN = 20


def show(console: Console, path: Path, found: Description) -> None:
    """Print all figures of a recording."""
    console.print(f"[bold]{escape(found.name)}[/]: {escape(found.title)} ({found.market}, {found.source})")
    console.print(f"{escape(str(path))}, SHA-256 {found.sha256}", highlight=False, soft_wrap=True)
    for line in _lines(found):
        console.print(line, highlight=False, soft_wrap=True)
    console.print(_kinds(found))
    console.print(_sizes(found))
    console.print(_symbols(found))


def compared(findings: Iterable[Finding]) -> Table:
    """Figures against the ranges that measured traffic had."""
    table = Table("figure", title="Against measured traffic")
    for heading in ("value", "from", "to", ""):
        table.add_column(heading, justify="right")
    table.add_column("measured")
    for one in findings:
        high = "-" if one.high == math.inf else f"{one.high:,g}"
        verdict = "[green]within[/]" if one.ok else "[red]outside[/]"
        table.add_row(one.figure, f"{one.value:,.4g}", f"{one.low:,g}", high, verdict, one.measured)
    return table


def _lines(found: Description) -> Iterator[str]:
    yield (
        f"{found.frames:,} frames in {found.span_ns / NS_PER_S:.1f} s, {found.messages_per_second:.1f} messages/s;"
        f" at most {found.peak_in_1_s:,} in 1 s, {found.peak_in_100_ms:,} in 100 ms"
    )
    if found.gaps_marked:
        yield f"gaps in the capture: {found.gaps_marked}"
    if found.unreadable:
        where = f"the first in line {found.unreadable_first_line}"
        yield f"not of their event's shape: {found.unreadable:,} frames, {where}"
    if found.arrivals:
        yield from _arrivals(found.arrivals)
    if found.event_times:
        yield from _event_times(found.event_times)
    if found.depth:
        yield from _depth(found.depth)
    for trades in found.trades:
        yield from _trades(trades)
    if found.book_tickers:
        yield from _tickers(found.book_tickers)


def _arrivals(came: Arrivals) -> Iterator[str]:
    if came.gaps_ms and came.gaps_below_1_ms is not None:
        yield (
            f"gaps between frames (ms): {_quantiles(came.gaps_ms, 'p50', 'p90', 'p99', 'max')},"
            f" CV {_number(came.gaps_variation)}, below 1 ms {came.gaps_below_1_ms:.0%}"
        )
    yield f"messages per {_bins(came.in_1_s)}; per {_bins(came.in_100_ms)}"
    tenth = f"worst 100 ms {came.worst_100_ms_to_mean:.1f} times"
    yield f"worst second {came.worst_second_to_mean:.1f} times the mean, {tenth}"


def _event_times(times: EventTimes) -> Iterator[str]:
    yield (
        f"on event time E ({times.frames:,} frames): at most {times.peak_in_1_s:,} in 1 s"
        f" ({times.worst_second_to_mean:.1f} times the mean), {times.peak_in_100_ms:,} in 100 ms"
        f" ({times.worst_100_ms_to_mean:.1f} times)"
    )
    late = _quantiles(times.receive_minus_event_ms, "p50", "p95", "p99", "min", "max")
    yield f"receive - E (ms): {late} (a clock not synchronised: read the spread, not the level)"


def _depth(depth: DepthStatistics) -> Iterator[str]:
    yield (
        f"depth events: {depth.events:,}, levels {_quantiles(depth.levels, 'min', 'p50', 'p95', 'p99', 'max')},"
        f" ln mean {_number(depth.log_levels_mean)} sd {_number(depth.log_levels_deviation)},"
        f" deletions {_share(depth.deletions)}; gaps in sequence: {depth.sequence_gaps} of {depth.sequence_pairs:,}"
    )
    if depth.bytes_per_level is not None:
        yield f"  bytes = {depth.bytes_base:.0f} + {depth.bytes_per_level:.1f} a level"
    if depth.event_spacing_ms:
        phases = ", ".join(f"{phase} ({count:,})" for phase, count in depth.phases)
        yield (
            f"  E spacing (ms): {_quantiles(depth.event_spacing_ms, 'p50', 'p90', 'p99')}; at one E at most"
            f" {depth.most_at_one_time}; most common E mod 100: {phases}"
        )
    yield f"  update ids an event: {_quantiles(depth.update_ids, 'p50', 'p95', 'max')}"


def _trades(trades: TradeStatistics) -> Iterator[str]:
    yield (
        f"{trades.kind}: {trades.events:,} in {trades.instants:,} instants, an instant mean"
        f" {trades.events_per_instant.mean:.2f}, {_quantiles(trades.events_per_instant, 'p50', 'p95', 'max')};"
        f" same side {_share(trades.same_side)}, same price {_share(trades.same_price)}"
    )
    if trades.instant_gaps_ms:
        yield f"  gap between instants of a symbol (ms): {_quantiles(trades.instant_gaps_ms, 'p50', 'p90', 'p99')}"
    if trades.raw_trades:
        raw = _quantiles(trades.raw_trades, "p95", "max")
        yield f"  trades an aggregate: mean {trades.raw_trades.mean:.2f}, {raw}"
    if trades.event_minus_trade_ms:
        yield f"  E - T (ms): {_quantiles(trades.event_minus_trade_ms, 'p50', 'p99')}"


def _tickers(tickers: BookTickerStatistics) -> Iterator[str]:
    yield (
        f"bookTicker: {tickers.events:,}; bid price changes {_share(tickers.bid_price)}, ask price"
        f" {_share(tickers.ask_price)}, bid quantity only {_share(tickers.bid_quantity_only)}, ask quantity only"
        f" {_share(tickers.ask_quantity_only)}"
    )


def _quantiles(spread: Spread, *names: str) -> str:
    return ", ".join(f"{name} {_number(getattr(spread, name))}" for name in names)


def _number(value: float | None) -> str:
    """Whole numbers whole, others with as many digits as say something."""
    if value is None:
        return "-"
    if value.is_integer() or abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.0%}"


def _bins(bins: Bins) -> str:
    width = f"{bins.width_ms // 1_000} s" if bins.width_ms >= 1_000 else f"{bins.width_ms} ms"
    return f"{width}: p50 {_number(bins.p50)}, p95 {_number(bins.p95)}, max {bins.max:,}, Fano {bins.fano:.1f}"


def _kinds(found: Description) -> Table:
    table = _table("Kinds of frames", "kind", "frames", "share", "per s", "gap p50 ms", "gap p99 ms")
    for kind in found.kinds:
        table.add_row(
            escape(kind.kind),
            f"{kind.count:,}",
            f"{kind.share:.1%}",
            f"{kind.per_second:.2f}",
            _number(kind.gap_p50_ms),
            _number(kind.gap_p99_ms),
        )
    return table


def _sizes(found: Description) -> Table:
    # Apart from the counts: all in one table would not fit into 80 columns.
    table = _table("Bytes of a frame", "kind", "min", "median", "p95", "p99", "max")
    for kind in found.kinds:
        sizes = (kind.bytes_min, kind.bytes_median, kind.bytes_p95, kind.bytes_p99, kind.bytes_max)
        table.add_row(escape(kind.kind), *(f"{size:,.0f}" for size in sizes))
    return table


def _table(title: str, name: str, *headings: str) -> Table:
    table = Table(title=title)
    table.add_column(name, no_wrap=True)
    for heading in headings:
        table.add_column(heading, justify="right")
    return table


def _symbols(found: Description) -> Table:
    rates = list(found.messages_per_second_by_symbol.items())
    left = len(rates) - _SYMBOLS_SHOWN
    told = [f"and {left} more"] if left > 0 else []
    if symbols := found.symbols:
        told.append(f"top share {symbols.top_share:.0%}")
        if symbols.rank_exponent is not None:
            told.append(f"rank exponent {symbols.rank_exponent:.2f}")
    table = Table("symbol", title="Market frames by symbol", caption=", ".join(told) or None)
    table.add_column("messages/s", justify="right")
    for symbol, rate in rates[:_SYMBOLS_SHOWN]:
        table.add_row(escape(symbol) or "(none)", f"{rate:.2f}")
    return table
