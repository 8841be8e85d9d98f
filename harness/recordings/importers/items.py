"""What every importer reads out of a file: frames at unix times, and what the file tells of itself."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

import msgspec

from harness.errors import RecordingError
from harness.recordings.numbers import place_of
from harness.recordings.records import MARKET

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from harness.recordings.numbers import Place
    from harness.recordings.records import Market

#: Paths of the request for a book, by market.
DEPTH_PATHS: Final[dict[Market, str]] = {"spot": "/api/v3/depth", "usdm": "/fapi/v1/depth"}
#: COIN-M symbols: their events have shapes of their own, which nothing here reads.
_COIN_M: Final = re.compile(r"[A-Z0-9]+USD_(?:PERP|\d{6})")


class Item(NamedTuple):
    """A frame or REST body of a file."""

    at: int
    """Unix time of its receipt, in ns."""
    connection: str
    body: bytes
    line: int
    lost_at: int | None = None
    """Where the connection was away just before: when it was last heard of, in unix ns."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What the caller knows or wants: needed where the files do not tell."""

    market: Market | None = None
    symbol: str | None = None
    from_ns: int | None = None
    """Only what was received at or after this unix time."""
    until_ns: int | None = None
    """Only what was received before this unix time."""


@dataclass(slots=True)
class Told:
    """What a file told of itself while it was read; a reader that is made again with what was told tells the same."""

    market: Market | None = None
    symbol: str | None = None
    """The first that a frame was of."""
    streams: dict[str, None] = field(default_factory=dict)
    """In the order of their first frame."""
    left_out: int = 0
    """Lines that are no traffic of the exchange's: answers that are errors, other tools' own notes."""


class Reader(Protocol):
    """One file of another tool."""

    @property
    def told(self) -> Told:
        """What the file told so far."""

    def items(self, on_progress: Callable[[int], None] | None) -> Iterator[Item]:
        """All that is in it, in its order; `told` is complete once it is exhausted.

        `on_progress` gets the bytes of the file read so far. Raises RecordingError with file and line.
        """


def note(told: Told, path: Path, line: int, body: bytes) -> Place:
    """Take what a market frame tells: its stream, its symbol, its market. Raises RecordingError for COIN-M."""
    place = place_of(MARKET, body)
    if place.stream:
        told.streams.setdefault(place.stream)
    if told.symbol is None and place.symbol and not place.stream.startswith("!"):
        told.symbol = place.symbol
    if told.market is None:
        if _COIN_M.fullmatch(place.symbol):
            raise RecordingError(path, line, f"{place.symbol} is of COIN-M; known markets: spot, usdm")
        told.market = _market(place, body)
    return place


def check_json(path: Path, line: int, body: bytes) -> None:
    """Raises RecordingError for a body that is not whole JSON."""
    try:
        msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise RecordingError(path, line, f"cut or malformed: the frame is not JSON ({error})") from error


def _market(place: Place, body: bytes) -> Market | None:
    """The market as told by the shape of an event; None for shapes that both have.

    Only USD-M has `pu` in diff events, an order type `X` in trades, and an event type in `bookTicker`; only spot has
    `M` in trades (web-socket-streams.md, websocket-market-streams).
    """
    if place.event == "depthUpdate":
        return "usdm" if b'"pu":' in body else "spot"
    if place.event in {"trade", "aggTrade"}:
        return "spot" if b'"M":' in body else "usdm"
    if place.event == "bookTicker":
        return "usdm"
    if place.event in {"markPriceUpdate", "forceOrder"}:
        return "usdm"
    if place.stream.endswith("@bookTicker"):
        return "spot"
    return None
