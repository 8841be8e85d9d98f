"""What stands between the transport and the bot while it is measured; each costs one call a frame."""

from __future__ import annotations

import resource
import time
from array import array
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    OnFrame = Callable[[bytes], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """The clocks at one moment of a process."""

    wall_ns: int
    user_us: float
    system_us: float

    @classmethod
    def now(cls) -> Mark:
        """The monotonic clock, and the CPU time of all threads of this process."""
        usage = resource.getrusage(resource.RUSAGE_SELF)
        return cls(wall_ns=time.monotonic_ns(), user_us=usage.ru_utime * 1e6, system_us=usage.ru_stime * 1e6)


class EdgeProbe:
    """Reads the clocks at the edges of passes only: a flood bears no more (MEASURING.md, rule 10)."""

    def __init__(self, edges: Sequence[int]) -> None:
        self._edges = list(edges)
        self.marks: list[Mark] = []

    def watch(self, on_frame: OnFrame) -> OnFrame:
        """The handler with a count around it."""
        edges = iter(self._edges)
        following = next(edges, 0)
        seen = 0
        marks = self.marks

        def watched(frame: bytes) -> None:
            nonlocal seen, following
            on_frame(frame)
            seen += 1
            if seen == following:
                marks.append(Mark.now())
                following = next(edges, 0)

        return watched


class StampProbe:
    """Besides the edges, stamps the end of every frame's handling: position on the connection to time of decision."""

    def __init__(self, edges: Sequence[int]) -> None:
        self.stamps = array("q")
        """Monotonic nanoseconds, one a frame."""
        self._edges = EdgeProbe(edges)
        self.marks = self._edges.marks

    def watch(self, on_frame: OnFrame) -> OnFrame:
        """The handler with a clock after it."""
        counted = self._edges.watch(on_frame)
        stamp, now = self.stamps.append, time.monotonic_ns

        def watched(frame: bytes) -> None:
            counted(frame)
            stamp(now())

        return watched


def pass_edges(*, frames: int, warm_up: int, passes: int) -> list[int]:
    """Frame counts at which to read the clocks: after the warm-up, then after each of equal passes.

    Raises ValueError when there are too few frames for a pass of at least one each, and for a warm-up of none: the
    first clock is read after a frame.
    """
    if warm_up < 1 or passes < 1:
        raise ValueError(f"a warm-up of {warm_up} frames and {passes} passes: at least one of each is needed")
    length = (frames - warm_up) // passes
    if length < 1:
        raise ValueError(f"{frames} frames are too few for {passes} passes after a warm-up of {warm_up}")
    return [warm_up + length * number for number in range(passes + 1)]
