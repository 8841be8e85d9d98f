"""A check that finds nothing says nothing: each broken codec must be found out, by the promise that it breaks."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from harness.backends.codecs import JsonCodec, MsgspecCodec
from harness.backends.conformance import Failure, check_codec
from harness.backends.conformance.codec import identical

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


@pytest.mark.parametrize(
    ("decoder", "promise"),
    [
        (lambda shape: msgspec.json.Decoder(shape).decode, "a typed decoder takes numbers in strings"),
        (lambda _: json.loads, "a typed decoder takes numbers"),
        (lambda shape: lambda data: shape(1.5, 2.0) if data else None, "a typed decoder refuses a missing field"),
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
