"""Bytes to events, whichever codec is in the slot.

A combined frame begins `{"stream":"<name>","data":`: the name is read from that prefix and the payload alone is
decoded, by the decoder of that stream. Any other order of keys goes a slower, general way.

JSON libraries differ at the edges: `1e999` in a field that nobody reads, half of a surrogate pair, thousand-fold
nesting. So a codec's refusal is not the last word: what it refuses is read again by the reference reader, and what
the libraries read differently never reaches them. Counts and events are then equal on every stack.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

import msgspec

from harness.backends.contracts import TypedCodec
from harness.bot import reference
from harness.bot.malformed import KIND_OF_EVENT, MalformedFrames
from harness.bot.tally import OTHER, Tally
from harness.exchange import streams
from harness.exchange.account_events import ACCOUNT_SHAPES, UNREAD_ACCOUNT_EVENTS
from harness.exchange.documented import strangers
from harness.exchange.events import MARKET_SHAPES, Event

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from harness.backends.contracts import Codec

E = TypeVar("E", bound=Event)

# Plain tuples: a NamedTuple is made by a call more, and this is every frame.
Message: TypeAlias = tuple[str, str, Event]
"""Kind and symbol, by the name of the stream, and the decoded payload."""
Route: TypeAlias = "tuple[str, str, Callable[[bytes], Event] | None]"
"""Kind, symbol, and the decoder of the stream's payloads; for a stream that nobody here reads the decoder is None, and
before it stand what it is counted under and whether that is known."""

_PREFIX, _BETWEEN = b'{"stream":"', b'","data":'
_NAME_AT, _BETWEEN_BYTES = len(_PREFIX), len(_BETWEEN)
_QUOTE, _BACKSLASH, _CLOSING_BRACE = 0x22, 0x5C, 0x7D
_SHALLOW_BYTES = reference.SHALLOW_BYTES
#: Names beyond these are not read: Binance allows 1,024 streams, and a hostile peer must not fill the memory.
_MAX_STREAMS = 4_096
_MAX_NAME = 128

_UNREAD, _UNKNOWN = "unread", "unknown"
_LOST: Route = (OTHER, _UNKNOWN, None)
_SHUTDOWN, _SHUTDOWN_STREAM = "serverShutdown", "!serverShutdown"


class Wire:
    """Decodes the frames of both connections and counts what it could not.

    A stream's first frame and every account event are looked through for what Binance does not document: to look at
    every market frame would cost more than reading it.
    """

    def __init__(self, codec: Codec, on_shutdown: Callable[[], None] = lambda: None) -> None:
        """`on_shutdown` is called from within a market frame that announces the end of its server.

        On the account connection the announcement is an event, and the account feed's to tell.
        """
        self._codec = codec
        self._on_shutdown = on_shutdown
        self._routes: dict[bytes, Route] = {}
        """By all that stands before the payload, so that prefix and name are checked by one look-up."""
        self._errors: tuple[type[Exception], ...] = (*codec.errors, msgspec.ValidationError, UnicodeDecodeError)
        self._malformed = MalformedFrames()
        self._unread = Tally()
        self._unknown = Tally()
        self.counts: Counter[str] = Counter()
        """Frames not taken, by reason: malformed, or of a stream or an event that is unread or unknown."""

    @property
    def malformed(self) -> Mapping[str, int]:
        """Frames that could not be read, by kind of stream or name of event as far as it can be told."""
        return self._malformed.counts

    @property
    def unread(self) -> Mapping[str, int]:
        """Frames that Binance documents and nobody here reads, by kind of stream or name of event."""
        return self._unread.counts

    @property
    def unknown(self) -> Mapping[str, int]:
        """What Binance does not document: streams, events, fields (`kind.name`) and words (`kind.name=WORD`)."""
        return self._unknown.counts

    def market_message(self, frame: bytes) -> Message | None:
        """The message of a market frame; None for one that is malformed or of a kind that nobody reads."""
        # Every line here is paid by every frame.
        if _BACKSLASH in frame or (len(frame) > _SHALLOW_BYTES and reference.is_deep(frame)):
            return self._reread(frame)
        try:
            if not frame.isascii():
                frame.decode()
            start = frame.find(_QUOTE, _NAME_AT) + _BETWEEN_BYTES
            try:
                kind, symbol, decode = self._routes[frame[:start]]
            except KeyError:
                return self._unfamiliar(frame, frame[:start])
            if frame[-1] != _CLOSING_BRACE:
                return self._general(self._codec.loads(frame))
            if decode is None:
                self._pass_over(kind, symbol, "stream")
                return None
            return kind, symbol, decode(frame[start:-1])
        except self._errors:
            return self._reread(frame)

    def account_event(self, frame: bytes) -> Event | None:
        """The event of an account frame, wrapped or not; None for one malformed or not read here, or an answer."""
        try:
            if _BACKSLASH not in frame and not reference.is_deep(frame):
                return self._account(self._codec.loads(frame))
        except self._errors:
            pass
        try:
            return self._account(reference.read(frame))
        except reference.ERRORS as error:
            self.counts["malformed_account"] += 1
            self._malformed.add("account", frame, error)
            return None

    def _unfamiliar(self, frame: bytes, head: bytes) -> Message | None:
        """A stream's first frame, another order of keys, or a payload without envelope."""
        if head.startswith(_PREFIX) and head.endswith(_BETWEEN):
            self._route(head)
            if head in self._routes:
                message = self.market_message(frame)
                if message is not None:
                    self._look_through(message[0], frame)
                return message
        return self._general(self._codec.loads(frame))

    def _reread(self, frame: bytes) -> Message | None:
        """What the codec refused, or must not see, by the reader that is the same on all stacks."""
        try:
            return self._general(reference.read(frame))
        except reference.ERRORS as error:
            self.counts["malformed"] += 1
            self._malformed.add("market", frame, error)
            return None

    def _general(self, document: Any) -> Message | None:
        """The slow way: another order of keys, a payload without envelope, or what nobody reads."""
        if not isinstance(document, dict):
            raise msgspec.ValidationError("not an object")
        payload = document.get("data", document)
        if isinstance(payload, dict) and payload.get("e") == _SHUTDOWN:
            self._on_shutdown()
            return None
        name = document.get("stream")
        if not isinstance(name, str):
            name = _name_of(payload)
        kind, symbol, decode = self._route(_PREFIX + name.encode() + _BETWEEN) if name else _nameless(document)
        if decode is None:
            self._pass_over(kind, symbol, "stream")
            return None
        return kind, symbol, msgspec.convert(payload, MARKET_SHAPES[kind], strict=False)

    def _account(self, document: Any) -> Event | None:
        """In the envelope of today's spot (`event`), in that of a listen key's stream (`data`), or bare."""
        payload = document.get("event", document.get("data", document)) if isinstance(document, dict) else None
        if not isinstance(payload, dict):
            raise msgspec.ValidationError("not an object")
        if "e" not in payload:  # the answer to a request of ours
            return None
        name = payload["e"] if isinstance(payload["e"], str) else OTHER
        shape = ACCOUNT_SHAPES.get(name)
        if shape is None:
            self._pass_over(name, _UNREAD if name in UNREAD_ACCOUNT_EVENTS else _UNKNOWN, "account_event")
            return None
        event = msgspec.convert(payload, shape, strict=False)
        for stranger in strangers(name, payload):
            self._unknown.add(stranger)
        return event

    def _pass_over(self, label: str, fate: str, what: str) -> None:
        self.counts[f"{fate}_{what}"] += 1
        (self._unread if fate == _UNREAD else self._unknown).add(label)

    def _look_through(self, kind: str, frame: bytes) -> None:
        try:
            payload = reference.read(frame)["data"]
        except reference.ERRORS:  # it was good enough for those who read it
            return
        for stranger in strangers(kind, payload):
            self._unknown.add(stranger)

    def _route(self, head: bytes) -> Route:
        """The route of a frame's head, remembered; names that no exchange gives, or too many, lead nowhere."""
        known = self._routes.get(head)
        if known is not None:
            return known
        name = head[_NAME_AT:-_BETWEEN_BYTES].decode()
        if name == _SHUTDOWN_STREAM:  # never remembered, so that it is always looked into
            return _LOST
        if not name.isprintable() or len(name) > _MAX_NAME or len(self._routes) >= _MAX_STREAMS:
            return _LOST
        stream = streams.parse(name)
        shape = MARKET_SHAPES.get(stream.kind)
        if shape is None:
            route: Route = (stream.label, _UNREAD if stream.is_known else _UNKNOWN, None)
        else:
            route = (stream.kind, stream.symbol, self._decoder(shape))
        self._routes[head] = route
        return route

    def _decoder(self, shape: type[E]) -> Callable[[bytes], E]:
        if isinstance(self._codec, TypedCodec):
            return self._codec.decoder(shape)
        loads, convert = self._codec.loads, msgspec.convert

        def decode(payload: bytes) -> E:
            return convert(loads(payload), shape, strict=False)

        return decode


def _nameless(document: dict[str, Any]) -> Route:
    """What is counted of a frame that belongs to no stream: mostly the answer to a request."""
    if "id" in document and ("result" in document or "error" in document):
        return ("error" if "error" in document else "answer", _UNREAD, None)
    event = document.get("e")
    return (event if isinstance(event, str) else OTHER, _UNKNOWN, None)


def _name_of(payload: Any) -> str | None:
    """The name of the stream that would have carried a bare payload."""
    if not isinstance(payload, dict) or not isinstance(payload.get("s"), str):
        return None
    event = payload.get("e", "bookTicker" if {"b", "B", "a", "A"} <= payload.keys() else None)
    kind = KIND_OF_EVENT.get(event) if isinstance(event, str) else None
    if kind == "kline":
        candle = payload.get("k")
        interval = candle.get("i") if isinstance(candle, dict) else None
        kind = f"kline_{interval}" if isinstance(interval, str) else None
    return f"{payload['s'].lower()}@{kind}" if kind else None
