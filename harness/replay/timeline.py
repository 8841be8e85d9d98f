"""Which frames of a turn are due: time that can be started, stopped and set, over the places of the tape."""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING, Final

import numpy as np

from harness.replay.tape import ACCOUNT
from harness.units import NS_PER_S, Nanoseconds

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness.replay.pacing import Pace
    from harness.replay.tape import Tape

#: Before any turn was loaded.
_NOTHING: Final = np.empty(0, np.int64)


class Timeline:
    """The place that the replay has reached: frames before it are due. It moves while it runs, and only forwards."""

    def __init__(self, pace: Pace) -> None:
        self._pace = pace
        self._at_ns: NDArray[np.int64] = _NOTHING
        self._market = _NOTHING
        self._times: list[int] = []
        self._origin = Nanoseconds(0)
        self.place = 0
        self.runs = False

    @property
    def floods(self) -> bool:
        """Whether all is due at once."""
        return self._pace.floods

    @property
    def end(self) -> int:
        """The place behind the last frame."""
        return len(self._at_ns)

    @property
    def seconds(self) -> float:
        """Of the recording, up to the last frame that is due."""
        at_ns = self._at_ns
        place = min(self.place, len(at_ns))  # another thread may ask while another turn is loaded
        return int(at_ns[place - 1]) / NS_PER_S if place else 0.0

    @property
    def market_frame(self) -> int:
        """The number of the last market frame that is due, from 1; 0 before the first."""
        return int(np.searchsorted(self._market, self.place))

    def load(self, tape: Tape, *, before: int) -> None:
        """Go to the start of another turn; `before` frames were in the turns before it. Time goes on as it did."""
        self._at_ns = tape.at_ns
        self._market = np.flatnonzero(tape.stream != ACCOUNT)
        self._times = [] if self.floods else self._pace.due_ns(tape.at_ns, before).tolist()
        self.place = 0

    def start(self, now: Nanoseconds) -> None:
        """Run from the present place on: its frame is due now."""
        if not self.runs:
            self.runs = True
            if self._times:
                self._origin = Nanoseconds(now - self._times[min(self.place, self.end - 1)])

    def stop(self) -> None:
        """Stand at the present place."""
        self.runs = False

    def seek(self, place: int, now: Nanoseconds) -> None:
        """Go to a place of this turn."""
        self.place = min(max(place, 0), self.end)
        if self.runs:
            self.runs = False
            self.start(now)

    def due(self, place: int) -> Nanoseconds:
        """When the frame at a place is due, on the clock of `start`; only while it runs, and never for a flood."""
        return Nanoseconds(self._origin + self._times[place])

    def advance(self, now: Nanoseconds, limit: int) -> int:
        """Move on to all that is due by now, at most to `limit`; returns the new place."""
        if self.runs and self.place < limit:
            self.place = limit if self.floods else bisect_right(self._times, now - self._origin, self.place, limit)
        return self.place

    def place_of_frame(self, number: int) -> int:
        """The place at which market frame `number` (from 1) stands; the end for a number beyond the last."""
        return int(self._market[number - 1]) if 1 <= number <= len(self._market) else self.end if number > 0 else 0

    def place_at(self, seconds: float) -> int:
        """The place of the first frame at or after so many seconds of the recording."""
        return int(np.searchsorted(self._at_ns, round(seconds * NS_PER_S)))
