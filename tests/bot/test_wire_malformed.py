"""Frames that no exchange sends: nothing raises, and every codec sees and counts the same."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

BOOK_TICKER = (
    b'{"stream":"bnbusdt@bookTicker","data":{"u":400900217,"s":"BNBUSDT","b":"25.35190000","B":"31.21000000",'
    b'"a":"25.36520000","A":"40.66000000"}}'
)
AGG_TRADE = (
    b'{"stream":"btcusdt@aggTrade","data":{"e":"aggTrade","E":1672515782136,"s":"BTCUSDT","a":5933014,'
    b'"p":"0.00100000","q":"100.00000000","f":100,"l":105,"T":1672515782136,"m":true,"M":true}}'
)
KLINE = (
    b'{"stream":"btcusdt@kline_1m","data":{"e":"kline","E":1672515782136,"s":"BTCUSDT","k":{"t":1672515780000,'
    b'"T":1672515839999,"s":"BTCUSDT","i":"1m","f":100,"L":200,"o":"0.0010","c":"0.0020","h":"0.0025","l":"0.0015",'
    b'"v":"1000","n":100,"x":false,"q":"1.0000","V":"500","Q":"0.500","B":"123456"}}}'
)
DEPTH = (
    b'{"stream":"btcusdt@depth@100ms","data":{"e":"depthUpdate","E":1672515782136,"T":1672515782135,"s":"BTCUSDT",'
    b'"U":157,"u":160,"pu":149,"b":[["0.0024","10"]],"a":[["0.0026","100"]]}}'
)
FRAMES = (BOOK_TICKER, AGG_TRADE, KLINE, DEPTH)
ACCOUNT = (
    b'{"subscriptionId":0,"event":{"e":"outboundAccountPosition","E":1564034571105,"u":1564034571073,"B":[{"a":"ETH",'
    b'"f":"10000.000000","l":"0.000000"}]}}'
)

#: JSON values at the edges, and texts that are none, as they would stand in a frame.
EDGES = (
    *("0", "-0", "-0.0", "1", "2", "1.0", "1.5", "1e2", "1E-2", "1e15", "1e18", "1e19", "1e308", "1e999", "-1e999"),
    *("1e-999", "9007199254740993", "9007199254740993.0", "9223372036854775807", "9223372036854775808"),
    *("18446744073709551615", "18446744073709551616", "-9223372036854775809", "1" * 40, "1" * 400, "1" * 5_000),
    *("01", "1.", ".5", "+1", "-", "1e", "0x10", "1_0", "NaN", "Infinity", "-Infinity", "nul", "null", "true", "False"),
    *("[]", "{}", "[1,]", '{"a":1,}', '{"a" 1}', "[1 2]", "[[[]]]", '{"":{"":null}}', "[1e999]", '["\\ud800"]'),
    *('""', '"1"', '"-1"', '"-0"', '"1.5"', '"1e2"', '"1e999"', '" 1"', '"1 "', '"nan"', '"NaN"', '"inf"', '"0x10"'),
    *('"+1"', '".5"', '"1."', '"01"', '"1_0"', '"9223372036854775808"', f'"{"1" * 400}"', f'"{"1" * 5_000}"'),
    *('"true"', '"false"', '"0"', '"on"', '"True"', '"null"', '"\u00e9\u5e01"', '"\x7f"', '"\x01"', '"\t"', '"\n"'),
    *('"\\ud800"', '"\\udc00\\ud800"', '"\\ud83d\\ude00"', '"\\u0000"', '"\\x"', '"\\u12"', '"\\', '"', "'a'", ""),
    *("1 ", "\t1", "\x0c1", "1\x00", "//1", "/**/1", "[" * 300 + "]" * 300, "[" * 350 + "]" * 349),
)


def fields_of(frame: bytes) -> list[tuple[int, int]]:
    """Where each value of a frame stands, from its first byte to behind its last; strings with their quotes."""
    places = []
    at = 0
    while (colon := frame.find(b'":', at)) >= 0:
        start = end = colon + 2
        if frame[start] == 0x22:
            end = frame.index(b'"', start + 1) + 1
        elif frame[start] in b"[{":
            at = start
            continue
        while frame[end] not in b",}]":
            end += 1
        places.append((start, end))
        at = end
    return places


@pytest.mark.parametrize("frame", FRAMES, ids=["bookTicker", "aggTrade", "kline", "depth"])
def test_a_frame_cut_at_any_byte_is_malformed(frame: bytes, same_on_all_codecs: Any) -> None:
    cuts = [frame[:end] for end in range(len(frame))]
    for known in ([], [frame]):  # a stream's first frame goes another way than its second
        events, counts = same_on_all_codecs([*known, *cuts])
        assert events[len(known) :] == [None] * len(cuts)
        assert counts == {"malformed": len(cuts)}


def test_an_account_frame_cut_at_any_byte_is_malformed(same_on_all_codecs: Any) -> None:
    cuts = [ACCOUNT[:end] for end in range(len(ACCOUNT))]
    events, counts = same_on_all_codecs(cuts, read="account_event")
    assert events == [None] * len(cuts)
    assert counts == {"malformed_account": len(cuts)}


@pytest.mark.parametrize("frame", FRAMES, ids=["bookTicker", "aggTrade", "kline", "depth"])
@pytest.mark.parametrize("end", [b"]", b",", b'"', b"x", b"\x00", b"\n", b"", b"}}", b"},"])
def test_a_frame_that_does_not_end_in_its_brace_is_malformed(frame: bytes, end: bytes, same_on_all_codecs: Any) -> None:
    events, counts = same_on_all_codecs([frame, frame[:-1] + end])
    assert (events[1], counts) == (None, {"malformed": 1})


@pytest.mark.parametrize("text", [b"\xff", b"a\xc3", b"\xc0\xaf", b"\xed\xa0\x80", b"\xf4\x90\x80\x80"])
@pytest.mark.parametrize("unread", [b'"zz":"%s"', b'"%s":1', b'"zz":[[{"%s":1}]]'])
@pytest.mark.parametrize("frame", FRAMES, ids=["bookTicker", "aggTrade", "kline", "depth"])
def test_what_is_no_utf_8_is_malformed_where_nobody_reads_it_too(
    frame: bytes, unread: bytes, text: bytes, same_on_all_codecs: Any
) -> None:
    changed = frame.replace(b'"data":{', b'"data":{' + unread % text + b",")
    for known in ([], [frame]):
        events, counts = same_on_all_codecs([*known, changed])
        assert (events[-1], counts) == (None, {"malformed": 1})


@pytest.mark.parametrize("frame", FRAMES, ids=["bookTicker", "aggTrade", "kline", "depth"])
def test_a_frame_without_any_one_of_its_bytes_is_seen_alike(frame: bytes, same_on_all_codecs: Any) -> None:
    same_on_all_codecs([frame, *(frame[:at] + frame[at + 1 :] for at in range(len(frame)))])


@pytest.mark.parametrize("frame", FRAMES, ids=["bookTicker", "aggTrade", "kline", "depth"])
def test_any_value_of_a_frame_may_be_anything(frame: bytes, same_on_all_codecs: Any) -> None:
    changed = [
        frame[:start] + edge.encode() + frame[end:]
        for start, end in fields_of(frame)
        # Levels stay as the codec made them, until a book asks for numbers: left out here.
        if not frame[:start].rstrip(b"[").endswith((b'"b":', b'"a":')) or b"depth" not in frame
        for edge in EDGES
    ]
    assert len(changed) > 500
    same_on_all_codecs([frame, *changed])


@pytest.mark.parametrize("frame", FRAMES, ids=["bookTicker", "aggTrade", "kline", "depth"])
def test_a_field_that_nobody_reads_may_be_anything(frame: bytes, same_on_all_codecs: Any) -> None:
    bodies = [b',"zz":' + edge.encode() for edge in EDGES]
    for place in (-2, -1):  # in the payload, and in the envelope
        events, counts = same_on_all_codecs([frame, *(frame[:place] + body + frame[place:] for body in bodies)])
        taken = {edge for edge, event in zip(EDGES, events[1:], strict=True) if event is not None}
        assert {
            "1e999",
            "1" * 400,
            "1" * 5_000,
            "18446744073709551616",
            '"\\ud83d\\ude00"',
            "[" * 300 + "]" * 300,
        } <= taken
        assert not taken & {"NaN", "01", '"\\ud800"', '["\\ud800"]', '"\x01"', "[1,]", "", "[" * 350 + "]" * 349}
        assert counts == {"malformed": len(EDGES) - len(taken)}


@pytest.mark.parametrize("key", [b"e", b"E", b"s", b"a", b"p", b"m"])
def test_of_a_key_given_twice_the_last_counts(key: bytes, same_on_all_codecs: Any) -> None:
    place = AGG_TRADE.index(b'"e"')
    first = AGG_TRADE[:place]
    rest = AGG_TRADE[place:]
    before = [first + b'"' + key + b'":' + edge.encode() + b"," + rest for edge in EDGES]
    after = [AGG_TRADE[:-2] + b',"' + key + b'":' + edge.encode() + b"}}" for edge in EDGES]
    events, _ = same_on_all_codecs([AGG_TRADE, *before])
    good = [event for event in events if event is not None]
    assert len(good) > 60
    assert all(event == good[0] for event in good)
    same_on_all_codecs([AGG_TRADE, *after])


@pytest.mark.parametrize("depth", [100, 390, 399, 400, 401, 500, 900, 990, 1_000, 1_020, 1_024, 1_030, 5_000, 100_000])
@pytest.mark.parametrize(("opened", "closed"), [(b"[", b"]"), (b'{"a":', b"}"), (b'[{"\\u005d":', b"}]")])
def test_nesting_is_taken_or_refused_by_all(depth: int, opened: bytes, closed: bytes, same_on_all_codecs: Any) -> None:
    levels = depth // (len(closed))
    body = opened * levels + b"1" + closed * levels
    events, counts = same_on_all_codecs([AGG_TRADE[:-2] + b',"zz":' + body + b"}}"])
    is_taken = levels * len(closed) + 2 <= 400
    assert (events[0] is not None) == is_taken
    assert counts == ({} if is_taken else {"malformed": 1})


def test_brackets_inside_strings_nest_nothing(same_on_all_codecs: Any) -> None:
    events, counts = same_on_all_codecs([AGG_TRADE[:-2] + b',"zz":"' + b"[{" * 900 + b'"}}'])
    assert events != [None]
    assert counts == {}


@pytest.mark.parametrize("levels", [500, 5_000])
def test_a_large_book_is_no_deep_one(levels: int, same_on_all_codecs: Any) -> None:
    side = b",".join([b'["0.0024","10"]'] * levels)
    events, counts = same_on_all_codecs([DEPTH.replace(b'["0.0024","10"]', side)])
    assert len(events[0][2][5]) == levels
    assert counts == {}


@pytest.mark.parametrize(
    "frame",
    [
        b"",
        b" ",
        b"\x00",
        b"\xff\xfe{}",
        b"\xef\xbb\xbf{}",
        b"null",
        b"7",
        b'"text"',
        b"[]",
        b"hello",
        b"{",
        b"}",
        b'{"stream":"',
        b'{"stream":"btcusdt@aggTrade"}'[:-1],
        b'{"stream":"btcusdt@aggTrade","data":',
        b'{"stream":"btcusdt@aggTrade","data":}',
        b'{"stream":"btcusdt@aggTrade","data":null}',
        b'{"stream":"btcusdt@aggTrade","data":[]}',
        b'{"stream":"btcusdt@aggTrade","data":{}}',
        b'{"stream":"btcusdt@aggTrade","data":{}}}',
        b'{"stream":"btcusdt@aggTrade","data":{},"data":7}',
        b'{"stream":"btcusdt@aggTrade"}',
        AGG_TRADE + AGG_TRADE,
        AGG_TRADE + b"x",
        AGG_TRADE + b"\x00",
        AGG_TRADE.replace(b"BTCUSDT", b"BTC\xff"),
        AGG_TRADE.replace(b"BTCUSDT", b"BTC\xed\xa0\x80"),  # half a surrogate pair, as bytes
        AGG_TRADE.replace(b"BTCUSDT", b"BTC\xc0\x80"),  # an overlong zero
        AGG_TRADE.replace(b"btcusdt", b"btc\xff"),
        AGG_TRADE.replace(b"btcusdt@", b"btc\x01@"),
        AGG_TRADE.replace(b"btcusdt@", b'btc"@'),
        AGG_TRADE.decode().encode("utf-16"),
        AGG_TRADE.replace(b'"', b"'"),
    ],
    ids=lambda frame: repr(frame[:48])[2:-1],
)
def test_what_is_no_message_is_malformed(frame: bytes, same_on_all_codecs: Any) -> None:
    assert same_on_all_codecs([AGG_TRADE, frame])[1] == {"malformed": 1}
    assert same_on_all_codecs([frame])[1] == {"malformed": 1}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        (b'"p":"0.00100000"', b'"p":"-0.001"'),
        (b'"p":"0.00100000"', b'"p":"1e19"'),
        (b'"p":"0.00100000"', b'"p":"nan"'),
        (b'"p":"0.00100000"', b'"p":"inf"'),
        (b'"q":"100.00000000"', b'"q":-1'),
        (b'"E":1672515782136', b'"E":-1'),
        (b'"E":1672515782136', b'"E":1672515782136000'),
        (b'"E":1672515782136', b'"E":9223372036854775807'),
        (b'"a":5933014', b'"a":9223372036854775808'),
        (b'"m":true', b'"m":null'),
        (b'"s":"BTCUSDT"', b'"s":7'),
    ],
)
def test_absurd_values_are_malformed_on_every_stack(field: bytes, value: bytes, same_on_all_codecs: Any) -> None:
    assert field in AGG_TRADE
    assert same_on_all_codecs([AGG_TRADE.replace(field, value)]) == ([None], {"malformed": 1})


@given(
    frame=st.sampled_from(FRAMES),
    flips=st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 255)), min_size=1, max_size=4),
)
def test_flipped_bytes_are_seen_alike(frame: bytes, flips: list[tuple[int, int]], same_on_all_codecs: Any) -> None:
    changed = bytearray(frame)
    for place, byte in flips:
        changed[place % len(changed)] = byte
    same_on_all_codecs([frame, bytes(changed)])
    same_on_all_codecs([bytes(changed)])


@given(
    frame=st.sampled_from(FRAMES),
    cuts=st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 10_000), st.integers(0, 3)), max_size=3),
)
def test_pieces_in_another_order_are_seen_alike(
    frame: bytes, cuts: list[tuple[int, int, int]], same_on_all_codecs: Any
) -> None:
    changed = frame
    for start, length, times in cuts:
        place = start % len(changed) if changed else 0
        piece = changed[place : place + length % 40]
        changed = changed[:place] + piece * times + changed[place + len(piece) :]
    same_on_all_codecs([frame, changed])


@given(frame=st.binary(max_size=300))
@example(frame=b'{"stream":"')
@example(frame=b'{"stream":"","data":}')
def test_bytes_of_any_kind_are_seen_alike(frame: bytes, same_on_all_codecs: Any) -> None:
    same_on_all_codecs([frame])
    same_on_all_codecs([b'{"stream":"btcusdt@trade","data":' + frame + b"}"] * 2)
    same_on_all_codecs([frame], read="account_event")


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**25), 10**25) | st.floats() | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


@given(
    document=st.dictionaries(
        st.sampled_from([*"eEsapqmktTbBUuAicohlvnx", "pu", "data", "stream", "event"]), JSON_VALUES
    )
)
def test_documents_of_any_kind_are_seen_alike(document: dict[str, Any], same_on_all_codecs: Any) -> None:
    for is_ascii in (True, False):
        text = json.dumps(document, ensure_ascii=is_ascii).encode(errors="surrogatepass")
        same_on_all_codecs([text])
        same_on_all_codecs([text], read="account_event")
        same_on_all_codecs([b'{"stream":"btcusdt@%s","data":%s}' % (kind, text) for kind in (b"aggTrade", b"kline_1m")])


@given(
    values=st.dictionaries(
        st.sampled_from(["u", "s", "b", "B", "a", "A", "E", "zz"]),
        st.floats() | st.integers() | st.from_regex(r"-?[0-9]{1,20}(\.[0-9]{1,12})?(e-?[0-9]{1,3})?", fullmatch=True),
        max_size=8,
    )
)
def test_numbers_of_any_form_are_seen_alike(values: dict[str, Any], same_on_all_codecs: Any) -> None:
    payload = {"u": 1, "s": "X", "b": "1", "B": "1", "a": "2", "A": "1", **values}
    same_on_all_codecs([b'{"stream":"x@bookTicker","data":' + json.dumps(payload).encode() + b"}"])
