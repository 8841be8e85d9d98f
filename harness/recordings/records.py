"""What a recording is made of: its header, its frames, the marks between them, its seal."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

import msgspec

from harness.exchange.filters import SymbolFilters

if TYPE_CHECKING:
    from harness.units import Nanoseconds

FORMAT: Final = "tickproof-recording"
#: What a recording without marks is written in.
VERSION: Final = 1
#: What a recording that may hold marks is written in.
MARKED_VERSION: Final = 2

#: The connection that carries all market streams.
MARKET: Final = "market"
#: The connection that carries one account's events.
USER: Final = "user"
#: `rest:<path?query>` is the body that a REST request got.
REST: Final = "rest:"
#: A line that is no frame: while a connection was away, what it would have carried is missing.
GAP_MARK: Final = "mark:gap"

Market = Literal["spot", "usdm"]
Source = Literal["captured", "generated", "imported"]

_CONNECTION = re.compile(r"market|user|rest:/[!-~]{0,4000}")


def check_connection(name: str) -> bool:
    """Whether a connection may be called that: "market", "user", or "rest:" and a path without blanks."""
    return _CONNECTION.fullmatch(name) is not None


class Generator(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What made a generated recording; the same three give the same text."""

    name: str
    seed: int
    version: int


class Header(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What stands in the first line."""

    format: Literal["tickproof-recording"] = FORMAT
    version: Literal[1, 2] = VERSION
    """MARKED_VERSION where there may be marks."""
    market: Market
    streams: tuple[str, ...]
    """Names of the combined streams on the market connection."""
    start_ms: int
    """Unix time of the recording's zero, in milliseconds."""
    source: Source
    title: str
    generator: Generator | None = None
    licence: str | None = None
    note: str | None = None
    filters: dict[str, SymbolFilters] = {}
    """By symbol in upper case; empty where the recording does not know them."""


class Frame(NamedTuple):
    """One frame as received; a NamedTuple since a recording holds tens of thousands."""

    at: Nanoseconds
    """Since the recording's start; never less than the frame before."""
    connection: str
    """"market", "user", or "rest:<path?query>"."""
    body: bytes
    """Exactly as received; holds no newline."""


class Gap(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One of the connections of a capture was away: nothing that it would have carried meanwhile is there."""

    connection: Literal["market", "user"]
    """Whose frames are missing."""
    number: int
    """Which of the capture's connections it was: from 1 for those of the market, 0 for the account's."""
    streams: tuple[str, ...]
    """What it carries; empty for an account."""
    lost_at_ns: int
    """When it was last heard of, since the recording's start; below 0 when that was in the file before."""
    back_at_ns: int | None
    """When it had been opened and subscribed again; None where it had not by the end of the file."""
    reason: str
    """In words."""


class Mark(NamedTuple):
    """A gap and its place in the recording."""

    at: Nanoseconds
    """Of its line; never less than the frame before."""
    frames_before: int
    """How many frames stand before it."""
    gap: Gap


class Seal(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What stands in the last line: the number of frames and the SHA-256 of all text before it, in hex."""

    frames: int
    sha256: str
