"""How far one connection got on the tape, in a replay that goes on whether or not a client reads.

What a client does not read waits as a place on the prebuilt strip, not as a copy: a slow client costs no memory.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final, NamedTuple

from harness.replay.connection import PeerLost
from harness.replay.hand_overs import HandOvers

if TYPE_CHECKING:
    from harness.replay.connection import Connection
    from harness.replay.frames import Strip
    from harness.replay.protocol.selection import Selection
    from harness.units import Nanoseconds

#: Bytes offered in one call: a client that reads fast must not keep the others waiting.
PIECE_BYTES: Final = 256 * 1024
#: Stretches of the tape listed by connection; one more begins with each change of what a client wants.
_MAX_STRETCHES: Final = 1_000


class Stretch(NamedTuple):
    """All frames of a selection at positions `first` to `end` (exclusive) of a turn were handed over."""

    turn: int
    selection: Selection
    first: int
    end: int


class Place(NamedTuple):
    """Where a client's next data frame is found."""

    strip: Strip
    turn: int
    base: int
    """How many more frames of the strip are behind the client than data frames were handed over."""


class _Ahead(NamedTuple):
    strip: Strip
    turn: int


class Cursor:
    """One connection's place. Used by the sending thread; `stretches`, `place` and `sent` may be read from any."""

    def __init__(
        self, connection: Connection, selection: Selection, strip: Strip, *, turn: int, position: int, count: int = 0
    ) -> None:
        """`count` data frames went to the connection that this one takes the place of."""
        self.connection = connection
        self.selection = selection
        self.sent = HandOvers(count)
        self.blocked_since: Nanoseconds | None = None
        """Since when the client takes nothing; None while it takes what it is given."""
        self._rest = memoryview(b"")
        self._ahead: _Ahead | None = None
        self._past: deque[Stretch] = deque(maxlen=_MAX_STRETCHES)
        self._begin(strip, turn, position)

    def done(self, position: int) -> bool:
        """Whether all before that position of the turn under way was handed over."""
        return not self._rest and self._ahead is None and self._next >= self._strip.before(position)

    def offer(self, position: int, now_ns: Nanoseconds, budget: int | None = None) -> int:
        """Hand over a piece of what lies before `position`, at most `budget` bytes; returns the whole frames taken.

        Raises PeerLost.
        """
        if self._rest and not self._finish_frame(now_ns):
            return 0
        if self._ahead is not None and self._next == len(self._strip):
            self._leave(self._next_position())
            self._begin(self._ahead.strip, self._ahead.turn, 0)
        end = len(self._strip) if self._ahead is not None else self._strip.before(position)
        if end <= self._next:
            self.blocked_since = None
            return 0
        return self._offer_piece(end, now_ns, budget)

    def change(self, selection: Selection, strip: Strip, turn: int, position: int) -> None:
        """Want something else from where the client is: at `position`, or farther back if it lags in this turn.

        What a client that lags a turn behind has not taken of that one is left out.
        """
        if turn == self._turn:
            position = self._next_position(position)
            self._leave(position)
        else:
            self._leave(self._next_position())
        self.selection = selection
        self._begin(strip, turn, position)

    def jump(self, strip: Strip, turn: int, position: int) -> None:
        """Go on elsewhere; what was due and not handed over is left out."""
        self._leave(self._next_position())
        self._begin(strip, turn, position)

    def follow(self, strip: Strip, turn: int) -> None:
        """Go on with the next turn once this one is done. Raises PeerLost for a client that lags more than a turn."""
        if self._ahead is not None:
            raise PeerLost("lags more than a whole turn of the recording")
        self._ahead = _Ahead(strip, turn)

    def stretches(self, position: int) -> list[Stretch]:
        """What was handed over, in order; the last stretch ends at `position`, or where the client lags."""
        end = self._next_position(position if self._ahead is None else None)
        return [*self._past, Stretch(self._turn, self.selection, self._first, end)]

    @property
    def place(self) -> Place:
        """All of it from one moment, also for another thread."""
        return self._place

    def _offer_piece(self, end: int, now_ns: Nanoseconds, budget: int | None) -> int:
        strip, start = self._strip, self._offset
        upto = int(strip.offsets[min(end, max(strip.whole(start + PIECE_BYTES), self._next + 1))])
        if budget is not None:
            upto = min(upto, start + budget)
        self.sent.offer(strip.whole(upto) - self._next, now_ns)
        taken = self.connection.offer(strip.blob[start:upto], lambda size: strip.is_boundary(start + size))
        self._offset += taken
        frames = strip.whole(self._offset) - self._next
        self._next += frames
        self.sent.note(frames, now_ns)
        self._note_flow(now_ns, blocked=self._offset < upto, moved=taken > 0)
        return frames

    def _finish_frame(self, now_ns: Nanoseconds) -> bool:
        size = len(self._rest)
        taken = self.connection.offer(self._rest, lambda offset: offset == size)
        self._rest = self._rest[taken:]
        self._note_flow(now_ns, blocked=taken < size, moved=taken > 0)
        return taken == size

    def _note_flow(self, now_ns: Nanoseconds, *, blocked: bool, moved: bool) -> None:
        if not blocked:
            self.blocked_since = None
        elif moved or self.blocked_since is None:
            self.blocked_since = now_ns

    def _next_position(self, reached: int | None = None) -> int:
        """Where its next frame stands; for a client that does not lag, the position that the replay has reached."""
        strip, number = self._strip, self._next  # once: another thread may ask while the client moves to another strip
        if number < len(strip):
            position = int(strip.position[number])
            return position if reached is None else min(position, reached)
        return strip.tape_frames if reached is None else reached

    def _leave(self, end: int) -> None:
        self._past.append(Stretch(self._turn, self.selection, self._first, end))
        if not self._rest and not self._strip.is_boundary(self._offset):
            # The client has the beginning of a frame, and must get the rest of it before anything else.
            self._rest = self._strip.blob[self._offset : int(self._strip.offsets[self._next + 1])]
            self._past[-1] = self._past[-1]._replace(end=int(self._strip.position[self._next]) + 1)
            self.sent.count += 1

    def _begin(self, strip: Strip, turn: int, position: int) -> None:
        self._ahead = None
        self._strip = strip
        self._turn = turn
        self._first = position
        self._next = strip.before(position)
        self._place = Place(strip, turn, self._next - self.sent.count)
        self._offset = int(strip.offsets[self._next])
