"""What the replay process is told and what it tells: a JSON object a line, versioned.

Versions: 1 - first.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from harness.replay.faults.fault import Faults
from harness.replay.faults.plan import FaultPlan

VERSION: Final = 1

Count = Annotated[int, Meta(ge=1)]
Port = Annotated[int, Meta(ge=0, le=65535)]
Positive = Annotated[float, Meta(gt=0, le=1e9)]


class _Request(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="cmd"):
    v: Literal[1] = VERSION


class Load(_Request, frozen=True, kw_only=True, tag="load"):
    """Read a recording, loop it until it has `min_frames` frames, listen. Answer: Ready."""

    recording: str
    min_frames: Annotated[int, Meta(ge=0)] = 0
    host: str = "127.0.0.1"
    port: Port = 0
    ping_seconds: Positive = 20.0
    stall_seconds: Positive = 30.0
    faults: FaultPlan | None = None
    """What shall go wrong on purpose, among the first `min_frames` frames; 0: among all of the recording."""


class Serve(_Request, frozen=True, kw_only=True, tag="serve"):
    """Play to so many clients once they have subscribed. Answers: Armed, then Done."""

    mode: Literal["flood", "paced"]
    speed: Positive = 1.0
    rate: Positive | None = None
    """Frames per second, evenly, instead of a speed."""
    frames: Count | None = None
    """Cut after the n-th market frame of the recording; with faults, after what is sent by that frame's place."""
    connections: Annotated[int, Meta(ge=1, le=64)] = 1
    log: str | None = None
    """Where the send log of a paced serve goes; a second market connection's gets `.1` before the suffix."""
    wait_seconds: Positive = 60.0
    """For the clients to come."""


class Ceiling(_Request, frozen=True, kw_only=True, tag="ceiling"):
    """Measure how fast clients that do nothing else can drain a flood. Answer: CeilingFound."""

    repeats: Annotated[int, Meta(ge=1, le=1000)] = 5
    frames: Count | None = None
    cores: tuple[int, ...] = ()
    """For the draining client; where empty, the cores that this process is not pinned to."""


class Cancel(_Request, frozen=True, kw_only=True, tag="cancel"):
    """End the serve that is under way; it fails. No answer of its own."""


class Stop(_Request, frozen=True, kw_only=True, tag="stop"):
    """End the process, as the end of its input does."""


Request = Load | Serve | Ceiling | Cancel | Stop


class _Event(msgspec.Struct, frozen=True, kw_only=True, tag_field="event"):
    v: Literal[1] = VERSION


class Ready(_Event, frozen=True, kw_only=True, tag="ready"):
    """A recording is loaded, and clients may connect."""

    port: int
    frames: int
    market_frames: int
    user_frames: int
    bytes: int
    """Of all frames' bodies."""
    passes: int
    """How many times the recording was looped."""
    streams: tuple[str, ...]
    faults: Faults | None = None
    """The plan with every number filled in; None where none was given."""


class Armed(_Event, frozen=True, kw_only=True, tag="armed"):
    """The serve waits for its clients."""


class LatenessUs(msgspec.Struct, frozen=True, kw_only=True):
    """Sent minus scheduled, in microseconds."""

    p50: float
    p99: float
    max: float


class Done(_Event, frozen=True, kw_only=True, tag="done"):
    """All clients have read everything. Times are `time.monotonic_ns`; the end is that of the last send."""

    market_frames: int
    user_frames: int
    started_ns: int
    ended_ns: int
    lateness_us: LatenessUs | None


class CeilingFound(_Event, frozen=True, kw_only=True, tag="ceiling"):
    """Frames per second, one rate per repeat, from the first send to the last byte read."""

    counting_frames_per_s: tuple[float, ...]
    parsing_frames_per_s: tuple[float, ...]
    frames: int
    bytes: int
    """On the wire, headers included."""


class Failed(_Event, frozen=True, kw_only=True, tag="failed"):
    """A request that was not carried out; the process goes on."""

    error: str
    kind: Literal["request", "recording", "port", "session"] = "session"
    after_frames: int | None = None
    path: str | None = None
    line: int | None = None
    problem: str | None = None
    host: str | None = None
    port: int | None = None


Event = Ready | Armed | Done | CeilingFound | Failed

_requests: Final[msgspec.json.Decoder[Request]] = msgspec.json.Decoder(Request)
_events: Final[msgspec.json.Decoder[Event]] = msgspec.json.Decoder(Event)


def request_in(line: bytes) -> Request:
    """The request in a line; raises msgspec.MsgspecError for anything else."""
    return _requests.decode(line)


def event_in(line: bytes) -> Event:
    """The event in a line; raises msgspec.MsgspecError for anything else."""
    return _events.decode(line)


def line_of(message: Request | Event) -> bytes:
    """The message as a line with its newline."""
    return msgspec.json.encode(message) + b"\n"
