from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
import pytest

from harness.recordings.format import Frame, Header, Recording, load
from harness.recordings.importers import import_raw
from harness.recordings.loop import Loop, looped
from harness.units import Nanoseconds

Make = Callable[..., Recording]
NOON = 1_791_201_600_000


def _depth(stream: str, first: int, last: int, ms: int, pu: int | None = None) -> bytes:
    event: dict[str, Any] = {"e": "depthUpdate", "E": NOON + ms, "s": stream[:4].upper(), "U": first, "u": last}
    if pu is not None:
        event["pu"] = pu
    event |= {"b": [["1.10", "2"]], "a": []}
    return msgspec.json.encode({"stream": stream, "data": event})


def _payloads(frames: Iterable[Frame]) -> list[dict[str, Any]]:
    return [json.loads(frame.body) for frame in frames]


def _assert_sequences_hold(frames: list[Frame]) -> None:
    last: dict[str, dict[str, Any]] = {}
    for frame in frames:
        if frame.connection != "market":
            continue
        message = json.loads(frame.body)
        stream, data = message["stream"], message["data"]
        before = last.get(stream)
        last[stream] = data
        if before is None:
            continue
        if "@depth" in stream and "pu" in data:
            assert data["pu"] == before["u"]
        elif "@depth" in stream:
            assert data["U"] == before["u"] + 1
            assert data["U"] <= data["u"]
        elif "@aggTrade" in stream:
            assert (data["a"], data["f"]) == (before["a"] + 1, before["l"] + 1)
        elif "@trade" in stream:
            assert data["t"] == before["t"] + 1
        elif "@bookTicker" in stream:
            assert data["u"] > before["u"]
        elif "@kline" in stream:
            assert data["k"]["t"] % 60_000 == 0
            assert data["k"]["T"] == data["k"]["t"] + 59_999
            assert data["k"]["t"] >= before["k"]["t"]


def test_the_first_pass_is_untouched(make: Make) -> None:
    recording = make([_depth("aaaa@depth", 5, 6, 0), b'{"odd":   "spacing", "E":5}'])
    assert list(looped(recording, 0)) == recording.frames
    assert list(looped(recording, 2)) == recording.frames
    assert list(looped(recording, 3))[:2] == recording.frames


def test_whole_passes_are_given_until_there_are_enough_market_frames(make: Make) -> None:
    frames = [Frame(Nanoseconds(0), "market", b"{}"), Frame(Nanoseconds(1), "user", b"{}")]
    assert len(list(looped(make(frames), 3))) == 6


def test_a_recording_without_market_frames_is_given_once(make: Make) -> None:
    assert len(list(looped(make([Frame(Nanoseconds(0), "user", b"{}")]), 100))) == 1


def test_spot_depth_follows_across_passes_even_where_the_ticker_used_the_ids_between(make: Make) -> None:
    ticker = b'{"stream":"aaaa@bookTicker","data":{"u":%d,"s":"AAAA","b":"1","B":"1","a":"2","A":"1"}}'
    recording = make(
        [ticker % 98, _depth("aaaa@depth", 101, 103, 0), _depth("aaaa@depth", 104, 104, 100), ticker % 110]
    )
    frames = list(looped(recording, 12))
    _assert_sequences_hold(frames)
    assert [body["data"]["u"] for body in _payloads(frames)] == [
        98, 103, 104, 110, 111, 116, 117, 123, 124, 129, 130, 136,
    ]  # fmt: skip


def test_symbols_keep_sequences_of_their_own_on_spot(make: Make) -> None:
    recording = make([_depth("aaaa@depth", 5, 6, 0), _depth("bbbb@depth", 1_000, 2_000, 0)])
    assert [body["data"]["u"] for body in _payloads(Loop(recording).moved(1))] == [8, 3_001]


def test_usdm_depth_follows_by_pu_in_one_sequence_for_all_symbols(make: Make) -> None:
    header = Header(market="usdm", streams=(), start_ms=NOON, source="captured", title="")
    bodies = [
        _depth("aaaa@depth", 110, 120, 0, pu=100),
        _depth("bbbb@depth", 130, 140, 0, pu=90),
        _depth("aaaa@depth", 150, 160, 100, pu=120),
    ]
    frames = list(looped(make(bodies, header=header), 9))
    _assert_sequences_hold(frames)
    ids = [body["data"]["u"] for body in _payloads(frames)]
    assert ids == sorted(ids)


def test_times_move_by_whole_minutes_to_the_minute_after_the_last(make: Make) -> None:
    recording = make([_depth("aaaa@depth", 1, 1, 59_000), _depth("aaaa@depth", 2, 2, 61_000)])
    loop = Loop(recording)
    # The recording begins at the header's start, in the minute of noon, and ends in the one after.
    assert loop.period_ms == 120_000
    assert [body["data"]["E"] for body in _payloads(loop.moved(2))] == [NOON + 299_000, NOON + 301_000]


def test_times_move_by_the_longest_kline_interval(make: Make) -> None:
    header = Header(
        market="spot", streams=("aaaa@kline_5m", "aaaa@kline_1h"), start_ms=NOON, source="captured", title=""
    )
    assert Loop(make([b"{}"], header=header)).period_ms == 3_600_000


def test_microseconds_move_as_far_as_milliseconds(make: Make) -> None:
    body = b'{"stream":"aaaa@trade","data":{"e":"trade","E":%d,"s":"AAAA","t":1,"T":%d}}' % (NOON * 1000, NOON * 1000)
    moved = _payloads(Loop(make([body])).moved(1))[0]["data"]
    assert moved == {"e": "trade", "E": (NOON + 60_000) * 1000, "s": "AAAA", "t": 2, "T": (NOON + 60_000) * 1000}


def test_receive_times_go_on_after_one_mean_gap(make: Make) -> None:
    frames = [Frame(Nanoseconds(at), "market", b"{}") for at in (10, 20, 40)]
    assert [frame.at for frame in looped(make(frames), 9)] == [10, 20, 40, 55, 65, 85, 100, 110, 130]


def test_account_events_and_snapshots_move_with_their_symbols(make: Make) -> None:
    report = (
        b'{"subscriptionId":0,"event":{"e":"executionReport","E":%d,"s":"AAAA","c":"x","g":-1,"i":7,"T":%d,"t":31,"I":9}}'
        % (NOON, NOON)
    )
    recording = make(
        [
            Frame(Nanoseconds(0), "market", _depth("aaaa@depth", 5, 9, 0)),
            Frame(Nanoseconds(0), "rest:/api/v3/depth?symbol=AAAA&limit=10", b'{"lastUpdateId":7,"bids":[],"asks":[]}'),
            Frame(
                Nanoseconds(0),
                "market",
                b'{"stream":"aaaa@trade","data":{"e":"trade","E":%d,"s":"AAAA","t":30,"T":%d}}' % (NOON, NOON),
            ),
            Frame(Nanoseconds(0), "user", report),
        ]
    )
    _, snapshot, trade, moved = _payloads(Loop(recording).moved(1))
    assert snapshot["lastUpdateId"] == 12
    assert trade["data"]["t"] == 31
    assert moved["event"] | {"E": 0, "T": 0} == {
        "e": "executionReport", "E": 0, "s": "AAAA", "c": "x", "g": -1, "i": 8, "T": 0, "t": 32, "I": 10,
    }  # fmt: skip


def test_per_cent_signs_and_prices_stay_as_they_are(make: Make) -> None:
    body = b'{"stream":"aaaa@depth","data":{"e":"depthUpdate","E":%d,"s":"A%%dA%%%%","b":[["1.10","%%s"]]}}' % NOON
    moved = next(Loop(make([body])).moved(1)).body
    assert moved == body.replace(b"%d" % NOON, b"%d" % (NOON + 60_000))


def test_a_frame_without_numbers_is_the_same_in_every_pass(make: Make) -> None:
    assert next(Loop(make([b'{"result":null,"id":1}'])).moved(3)).body == b'{"result":null,"id":1}'


def test_the_shipped_recording_loops_without_a_gap_and_without_a_pause() -> None:
    recording = load(Path(__file__).parents[2] / "scenarios" / "recordings" / "spot-30-symbols.jsonl.zst")
    frames = list(looped(recording, len(recording.frames)))
    assert len(frames) == 2 * len(recording.frames)
    _assert_sequences_hold(frames)
    assert Loop(recording).period_ms == 300_000
    assert all(earlier.at <= later.at for earlier, later in pairwise(frames))


@pytest.mark.shared
@pytest.mark.parametrize(
    "name",
    [
        "spot-10-symbols-2021-04",
        "spot-btc-eth-dot-kline-2021-04",
        "usdm-5-symbols-2021-04",
        "spot-10-symbols-kline-2021",
        "spot-with-snapshots",
    ],
)
def test_real_recordings_keep_their_sequences_over_three_passes(shared: Path, tmp_path: Path, name: str) -> None:
    target = tmp_path / f"{name}.jsonl"
    import_raw(shared / f"{name}.raw", target)
    recording = load(target)
    frames = list(looped(recording, 2 * len(recording.frames) + 1))
    assert len(frames) == 3 * len(recording.frames)
    _assert_sequences_hold(frames)
