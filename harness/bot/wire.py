"""Bytes to events, whichever codec is in the slot.

A combined frame begins `{"stream":"<name>","data":`: the name is read from that prefix and the payload alone is
decoded, by the decoder of that stream. Any other order of keys goes a slower, general way.

What one JSON library would refuse is malformed on every stack, so that the counts are equal too.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import msgspec

from harness.backends.contracts import TypedCodec
from harness.exchange import streams
from harness.exchange.events import ACCOUNT_SHAPES, MARKET_SHAPES, Event

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.backends.contracts import Codec

E = TypeVar("E", bound=Event)

_PREFIX = b'{"stream":"'
_BETWEEN = b'","data":'
#: Names beyond these are read, but not remembered: a hostile peer must not fill the memory.
_MAX_STREAMS = 4_096


class Message(NamedTuple):
    """A decoded market payload and what its stream's name says."""

    kind: str
    symbol: str
    event: Event


class Route(NamedTuple):
    """What a stream's name says, and the decoder of its payloads; None for kinds that nobody here reads."""

    kind: str
    symbol: str
    decode: Callable[[bytes], Event] | None


class Wire:
    """Decodes the frames of both connections and counts what it could not."""

    def __init__(self, codec: Codec) -> None:
        self._codec = codec
        self._routes: dict[bytes, Route] = {}
        self._account_errors: tuple[type[Exception], ...] = (*codec.errors, msgspec.ValidationError, TypeError)
        self._errors: tuple[type[Exception], ...] = (*codec.errors, msgspec.ValidationError, UnicodeDecodeError)
        self.counts: Counter[str] = Counter()
        """Frames not taken, by reason: malformed, unknown streams, unknown account events."""

    def market_message(self, frame: bytes) -> Message | None:
        """The message of a market frame; None for one that is malformed or of a kind that nobody reads."""
        try:
            if not frame.isascii():
                frame.decode()
            if not frame.startswith(_PREFIX):
                return self._general(self._codec.loads(frame))
            end = frame.find(b'"', 11)
            name = frame[11:end]
            route = self._routes.get(name) or self._learn(name)
            payload = end + 9
            if frame[end:payload] != _BETWEEN or frame[-1] != 0x7D:
                return self._general(self._codec.loads(frame))
            if route.decode is None:
                self.counts["unknown_stream"] += 1
                return None
            return Message(route.kind, route.symbol, route.decode(frame[payload:-1]))
        except self._errors:
            self.counts["malformed"] += 1
            return None

    def account_event(self, frame: bytes) -> Event | None:
        """The event of an account frame, wrapped or not; None for a malformed or unknown one, or an answer."""
        try:
            document = self._codec.loads(frame)
            payload = document.get("event", document) if isinstance(document, dict) else None
            if not isinstance(payload, dict):
                self.counts["malformed_account"] += 1
                return None
            if "e" not in payload:  # the answer to a request of ours
                return None
            shape = ACCOUNT_SHAPES.get(payload["e"])
            if shape is None:
                self.counts["unknown_account_event"] += 1
                return None
            return msgspec.convert(payload, shape, strict=False)
        except self._account_errors:
            self.counts["malformed_account"] += 1
            return None

    def _general(self, document: Any) -> Message | None:
        """The slow way: another order of keys, or a payload without envelope."""
        if not isinstance(document, dict):
            raise UnicodeDecodeError("json", b"", 0, 0, "not an object")
        payload = document.get("data", document)
        name = document.get("stream") or _name_of(payload)
        route = self._learn(str(name).encode()) if name else None
        if route is None or route.decode is None:
            self.counts["unknown_stream"] += 1
            return None
        return Message(route.kind, route.symbol, msgspec.convert(payload, MARKET_SHAPES[route.kind], strict=False))

    def _learn(self, name: bytes) -> Route:
        stream = streams.parse(name.decode())
        shape = MARKET_SHAPES.get(stream.kind)
        route = Route(stream.kind, stream.symbol, self._decoder(shape) if shape else None)
        if len(self._routes) < _MAX_STREAMS:
            self._routes[name] = route
        return route

    def _decoder(self, shape: type[E]) -> Callable[[bytes], E]:
        if isinstance(self._codec, TypedCodec):
            return self._codec.decoder(shape)
        loads, convert = self._codec.loads, msgspec.convert

        def decode(payload: bytes) -> E:
            return convert(loads(payload), shape, strict=False)

        return decode


#: Events that a raw connection sends without a stream's name, to the kind of stream that would carry them.
_KIND_OF_EVENT = {
    "aggTrade": "aggTrade",
    "trade": "trade",
    "bookTicker": "bookTicker",
    "kline": "kline_",
    "24hrMiniTicker": "miniTicker",
    "depthUpdate": "depth",
}


def _name_of(payload: Any) -> str | None:
    """The name of the stream that would have carried a bare payload."""
    if not isinstance(payload, dict) or not isinstance(payload.get("s"), str):
        return None
    event = payload.get("e", "bookTicker" if {"b", "B", "a", "A"} <= payload.keys() else None)
    kind = _KIND_OF_EVENT.get(event) if isinstance(event, str) else None
    if kind == "kline_":
        candle = payload.get("k")
        kind = f"kline_{candle.get('i')}" if isinstance(candle, dict) else None
    return f"{payload['s'].lower()}@{kind}" if kind else None
