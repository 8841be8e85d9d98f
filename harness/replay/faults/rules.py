"""Faults as people write them: a rule says what is done, and to which frames."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from harness.replay.faults.values import (
    MAX_FAULTS,
    MAX_REASON_BYTES,
    CloseCode,
    CutHow,
    Distance,
    Few,
    FrameBytes,
    FrameNumber,
    Frames,
    On,
    Padding,
    Pings,
    Rate,
    Reason,
    RefuseHow,
    Resume,
    Seconds,
    Skip,
    Status,
    StepMs,
    Times,
    Way,
    Within,
)


class _Rule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind"):
    """Where a fault falls: exactly one of `at`, `count`, `chance` and `every`."""

    at: FrameNumber | Annotated[list[FrameNumber], Meta(min_length=1, max_length=MAX_FAULTS)] | None = None
    count: Few | None = None
    """So many frames, chosen by the seed."""
    chance: Annotated[float, Meta(gt=0, le=1)] | None = None
    """Of each frame, drawn by the seed."""
    every: Annotated[int, Meta(ge=1, le=10**9)] | None = None
    """Each frame whose number is a multiple of it; with `only`, counted among those frames."""

    def __post_init__(self) -> None:
        given = [name for name in ("at", "count", "chance", "every") if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError(f"wants exactly one of at, count, chance, every; has {', '.join(given) or 'none'}")


class ContentRule(_Rule, frozen=True, kw_only=True):
    """A fault in the frames themselves."""

    only: str | Annotated[list[str], Meta(min_length=1, max_length=1_024)] | None = None
    """Frames of these streams alone: a kind of stream ("depth", "kline" ...) or a pattern of names ("btcusdt@*"). Then
    `at` means the first such frame from there on."""


class LineRule(_Rule, frozen=True, kw_only=True):
    """A fault of the connections, after a frame was sent."""

    on: On = "market"
    """Market connections, or account connections as well."""


class DuplicateRule(ContentRule, frozen=True, kw_only=True, tag="duplicate"):
    """The frame is sent `times` times in all."""

    times: Times = 2


class ReorderRule(ContentRule, frozen=True, kw_only=True, tag="reorder"):
    """The frame changes places with the one `by` later: of all market frames, or of its own stream."""

    by: Distance = 1
    within: Within = "market"


class GapRule(ContentRule, frozen=True, kw_only=True, tag="gap"):
    """The frame is left out; with `only = "depth"` that is a gap in update ids."""


class MalformedRule(ContentRule, frozen=True, kw_only=True, tag="malformed"):
    """The JSON is broken, in the way that is named or that the seed draws.

    "utf8" is never drawn: a text frame that is not UTF-8 obliges clients to close with 1007 (RFC 6455, 8.1).
    """

    way: Way | None = None


class TruncatedRule(ContentRule, frozen=True, kw_only=True, tag="truncated"):
    """Only the first `fraction` of the payload is sent, as a whole WebSocket frame."""

    fraction: Annotated[float, Meta(gt=0, lt=1)] = 0.5


class OversizedRule(ContentRule, frozen=True, kw_only=True, tag="oversized"):
    """The JSON is padded to `bytes`, by spaces or by one more field, and stays valid."""

    bytes: FrameBytes = 1 << 20
    padding: Padding = "whitespace"


class BinaryRule(ContentRule, frozen=True, kw_only=True, tag="binary"):
    """The frame is sent as a binary frame."""


class ClockStepRule(ContentRule, frozen=True, kw_only=True, tag="clock_step"):
    """From this frame on all market frames tell times that are `ms` later, or earlier."""

    ms: StepMs


class BurstRule(ContentRule, frozen=True, kw_only=True, tag="burst"):
    """The next `frames` frames are due when this one is; a flood, which has no schedule, does not show it."""

    frames: Frames


class CutRule(LineRule, frozen=True, kw_only=True, tag="cut"):
    """The connection ends.

    "clean" is a close frame with `code` and the end; "reset" a TCP reset; "half_open" neither sends nor reads any more
    and stays open; "mid_frame" sends the beginning of a frame before a reset.
    """

    how: CutHow = "reset"
    code: Literal[1000, 1001] | None = None
    """Of a clean cut only; 1000 unless given."""
    resume: Resume = "next"
    """"next" waits for clients to come back and goes on with the next frame; with "live" time goes on meanwhile."""
    skip: Skip = 0
    """So many frames are lost: "next" goes on after them."""

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_end(self.resume, self.skip)
        if self.code is not None and self.how != "clean":
            raise ValueError(f'code is of a cut with how = "clean", not "{self.how}"')


class SilenceRule(LineRule, frozen=True, kw_only=True, tag="silence"):
    """Nothing is sent for so long; time stands meanwhile."""

    seconds: Seconds


class TrickleRule(LineRule, frozen=True, kw_only=True, tag="trickle"):
    """The next `frames` frames go out at so many bytes per second and connection."""

    bytes_per_second: Rate
    frames: Frames


class PingFloodRule(LineRule, frozen=True, kw_only=True, tag="ping_flood"):
    """So many pings at once."""

    pings: Pings = 1_000


class CloseCodeRule(LineRule, frozen=True, kw_only=True, tag="close_code"):
    """A close frame with any code, those that must never be sent (1005, 1006, 1015) as well, and the end."""

    code: CloseCode
    reason: Reason = ""
    resume: Resume = "next"
    skip: Skip = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_end(self.resume, self.skip)
        if len(self.reason.encode()) > MAX_REASON_BYTES:
            raise ValueError(f"reason is longer than {MAX_REASON_BYTES} bytes")


class RefuseRule(LineRule, frozen=True, kw_only=True, tag="refuse"):
    """The next `times` attempts to connect are refused: by a reset, or by an HTTP answer. At 0: from the start."""

    times: Few = 1
    how: RefuseHow = "reset"
    status: Status | None = None
    """Of the HTTP answer; 503 unless given."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.status is not None and self.how != "http":
            raise ValueError(f'status is of a refusal with how = "http", not "{self.how}"')


def _check_end(resume: Resume, skip: int) -> None:
    if resume == "live" and skip:
        raise ValueError('skip goes with resume = "next"; with "live", what passes meanwhile is lost')


FaultRule = (
    DuplicateRule
    | ReorderRule
    | GapRule
    | MalformedRule
    | TruncatedRule
    | OversizedRule
    | BinaryRule
    | ClockStepRule
    | BurstRule
    | CutRule
    | SilenceRule
    | TrickleRule
    | PingFloodRule
    | CloseCodeRule
    | RefuseRule
)
