"""Faults as a replay carries them out and a result lists them: every number is filled in, nothing is left to chance."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from harness.replay.faults.values import (
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
)


class _Fault(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind"):
    frame: FrameNumber
    """A market frame of the recording as it was loaded, from 1; 0 is the time before the first."""


class Content(_Fault, frozen=True, kw_only=True):
    """A fault in the frames themselves."""


class Line(_Fault, frozen=True, kw_only=True):
    """A fault of the connections, after the frame's place in the recording was reached."""

    on: On


class Duplicate(Content, frozen=True, kw_only=True, tag="duplicate"):
    """The frame is sent `times` times in all, one after another."""

    times: Times


class Reorder(Content, frozen=True, kw_only=True, tag="reorder"):
    """The frame changes places with the market frame `by` later; the times at which they are due stay."""

    by: Distance


class Gap(Content, frozen=True, kw_only=True, tag="gap"):
    """The frame is left out."""


class Malformed(Content, frozen=True, kw_only=True, tag="malformed"):
    """The JSON is broken at a byte of the body."""

    way: Way
    offset: Annotated[int, Meta(ge=0)]


class Truncated(Content, frozen=True, kw_only=True, tag="truncated"):
    """The body ends after `kept` bytes."""

    kept: Annotated[int, Meta(ge=0)]


class Oversized(Content, frozen=True, kw_only=True, tag="oversized"):
    """The body is padded to `bytes`."""

    bytes: FrameBytes
    padding: Padding


class Binary(Content, frozen=True, kw_only=True, tag="binary"):
    """The frame is sent as a binary frame."""


class ClockStep(Content, frozen=True, kw_only=True, tag="clock_step"):
    """Times in this market frame and all later ones are moved by `ms`."""

    ms: StepMs


class Burst(Content, frozen=True, kw_only=True, tag="burst"):
    """The next `frames` frames are due when this one is."""

    frames: Frames


class Cut(Line, frozen=True, kw_only=True, tag="cut"):
    """The connection ends; `code` is None unless it ends clean."""

    how: CutHow
    code: CloseCode | None
    resume: Resume
    skip: Skip


class Silence(Line, frozen=True, kw_only=True, tag="silence"):
    """Nothing is sent for so long."""

    seconds: Seconds


class Trickle(Line, frozen=True, kw_only=True, tag="trickle"):
    """The next `frames` frames go out at so many bytes per second and connection."""

    bytes_per_second: Rate
    frames: Frames


class PingFlood(Line, frozen=True, kw_only=True, tag="ping_flood"):
    """So many pings at once."""

    pings: Pings


class CloseCodeSent(Line, frozen=True, kw_only=True, tag="close_code"):
    """A close frame with this code and reason, and the end."""

    code: CloseCode
    reason: Reason
    resume: Resume
    skip: Skip


class Refuse(Line, frozen=True, kw_only=True, tag="refuse"):
    """The next `times` attempts to connect are refused; `status` is None unless by HTTP."""

    times: Few
    how: RefuseHow
    status: Status | None


ContentFault = Duplicate | Reorder | Gap | Malformed | Truncated | Oversized | Binary | ClockStep | Burst
LineFaultKind = Cut | Silence | Trickle | PingFlood | CloseCodeSent | Refuse
Fault = ContentFault | LineFaultKind


class Faults(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All faults of a replay by frame; at one frame those of the content first, then refusals, then as written."""

    seed: int
    faults: tuple[Fault, ...] = ()

    @property
    def lossless(self) -> bool:
        """Whether a correct client still sees every frame once, in order and unaltered: digests can be compared.

        It presumes that clients leave only where they are cut, and that a reset waits until what was sent before it has
        arrived: a reset throws away the rest.
        """
        return all(_keeps_all(fault) for fault in self.faults)


def _keeps_all(fault: Fault) -> bool:
    if isinstance(fault, Cut | CloseCodeSent):
        return fault.resume == "next" and not fault.skip
    return isinstance(fault, Line | Burst)
