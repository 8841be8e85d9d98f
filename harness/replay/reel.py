"""The turns of a replay: the recording as it is served first, then, if it loops, the same moved on again and again.

A turn is built ahead, while the one before it is played; two are in memory at most, beside the first, to which a seek
returns.
"""

from __future__ import annotations

import threading
from collections import deque
from typing import TYPE_CHECKING, NamedTuple

from harness.recordings.format import REST
from harness.recordings.loop import Loop
from harness.replay.frames import Strips
from harness.replay.tape import tape_of

if TYPE_CHECKING:
    from harness.recordings.format import Frame, Recording
    from harness.replay.tape import Tape


class _Turn(NamedTuple):
    """What is asked for of a turn after it was built."""

    number: int
    tape: Tape
    bodies: list[Frame]


class Reel:
    """Strips by turn; turn 0 is `first`, which may differ from the recording by faults put in on purpose."""

    def __init__(self, first: Tape, recording: Recording | None = None) -> None:
        """Without `recording` there is one turn only."""
        self.first = Strips(first)
        self._recording = recording
        self._loop: Loop | None = None
        self._ahead: tuple[int, Strips] | None = None
        self._late: deque[_Turn] = deque(maxlen=3)
        """The last ones that were built: one may be lagged in, one played, one ahead."""
        self._lock = threading.Lock()

    @property
    def loops(self) -> bool:
        """Whether another turn follows each."""
        return self._recording is not None

    def turn(self, number: int) -> Strips:
        """The strips of a turn; built now if nobody asked for it ahead."""
        if number == 0 or self._recording is None:
            return self.first
        with self._lock:
            if self._ahead is None or self._ahead[0] != number:
                self._loop = self._loop or Loop(self._recording)
                frames = list(self._loop.moved(number))
                self._ahead = number, Strips(tape_of(frames))
                bodies = [frame for frame in frames if frame.connection.startswith(REST)]
                self._late.append(_Turn(number, self._ahead[1].tape, bodies))
            return self._ahead[1]

    def bodies_of(self, tape: Tape) -> list[Frame]:
        """The REST bodies of a later turn, by its tape; none for a turn that is long over."""
        return next((turn.bodies for turn in list(self._late) if turn.tape is tape), [])

    def tape_of(self, number: int) -> Tape | None:
        """The tape of a turn, if it is still known; it is never built for this."""
        if number == 0:
            return self.first.tape
        return next((turn.tape for turn in reversed(list(self._late)) if turn.number == number), None)

    def prepare(self, number: int, like: Strips) -> None:
        """Build a turn in a thread of its own, with the strips for whatever was wanted of the turn `like`."""
        if self._recording is not None:
            threading.Thread(target=self._prepare, args=(number, like), name="replay-reel", daemon=True).start()

    def _prepare(self, number: int, like: Strips) -> None:
        strips = self.turn(number)
        for selection in like.wanted():
            strips.get(selection)
