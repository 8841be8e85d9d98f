from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec
import pytest

from harness.errors import RecordingError
from harness.recordings.format import Frame, Recording, load
from harness.recordings.importers import import_raw
from harness.recordings.statistics import describe
from harness.units import Nanoseconds, milliseconds

if TYPE_CHECKING:
    from pathlib import Path

Make = Callable[..., Recording]


def _depth(first: int, last: int, levels: int) -> bytes:
    event = {"e": "depthUpdate", "E": 1, "s": "AAA", "U": first, "u": last, "b": [["1", "2"]] * levels, "a": []}
    return msgspec.json.encode({"stream": "aaa@depth@100ms", "data": event})


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
    assert found.kinds[2].bytes_min == found.kinds[2].bytes_max == len(ticker)
    assert found.messages_per_second_by_symbol == {"AAA": 1.5, "BBB": 0.5}
    assert (found.depth_events, found.depth_levels_median, found.sequence_gaps) == (3, 3.0, 1)


def test_a_peak_may_lie_across_the_edge_of_a_second(make: Make) -> None:
    found = describe(make([_at(ms, b"{}") for ms in (0, 990, 1_010, 1_030, 5_000)]))
    assert (found.peak_in_1_s, found.peak_in_100_ms) == (3, 3)


def test_a_single_frame_has_no_division_by_zero(make: Make) -> None:
    found = describe(make([_at(0, b"{}")]))
    assert (found.frames, found.depth_levels_median, found.sequence_gaps) == (1, None, 0)
    assert found.kinds[0].kind == "other"


def test_a_recording_of_rest_bodies_only_is_described(make: Make) -> None:
    found = describe(make([_at(0, b"{}", "rest:/x")]))
    assert (found.messages_per_second, found.peak_in_1_s) == (0.0, 0)


def test_a_depth_event_of_another_shape_is_named_by_its_line(make: Make) -> None:
    with pytest.raises(RecordingError, match="line 3"):
        describe(make([_at(0, _depth(1, 1, 1)), _at(1, b'{"stream":"a@depth","data":{"e":"depthUpdate","b":1}}')]))


@pytest.mark.shared
def test_a_real_recording_has_the_figures_that_were_measured_by_others(shared: Path, tmp_path: Path) -> None:
    import_raw(shared / "spot-10-symbols-2021-04.raw", tmp_path / "s1.jsonl")
    found = describe(load(tmp_path / "s1.jsonl"))
    kinds = {kind.kind: kind for kind in found.kinds}
    assert {name: kind.count for name, kind in kinds.items()} == {
        "bookTicker": 5_408,
        "depth": 4_709,
        "aggTrade": 1_240,
        "rest": 10,
    }
    assert (kinds["depth"].bytes_min, kinds["depth"].bytes_median, kinds["depth"].bytes_max) == (156, 194, 2_205)
    assert (found.depth_levels_median, found.sequence_gaps) == (2, 0)
    assert round(found.messages_per_second_by_symbol["DENTUSDT"], 1) == 29.2
