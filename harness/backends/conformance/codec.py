"""Whether a codec keeps the promises of `contracts.Codec`."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from harness.backends.conformance import corpus
from harness.backends.conformance.failure import Failure, shown, told
from harness.backends.contracts import TypedCodec
from harness.backends.proof import codec_in_use

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from harness.backends.contracts import Codec


def check_codec(codec: Codec) -> list[Failure]:
    """Every promise that the codec broke, and what happened instead; empty for a codec that may fill the slot."""
    missing = [name for name in ("errors", "engine", "loads", "dumps") if not hasattr(codec, name)]
    if missing:
        return [Failure(promise="has all members of contracts.Codec", happened=f"without {', '.join(missing)}")]
    found: list[Failure] = []
    for check in _CHECKS:
        found += check(codec)
    if isinstance(codec, TypedCodec):
        found += _typed(codec)
    return found


def _identity(codec: Codec) -> Iterator[Failure]:
    kinds: tuple[object, ...] = codec.errors
    if not all(isinstance(kind, type) and issubclass(kind, Exception) for kind in kinds):
        yield Failure(promise="errors is a tuple of exception classes", happened=shown(codec.errors))
    if codec.engine is None:
        yield Failure(promise="engine is the library's own decoder", happened="None")
    elif not codec_in_use(codec).strip("."):
        yield Failure(promise="engine tells its module", happened=shown(codec.engine))


def _decoding(codec: Codec) -> Iterator[Failure]:
    for promise, data, expected in corpus.DECODED:
        try:
            value = codec.loads(data)
        except BaseException as error:  # noqa: BLE001 - any error is the finding; a library in Rust may panic with these
            yield Failure(promise=promise, happened=f"loads({shown(data)}) {told(error)}")
            continue
        if not identical(value, expected):
            yield Failure(promise=promise, happened=f"loads({shown(data)}) gave {shown(value)}")


def _equality(codec: Codec) -> Iterator[Failure]:
    for promise, value in corpus.ROUND_TRIPS:
        try:
            again = codec.loads(codec.dumps(value))
        except BaseException as error:  # noqa: BLE001 - as above
            yield Failure(promise=promise, happened=f"{shown(value)} {told(error)}")
            continue
        if not identical(again, value):
            yield Failure(promise=promise, happened=f"{shown(value)} came back as {shown(again)}")


def _ends_of_range(codec: Codec) -> Iterator[Failure]:
    depth = corpus.DEPTH
    promise = f"a document {depth} levels deep passes both ways"
    try:
        written = codec.dumps(codec.loads(b"[" * depth + b"]" * depth))
    except BaseException as error:  # noqa: BLE001 - as above
        yield Failure(promise=promise, happened=told(error))
        return
    if written != b"[" * depth + b"]" * depth:
        yield Failure(promise=promise, happened=f"came back as {shown(written)}")


def _refusals(codec: Codec) -> Iterator[Failure]:
    for promise, data in corpus.MALFORMED:
        try:
            value = codec.loads(data)
        except codec.errors:
            continue
        except BaseException as error:  # noqa: BLE001 - as above
            yield Failure(promise=promise, happened=f"loads({shown(data)}) {told(error)}, which is not in errors")
        else:
            yield Failure(promise=promise, happened=f"loads({shown(data)}) gave {shown(value)}")


def _free(codec: Codec) -> Iterator[Failure]:
    """Where libraries may differ: a value or an error of `errors`, but no other error and no crash."""
    for promise, data in corpus.FREE:
        try:
            codec.loads(data)
        except codec.errors:
            continue
        except BaseException as error:  # noqa: BLE001 - as above
            yield Failure(promise=promise, happened=f"loads({shown(data)}) {told(error)}, which is not in errors")


def _encoding(codec: Codec) -> Iterator[Failure]:
    for promise, value, expected in corpus.ENCODED:
        try:
            data = codec.dumps(value)
        except BaseException as error:  # noqa: BLE001 - as above
            yield Failure(promise=promise, happened=f"dumps({shown(value)}) {told(error)}")
            continue
        if type(data) is not bytes or data != expected:
            yield Failure(promise=promise, happened=f"dumps({shown(value)}) gave {shown(data)}")


def _out_of_range(codec: Codec) -> Iterator[Failure]:
    promise = "a number out of range is refused, or read as near as can be"
    for data in corpus.OUT_OF_RANGE:
        value, happened = _read(codec, data)
        if happened:
            yield Failure(promise=promise, happened=happened)
        elif value is not None and not _is_near(value[0], data.decode()):
            yield Failure(promise=promise, happened=f"loads({shown(data)}) gave {shown(value[0])}")


def _is_near(value: Any, text: str) -> bool:
    """Whether it is the number itself, or the double that is nearest."""
    return (type(value) is int and Decimal(text) == value) or (type(value) is float and value == float(text))


def _half_pairs(codec: Codec) -> Iterator[Failure]:
    promise = "a lone surrogate is refused, kept or replaced"
    for data, text in corpus.LONE_SURROGATES:
        value, happened = _read(codec, data)
        allowed = (text, re.sub("[\ud800-\udfff]", "\ufffd", text))
        if happened:
            yield Failure(promise=promise, happened=happened)
        elif value is not None and value[0] not in allowed:
            yield Failure(promise=promise, happened=f"loads({shown(data)}) gave {shown(value[0])}")
    for made in corpus.lone_surrogates():
        written, happened = _written(codec, made)
        if happened or written is not None:
            told_ = happened or f"dumps({shown(made)}) gave {shown(written)}"
            yield Failure(promise="a lone surrogate is never written", happened=told_)


def _read(codec: Codec, data: bytes) -> tuple[tuple[Any] | None, str]:
    """What was read, None for what was refused; and what happened where neither is so."""
    try:
        return (codec.loads(data),), ""
    except codec.errors:
        return None, ""
    except BaseException as error:  # noqa: BLE001 - as above
        return None, f"loads({shown(data)}) {told(error)}, which is not in errors"


def _written(codec: Codec, value: object) -> tuple[bytes | None, str]:
    """What was written, None for what was refused; and what happened where neither is so."""
    try:
        return codec.dumps(value), ""
    except (ValueError, TypeError, RecursionError):
        return None, ""
    except BaseException as error:  # noqa: BLE001 - as above
        return None, f"dumps({shown(value)}) {told(error)}"


def _float_text(codec: Codec) -> Iterator[Failure]:
    promise = "a float is written by the shortest text that is read as the same"
    for number in corpus.FLOATS:
        written, happened = _written(codec, number)
        if written is None or not _is_shortest(written, number):
            happened = happened or f"dumps({number!r}) gave {shown(written)}"
            yield Failure(promise=promise, happened=happened)


def _is_shortest(written: bytes, number: float) -> bool:
    try:
        # repr has the fewest digits: 0.00001 and 1e-05 are the same ones, 0.1000000000000000055 are others.
        return Decimal(written.decode()) == Decimal(repr(number))
    except (ArithmeticError, ValueError):
        return False


def _unwritable(codec: Codec) -> Iterator[Failure]:
    promise = "what JSON has no word for raises ValueError or TypeError (RecursionError when too deep)"
    for value in corpus.unwritable():
        written, happened = _written(codec, value)
        if happened or written is not None:
            yield Failure(promise=promise, happened=happened or f"dumps({shown(value)}) gave {shown(written)}")


def _refused_or(codec: Codec) -> Iterator[Failure]:
    """Values that a codec may refuse; where it writes them, only in one way."""
    large = "an integer beyond 64 bits is refused, or written whole"
    for promise, value, allowed in (
        *((large, number, b"%d" % number) for number in corpus.LARGE_INTEGERS),
        *(("NaN and infinities become null or raise", value, allowed) for value, allowed in corpus.NO_NUMBERS),
    ):
        written, happened = _written(codec, value)
        if happened or written not in (None, allowed):
            yield Failure(promise=promise, happened=happened or f"dumps({shown(value)}) gave {shown(written)}")


def _bytes(codec: Codec) -> Iterator[Failure]:
    promise = "bytes are refused, or written as a text of their own"
    for value in corpus.BYTES:
        written, happened = _written(codec, value)
        if not happened and written is not None:
            again, happened = _read(codec, written)
            inner = again[0] if again else None
            inner = inner.get("x") if isinstance(inner, dict) else inner
            if not happened and (not isinstance(inner, str) or re.match(r"b(ytearray\(b)?['\"]", inner)):
                happened = f"dumps({shown(value)}) gave {shown(written)}"
        if happened:
            yield Failure(promise=promise, happened=happened)


_CHECKS: tuple[Callable[[Codec], Iterator[Failure]], ...] = (
    _identity,
    _decoding,
    _equality,
    _ends_of_range,
    _refusals,
    _free,
    _out_of_range,
    _half_pairs,
    _encoding,
    _float_text,
    _unwritable,
    _refused_or,
    _bytes,
)


class _Level(msgspec.Struct, frozen=True):
    price: float
    quantity: float
    id: int = 0
    symbol: str = ""


class _Quote(NamedTuple):
    promise: str
    data: bytes
    expected: _Level | None
    """None for what must be refused."""


_PLAIN = _Level(1.5, 2.0)
_QUOTES = (
    _Quote("a typed decoder takes numbers", b'{"price":1.5,"quantity":2}', _PLAIN),
    _Quote("a typed decoder takes numbers in strings", b'{"price":"1.50","quantity":"2"}', _PLAIN),
    _Quote("a typed decoder passes over unknown fields", b'{"x":[{}],"price":1.5,"quantity":2}', _PLAIN),
    _Quote("a typed decoder takes the last of equal keys", b'{"price":7,"quantity":2,"price":1.5}', _PLAIN),
    _Quote(
        "a typed decoder takes ids of 64 bits",
        b'{"price":1.5,"quantity":2,"id":9223372036854775807}',
        _Level(1.5, 2.0, 2**63 - 1),
    ),
    _Quote(
        "a typed decoder takes ids of 64 bits in strings",
        b'{"price":1.5,"quantity":2,"id":"-9223372036854775808"}',
        _Level(1.5, 2.0, -(2**63)),
    ),
    _Quote(
        "a typed decoder takes symbols outside ASCII",
        '{"price":1.5,"quantity":2,"symbol":"币安人生USDT"}'.encode(),
        _Level(1.5, 2.0, 0, "币安人生USDT"),
    ),
    _Quote(
        "a typed decoder reads the nearest double",
        b'{"price":"0.30000000000000004","quantity":5e-324}',
        _Level(0.1 + 0.2, 5e-324),
    ),
    _Quote("a typed decoder refuses a missing field", b'{"price":1.5}', None),
    _Quote("a typed decoder refuses another type", b'{"price":"x","quantity":2}', None),
    _Quote("a typed decoder refuses another type", b'{"price":1.5,"quantity":2,"id":1.5}', None),
    _Quote("a typed decoder refuses another type", b'{"price":1.5,"quantity":2,"symbol":7}', None),
    _Quote("a typed decoder refuses NaN and Infinity", b'{"price":NaN,"quantity":2}', None),
    _Quote("a typed decoder refuses NaN and Infinity", b'{"price":1.5,"quantity":Infinity}', None),
    _Quote("a typed decoder refuses what is no JSON", b'{"price":1.5,"quantity":2', None),
    _Quote("a typed decoder refuses what is no JSON", b'{"price":1.5,"quantity":2}x', None),
    _Quote("a typed decoder refuses empty input", b"", None),
)


def _typed(codec: TypedCodec) -> Iterator[Failure]:
    try:
        decode: Callable[[bytes], _Level] = codec.decoder(_Level)
    except BaseException as error:  # noqa: BLE001 - as above
        yield Failure(promise="decoder(type) makes a typed decoder", happened=told(error))
        return
    errors: tuple[type[Exception], ...] = (*codec.errors, msgspec.ValidationError)
    for promise, data, expected in _QUOTES:
        try:
            value = decode(data)
        except errors as error:
            if expected is not None:
                yield Failure(promise=promise, happened=f"{shown(data)} {told(error)}")
        except BaseException as error:  # noqa: BLE001 - as above
            yield Failure(promise=promise, happened=f"{shown(data)} {told(error)}, which is not in errors")
        else:
            if expected is None or repr(value) != repr(expected):  # which tells 2 from 2.0, and -0.0 from 0.0
                yield Failure(promise=promise, happened=f"{shown(data)} gave {shown(value)}")


def identical(left: Any, right: Any) -> bool:
    """Whether two documents are equal in value, type, float bits and order of keys (1, 1.0 and True are three)."""
    if type(left) is not type(right):
        return False
    if isinstance(left, dict):
        return list(left) == list(right) and all(identical(left[key], right[key]) for key in left)
    if isinstance(left, list):
        return len(left) == len(right) and all(map(identical, left, right))
    if isinstance(left, float):
        return left.hex() == float(right).hex()
    return bool(left == right)
