"""JSON libraries behind one contract: same answers, same errors, different speed."""

from __future__ import annotations

import json
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


def _foreign(value: object) -> str:
    """What JSON has no word for, as asyncpg returns it."""
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, datetime):
        text = value.isoformat()
        return f"{text[:-6]}Z" if text.endswith("+00:00") else text  # as msgspec writes UTC
    raise TypeError(f"{type(value).__name__} is not JSON")


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


class JsonCodec:
    """The standard library's json.

    It decodes UTF-8 itself and parses text: `json.loads(bytes)` guesses the encoding first, is slower, and would
    flatter the others.
    """

    errors: tuple[type[Exception], ...] = (ValueError, RecursionError)

    def __init__(self) -> None:
        self._decode = json.JSONDecoder(parse_constant=_refuse_constant).decode
        self._encode = json.JSONEncoder(
            separators=(",", ":"), ensure_ascii=False, allow_nan=False, default=_foreign
        ).encode

    @property
    def engine(self) -> object:
        """The decoder's bound method."""
        return self._decode

    def loads(self, data: bytes) -> Any:
        """As the contract says."""
        return self._decode(data.decode())

    def dumps(self, value: Any) -> bytes:
        """As the contract says."""
        return self._encode(value).encode()


class OrjsonCodec:
    """orjson; raises ImportError when it is not installed."""

    errors: tuple[type[Exception], ...] = (ValueError,)

    def __init__(self) -> None:
        import orjson  # noqa: PLC0415 - loaded only where it was chosen

        self.loads: Callable[[bytes], Any] = orjson.loads
        self._encode = orjson.dumps
        # datetime by our own hand, so that all codecs write the same text
        self._options = orjson.OPT_PASSTHROUGH_DATETIME

    @property
    def engine(self) -> object:
        """orjson.loads itself."""
        return self.loads

    def dumps(self, value: Any) -> bytes:
        """As the contract says."""
        return self._encode(value, _foreign, self._options)


class MsgspecCodec:
    """msgspec.json, which can also decode straight into a type."""

    def __init__(self) -> None:
        import msgspec  # noqa: PLC0415 - loaded only where it was chosen

        self.errors: tuple[type[Exception], ...] = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
        self._json = msgspec.json
        self.loads: Callable[[bytes], Any] = msgspec.json.Decoder().decode
        self._encoder = msgspec.json.Encoder()

    @property
    def engine(self) -> object:
        """The decoder's bound method."""
        return self.loads

    def dumps(self, value: Any) -> bytes:
        """As the contract says."""
        return self._encoder.encode(value)

    def decoder(self, shape: type[T]) -> Callable[[bytes], T]:
        """A typed decoder that takes numbers in strings."""
        return self._json.Decoder(shape, strict=False).decode
