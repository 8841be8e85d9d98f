"""What runner and worker say to each other: one JSON line in, JSON lines out, versioned."""

from __future__ import annotations

from typing import Any

import msgspec

from harness.bot.settings import BotSettings
from harness.exchange.filters import SymbolFilters
from harness.results.model import Measurement
from harness.run.scenario import GridCell

#: 1 - first
PROTOCOL = 1


class _Message(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    pass


class BotJob(_Message, frozen=True, kw_only=True, tag="bot"):
    """Run the whole bot on one replay."""

    market_url: str
    account_url: str | None
    database_url: str
    redis_url: str | None
    schema: str
    journal: str
    """File of what the bot has decided and not yet delivered; of this trial only."""
    bot: BotSettings
    filters: dict[str, SymbolFilters]
    poll_hz: float
    edges: list[int]
    """Frame counts at which the clocks are read."""
    stamps: str | None
    """File for the time of decision of every frame; None for a flood, which bears no clock a frame."""
    trace: str | None = None
    """File for every evaluation in words."""
    comes_back: bool = False
    """Connect again when the replay breaks off, as it may be told to; an orderly close is the end."""


class CodecJob(_Message, frozen=True, kw_only=True, tag="codec"):
    """Time the codec on documents."""

    decode: dict[str, list[str]]
    """Documents by the name under which they are reported; several are decoded one after the other."""
    encode: dict[str, str]
    loops: int
    values: int


class QueriesJob(_Message, frozen=True, kw_only=True, tag="queries"):
    """Time the four queries in every cell."""

    cells: list[GridCell]
    database_urls: dict[str, str]
    """By round trip in ms, as in the cells' labels."""
    redis_urls: dict[str, str]
    schemas: dict[str, str]
    """By "rows/index"."""
    passes: int
    pass_ms: float
    maximum_calls: int
    mix_cell: GridCell
    mix_hz: float
    mix_s: float


class CostJob(_Message, frozen=True, kw_only=True, tag="cost"):
    """Time the bot's own work on a message, in process."""

    recording: str
    """Path of the file."""
    frames: int
    passes: int
    seed: int
    """Of the order of the pieces."""
    bot: BotSettings = BotSettings()
    symbols: int = 0
    """Spread the frames over so many symbols; 0 for those of the recording."""
    pieces: list[str] = []
    """Only these; empty for all."""
    by_event: bool = True
    """Each kind of event alone too."""


class SoakJob(_Message, frozen=True, kw_only=True, tag="soak"):
    """Feed the bot's desk for long, and see how its memory grows."""

    recording: str
    """Path of the file."""
    messages: int
    every: int
    """The memory is read after each so many messages."""
    bot: BotSettings = BotSettings()


class Request(_Message, frozen=True, kw_only=True):
    """What a worker reads from its standard input."""

    v: int
    stack: str
    job: BotJob | CodecJob | CostJob | QueriesJob | SoakJob
    absent: list[str] = []
    """Packages that shall not be importable."""


class Outcome(_Message, frozen=True, kw_only=True):
    """What a worker leaves when all went well."""

    active: dict[str, str]
    cache_hits: int = 0
    measurements: list[Measurement] = []
    counters: dict[str, int] = {}
    digest: str | None = None
    digest_trail: list[str] = []
    decisions: int = 0
    frames: int = 0
    conditions: dict[str, float] = {}


class Reply(_Message, frozen=True, kw_only=True):
    """A line of the worker's standard output."""

    v: int = PROTOCOL
    outcome: Outcome | None = None
    error: str | None = None
    error_kind: str | None = None
    """Name of the error's class."""


def decode_request(line: bytes) -> Request:
    """The request; raises ValueError when it is of another version or malformed."""
    version: Any = msgspec.json.decode(line)
    if not isinstance(version, dict) or version.get("v") != PROTOCOL:
        raise ValueError(f"this worker speaks version {PROTOCOL} of the protocol")
    try:
        return msgspec.json.decode(line, type=Request)
    except msgspec.ValidationError as error:
        raise ValueError(f"malformed request: {error}") from error
