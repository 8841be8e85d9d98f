"""A tape seen by the numbers of its market frames, as faults are."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Final, get_args

import numpy as np

from harness.exchange.streams import Kind, parse
from harness.replay.faults.altering import moved
from harness.replay.tape import ACCOUNT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from harness.replay.faults.fault import ClockStep
    from harness.replay.tape import Tape

_KINDS: Final = tuple(kind for kind in get_args(Kind) if kind != "other")


class Unfit(Exception):
    """A fault that cannot be where it is wanted: the key that says so, and why not. Never leaves this package."""

    def __init__(self, key: str, problem: str) -> None:
        self.key = key
        self.problem = problem
        super().__init__(problem)


class Recorded:
    """Frames are numbered from 1."""

    def __init__(self, tape: Tape) -> None:
        self._tape = tape
        self._positions = np.flatnonzero(tape.stream != ACCOUNT)
        self._streams = tape.stream[self._positions]
        self._steps: list[ClockStep] = []
        self._of_stream: dict[int, NDArray[np.int64]] = {}

    @property
    def total(self) -> int:
        """How many market frames there are."""
        return len(self._positions)

    def step(self, step: ClockStep) -> None:
        """Bodies are seen as they are after that clock step as well."""
        self._steps.append(step)

    def body(self, frame: int) -> bytes:
        """What is sent as that frame, after the clock steps that are known."""
        body = self._tape.bodies[int(self._positions[frame - 1])]
        ms = sum(step.ms for step in self._steps if step.frame <= frame)
        return moved(body, ms) if ms else body

    def is_binary(self, frame: int) -> bool:
        """Whether it is a binary frame without any fault."""
        return int(self._positions[frame - 1]) in self._tape.binary

    def ends(self, frame: int, distance: int, key: str) -> int:
        """The number of the frame so much later; Unfit with that key where the recording has ended by then."""
        if frame + distance > self.total:
            raise Unfit(
                key, f"frame {frame:,} and {distance:,} more is beyond the recording, which has {self.total:,} frames"
            )
        return frame + distance

    def later_of_stream(self, frame: int, by: int) -> int | None:
        """The frame of the same stream that comes `by` of that stream later; None where there is none."""
        stream = int(self._streams[frame - 1])
        if stream not in self._of_stream:
            self._of_stream[stream] = np.flatnonzero(self._streams == stream).astype(np.int64) + 1
        same = self._of_stream[stream]
        place = int(np.searchsorted(same, frame)) + by
        return int(same[place]) if place < len(same) else None

    def matching(self, only: str | Sequence[str] | None) -> NDArray[np.int64]:
        """Numbers of the frames whose streams are of these kinds or match these patterns; all of them for None.

        Raises Unfit where there is none.
        """
        if only is None:
            return np.arange(1, self.total + 1, dtype=np.int64)
        patterns = (only,) if isinstance(only, str) else tuple(only)
        wanted = [number for number, name in enumerate(self._tape.names) if _is_of(name, patterns)]
        found = np.flatnonzero(np.isin(self._streams, wanted)).astype(np.int64) + 1
        if not len(found):
            raise Unfit(
                "only",
                f"no frame of the recording is of {', '.join(map(repr, patterns))}; allowed: a kind of stream"
                f" ({', '.join(_KINDS)}) or a pattern of stream names",
            )
        return found


def _is_of(name: str, patterns: Sequence[str]) -> bool:
    kind = parse(name).kind
    return any(pattern == kind if pattern in _KINDS else fnmatchcase(name, pattern) for pattern in patterns)
