"""A check that finds nothing says nothing: each broken codec must be found out, by the promise that it breaks."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from decimal import Context, Decimal
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from harness.backends.codecs import JsonCodec, MsgspecCodec
from harness.backends.conformance import Failure, check_codec, corpus
from harness.backends.conformance.codec import _QUOTES, identical

if TYPE_CHECKING:
    from collections.abc import Callable


def promises(codec: Any) -> set[str]:
    return {failure.promise for failure in check_codec(codec)}


def codec_with(**members: Any) -> Any:
    """The json codec with other members."""
    return type("Broken", (JsonCodec,), members)()


def first_wins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    return dict(pairs[::-1])


def rounded(value: Any) -> Any:
    return json.loads(json.dumps(value), parse_float=lambda text: round(float(text), 9))


def in_bytes(value: Any) -> Any:
    """The document with bytes for text."""
    if isinstance(value, dict):
        return {in_bytes(key): in_bytes(inner) for key, inner in value.items()}
    return value.encode(errors="replace") if isinstance(value, str) else value


def written(value: Any, foreign: Callable[[Any], Any] = str) -> bytes:
    """As the json codec writes, but for what `foreign` makes of values that are not JSON."""
    encoder = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False, allow_nan=False, default=foreign)
    return encoder.encode(value).encode()


def long_floats(value: Any) -> bytes:
    """Every float with 17 digits, which is enough and often too much."""
    return b"%.17g" % value if isinstance(value, float) else JsonCodec().dumps(value)


def only_looked_at_the_top(value: Any) -> bytes:
    """Refuses NaN where it stands alone."""
    if isinstance(value, float):
        return JsonCodec().dumps(value)
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False, default=str).encode()


def wrapped_around(value: Any) -> bytes:
    """Large integers as 64 bits hold them."""
    return JsonCodec().dumps(value % 2**64 if type(value) is int else value)


def test_a_codec_that_keeps_all_is_not_accused() -> None:
    assert check_codec(JsonCodec()) == []
    assert check_codec(MsgspecCodec()) == []


def test_a_failure_says_the_promise_and_what_happened_instead() -> None:
    failures = check_codec(codec_with(loads=lambda _, data: json.loads(data)))
    assert Failure(promise="NaN and Infinity are malformed", happened="loads(b'NaN') gave nan") in failures
    assert "NaN and Infinity are malformed: loads(b'NaN') gave nan" in map(str, failures)


@pytest.mark.parametrize(
    ("loads", "promise"),
    [
        (lambda data: json.loads(data.decode(errors="replace")), "UTF-8 that is none is malformed"),
        (lambda data: json.loads(data.replace(b"\x00", b"0")), "a NUL byte is malformed"),
        (lambda data: json.loads(data or b"null"), "empty input is malformed"),
        (lambda data: json.loads(data, parse_int=float), "64-bit ids are exact"),
        (lambda data: json.loads(data, parse_float=Decimal), "a float is the nearest double"),
        (lambda data: json.loads(data, parse_float=lambda text: float(text[:12])), "a float is the nearest double"),
        (
            lambda data: json.loads(data, object_pairs_hook=lambda pairs: dict(pairs[::-1])),
            "of equal keys the last wins",
        ),
        (lambda data: json.loads(data.decode("latin-1")), "symbols outside ASCII are read"),
        (lambda data: json.JSONDecoder().raw_decode(data.decode().strip())[0], "text after the document is malformed"),
        (lambda data: json.loads(data, strict=False), "a string in another form is malformed"),
        (lambda data: eval(data, {"true": True, "false": False, "null": None}), "a trailing comma is malformed"),  # noqa: S307
        (
            lambda data: json.loads(data, object_pairs_hook=first_wins),
            "of keys that are equal once read the last wins",
        ),
        (lambda data: in_bytes(JsonCodec().loads(data)), "keys and strings are text"),
        (
            lambda data: json.loads("".join(data.decode().splitlines())),
            "what ends a line elsewhere is text in a string",
        ),
        (lambda data: json.loads(data.replace(b";", b",")), "another separator is malformed"),
        (lambda data: json.loads(data.decode().strip()), "white space of another kind is malformed"),
        (
            lambda data: json.loads(data, parse_int=lambda text: int(text) % 2**64),
            "a number out of range is refused, or read as near as can be",
        ),
        (
            lambda data: json.loads(data, parse_float=lambda text: min(float(text), 1.7e308)),
            "a number out of range is refused, or read as near as can be",
        ),
        (
            lambda data: re.sub("[\ud800-\udfff]", "", str(JsonCodec().loads(data))),
            "a lone surrogate is refused, kept or replaced",
        ),
    ],
)
def test_a_wrong_reading_is_found(loads: Callable[[bytes], Any], promise: str) -> None:
    assert promise in promises(codec_with(loads=lambda _, data: loads(data)))


def test_an_error_that_is_not_announced_is_found_wherever_it_comes_from() -> None:
    class Panic(BaseException):
        """As a library in Rust raises."""

    def loads(_: Any, data: bytes) -> Any:
        try:
            return JsonCodec().loads(data)
        except ValueError:
            raise Panic from None

    found = promises(codec_with(loads=loads))
    assert {"empty input is malformed", "a cut document is malformed", "a byte order mark is malformed"} <= found
    assert promises(codec_with(errors=(KeyError,))) >= {"empty input is malformed", "deep nesting does not crash"}


@pytest.mark.parametrize(
    ("dumps", "promise"),
    [
        (lambda value: json.dumps(value, default=str).encode(), "no space is written"),
        (
            lambda value: json.dumps(value, separators=(",", ":"), default=str).encode(),
            "non-ASCII text is written as UTF-8",
        ),
        (lambda value: json.dumps(value).encode(), "Decimal is written as a string"),
        (lambda value: json.dumps(value, default=float).encode(), "Decimal is written as a string"),
        (lambda value: json.dumps(value, default=str).encode(), "a datetime in UTC ends in Z"),
        (lambda value: json.dumps(value, default=str).encode(), "NaN and infinities become null or raise"),
        (lambda value: json.dumps(value, sort_keys=True).encode(), "the order of keys comes back"),
        (
            lambda value: json.dumps(value, default=str).encode(),
            "what JSON has no word for raises ValueError or TypeError (RecursionError when too deep)",
        ),
        (lambda value: bytearray(json.dumps(value).encode()), "a tuple is written as an array"),
        (lambda value: json.dumps(rounded(value)).encode(), "floats come back bit for bit"),
        (
            lambda value: written(value, lambda foreign: str(Context(prec=20).plus(foreign))),
            "Decimal loses no digit",
        ),
        (
            lambda value: written(value, lambda foreign: str(foreign) if foreign.is_finite() else None),
            "a numeric of PostgreSQL that is no number is written as a string",
        ),
        (
            lambda value: written(value, lambda foreign: foreign.astimezone(UTC).isoformat()),
            "the infinite times of PostgreSQL are written as asyncpg returns them",
        ),
        (
            lambda value: json.dumps(value, separators=(",", ":"), sort_keys=True, default=str).encode(),
            "a row of the database is written as it is",
        ),
        (long_floats, "a float is written by the shortest text that is read as the same"),
        (
            lambda value: b"0.1" if value == 0.1 else b"[]",
            "a float is written by the shortest text that is read as the same",
        ),
        (wrapped_around, "an integer beyond 64 bits is refused, or written whole"),
        (lambda value: written(float(value)), "an integer beyond 64 bits is refused, or written whole"),
        (only_looked_at_the_top, "NaN and infinities become null or raise"),
        (lambda value: written(value, repr), "bytes are refused, or written as a text of their own"),
        (lambda value: written(value, list), "bytes are refused, or written as a text of their own"),
        (lambda value: json.dumps(value, default=str).encode(), "a lone surrogate is never written"),
        *(
            (
                lambda value, how=how: json.dumps(value, ensure_ascii=False, default=str).encode(errors=how),
                "a lone surrogate is never written",
            )
            for how in ("surrogatepass", "replace", "ignore")
        ),
    ],
)
def test_a_wrong_writing_is_found(dumps: Callable[[Any], Any], promise: str) -> None:
    assert promise in promises(codec_with(dumps=lambda _, value: dumps(value)))


def test_a_codec_without_a_member_is_told_which() -> None:
    assert [str(failure) for failure in check_codec(object())] == [  # type: ignore[arg-type]
        "has all members of contracts.Codec: without errors, engine, loads, dumps"
    ]


def test_an_engine_that_is_none_is_found() -> None:
    assert "engine is the library's own decoder" in promises(codec_with(engine=None))


def loosely(shape: Any, data: bytes, **options: Any) -> Any:
    """By the standard library's json, whatever that takes."""
    return msgspec.convert(json.loads(data, **options), shape, strict=False)


@pytest.mark.parametrize(
    ("decoder", "promise"),
    [
        (lambda shape: msgspec.json.Decoder(shape).decode, "a typed decoder takes numbers in strings"),
        (lambda _: json.loads, "a typed decoder takes numbers"),
        (lambda shape: lambda data: shape(1.5, 2.0) if data else None, "a typed decoder refuses a missing field"),
        (lambda shape: lambda data: loosely(shape, data), "a typed decoder refuses NaN and Infinity"),
        (lambda shape: lambda data: loosely(shape, data, parse_int=float), "a typed decoder takes ids of 64 bits"),
        (
            lambda shape: lambda data: loosely(shape, data, object_pairs_hook=first_wins),
            "a typed decoder takes the last of equal keys",
        ),
        (
            lambda shape: lambda data: loosely(shape, data.decode("latin-1").encode()),
            "a typed decoder takes symbols outside ASCII",
        ),
        (
            lambda shape: lambda data: loosely(shape, data, parse_float=lambda text: round(float(text), 9)),
            "a typed decoder reads the nearest double",
        ),
        (lambda _: 1 / 0, "decoder(type) makes a typed decoder"),
    ],
)
def test_a_wrong_typed_decoder_is_found(decoder: Callable[[Any], Any], promise: str) -> None:
    broken: Any = type("Broken", (MsgspecCodec,), {"decoder": lambda _, shape: decoder(shape)})
    assert promise in promises(broken())


@pytest.mark.parametrize(
    ("left", "right"),
    [(1, 1.0), (1, True), (0.0, -0.0), ([1], (1,)), ({"a": 1, "b": 2}, {"b": 2, "a": 1}), ([1], [1, 1]), (None, False)],
)
def test_what_python_calls_equal_may_differ_in_type_sign_or_order(left: Any, right: Any) -> None:
    assert identical(left, left)
    assert not identical(left, right)


def test_every_promise_can_be_broken() -> None:
    class Panic(BaseException):
        """As a library in Rust raises."""

    def panic(*_: Any) -> Any:
        raise Panic

    silent: Any = type("Silent", (MsgspecCodec,), {"dumps": lambda *_: b"[[]]"})()
    silent.loads = lambda _: datetime(2026, 1, 1, tzinfo=UTC)
    silent.decoder = lambda _: lambda _: None
    found = promises(silent) | promises(codec_with(loads=panic, dumps=panic))
    told = {
        case[0] for case in (*corpus.DECODED, *corpus.ROUND_TRIPS, *corpus.ENCODED, *corpus.MALFORMED, *corpus.FREE)
    }
    told |= {quote.promise for quote in _QUOTES}
    told |= {
        f"a document {corpus.DEPTH} levels deep passes both ways",
        "a number out of range is refused, or read as near as can be",
        "a lone surrogate is refused, kept or replaced",
        "a lone surrogate is never written",
        "a float is written by the shortest text that is read as the same",
        "what JSON has no word for raises ValueError or TypeError (RecursionError when too deep)",
        "an integer beyond 64 bits is refused, or written whole",
        "NaN and infinities become null or raise",
        "bytes are refused, or written as a text of their own",
    }
    assert found >= told
