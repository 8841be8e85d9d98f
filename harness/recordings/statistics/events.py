"""Frames taken apart as far as figures need it: kind, event time, and the fields of depth, trades and tickers."""

from __future__ import annotations

import re
from bisect import bisect_right
from typing import TYPE_CHECKING, Final, Generic, NamedTuple, TypeVar

import msgspec

from harness.exchange import streams
from harness.recordings.format import MARKET, USER
from harness.recordings.numbers import Place, place_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from harness.recordings.format import Frame, Recording

_EVENT_TIME: Final = re.compile(rb'"E":(\d{10,17})(?=[,}])')
#: Of a time in milliseconds; with more it is in microseconds (timeUnit=MICROSECOND).
_MILLISECOND_DIGITS: Final = 14
#: A diff event, by its stream's name or, without an envelope, by its own.
DEPTH_KINDS: Final = frozenset({"depth", "depthUpdate"})
TRADE_KINDS: Final = frozenset({"aggTrade", "trade"})
BOOK_TICKER: Final = "bookTicker"


class Seen(NamedTuple):
    """A frame and what it is about."""

    line: int
    frame: Frame
    place: Place
    kind: str
    """Of the stream as in `exchange.streams`, else the event's name, "rest" for the body of a request."""
    event_ms: float | None
    """Its event time E; None for one that bears none, as spot's bookTicker."""


def seen(recording: Recording) -> list[Seen]:
    """Each frame with what it is about."""
    marks = [mark.frames_before for mark in recording.gaps]
    found = []
    for number, frame in enumerate(recording.frames):
        place = place_of(frame.connection, frame.body)
        # The header is line 1, and a mark has a line of its own before the frame that it stands before.
        line = number + 2 + bisect_right(marks, number)
        found.append(Seen(line, frame, place, _kind(frame, place), _event_ms(frame)))
    return found


def symbol_of(place: Place) -> str:
    """The symbol that a frame belongs to; the stream's name where the stream is of all symbols."""
    if not place.stream:
        return place.symbol
    stream = streams.parse(place.stream)
    return stream.symbol or (place.stream if stream.is_known else place.symbol)


def _kind(frame: Frame, place: Place) -> str:
    if frame.connection == MARKET:
        kind: str = streams.parse(place.stream).kind if place.stream else "other"
        # Without an envelope, or for a stream of no known name, the event is the better name.
        return kind if kind != "other" else place.event or "other"
    return place.event or "other" if frame.connection == USER else "rest"


def _event_ms(frame: Frame) -> float | None:
    match = _EVENT_TIME.search(frame.body) if frame.connection == MARKET else None
    if match is None:
        return None
    return int(match[1]) / (1 if len(match[1]) < _MILLISECOND_DIGITS else 1_000)


class DepthEvent(msgspec.Struct):
    """A diff event: `pu` only on USD-M."""

    U: int
    u: int
    b: list[tuple[str, str]]
    a: list[tuple[str, str]]
    pu: int | None = None


class TradeEvent(msgspec.Struct):
    """`aggTrade` and `trade`: `f` and `l` only in the former."""

    T: int
    p: str
    m: bool
    f: int | None = None
    l: int | None = None  # noqa: E741  # the exchange's own name


class BookTickerEvent(msgspec.Struct):
    """Best prices and quantities."""

    b: str
    B: str
    a: str
    A: str


EventT = TypeVar("EventT", bound=msgspec.Struct)


class _Enveloped(msgspec.Struct, Generic[EventT]):
    data: EventT


class Unreadable:
    """Frames that are not of their event's shape: how many, and where the first stands."""

    def __init__(self) -> None:
        self.count = 0
        self.first_line: int | None = None

    def add(self, line: int) -> None:
        """One more."""
        self.count += 1
        self.first_line = line if self.first_line is None else min(line, self.first_line)


def read(found: Iterable[Seen], shape: type[EventT], unreadable: Unreadable) -> Iterator[tuple[Seen, EventT]]:
    """The events in frames of one kind; those that are not of that shape are told to `unreadable` and left out."""
    bare = msgspec.json.Decoder(shape).decode
    enveloped = msgspec.json.Decoder(_Enveloped[shape]).decode  # type: ignore[valid-type]
    for one in found:
        try:
            event = enveloped(one.frame.body).data if one.place.stream else bare(one.frame.body)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            unreadable.add(one.line)
            continue
        yield one, event
