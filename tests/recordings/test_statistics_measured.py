"""The figures of real recordings against those that were measured on them before, by other code.

The literals are from TRAFFIC.md, sections 2, 3 and 5, beside the recordings in ../shared; each is written with as many
digits as it has there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from harness.recordings.format import load
from harness.recordings.importers import import_raw
from harness.recordings.statistics import Description, describe

if TYPE_CHECKING:
    from pathlib import Path

    from harness.recordings.statistics.spread import Spread

pytestmark = pytest.mark.shared

S1 = "spot-10-symbols-2021-04"
S2 = "spot-btc-eth-dot-kline-2021-04"
F2 = "usdm-5-symbols-2021-04"


@pytest.fixture(params=[S1, F2, S2])
def name(request: pytest.FixtureRequest) -> str:
    wanted: str = request.param
    return wanted


@pytest.fixture
def found(name: str, shared: Path, tmp_path: Path) -> Description:
    import_raw(shared / f"{name}.raw", tmp_path / "real.jsonl")
    return describe(load(tmp_path / "real.jsonl"))


def _told(value: float | None, text: str) -> bool:
    """Whether the value is that of the text, within half of its last digit."""
    assert value is not None
    _, _, fraction = text.partition(".")
    within: float = 0.5001 * 10.0 ** -len(fraction)
    return abs(value - float(text)) <= within


def _all_told(values: tuple[float | None, ...], text: str) -> bool:
    return all(_told(value, part) for value, part in zip(values, text.replace(",", "").split(), strict=True))


#: Section 5: frames, span, mean; gaps p50, p90, p99, max, CV, share below 1 ms in %; peak of 100 ms and 1 s; bins of
#: 1 s p50, p95, max, Fano; of 100 ms p50, p95, p99, max, Fano.
ARRIVALS = {
    S1: "11,357 119.19 95.3 0.555 32.04 97.9 526 2.19 52 325 424 93 140 401 17.5 8 19 33 310 12.3",
    F2: "8,421 119.18 70.7 4.927 30.65 262.3 524 2.60 33 136 192 67 106 180 7.5 5 20 34 134 8.7",
    S2: "4,716 91.04 51.8 1.397 66.17 101.6 788 1.65 50 83 130 48 81 115 4.8 5 9 15 83 2.6",
}
#: Section 5: peak of 100 ms and 1 s on E; receive - E p50, p95, p99, min, max.
EVENT_TIMES = {
    S1: "40 100 -9 64 2527 -13 2897",
    F2: "46 158 -2 234 476 -6 1091",
    S2: "33 130 18 34 423 13 1314",
}
#: Section 5, the table: frames, share of %, msg/s, bytes min, median, p95, p99, max, gap p50, p99, peaks.
KINDS = {
    S1: {
        "bookTicker": "5408 47.6 45.37 133 143 148 149 150 8.87 184 165 209",
        "depth": "4709 41.5 39.51 156 194 410 579 2205 0.15 111 118 161",
        "aggTrade": "1240 10.9 10.40 187 199 201 202 203 32.93 674 42 57",
    },
    F2: {
        "depth": "4423 52.5 37.11 190 298 596 823 2413 12.90 315 47 83",
        "bookTicker": "3424 40.7 28.73 169 173 175 176 176 7.22 417 83 103",
        "aggTrade": "574 6.8 4.82 170 176 177 178 178 86.45 1471 26 31",
    },
    S2: {
        "depth": "2688 57.0 29.53 163 357 1093 1959 4448 0.24 115 42 69",
        "aggTrade": "1910 40.5 20.98 195 201 202 202 202 24.01 327 38 99",
        "kline": "118 2.5 1.30 343 362 365 366 366 712.43 2017 3 3",
    },
}
#: Section 5: max, median, min, top share in %; then the ranked rates.
SYMBOLS = {
    S1: ("29.19 5.87 1.670 31", "29.19 20.76 16.38 6.66 5.90 5.85 4.09 2.55 2.25 1.67"),
    F2: ("20.15 14.32 8.886 29", "20.15 14.73 14.32 12.57 8.89"),
    S2: ("23.84 15.98 11.984 46", "23.84 15.98 11.98"),
}
#: Section 5: levels min, p50, p95, p99, max; ids p50, p95, max. Section 3: deletions in %, bytes a and b, ln mean and
#: sd, E spacing p50, p90, p99, most at one E, gaps, pairs.
DEPTH = {
    S1: "1 2 9 15 70 2 11 92 38 133 29.6 0.84 0.79 100 500 2203 8 0 4699",
    F2: "1 7 23 35 131 1700 3041 6854 28 173 18.2 1.87 0.82 115 186 400 3 0 4418",
    S2: "1 7 30 58 139 9 40 233 40 130 31.4 1.98 0.88 100 100 200 3 0 2685",
}
#: Section 3: the most common E mod 100.
PHASES = {
    S1: ((87, 136), (93, 136), (96, 129)),
    F2: ((53, 66), (39, 63), (38, 59)),
    S2: ((21, 97), (46, 83), (22, 79)),
}
#: Section 3: events, instants, trades an instant mean, p50, p95, max; gap p50, p90, p99; same side, same price; raw
#: trades mean, p95, max; E - T p50, p99.
TRADES = {
    S1: "1240 938 1.32 1 2 25 184 1402 10567 0.70 0.29 1.18 2 28 1 27",
    F2: "574 417 1.38 1 3 13 801 3547 9455 0.74 0.15 1.30 3 6 154 157",
    S2: "1910 1610 1.19 1 2 13 59 385 1657 0.63 0.39 1.12 2 5 1 26",
}
#: Section 3: bid price, ask price, bid quantity only, ask quantity only, in %.
TICKERS = {S1: "33 28 25 15", F2: "33 34 16 17"}


def test_arrivals_are_those_measured(name: str, found: Description) -> None:
    came = found.arrivals
    assert came is not None
    gaps = _of(came.gaps_ms)
    assert came.gaps_below_1_ms is not None
    seconds, tenths = came.in_1_s, came.in_100_ms
    assert _all_told(
        (
            *(came.frames, came.span_s, came.per_second, gaps.p50, gaps.p90, gaps.p99, gaps.max, came.gaps_variation),
            *(100 * came.gaps_below_1_ms, came.peak_in_100_ms, came.peak_in_1_s),
            *(seconds.p50, seconds.p95, seconds.max, seconds.fano),
            *(tenths.p50, tenths.p95, tenths.p99, tenths.max, tenths.fano),
        ),
        ARRIVALS[name],
    )


def test_event_times_are_those_measured(name: str, found: Description) -> None:
    times = found.event_times
    assert times is not None
    late = times.receive_minus_event_ms
    assert _all_told(
        (times.peak_in_100_ms, times.peak_in_1_s, late.p50, late.p95, late.p99, late.min, late.max), EVENT_TIMES[name]
    )


def test_kinds_are_those_measured(name: str, found: Description) -> None:
    kinds = {kind.kind: kind for kind in found.kinds if kind.kind != "rest"}
    assert kinds.keys() == KINDS[name].keys()
    for kind, told in KINDS[name].items():
        one = kinds[kind]
        assert one.share_of_served is not None
        values = (
            *(one.count, 100 * one.share_of_served, one.per_second),
            *(one.bytes_min, one.bytes_median, one.bytes_p95, one.bytes_p99, one.bytes_max),
            *(one.gap_p50_ms, one.gap_p99_ms, one.peak_in_100_ms, one.peak_in_1_s),
        )
        assert _all_told(values, told), kind


def test_symbols_are_those_measured(name: str, found: Description) -> None:
    symbols = found.symbols
    assert symbols is not None
    told, ranked = SYMBOLS[name]
    values = (symbols.per_second_max, symbols.per_second_median, symbols.per_second_min, 100 * symbols.top_share)
    assert _all_told(values, told)
    assert _all_told(tuple(found.messages_per_second_by_symbol.values()), ranked)
    if name == S1:  # section 3, the suggested model, 1
        assert _told(symbols.rank_exponent, "1.28")


def test_depth_is_that_measured(name: str, found: Description) -> None:
    depth = found.depth
    assert depth is not None
    levels, ids, spacing = depth.levels, depth.update_ids, _of(depth.event_spacing_ms)
    assert depth.deletions is not None
    assert _all_told(
        (
            *(levels.min, levels.p50, levels.p95, levels.p99, levels.max, ids.p50, ids.p95, ids.max),
            *(100 * depth.deletions, depth.bytes_base, depth.bytes_per_level),
            *(depth.log_levels_mean, depth.log_levels_deviation, spacing.p50, spacing.p90, spacing.p99),
            *(depth.most_at_one_time, depth.sequence_gaps, depth.sequence_pairs),
        ),
        DEPTH[name],
    )
    assert depth.phases == PHASES[name]


def test_trades_are_those_measured(name: str, found: Description) -> None:
    (trades,) = found.trades
    each, gaps, raw = trades.events_per_instant, _of(trades.instant_gaps_ms), _of(trades.raw_trades)
    late = _of(trades.event_minus_trade_ms)
    assert _all_told(
        (
            *(trades.events, trades.instants, each.mean, each.p50, each.p95, each.max, gaps.p50, gaps.p90, gaps.p99),
            *(trades.same_side, trades.same_price, raw.mean, raw.p95, raw.max, late.p50, late.p99),
        ),
        TRADES[name],
    )


def test_book_tickers_are_those_measured(name: str, found: Description) -> None:
    tickers = found.book_tickers
    if name not in TICKERS:
        assert tickers is None
        return
    assert tickers is not None
    shares = (tickers.bid_price, tickers.ask_price, tickers.bid_quantity_only, tickers.ask_quantity_only)
    assert _all_told(tuple(100 * share for share in shares if share is not None), TICKERS[name])


def _of(spread: Spread | None) -> Spread:
    assert spread is not None
    return spread
