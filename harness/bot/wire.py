"""Bytes to events, whichever codec is in the slot.

A combined frame begins `{"stream":"<name>","data":`: the name is read from that prefix and the payload alone is
decoded, by the decoder of that stream. Any other order of keys goes a slower, general way.

JSON libraries differ at the edges: `1e999` in a field that nobody reads, half of a surrogate pair, thousand-fold
nesting. So a codec's refusal is not the last word: what it refuses is read again by the reference reader, and what
the libraries read differently never reaches them. Counts and events are then equal on every stack.
"""

from __future__ import annotations

import logging
from collections import Counter
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

import msgspec

from harness.backends.contracts import TypedCodec
from harness.bot import reference
from harness.bot.tally import Tally
from harness.exchange import streams
from harness.exchange.account_events import ACCOUNT_SHAPES
from harness.exchange.events import MARKET_SHAPES, Event
from harness.redact import redact

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from harness.backends.contracts import Codec

E = TypeVar("E", bound=Event)

# Plain tuples: a NamedTuple is made by a call more, and this is every frame.
Message: TypeAlias = tuple[str, str, Event]
"""Kind and symbol, by the name of the stream, and the decoded payload."""
Route: TypeAlias = "tuple[str, str, Callable[[bytes], Event] | None]"
"""Kind, symbol, and the decoder of the stream's payloads; None for kinds that nobody here reads."""

_PREFIX = b'{"stream":"'
_BETWEEN = b'","data":'
_BACKSLASH, _CLOSING_BRACE = 0x5C, 0x7D
_SHALLOW_BYTES = reference.SHALLOW_BYTES
#: Names beyond these are not read: Binance allows 1,024 streams, and a hostile peer must not fill the memory.
_MAX_STREAMS = 4_096
_MAX_NAME = 128


_UNREAD: Route = ("other", "", None)
_SHUTDOWN = "serverShutdown"
#: Both forms of the exchange's notice that this server ends (BINANCE.md, section 2.1).
_SHUTDOWN_STREAM = f"!{_SHUTDOWN}"
_SHOWN = 200

_log = logging.getLogger(__name__)


class Wire:
    """Decodes the frames of both connections and counts what it could not."""

    def __init__(self, codec: Codec, on_shutdown: Callable[[], None] = lambda: None) -> None:
        """`on_shutdown` is called when the exchange announces, on either connection, that its server ends."""
        self._codec = codec
        self._on_shutdown = on_shutdown
        self._routes: dict[bytes, Route] = {}
        """By all that stands before `","data":`, so that prefix and name are checked by one look-up."""
        self._errors: tuple[type[Exception], ...] = (*codec.errors, msgspec.ValidationError, UnicodeDecodeError)
        self.counts: Counter[str] = Counter()
        """Frames not taken, by reason: malformed, unknown streams, unknown account events."""
        self._malformed = Tally()
        self._unknown = Tally()

    @property
    def malformed(self) -> Mapping[str, int]:
        """Frames that could not be read, by kind as far as it can be told."""
        return self._malformed.counts

    @property
    def unknown(self) -> Mapping[str, int]:
        """Frames of streams, and events, that nobody here reads, by kind."""
        return self._unknown.counts

    def market_message(self, frame: bytes) -> Message | None:
        """The message of a market frame; None for one that is malformed or of a kind that nobody reads."""
        # Every line here is paid by every frame.
        if _BACKSLASH in frame or (len(frame) > _SHALLOW_BYTES and reference.is_deep(frame)):
            return self._reread(frame)
        try:
            if not frame.isascii():
                frame.decode()
            end = frame.find(_BETWEEN)
            route = self._routes.get(frame[:end])
            if route is None or frame[-1] != _CLOSING_BRACE:
                return self._unfamiliar(frame, end)
            kind, symbol, decode = route
            if decode is None:
                self._pass_by(kind)
                return None
            return kind, symbol, decode(frame[end + 9 : -1])
        except self._errors:
            return self._reread(frame)

    def account_event(self, frame: bytes) -> Event | None:
        """The event of an account frame, wrapped or not; None for a malformed or unknown one, or an answer."""
        try:
            if _BACKSLASH not in frame and not reference.is_deep(frame):
                return self._account(self._codec.loads(frame))
        except self._errors:
            pass
        try:
            return self._account(reference.read(frame))
        except reference.ERRORS as error:
            self.counts["malformed_account"] += 1
            self._tell_malformed("account", frame, error)
            return None

    def _unfamiliar(self, frame: bytes, end: int) -> Message | None:
        """A stream's first frame, another order of keys, or a payload without envelope."""
        head = frame[:end]
        if head not in self._routes and head.startswith(_PREFIX) and b'"' not in head[len(_PREFIX) :]:
            self._route(head)
            if head in self._routes:
                return self.market_message(frame)
        return self._general(self._codec.loads(frame))

    def _reread(self, frame: bytes) -> Message | None:
        """What the codec refused, or must not see, by the reader that is the same on all stacks."""
        try:
            return self._general(reference.read(frame))
        except reference.ERRORS as error:
            self.counts["malformed"] += 1
            self._tell_malformed(self._kind_of(frame), frame, error)
            return None

    def _general(self, document: Any) -> Message | None:
        """The slow way: another order of keys, or a payload without envelope."""
        if not isinstance(document, dict):
            raise msgspec.ValidationError("not an object")
        payload = document.get("data", document)
        name = document.get("stream")
        if not isinstance(name, str):
            name = _name_of(payload)
        kind, symbol, decode = self._route(_PREFIX + name.encode()) if name else _UNREAD
        if decode is None:
            self._pass_by(kind)
            return None
        return kind, symbol, msgspec.convert(payload, MARKET_SHAPES[kind], strict=False)

    def _pass_by(self, kind: str) -> None:
        if kind == _SHUTDOWN:
            self._on_shutdown()
            return
        self.counts["unknown_stream"] += 1
        self._unknown.add(kind)

    def _kind_of(self, frame: bytes) -> str:
        """As the head says, if it is that of a stream; `market` otherwise."""
        route = self._routes.get(frame[: frame.find(_BETWEEN)])
        return route[0] if route else "market"

    def _tell_malformed(self, kind: str, frame: bytes, error: Exception) -> None:
        """Counted, and logged once a kind: a feed that turns bad would fill the disk."""
        if self._malformed.add(kind):
            shown = redact(frame[:_SHOWN].decode(errors="replace"))
            _log.warning("a malformed %s frame, from now on only counted: %s: %r", kind, redact(str(error)), shown)

    def _account(self, document: Any) -> Event | None:
        """In the envelope of today's spot (`event`), in that of a listen key's stream (`data`), or bare."""
        payload = document.get("event", document.get("data", document)) if isinstance(document, dict) else None
        if not isinstance(payload, dict):
            raise msgspec.ValidationError("not an object")
        if "e" not in payload:  # the answer to a request of ours
            return None
        kind = payload["e"]
        shape = ACCOUNT_SHAPES.get(kind) if isinstance(kind, str) else None
        if kind == _SHUTDOWN:
            self._on_shutdown()
        elif shape is None:
            self.counts["unknown_account_event"] += 1
            self._unknown.add(str(kind))
        if shape is None:
            return None
        return msgspec.convert(payload, shape, strict=False)

    def _route(self, head: bytes) -> Route:
        """The route of a frame's head, remembered; names that no exchange gives, or too many, lead nowhere."""
        known = self._routes.get(head)
        if known is not None:
            return known
        name = head[len(_PREFIX) :].decode()
        if not name.isprintable() or len(name) > _MAX_NAME or len(self._routes) >= _MAX_STREAMS:
            return _UNREAD
        stream = streams.parse(name)
        kind = stream.option if stream.kind == "other" else stream.kind
        if name == _SHUTDOWN_STREAM:
            kind = _SHUTDOWN
        shape = MARKET_SHAPES.get(kind)
        route = self._routes[head] = (kind, stream.symbol, self._decoder(shape) if shape else None)
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
    "markPriceUpdate": "markPrice",
}


def _name_of(payload: Any) -> str | None:
    """The name of the stream that would have carried a bare payload."""
    if isinstance(payload, dict) and payload.get("e") == _SHUTDOWN:
        return _SHUTDOWN_STREAM
    if not isinstance(payload, dict) or not isinstance(payload.get("s"), str):
        return None
    event = payload.get("e", "bookTicker" if {"b", "B", "a", "A"} <= payload.keys() else None)
    kind = _KIND_OF_EVENT.get(event) if isinstance(event, str) else None
    if kind == "kline_":
        candle = payload.get("k")
        interval = candle.get("i") if isinstance(candle, dict) else None
        kind = f"kline_{interval}" if isinstance(interval, str) else None
    return f"{payload['s'].lower()}@{kind}" if kind else None
