"""The tape as it is served, with the faults of its content done, and where on it those of the line happen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from harness.replay.faults import altering
from harness.replay.faults.fault import (
    Binary,
    Burst,
    ClockStep,
    CloseCodeSent,
    Content,
    Cut,
    Duplicate,
    Gap,
    Line,
    Malformed,
    Oversized,
    Reorder,
    Trickle,
    Truncated,
)
from harness.replay.tape import ACCOUNT, Tape

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from harness.replay.faults.fault import Fault, Faults, LineFaultKind


@dataclass(frozen=True, slots=True, kw_only=True)
class LineFault:
    """A fault of the line at its place."""

    position: int
    """It happens after frames [0, position) of the prepared tape were sent."""
    until: int
    """Where a trickle ends, and where the replay goes on after a connection that ended: `position` where it loses
    nothing, and for all other faults."""
    fault: LineFaultKind


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """What is served."""

    tape: Tape
    """The very tape that was given, where no fault is in its content."""
    line: tuple[LineFault, ...]
    """By position; at one position in the order of `Faults`."""
    after: NDArray[np.int64]
    """By number of a market frame as recorded: how many frames of `tape` there are up to and with that frame's place,
    account frames included; 0 for number 0."""

    def market_frames_after(self, frame: int) -> int:
        """How many market frames a client has been sent at that recorded frame's place: what to cut the tape by."""
        return int(np.count_nonzero(self.tape.stream[: int(self.after[frame])] != ACCOUNT))


def prepared(tape: Tape, faults: Faults) -> Prepared:
    """Do the content faults on a copy of the tape, and find where the line faults happen.

    `faults` must have been resolved on this tape.
    """
    altered = _Altered(tape)
    content = [fault for fault in faults.faults if isinstance(fault, Content)]
    if content:
        altered.move_times([fault for fault in content if isinstance(fault, ClockStep)])
        for fault in content:
            altered.do(fault)
    after = altered.after()
    return Prepared(
        tape=altered.tape() if content else tape,
        line=tuple(_placed(fault, after) for fault in faults.faults if isinstance(fault, Line)),
        after=after,
    )


def _placed(fault: LineFaultKind, after: NDArray[np.int64]) -> LineFault:
    frames = fault.frames if isinstance(fault, Trickle) else 0
    skip = fault.skip if isinstance(fault, Cut | CloseCodeSent) else 0
    position = int(after[fault.frame])
    return LineFault(
        position=position,
        until=int(after[fault.frame + frames + skip]) if frames or skip else position,
        fault=fault,
    )


class _Altered:
    """A tape under change: everything keeps its place as recorded until `tape` counts copies and gaps in."""

    def __init__(self, tape: Tape) -> None:
        self._tape = tape
        self._market = np.flatnonzero(tape.stream != ACCOUNT)
        self._at = tape.at_ns.copy()
        self._stream = tape.stream.copy()
        self._bodies = list(tape.bodies)
        self._binary = set(tape.binary)
        self._copies = np.ones(len(tape), dtype=np.int64)

    def move_times(self, steps: Sequence[ClockStep]) -> None:
        """Clock steps add up, each from its frame on as recorded; before all other faults, which find JSON broken."""
        ms = np.zeros(len(self._market), dtype=np.int64)
        for step in steps:
            ms[step.frame - 1] += step.ms
        ms = np.cumsum(ms)
        for frame in np.flatnonzero(ms).tolist():
            place = int(self._market[frame])
            self._bodies[place] = altering.moved(self._bodies[place], int(ms[frame]))

    def do(self, fault: Fault) -> None:
        """One fault; those of the clock are done."""
        place = int(self._market[fault.frame - 1])
        if isinstance(fault, Duplicate):
            self._copies[place] = fault.times
        elif isinstance(fault, Gap):
            self._copies[place] = 0
        elif isinstance(fault, Binary):
            self._binary.add(place)
        elif isinstance(fault, Reorder):
            self._swap(place, int(self._market[fault.frame + fault.by - 1]))
        elif isinstance(fault, Burst):
            self._at[place : int(self._market[fault.frame + fault.frames - 1]) + 1] = self._at[place]
        else:
            self._bodies[place] = _body(self._bodies[place], fault)

    def _swap(self, one: int, other: int) -> None:
        self._bodies[one], self._bodies[other] = self._bodies[other], self._bodies[one]
        self._stream[[one, other]] = self._stream[[other, one]]
        moved = self._binary & {one, other}
        self._binary ^= {one, other} if len(moved) == 1 else set()

    def after(self) -> NDArray[np.int64]:
        """`Prepared.after`."""
        ends = np.cumsum(self._copies)[self._market]
        return np.concatenate((np.zeros(1, np.int64), ends))

    def tape(self) -> Tape:
        """What came of it."""
        starts = np.cumsum(self._copies) - self._copies
        binary = (range(int(starts[place]), int(starts[place] + self._copies[place])) for place in self._binary)
        counted = zip(self._bodies, self._copies.tolist(), strict=True)
        return Tape(
            at_ns=np.repeat(self._at, self._copies),
            stream=np.repeat(self._stream, self._copies),
            names=self._tape.names,
            bodies=tuple(body for body, copies in counted for _ in range(copies)),
            binary=frozenset(position for positions in binary for position in positions),
        )


def _body(body: bytes, fault: Fault) -> bytes:
    if isinstance(fault, Malformed):
        return altering.broken(body, fault.way, fault.offset)
    if isinstance(fault, Truncated):
        return body[: fault.kept]
    if isinstance(fault, Oversized):
        return altering.padded(body, fault.padding, fault.bytes)
    return body
