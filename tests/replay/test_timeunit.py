from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.replay.timeunit import in_microseconds

MS = 1_790_134_675_605


@pytest.mark.parametrize(
    ("body", "times"),
    [
        (b'{"e":"trade","E":%d,"s":"BTCUSDT","t":5000000000,"p":"1","T":%d,"m":true}' % (MS, MS), ("E", "T")),
        (b'{"e":"aggTrade","E":%d,"s":"B","a":164000000,"f":100,"l":105,"T":%d}' % (MS, MS), ("E", "T")),
        (b'{"e":"24hrTicker","E":%d,"s":"B","O":%d,"C":%d,"F":1,"L":2,"n":3}' % (MS, MS, MS), ("E", "O", "C")),
        (b'{"e":"depthUpdate","E":%d,"s":"B","U":1600000000000,"u":1600000000001,"b":[["1","2"]]}' % MS, ("E",)),
        (b'{"e":"executionReport","E":%d,"i":4,"O":%d,"W":%d,"T":%d}' % (MS, MS, MS, MS), ("E", "O", "W", "T")),
        (b'{"e":"outboundAccountPosition","E":%d,"u":%d,"B":[]}' % (MS, MS), ("E", "u")),
        (b'{"u":400900217,"s":"B","b":"1","B":"2","a":"3","A":"4"}', ()),
        (b'{"lastUpdateId":160,"bids":[["1","2"]],"asks":[]}', ()),
        (b'{"e":"x","E":"%d","T":null}' % MS, ()),
    ],
)
def test_times_and_nothing_else_are_in_microseconds(body: bytes, times: tuple[str, ...]) -> None:
    before, after = json.loads(body), json.loads(in_microseconds("market", body))
    assert after == before | {key: before[key] * 1000 for key in times}
    assert list(after) == list(before)


def test_a_kline_closes_with_its_last_microsecond() -> None:
    body = b'{"e":"kline","E":1790134675605,"s":"B","k":{"t":1790134620000,"T":1790134679999,"s":"B","f":1,"L":2}}'
    assert in_microseconds("market", body) == (
        b'{"e":"kline","E":1790134675605000,"s":"B",'
        b'"k":{"t":1790134620000000,"T":1790134679999999,"s":"B","f":1,"L":2}}'
    )


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b'{"stream":"b@trade","data":{"e":"trade","E":7}}', b'{"stream":"b@trade","data":{"e":"trade","E":7000}}'),
        (b'{"subscriptionId":0,"event":{"e":"x","T":7}}', b'{"subscriptionId":0,"event":{"e":"x","T":7000}}'),
        (b'[{"e":"24hrMiniTicker","E":7},{"e":"24hrMiniTicker","E":8}]',
         b'[{"e":"24hrMiniTicker","E":7000},{"e":"24hrMiniTicker","E":8000}]'),
    ],
)  # fmt: skip
def test_envelopes_and_lists_are_no_hindrance(before: bytes, after: bytes) -> None:
    assert in_microseconds("market", before) == after


@given(st.lists(st.integers(0, 10**14 - 1), max_size=20))
def test_doing_it_twice_changes_nothing(times: list[int]) -> None:
    body = json.dumps([{"e": "trade", "E": time, "T": time} for time in times], separators=(",", ":")).encode()
    once = in_microseconds("market", body)
    assert [entry["T"] for entry in json.loads(once)] == [time * 1000 for time in times]
    large = [time for time in times if time >= 10**11]  # smaller ones are of before 1973 and mean nothing
    body = json.dumps([{"e": "trade", "E": time} for time in large], separators=(",", ":")).encode()
    assert in_microseconds("market", in_microseconds("market", body)) == in_microseconds("market", body)


@given(st.binary())
def test_any_bytes_are_taken(body: bytes) -> None:
    assert isinstance(in_microseconds("market", b'{"stream":"' + body + b'","data":{"E":1}}'), bytes)
    assert isinstance(in_microseconds("market", body), bytes)
