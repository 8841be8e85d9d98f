"""When the data frames of a connection were handed to the system: asked for when an order comes back."""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from harness.units import Nanoseconds

#: Remembered by connection.
_KEPT: Final = 50_000


class _HandOver(NamedTuple):
    """Data frames `first` to `last`, counted from 1, were handed over together."""

    first: int
    last: int
    sent_ns: Nanoseconds


class HandOvers:
    """Noted by the sending thread, asked from any."""

    def __init__(self, count: int = 0) -> None:
        """`count` frames went before, on a connection that this one takes the place of."""
        self.count = count
        """Data frames handed over."""
        self._kept: deque[_HandOver] = deque(maxlen=_KEPT)
        self._offered: _HandOver | None = None

    @property
    def reached(self) -> int:
        """The number of the last data frame that was handed over, or is being so at this moment."""
        offered = self._offered
        return self.count if offered is None else max(self.count, offered.last)

    def offer(self, frames: int, now_ns: Nanoseconds) -> None:
        """Up to so many frames are handed over next; a client may answer one before `note` says how many it were."""
        self._offered = _HandOver(self.count + 1, self.count + frames, now_ns)

    def note(self, frames: int, now_ns: Nanoseconds) -> None:
        """So many more frames were handed over, at that moment of the monotonic clock."""
        if frames:
            self._kept.append(_HandOver(self.count + 1, self.count + frames, now_ns))
            self.count += frames
        self._offered = None

    def sent_ns(self, number: int) -> Nanoseconds | None:
        """When data frame `number` (from 1) was handed over; None when it was not, or too long ago."""
        offered = self._offered  # looked at first: what is noted meanwhile is then among the kept
        kept = list(self._kept)
        place = bisect_left(kept, number, key=lambda over: over.last)
        if place < len(kept):
            return kept[place].sent_ns if kept[place].first <= number else None
        return offered.sent_ns if offered is not None and offered.first <= number <= offered.last else None
