"""A rule at one frame: the fault with everything filled in."""

from __future__ import annotations

from functools import singledispatch
from typing import TYPE_CHECKING, NamedTuple

from harness.replay.faults import altering, fault
from harness.replay.faults.recorded import Recorded, Unfit
from harness.replay.faults.rules import (
    BinaryRule,
    BurstRule,
    ClockStepRule,
    CloseCodeRule,
    CutRule,
    DuplicateRule,
    GapRule,
    MalformedRule,
    OversizedRule,
    PingFloodRule,
    RefuseRule,
    ReorderRule,
    SilenceRule,
    TrickleRule,
    TruncatedRule,
)

if TYPE_CHECKING:
    import random

    from harness.replay.faults.rules import FaultRule


class Spot(NamedTuple):
    """Where a rule is to be carried out, and what it may draw from."""

    frame: int
    recorded: Recorded
    draws: random.Random


def filled(rule: FaultRule, spot: Spot) -> fault.Fault:
    """The fault of a rule at one frame; raises Unfit where it cannot be."""
    made: fault.Fault = _filled(rule, spot)
    return made


@singledispatch
def _filled(rule: FaultRule, spot: Spot) -> fault.Fault:
    raise NotImplementedError(f"{type(rule).__name__} at frame {spot.frame}")


@_filled.register(DuplicateRule)
def _duplicate(rule: DuplicateRule, spot: Spot) -> fault.Duplicate:
    return fault.Duplicate(frame=spot.frame, times=rule.times)


@_filled.register(ReorderRule)
def _reorder(rule: ReorderRule, spot: Spot) -> fault.Reorder:
    if rule.within == "stream":
        other = spot.recorded.later_of_stream(spot.frame, rule.by)
        if other is None:
            raise Unfit("by", f"the stream of frame {spot.frame:,} has no frame {rule.by:,} later")
    else:
        other = spot.recorded.ends(spot.frame, rule.by, "by")
    return fault.Reorder(frame=spot.frame, by=other - spot.frame)


@_filled.register(GapRule)
def _gap(_: GapRule, spot: Spot) -> fault.Gap:
    return fault.Gap(frame=spot.frame)


@_filled.register(MalformedRule)
def _malformed(rule: MalformedRule, spot: Spot) -> fault.Malformed:
    body = spot.recorded.body(spot.frame)
    ways = altering.DRAWN_WAYS if rule.way is None else (rule.way,)
    possible = [(way, places) for way in ways if (places := altering.places(body, way))]
    if not possible:
        raise Unfit("way", f"frame {spot.frame:,} cannot be broken by {rule.way!r}")
    way, places = possible[int(spot.draws.random() * len(possible))]
    return fault.Malformed(frame=spot.frame, way=way, offset=places[int(spot.draws.random() * len(places))])


@_filled.register(TruncatedRule)
def _truncated(rule: TruncatedRule, spot: Spot) -> fault.Truncated:
    body = spot.recorded.body(spot.frame)
    if not body:
        raise Unfit("kind", f"frame {spot.frame:,} is empty")
    return fault.Truncated(frame=spot.frame, kept=altering.kept_of(body, rule.fraction))


@_filled.register(OversizedRule)
def _oversized(rule: OversizedRule, spot: Spot) -> fault.Oversized:
    least = altering.least_padded(spot.recorded.body(spot.frame), rule.padding)
    if least is None:
        raise Unfit("padding", f"frame {spot.frame:,} is no JSON object that could have one more field")
    if rule.bytes < least:
        raise Unfit("bytes", f"frame {spot.frame:,} can be padded to {least:,} bytes or more")
    return fault.Oversized(frame=spot.frame, bytes=rule.bytes, padding=rule.padding)


@_filled.register(BinaryRule)
def _binary(_: BinaryRule, spot: Spot) -> fault.Binary:
    if spot.recorded.is_binary(spot.frame):
        raise Unfit("kind", f"frame {spot.frame:,} is a binary frame already")
    return fault.Binary(frame=spot.frame)


@_filled.register(ClockStepRule)
def _clock_step(rule: ClockStepRule, spot: Spot) -> fault.ClockStep:
    return fault.ClockStep(frame=spot.frame, ms=rule.ms)


@_filled.register(BurstRule)
def _burst(rule: BurstRule, spot: Spot) -> fault.Burst:
    spot.recorded.ends(spot.frame, rule.frames, "frames")
    return fault.Burst(frame=spot.frame, frames=rule.frames)


@_filled.register(CutRule)
def _cut(rule: CutRule, spot: Spot) -> fault.Cut:
    spot.recorded.ends(spot.frame, rule.skip, "skip")
    if rule.how == "mid_frame":
        spot.recorded.ends(spot.frame, 1, "how")
    code = (rule.code or 1000) if rule.how == "clean" else None
    return fault.Cut(frame=spot.frame, on=rule.on, how=rule.how, code=code, resume=rule.resume, skip=rule.skip)


@_filled.register(SilenceRule)
def _silence(rule: SilenceRule, spot: Spot) -> fault.Silence:
    return fault.Silence(frame=spot.frame, on=rule.on, seconds=rule.seconds)


@_filled.register(TrickleRule)
def _trickle(rule: TrickleRule, spot: Spot) -> fault.Trickle:
    spot.recorded.ends(spot.frame, rule.frames, "frames")
    return fault.Trickle(frame=spot.frame, on=rule.on, bytes_per_second=rule.bytes_per_second, frames=rule.frames)


@_filled.register(PingFloodRule)
def _ping_flood(rule: PingFloodRule, spot: Spot) -> fault.PingFlood:
    return fault.PingFlood(frame=spot.frame, on=rule.on, pings=rule.pings)


@_filled.register(CloseCodeRule)
def _close_code(rule: CloseCodeRule, spot: Spot) -> fault.CloseCodeSent:
    spot.recorded.ends(spot.frame, rule.skip, "skip")
    return fault.CloseCodeSent(
        frame=spot.frame, on=rule.on, code=rule.code, reason=rule.reason, resume=rule.resume, skip=rule.skip
    )


@_filled.register(RefuseRule)
def _refuse(rule: RefuseRule, spot: Spot) -> fault.Refuse:
    status = (rule.status or 503) if rule.how == "http" else None
    return fault.Refuse(frame=spot.frame, on=rule.on, times=rule.times, how=rule.how, status=status)
