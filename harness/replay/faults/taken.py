"""Which faults can be beside each other: what is taken already, and why another one cannot be there."""

from __future__ import annotations

import sys
from bisect import bisect_right, insort
from typing import TYPE_CHECKING

from harness.replay.faults.fault import Burst, ClockStep, CloseCodeSent, Content, Cut, Line, Reorder, Trickle

if TYPE_CHECKING:
    from harness.replay.faults.fault import Fault


class _Spans:
    """Stretches of frames, first and last included, of which no two meet."""

    def __init__(self) -> None:
        self._spans: list[tuple[int, int]] = []

    def meet(self, first: int, last: int) -> bool:
        """Whether one of them has a frame of that stretch."""
        if last < first:
            return False
        place = bisect_right(self._spans, (last, sys.maxsize))
        # Since no two meet, the last one that begins by then is also the last one to end.
        return place > 0 and self._spans[place - 1][1] >= first

    def add(self, first: int, last: int) -> None:
        """One more; nothing for an empty stretch."""
        if first <= last:
            insort(self._spans, (first, last))


class Taken:
    """Faults that were placed, by frame.

    A frame is altered once; a clock step and a burst go with anything but their like. Connections end once at a frame,
    and no other fault of the line lies among the frames that are lost with them.
    """

    def __init__(self) -> None:
        self._altered: set[int] = set()
        self._kinds: set[tuple[type, int]] = set()
        self._bursts = _Spans()
        self._trickles = _Spans()
        self._ends = _Spans()
        self._lost = _Spans()
        self._struck: list[int] = []

    def why_not(self, fault: Fault) -> str | None:
        """Why this one cannot be placed beside the others; None when it can."""
        if (type(fault), fault.frame) in self._kinds:
            return "another one of its kind is there"
        return self._why_no_content(fault) if isinstance(fault, Content) else self._why_no_line(fault)

    def _why_no_content(self, fault: Fault) -> str | None:
        if isinstance(fault, Burst):
            return "it meets another burst" if self._bursts.meet(fault.frame + 1, fault.frame + fault.frames) else None
        return "the frame is altered by another fault" if self._altered & _altered_by(fault) else None

    def _why_no_line(self, fault: Fault) -> str | None:
        frame = fault.frame
        if self._lost.meet(frame, frame):
            return "the frame is lost with a connection that ends before it"
        if isinstance(fault, Trickle):
            first, last = frame + 1, frame + fault.frames
            if self._trickles.meet(first, last):
                return "it meets another trickle"
            return "its frames are lost with a connection that ends before" if self._lost.meet(first, last) else None
        if isinstance(fault, Cut | CloseCodeSent):
            return self._why_no_end(frame, frame + fault.skip)
        return None

    def _why_no_end(self, first: int, last: int) -> str | None:
        if self._ends.meet(first, last):
            return "a connection ends there already"
        others = bisect_right(self._struck, last) - bisect_right(self._struck, first)
        if others or self._trickles.meet(first + 1, last):
            return "another fault of the line lies among the frames that are lost with it"
        return None

    def add(self, fault: Fault) -> None:
        """One more, which `why_not` had nothing against."""
        frame = fault.frame
        self._kinds.add((type(fault), frame))
        self._altered |= _altered_by(fault)
        if isinstance(fault, Line):
            insort(self._struck, frame)
        if isinstance(fault, Burst):
            self._bursts.add(frame + 1, frame + fault.frames)
        elif isinstance(fault, Trickle):
            self._trickles.add(frame + 1, frame + fault.frames)
        elif isinstance(fault, Cut | CloseCodeSent):
            self._ends.add(frame, frame + fault.skip)
            self._lost.add(frame + 1, frame + fault.skip)


def _altered_by(fault: Fault) -> set[int]:
    if isinstance(fault, Reorder):
        return {fault.frame, fault.frame + fault.by}
    return {fault.frame} if isinstance(fault, Content) and not isinstance(fault, Burst | ClockStep) else set()
