from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from harness.recordings.format import Frame
from harness.replay.rest.books import Books
from harness.replay.rest.index import TapeIndex
from harness.replay.tape import tape_of
from harness.units import Nanoseconds

if TYPE_CHECKING:
    from harness.recordings.format import Market

FAST, SLOW = "aaausdt@depth@100ms", "aaausdt@depth"
LIMIT = 10
Event = tuple[str, dict[str, Any]]


def spot(first: int, last: int, *bids: str, stream: str = FAST) -> Event:
    return stream, {"E": first, "U": first, "u": last, "b": [[price, "1"] for price in bids], "a": []}


def usdm(first: int, last: int, previous: int, *bids: str, stream: str = FAST) -> Event:
    name, data = spot(first, last, *bids, stream=stream)
    return name, data | {"pu": previous, "T": first - 1}


def gone(event: Event, *prices: str) -> Event:
    event[1]["b"] += [[price, "0"] for price in prices]
    return event


def body(last_id: int, *bids: str) -> Frame:
    text = json.dumps({"lastUpdateId": last_id, "bids": [[price, "9"] for price in bids], "asks": []})
    return Frame(Nanoseconds(0), "rest:/api/v3/depth?limit=5&symbol=AAAUSDT", text.encode())


def framed(stream: str, data: dict[str, Any]) -> bytes:
    return json.dumps({"stream": stream, "data": data}).encode()


def books(events: list[Event | bytes], *bodies: Frame, market: Market = "spot") -> Books:
    frames = [Frame(Nanoseconds(0), "market", one if isinstance(one, bytes) else framed(*one)) for one in events]
    return Books(TapeIndex(tape_of(frames)), bodies, market)


def bids(found: Books, position: int) -> tuple[int, list[str]]:
    told = found.current("AAAUSDT", position, LIMIT)
    return told.lastUpdateId, [price for price, _ in told.bids]


def test_without_a_snapshot_only_what_events_told_is_known() -> None:
    found = books([spot(5, 6, "9"), spot(7, 7, "8"), gone(spot(8, 9), "9", "7")])
    assert [bids(found, position) for position in range(4)] == [(4, []), (6, ["9"]), (7, ["9", "8"]), (9, ["8"])]


def test_the_replay_may_stand_before_where_it_stood() -> None:
    found = books([spot(5, 6, "9"), spot(7, 7, "8")])
    assert [bids(found, position) for position in (2, 1, 0, 2)] == [
        (7, ["9", "8"]),
        (6, ["9"]),
        (4, []),
        (7, ["9", "8"]),
    ]


def test_a_snapshot_within_the_events_tells_the_untouched_levels_from_the_start() -> None:
    events: list[Event | bytes] = [spot(5, 6, "9"), spot(7, 8, "8"), spot(9, 9, "7")]
    found = books(events, body(7, "9", "8", "5"))
    assert [bids(found, position) for position in range(4)] == [
        (4, ["5"]), (6, ["9", "5"]), (8, ["9", "8", "5"]), (9, ["9", "8", "7", "5"]),
    ]  # fmt: skip


@pytest.mark.parametrize("last_id", [3, 99], ids=["too old", "newer than all events"])
def test_a_snapshot_that_does_not_join_the_events_tells_nothing(last_id: int) -> None:
    assert bids(books([spot(5, 6, "9")], body(last_id, "5")), 1) == (6, ["9"])


def test_a_gap_makes_the_book_unknown_and_what_a_snapshot_behind_it_tells_does_not_reach_before_it() -> None:
    events: list[Event | bytes] = [spot(5, 6, "9"), spot(10, 11, "8"), spot(12, 12, "7")]
    found = books(events, body(11, "8", "5"))
    assert [bids(found, position) for position in (0, 1, 2, 3)] == [
        (4, []), (6, ["9"]), (11, ["8", "5"]), (12, ["8", "7", "5"]),
    ]  # fmt: skip


def test_repeated_events_and_frames_that_are_none_are_passed_over() -> None:
    bad = b'{"stream":"aaausdt@depth@100ms","data":'
    events: list[Event | bytes] = [
        spot(5, 6, "9"),
        bad + b"[]}",
        bad + b'{"E":1,"U":7,"u":7,"b":[["x","1"]],"a":[]}}',
        bad + b'{"E":1,"U":7,"u":7,"b":[["1"]],"a":[]}}',
        bad + b'{"E":1,"U":7,"u":',
        spot(5, 6, "1"),
        spot(7, 7, "8"),
    ]
    assert bids(books(events), len(events)) == (7, ["9", "8"])


def test_the_fastest_stream_is_followed() -> None:
    events: list[Event | bytes] = [
        spot(5, 8, "1", stream=SLOW),
        spot(5, 6, "9"),
        spot(5, 5, "7", stream="aaausdt@depth@1000ms"),
    ]
    assert bids(books(events), 3) == (6, ["9"])
    assert bids(books(events[:1]), 3) == (8, ["1"])


def test_on_usdm_the_id_is_within_the_next_event_which_suits_those_who_did_not_see_the_last() -> None:
    events: list[Event | bytes] = [usdm(50, 60, 40, "9"), usdm(70, 90, 60, "8"), usdm(130, 140, 120, "7")]
    found = books(events, body(45, "5"), market="usdm")
    assert [bids(found, position) for position in range(4)] == [
        (50, ["5"]), (70, ["9", "5"]), (90, ["9", "8", "5"]), (140, ["7"]),
    ]  # fmt: skip
    told = found.current("AAAUSDT", 1, LIMIT)
    assert (told.E, told.T) == (50, 49)


def test_a_usdm_snapshot_may_be_newer_than_all_events_since_ids_are_sparse() -> None:
    events: list[Event | bytes] = [usdm(50, 60, 40, "9")]
    assert bids(books(events, body(75, "9", "5"), market="usdm"), 1) == (60, ["9", "5"])


def test_fixed_books_without_recorded_ones_stand_an_eighth_apart() -> None:
    found = books([spot(number, number, str(number)) for number in range(1, 17)])
    ids = [found.fixed("AAAUSDT", LIMIT).lastUpdateId for _ in range(11)]
    assert ids == [1, 3, 5, 7, 9, 11, 13, 15, 16, 16, 16]


def test_each_symbol_is_counted_by_itself_and_anew_after_a_restart() -> None:
    found = books([spot(1, 1, "1"), ("bbbusdt@depth@100ms", spot(7, 7, "2")[1])], body(1, "1"), body(2, "2"))
    assert [found.fixed("AAAUSDT", LIMIT).lastUpdateId for _ in range(2)] == [1, 2]
    assert found.fixed("BBBUSDT", LIMIT).lastUpdateId == 7
    found.restart()
    assert found.fixed("AAAUSDT", LIMIT).lastUpdateId == 1


def test_a_symbol_without_diff_stream_has_its_recorded_snapshot_or_nothing() -> None:
    error = Frame(Nanoseconds(0), "rest:/api/v3/depth?symbol=AAAUSDT", b'{"code":-1003,"msg":"Too many"}')
    other = Frame(Nanoseconds(0), "rest:/api/v3/klines?symbol=AAAUSDT", b"[]")
    found = books([("aaausdt@trade", {})], other, error, body(4, "2", "1"))
    assert bids(found, 1) == (4, ["2", "1"])
    assert found.fixed("AAAUSDT", 1).bids == [["2", "9"]]
    assert found.current("BBBUSDT", 1, LIMIT).lastUpdateId == 0
