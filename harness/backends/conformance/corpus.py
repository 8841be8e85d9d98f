"""Documents that every codec must treat alike: the promise, the input, and what must come of it."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

#: Levels that every codec must take, both ways.
DEPTH = 100

_BOOK_TICKER = (
    b'{"stream":"btcusdt@bookTicker","data":{"u":400900217,"s":"BTCUSDT","b":"25.35190000","B":"31.21000000",'
    b'"a":"25.36520000","A":"40.66000000"}}'
)
_KLINE = (
    b'{"e":"kline","E":1672515782136,"s":"BNBBTC","k":{"t":1672515780000,"T":1672515839999,"s":"BNBBTC","i":"1m",'
    b'"f":100,"L":200,"o":"0.0010","c":"0.0020","h":"0.0025","l":"0.0015","v":"1000","n":100,"x":false,"q":"1.0000",'
    b'"V":"500","Q":"0.500","B":"0"}}'
)

DECODED: tuple[tuple[str, bytes, Any], ...] = (
    (
        "a combined book ticker is read as it was sent",
        _BOOK_TICKER,
        {
            "stream": "btcusdt@bookTicker",
            "data": {
                "u": 400900217,
                "s": "BTCUSDT",
                "b": "25.35190000",
                "B": "31.21000000",
                "a": "25.36520000",
                "A": "40.66000000",
            },
        },
    ),
    (
        "depth levels stay lists of strings",
        b'{"U":157,"u":160,"b":[["0.0024","10"],["0.0022","0.00000000"]],"a":[]}',
        {"U": 157, "u": 160, "b": [["0.0024", "10"], ["0.0022", "0.00000000"]], "a": []},
    ),
    ("white space around tokens is nothing", b' \r\n\t{ "a" : [ 1 , true ] } \n', {"a": [1, True]}),
    ("symbols outside ASCII are read", '{"s":"币安人生USDT","n":"é😀"}'.encode(), {"s": "币安人生USDT", "n": "é😀"}),
    ("escapes are read", rb'"\u5e01\ud83d\ude00\"\\\/\b\f\n\r\t\u0000"', '币😀"\\/\b\f\n\r\t\0'),
    ("64-bit ids are exact", b"[9223372036854775807,-9223372036854775808]", [2**63 - 1, -(2**63)]),
    ("unsigned 64-bit ids are exact", b"[18446744073709551615,9007199254740993]", [2**64 - 1, 2**53 + 1]),
    ("0 and -0 without a point are integers", b"[0,-0]", [0, 0]),
    ("a number with a point or exponent is a float", b"[1.0,1e5,1E-2,-0.0,0e0]", [1.0, 100000.0, 0.01, -0.0, 0.0]),
    ("a float is the nearest double", b"[0.1,0.30000000000000004,9007199254740993.0]", [0.1, 0.1 + 0.2, 2.0**53]),
    (
        "a float is the nearest double at the ends of the range",
        b"[1.7976931348623157e308,5e-324,2.2250738585072011e-308,1e-400]",
        [1.7976931348623157e308, 5e-324, 2.2250738585072011e-308, 0.0],
    ),
    ("a float of many digits is the nearest double", b"0." + b"1" * 400, float("0." + "1" * 400)),
    ("constants are read", b"[true,false,null]", [True, False, None]),
    ("a document may be a scalar", b'"x"', "x"),
    ("of equal keys the last wins", b'{"a":1,"b":2,"a":3}', {"a": 3, "b": 2}),
    ("of equal keys the last wins", b'{"a":{"b":1},"a":{"c":2}}', {"a": {"c": 2}}),
    ("of keys that are equal once read the last wins", rb'{"a":1,"\u0061":2}', {"a": 2}),
    ("keys and strings are text", b'{"k":"v","":""}', {"k": "v", "": ""}),
    ("what ends a line elsewhere is text in a string", '"\u2028\u2029\x7f\x85"'.encode(), "\u2028\u2029\x7f\x85"),
    ("an empty key is a key", b'{"":{}}', {"": {}}),
)

ROUND_TRIPS: tuple[tuple[str, Any], ...] = (
    ("nested documents come back", {"a": [{"b": [[], {}, [None, True, "x"]]}], "c": {"d": {"e": -1}}}),
    ("the order of keys comes back", {"b": 1, "a": 2, "10": 3, "9": 4}),
    ("strings come back", ['"\\/', "\x00\x1f\x7f\u2028", "币安", "😀", "x" * 100_000]),
    ("64-bit integers come back", [0, -1, 2**53 + 1, 2**63 - 1, -(2**63), 2**64 - 1]),
    ("floats come back bit for bit", [0.1, 0.1 + 0.2, 1 / 3, 1e16, 1e22, 1e-5, 1e-7, 5e-324, 1.7976931348623157e308]),
    ("a float stays a float", [1.0, -0.0, 0.0, 1e15, 123456789.0]),
)

ENCODED: tuple[tuple[str, Any, bytes], ...] = (
    ("no space is written", {"a": [1, 2, {"b": None}], "c": True}, b'{"a":[1,2,{"b":null}],"c":true}'),
    ("non-ASCII text is written as UTF-8", {"s": "币😀\u2028"}, '{"s":"币😀\u2028"}'.encode()),
    ("only what must be is escaped", '"\\/\n\x00\x1f\x7f', b'"\\"\\\\/\\n\\u0000\\u001f\x7f"'),
    ("a tuple is written as an array", (1, (2,)), b"[1,[2]]"),
    ("a float is written by its repr", [0.1, 0.1 + 0.2, 1.0, -0.0], b"[0.1,0.30000000000000004,1.0,-0.0]"),
    ("integers of 64 bits are written whole", [2**64 - 1, -(2**63)], b"[18446744073709551615,-9223372036854775808]"),
    ("Decimal is written as a string", [Decimal("0.10"), Decimal("1E-8")], b'["0.10","1E-8"]'),
    (
        "Decimal loses no digit",
        [Decimal("-0.00"), Decimal("1E+3"), Decimal("12345678901234567890.1234567890")],
        b'["-0.00","1E+3","12345678901234567890.1234567890"]',
    ),
    (
        "a numeric of PostgreSQL that is no number is written as a string",
        [Decimal("NaN"), Decimal("Infinity"), Decimal("-Infinity")],
        b'["NaN","Infinity","-Infinity"]',
    ),
    ("a naive datetime is written as ISO 8601", datetime(2026, 1, 2, 3, 4, 5), b'"2026-01-02T03:04:05"'),  # noqa: DTZ001 - asyncpg returns these for `timestamp`
    (
        "a datetime in UTC ends in Z",
        [datetime(2026, 1, 2, 3, 4, 5, 6000, UTC), datetime(2026, 1, 2, tzinfo=UTC)],
        b'["2026-01-02T03:04:05.006000Z","2026-01-02T00:00:00Z"]',
    ),
    (
        "a datetime elsewhere keeps its offset",
        datetime(2026, 1, 2, tzinfo=timezone(-timedelta(hours=3, minutes=30))),
        b'"2026-01-02T00:00:00-03:30"',
    ),
    (
        "the infinite times of PostgreSQL are written as asyncpg returns them",
        [datetime.min, datetime.max, datetime.max.replace(tzinfo=UTC)],  # noqa: DTZ901 - as above
        b'["0001-01-01T00:00:00","9999-12-31T23:59:59.999999","9999-12-31T23:59:59.999999Z"]',
    ),
    (
        "a row of the database is written as it is",
        {"quantity": Decimal("0.01163000"), "opened": datetime(2026, 1, 2, 3, 4, 5, 1, UTC), "pnl": None, "ok": True},
        b'{"quantity":"0.01163000","opened":"2026-01-02T03:04:05.000001Z","pnl":null,"ok":true}',
    ),
    ("the largest payload's shape is written as it was read", {"b": [["0.0024", "10"]]}, b'{"b":[["0.0024","10"]]}'),
)

MALFORMED: tuple[tuple[str, bytes], ...] = (
    *(("empty input is malformed", data) for data in (b"", b" ", b"\n\n")),
    *(("NaN and Infinity are malformed", data) for data in (b"NaN", b"[NaN]", b'{"p":Infinity}', b"-Infinity")),
    *(
        ("UTF-8 that is none is malformed", data)
        for data in (b"\xff", b'"\xff"', b'"\xc3"', b'"\xc0\xaf"', b'"\xed\xa0\x80"', b'{"\xff":1}', b'"a\x80b"')
    ),
    *(("a cut document is malformed", _KLINE[:cut]) for cut in (1, 10, 40, 100, len(_KLINE) - 1)),
    *(("text after the document is malformed", data) for data in (b"{}x", b"{} {}", b"1\x00", b"[1]]")),
    *(
        ("what is no JSON is malformed", data)
        for data in (
            b"{",
            b"]",
            b"nul",
            b"tru",
            b"True",
            b"{'a':1}",
            b"{a:1}",
            b"{1:2}",
            b"[1 2]",
            b'{"a" 1}',
            b"/**/1",
        )
    ),
    *(
        ("another separator is malformed", data)
        for data in (
            *(b"[1;2]", b"[1,,2]", b"[1.2,]", b"{,}", b"[1,2],", b",", b":", b'{"a"::1}', b'{"a"=1}', b'{"a":1;"b":2}'),
            *(b'{"a":1 "b":2}', b'{"a",1}', b'["a":1]'),
        )
    ),
    *(
        ("white space of another kind is malformed", data)
        for data in (b"\x0c1", b"\x0b1", b"1\x0c", b"[1,\x0b2]", "\u00a01".encode(), "\u20281".encode(), b"\x1f1")
    ),
    *(("a trailing comma is malformed", data) for data in (b"[1,]", b'{"a":1,}', b"[,1]")),
    *(
        ("a number in another form is malformed", data)
        for data in (b"01", b"1.", b".5", b"+1", b"0x10", b"1e", b"1_0", b"-", b"--1", b"1.5.2")
    ),
    *(
        ("a string in another form is malformed", data)
        for data in (b'"a', b'"\t"', b'"\x00"', b'"\\x"', b'"\\u12"', b'"\\u12g4"', b"'a'")
    ),
    ("a byte order mark is malformed", b"\xef\xbb\xbf{}"),
    ("a NUL byte is malformed", b"\x00"),
)

#: Libraries may read these, or refuse them; no other error than one of `errors`, and no crash.
FREE: tuple[tuple[str, bytes], ...] = (
    *(
        ("deep nesting does not crash", opening * 100_000 + closing)
        for opening, closing in ((b"[", b""), (b"[", b"]" * 100_000), (b'{"a":', b""), (b'{"a":[', b""))
    ),
)

#: Integers beyond 64 bits, and floats beyond the largest: refused, whole, or the nearest double; nothing else.
OUT_OF_RANGE: tuple[bytes, ...] = (
    *(b"18446744073709551616", b"-9223372036854775809", b"1" * 40, b"1" * 400, b"9" * 5_000, b"-" + b"9" * 5_000),
    *(b"1e999", b"-1e999", b"1" * 400 + b".5"),
)

#: Half of a surrogate pair: refused, kept, or replaced by U+FFFD; nothing else.
LONE_SURROGATES: tuple[tuple[bytes, str], ...] = (
    (rb'"\ud800"', "\ud800"),
    (rb'"\udc00\ud800"', "\udc00\ud800"),
    (rb'"\ud800x"', "\ud800x"),
    (rb'"x\udfff"', "x\udfff"),
)

#: To be written so that no shorter text is the same double, in whatever form the library gives an exponent.
FLOATS: tuple[float, ...] = (
    *(0.1, 0.1 + 0.2, 1 / 3, 4.35, 2.5e-8, 1e-5, 1.5e-7, 5e-324, 2.2250738585072014e-308, 1.7976931348623157e308),
    *(1e16, 1e21, 1e22, 1e23, 123456789012345680.0, 9007199254740992.0, 86026.4, -1234.5678e-9),
)

#: To be refused, or written whole.
LARGE_INTEGERS: tuple[int, ...] = (2**64, -(2**63) - 1, 10**40, 10**400)

#: To be refused, or to become null, wherever they stand.
NO_NUMBERS: tuple[tuple[Any, bytes], ...] = tuple(
    (made, written)
    for number in (math.nan, math.inf, -math.inf)
    for made, written in (
        (number, b"null"),
        ([1.5, number], b"[1.5,null]"),
        ({"x": number}, b'{"x":null}'),
        ((number,), b"[null]"),
    )
)

#: To be refused, or written as text of the library's own choice (base64 mostly), but never as Python shows them.
BYTES: tuple[object, ...] = (b"\xff\x00text", b"", bytearray(b"text"), {"x": b"text"})


def lone_surrogates() -> tuple[object, ...]:
    """Texts that UTF-8 has no bytes for: never written."""
    return "\ud800", "x\udfff", ["a\udc00b"], {"\ud800": 1}, {"x": {"y": "\udcff"}}


def unwritable() -> tuple[object, ...]:
    """Values that no JSON stands for, such as a foreign object, or a list that holds itself."""
    cycle: list[object] = []
    cycle.append(cycle)
    deep: list[object] = []
    for _ in range(100_000):
        deep = [deep]
    return object(), 1j, {"a": object()}, cycle, deep
