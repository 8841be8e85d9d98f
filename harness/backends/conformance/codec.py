"""Whether a codec keeps the promises of `contracts.Codec`."""

from __future__ import annotations

import math
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
    for check in (_identity, _decoding, _equality, _ends_of_range, _refusals, _free, _encoding, _unwritable):
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
        except Exception as error:  # noqa: BLE001 - any error is the finding
            yield Failure(promise=promise, happened=f"loads({shown(data)}) {told(error)}")
            continue
        if not identical(value, expected):
            yield Failure(promise=promise, happened=f"loads({shown(data)}) gave {shown(value)}")


def _equality(codec: Codec) -> Iterator[Failure]:
    for promise, value in corpus.ROUND_TRIPS:
        try:
            again = codec.loads(codec.dumps(value))
        except Exception as error:  # noqa: BLE001 - as above
            yield Failure(promise=promise, happened=f"{shown(value)} {told(error)}")
            continue
        if not identical(again, value):
            yield Failure(promise=promise, happened=f"{shown(value)} came back as {shown(again)}")


def _ends_of_range(codec: Codec) -> Iterator[Failure]:
    depth = corpus.DEPTH
    promise = f"a document {depth} levels deep passes both ways"
    try:
        written = codec.dumps(codec.loads(b"[" * depth + b"]" * depth))
    except Exception as error:  # noqa: BLE001 - as above
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
        except BaseException as error:  # noqa: BLE001 - a library in Rust may panic with one of these
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
        except Exception as error:  # noqa: BLE001 - as above
            yield Failure(promise=promise, happened=f"dumps({shown(value)}) {told(error)}")
            continue
        if type(data) is not bytes or data != expected:
            yield Failure(promise=promise, happened=f"dumps({shown(value)}) gave {shown(data)}")


def _unwritable(codec: Codec) -> Iterator[Failure]:
    promise = "what JSON has no word for raises ValueError or TypeError (RecursionError when too deep)"
    for value in corpus.unwritable():
        try:
            data = codec.dumps(value)
        except (ValueError, TypeError, RecursionError):
            continue
        except BaseException as error:  # noqa: BLE001 - as above
            yield Failure(promise=promise, happened=f"dumps({shown(value)}) {told(error)}")
        else:
            yield Failure(promise=promise, happened=f"dumps({shown(value)}) gave {shown(data)}")
    for number in (math.nan, math.inf, -math.inf):
        try:
            data = codec.dumps(number)
        except (ValueError, TypeError):
            continue
        if data != b"null":
            yield Failure(promise="NaN and infinities become null or raise", happened=f"dumps({number}) gave {data!r}")


class _Level(msgspec.Struct, frozen=True):
    price: float
    quantity: float


class _Quote(NamedTuple):
    promise: str
    data: bytes
    accepted: bool


_QUOTES = (
    _Quote("a typed decoder takes numbers", b'{"price":1.5,"quantity":2}', accepted=True),
    _Quote("a typed decoder takes numbers in strings", b'{"price":"1.50","quantity":"2"}', accepted=True),
    _Quote("a typed decoder passes over unknown fields", b'{"x":[{}],"price":1.5,"quantity":2}', accepted=True),
    _Quote("a typed decoder refuses a missing field", b'{"price":1.5}', accepted=False),
    _Quote("a typed decoder refuses another type", b'{"price":"x","quantity":2}', accepted=False),
    _Quote("a typed decoder refuses what is no JSON", b'{"price":1.5,"quantity":2', accepted=False),
    _Quote("a typed decoder refuses empty input", b"", accepted=False),
)


def _typed(codec: TypedCodec) -> Iterator[Failure]:
    try:
        decode: Callable[[bytes], _Level] = codec.decoder(_Level)
    except Exception as error:  # noqa: BLE001 - as above
        yield Failure(promise="decoder(type) makes a typed decoder", happened=told(error))
        return
    errors: tuple[type[Exception], ...] = (*codec.errors, msgspec.ValidationError)
    for promise, data, accepted in _QUOTES:
        try:
            value = decode(data)
        except errors as error:
            if accepted:
                yield Failure(promise=promise, happened=f"{shown(data)} {told(error)}")
        except BaseException as error:  # noqa: BLE001 - as above
            yield Failure(promise=promise, happened=f"{shown(data)} {told(error)}, which is not in errors")
        else:
            if not accepted or value != _Level(1.5, 2.0):
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
