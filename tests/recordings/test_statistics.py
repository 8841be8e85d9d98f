from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec
import numpy as np
import pytest

from harness.recordings.format import MARKED_VERSION, Frame, Gap, Header, Recording, Writer, load
from harness.recordings.statistics import describe
from harness.recordings.statistics.spread import bins, peak, spread
from harness.units import Nanoseconds, milliseconds

if TYPE_CHECKING:
    from pathlib import Path

Make = Callable[..., Recording]


def _depth(first: int, last: int, levels: int, *, event_ms: int = 1, quantity: str = "2") -> bytes:
    event = {
        "e": "depthUpdate", "E": event_ms, "s": "AAA", "U": first, "u": last, "b": [["1", quantity]] * levels, "a": [],
    }  # fmt: skip
    return msgspec.json.encode({"stream": "aaa@depth@100ms", "data": event})


def _trade(symbol: str, at: int, price: str, *, maker: bool, first: int = 1, last: int = 1) -> bytes:
    event = {"e": "aggTrade", "E": at + 3, "s": symbol, "a": 1, "p": price, "f": first, "l": last, "T": at, "m": maker}
    return msgspec.json.encode({"stream": f"{symbol.lower()}@aggTrade", "data": event})


def _ticker(symbol: str, *values: str) -> bytes:
    fields = dict(zip("bBaA", values, strict=True))
    return msgspec.json.encode({"stream": f"{symbol.lower()}@bookTicker", "data": {"u": 1, "s": symbol, **fields}})


def _at(ms: float, body: bytes, connection: str = "market") -> Frame:
    return Frame(Nanoseconds(milliseconds(ms)), connection, body)


def test_kinds_rates_levels_and_gaps_are_counted(make: Make) -> None:
    ticker = b'{"stream":"bbb@bookTicker","data":{"u":1,"s":"BBB"}}'
    found = describe(
        make(
            [
                _at(0, _depth(1, 2, 1)),
                _at(10, _depth(3, 4, 3)),
                _at(20, ticker),
                _at(30, b'{"subscriptionId":0,"event":{"e":"balanceUpdate","E":1}}', "user"),
                _at(40, b'{"lastUpdateId":1}', "rest:/api/v3/depth?symbol=AAA"),
                _at(2_000, _depth(6, 7, 5)),
            ]
        )
    )
    assert (found.frames, found.span_ns) == (6, 2_000_000_000)
    assert found.messages_per_second == 2.5
    assert (found.peak_in_1_s, found.peak_in_100_ms) == (4, 4)
    assert [(kind.kind, kind.count) for kind in found.kinds] == [
        ("depth", 3),
        ("balanceUpdate", 1),
        ("bookTicker", 1),
        ("rest", 1),
    ]
    assert found.kinds[0].share == 0.5
    assert [kind.share_of_served for kind in found.kinds] == [0.6, 0.2, 0.2, None]
    assert (found.kinds[0].gap_p50_ms, found.kinds[1].gap_p50_ms) == (1_000, None)
    assert found.kinds[2].bytes_min == found.kinds[2].bytes_max == len(ticker)
    assert found.messages_per_second_by_symbol == {"AAA": 1.5, "BBB": 0.5}
    assert (found.depth_events, found.depth_levels_median, found.sequence_gaps) == (3, 3.0, 1)


def test_a_peak_may_lie_across_the_edge_of_a_second(make: Make) -> None:
    found = describe(make([_at(ms, b"{}") for ms in (0, 990, 1_010, 1_030, 5_000)]))
    assert (found.peak_in_1_s, found.peak_in_100_ms) == (3, 3)
    assert found.arrivals is not None
    assert (found.arrivals.in_1_s.max, found.arrivals.in_1_s.p50) == (2, 0.5)
    assert found.arrivals.worst_second_to_mean == 3.0


def test_a_single_frame_has_no_division_by_zero(make: Make) -> None:
    found = describe(make([_at(0, b"{}")]))
    assert (found.frames, found.depth_levels_median, found.sequence_gaps) == (1, None, 0)
    assert (found.event_times, found.depth, found.trades, found.book_tickers) == (None, None, (), None)
    assert found.kinds[0].kind == "other"
    assert found.arrivals is not None
    assert (found.arrivals.gaps_ms, found.arrivals.gaps_variation, found.arrivals.in_1_s.fano) == (None, None, 0.0)


def test_frames_of_one_instant_have_no_division_by_zero(make: Make) -> None:
    found = describe(make([_at(0, _depth(1, 1, 0)), _at(0, _depth(2, 2, 0))]))
    assert found.depth is not None
    assert (found.depth.log_levels_mean, found.depth.deletions, found.depth.bytes_per_level) == (None, None, None)
    assert found.arrivals is not None
    assert found.arrivals.gaps_variation is None


def test_a_recording_of_rest_bodies_only_is_described(make: Make) -> None:
    found = describe(make([_at(0, b"{}", "rest:/x")]))
    assert (found.messages_per_second, found.peak_in_1_s, found.arrivals) == (0.0, 0, None)


def test_frames_of_another_shape_are_counted_and_the_first_is_named_by_its_line(make: Make) -> None:
    wrong = b'{"stream":"a@depth","data":{"e":"depthUpdate","b":1}}'
    cut = b'{"stream":"a@aggTrade","data":{"e":"aggTrade","s":"A","T":1,'
    found = describe(make([_at(0, _depth(1, 1, 1)), _at(1, cut), _at(2, wrong), _at(3, _depth(2, 2, 1))]))
    assert (found.unreadable, found.unreadable_first_line) == (2, 3)
    assert (found.depth_events, found.sequence_gaps, found.trades) == (2, 0, ())


def test_the_marks_of_a_capture_are_told_of_and_are_no_frames(tmp_path: Path, header: Header) -> None:
    gap = Gap(connection="market", number=1, streams=(), lost_at_ns=1, back_at_ns=2, reason="cut")
    with Writer(tmp_path / "m.jsonl", msgspec.structs.replace(header, version=MARKED_VERSION)) as writer:
        writer.write(_at(0, _depth(1, 1, 1)))
        writer.mark(Nanoseconds(5), gap)
        writer.write(_at(1, b'{"stream":"a@depth","data":{"e":"depthUpdate","b":1}}'))
    found = describe(load(tmp_path / "m.jsonl"))
    assert (found.frames, found.gaps_marked) == (2, 1)
    assert found.unreadable_first_line == 4


def test_depth_events_are_measured(make: Make) -> None:
    base = 1_791_201_600_000
    found = describe(
        make(
            [
                _at(0, _depth(1, 3, 1, event_ms=base + 14)),
                _at(100, _depth(4, 4, 3, event_ms=base + 114, quantity="0")),
                _at(300, _depth(5, 9, 3, event_ms=base + 314)),
            ]
        )
    ).depth
    assert found is not None
    assert (found.update_ids.min, found.update_ids.p50, found.update_ids.max) == (1, 3, 5)
    assert (found.sequence_pairs, found.sequence_gaps) == (2, 0)
    assert found.deletions == 3 / 7
    assert found.event_spacing_ms is not None
    assert found.event_spacing_ms.p50 == 150
    assert (found.most_at_one_time, found.phases) == (1, ((14, 3),))
    assert found.bytes_per_level == pytest.approx(len('["1","2"],'))
    assert found.log_levels_mean == pytest.approx(2 * np.log(3) / 3)


def test_usdm_sequences_follow_pu(make: Make) -> None:
    def event(first: int, last: int, before: int) -> bytes:
        return b'{"e":"depthUpdate","s":"A","U":%d,"u":%d,"pu":%d,"b":[],"a":[]}' % (first, last, before)

    found = describe(make([event(1, 9, 0), event(20, 30, 9), event(31, 40, 29)]))
    assert (found.depth_events, found.sequence_gaps) == (3, 1)


def test_trades_cluster_in_instants_of_a_symbol(make: Make) -> None:
    at = 1_791_201_600_000
    trades = describe(
        make(
            [
                _trade("AAA", at, "1.0", maker=True, first=5, last=9),
                _trade("AAA", at, "1.1", maker=True),
                _trade("BBB", at, "7", maker=False),
                _trade("AAA", at + 50, "1.1", maker=False),
                _trade("BBB", at + 80, "7", maker=False),
            ]
        )
    ).trades
    assert [(one.kind, one.events, one.instants) for one in trades] == [("aggTrade", 5, 4)]
    (found,) = trades
    assert found.events_per_instant.max == 2
    assert found.instant_gaps_ms is not None
    assert (found.instant_gaps_ms.min, found.instant_gaps_ms.max) == (50, 80)
    assert (found.same_side, found.same_price) == (2 / 3, 2 / 3)
    assert found.raw_trades is not None
    assert found.raw_trades.max == 5
    assert found.event_minus_trade_ms is not None
    assert found.event_minus_trade_ms.p50 == 3


def test_the_first_change_of_a_book_ticker_counts(make: Make) -> None:
    rows = [
        ("1", "1", "2", "1"),
        ("2", "1", "3", "1"),
        ("2", "1", "4", "9"),
        ("2", "5", "4", "8"),
        ("2", "5", "4", "7"),
    ]
    found = describe(make([*(_ticker("AAA", *row) for row in rows), _ticker("BBB", *rows[0])])).book_tickers
    assert found is not None
    assert (found.events, found.compared) == (6, 4)
    shares = (found.bid_price, found.ask_price, found.bid_quantity_only, found.ask_quantity_only, found.nothing)
    assert shares == (0.25, 0.25, 0.25, 0.25, 0.0)


@pytest.mark.parametrize("factor", [1, 1_000])
def test_event_times_are_read_in_milliseconds_and_in_microseconds(make: Make, header: Header, factor: int) -> None:
    def body(after: int) -> bytes:
        return b'{"e":"x","E":%d}' % ((header.start_ms + after) * factor)

    found = describe(make([_at(20, body(10)), _at(25, body(0)), _at(1_020, body(1_000))])).event_times
    assert found is not None
    assert (found.frames, found.peak_in_1_s, found.peak_in_100_ms) == (3, 2, 2)
    assert found.receive_minus_event_ms.p50 == pytest.approx(20)
    assert found.worst_second_to_mean == pytest.approx(2 / 3)


def test_streams_of_all_symbols_are_under_their_own_name(make: Make) -> None:
    rows = b'{"stream":"!miniTicker@arr","data":[{"e":"24hrMiniTicker","E":1,"s":"AAA"}]}'
    found = describe(make([_at(0, rows), _at(1_000, _depth(1, 1, 1))]))
    assert found.messages_per_second_by_symbol == {"!miniTicker@arr": 1.0, "AAA": 1.0}
    assert found.symbols is not None
    assert (found.symbols.symbols, found.symbols.top_share, found.symbols.rank_exponent) == (1, 1.0, None)


def test_the_rank_exponent_is_that_of_a_power_law(make: Make) -> None:
    bodies = [_ticker(f"S{rank}", "1", "1", "1", "1") for rank in (1, 2, 4) for _ in range(16 // rank**2)]
    symbols = describe(make(bodies)).symbols
    assert symbols is not None
    # Rates of 16, 4, 1 at ranks 1, 2, 3: least squares on the logarithms, by hand.
    assert symbols.rank_exponent == pytest.approx(2.467, abs=1e-3)


def test_bins_agree_with_numpy() -> None:
    times = np.sort(np.random.default_rng(5).integers(0, 3_000, 400))
    counts = np.bincount((times - times[0]) // 10)
    found = bins(times * 1_000_000, Nanoseconds(10_000_000))
    assert (found.p50, found.p95, found.p99) == pytest.approx(tuple(np.percentile(counts, (50, 95, 99))))
    assert found.max == counts.max()
    assert found.fano == pytest.approx(counts.var() / counts.mean())


def test_a_silence_of_a_day_costs_no_bins() -> None:
    found = bins(np.array([0, 86_400 * 10**9]), Nanoseconds(10**6))
    assert (found.p50, found.max) == (0, 1)


def test_nothing_has_no_spread_and_no_peak() -> None:
    assert spread([]) is None
    assert peak(np.array([], dtype=np.int64), 5) == 0


def test_all_figures_fit_into_json(make: Make) -> None:
    found = describe(make([_depth(1, 1, 1), _trade("A", 1, "1", maker=True), _ticker("A", "1", "1", "1", "1")]))
    told = msgspec.json.decode(msgspec.json.encode(found))
    assert (told["depth"]["levels"]["p50"], told["trades"][0]["kind"], told["arrivals"]["frames"]) == (1, "aggTrade", 3)
