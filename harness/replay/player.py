"""Plays a tape to connections: one thread, blocking sockets, as fast as TCP takes it or to a schedule.

What a client wants may change while it plays; the rest of the programme is then put together anew.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from harness.replay.connection import PeerLost
from harness.replay.errors import ReplayFailed
from harness.replay.pacing import SendLog, since_start, wait_until
from harness.replay.programme import Programme, Run, merged, pieces
from harness.units import Nanoseconds

if TYPE_CHECKING:
    import threading
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from harness.clock import Clock
    from harness.replay.connection import Connection
    from harness.replay.frames import Strips
    from harness.replay.protocol.selection import Selection

#: Bytes handed over in one call in a flood: large enough to cost nothing, small enough that a pong waits little.
PIECE_BYTES: Final = 256 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How fast, and how much."""

    speed: float | None
    """Times the recorded pace; None is a flood."""
    market_frames: int | None = None
    """Cut the tape after its n-th market frame; None is all of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Played:
    """What was handed to the system, and when (`time.monotonic_ns`)."""

    market_frames: int
    user_frames: int
    started_ns: Nanoseconds
    ended_ns: Nanoseconds
    logs: tuple[SendLog, ...]
    """One per market connection, in the order in which they came; empty for a flood."""


class _Timed(NamedTuple):
    """A programme, with when each frame is due after the start: as an array, and as a list for bisection."""

    programme: Programme
    due: NDArray[np.int64]
    times: list[int]


class Player:
    """Plays once, to connections that are subscribed by then; all it sends is built when it is made."""

    def __init__(
        self,
        connections: Sequence[Connection],
        strips: Strips,
        pace: Pace,
        *,
        clock: Clock,
        attention: threading.Event,
    ) -> None:
        self._connections = list(connections)
        self._source = strips
        self._at_ns = strips.tape.cut(pace.market_frames).at_ns
        self._pace = pace
        self._clock = clock
        self._attention = attention
        attention.clear()  # before the selections are read: what changes later sets it again
        self._selections = [connection.selection for connection in self._connections]
        self._strips = [strips.get(selection, pace.market_frames) for selection in self._selections]
        self._next = [0] * len(self._connections)
        self._reached = 0
        self._logs: list[list[SendLog]] = [[] for _ in self._connections]
        self._sent = {False: 0, True: 0}
        self._started = Nanoseconds(0)
        self._timed = self._rest()

    @property
    def market_frames(self) -> int:
        """Market frames handed over so far, on all connections."""
        return self._sent[False]

    def play(self) -> Played:
        """Send all; raises ReplayFailed when a client closes or stops reading before the end."""
        self._started = self._clock.now()
        while not (self._flood() if self._pace.speed is None else self._paced(self._pace.speed)):
            self._look_again()
            self._timed = self._rest()
        ended = self._clock.now()
        return Played(
            market_frames=self._sent[False],
            user_frames=self._sent[True],
            started_ns=self._started,
            ended_ns=ended,
            logs=self._joined_logs(),
        )

    def _rest(self) -> _Timed:
        """What is still to be sent; built before the clock starts, and again when a client wants something else."""
        programme = merged(self._strips, self._next)
        due = since_start(self._at_ns[programme.position], self._pace.speed or 1.0)
        return _Timed(programme, due, due.tolist() if self._pace.speed else [])

    def _flood(self) -> bool:
        """Whether all was sent; False as soon as something wants attention."""
        for run in self._timed.programme.runs:
            first = run.first
            for end in pieces(self._strips[run.owner], run.first, run.end, PIECE_BYTES):
                if self._attention.is_set():
                    return False
                self._write(run.owner, first, end)
                first = end
        return True

    def _paced(self, speed: float) -> bool:
        """As `_flood`, with all that is due at a moment, and only that, sent together; lasts as long as the tape."""
        place = 0
        for run in self._timed.programme.runs:
            while place < run.stop:
                now = wait_until(self._started + self._timed.times[place], self._clock, self._attention)
                if self._attention.is_set():
                    return False
                upto = bisect_right(self._timed.times, now - self._started, place, run.stop)
                self._write_logged(run, place, upto)
                place = upto
        if len(self._at_ns):
            wait_until(self._started + round(int(self._at_ns[-1]) / speed), self._clock, self._attention)
        return not self._attention.is_set()

    def _write_logged(self, run: Run, place: int, upto: int) -> None:
        end = run.end - (run.stop - upto)
        if not self._strips[run.owner].account:
            due = self._timed.due[place:upto] + self._started
            self._logs[run.owner].append(SendLog(due, np.full(len(due), self._clock.now())))
        self._write(run.owner, end - (upto - place), end)

    def _write(self, owner: int, first: int, end: int) -> None:
        strip = self._strips[owner]
        start = int(strip.offsets[first])
        try:
            self._connections[owner].write(strip.blob[start : int(strip.offsets[end])])
        except PeerLost as lost:
            whole = int(np.searchsorted(strip.offsets, start + lost.sent, side="right")) - 1
            self._sent[strip.account] += whole - first
            raise self._failure(owner, lost.reason) from lost
        self._sent[strip.account] += end - first
        self._next[owner] = end
        self._reached = int(strip.position[end - 1]) + 1

    def _failure(self, owner: int, reason: str) -> ReplayFailed:
        which = "account" if self._strips[owner].account else "market"
        return ReplayFailed(f"the client of the {which} connection {reason}", after_frames=self._sent[False])

    def _look_again(self) -> None:
        self._attention.clear()
        for owner, connection in enumerate(self._connections):
            selection = connection.selection
            if connection.gone:
                raise self._failure(owner, connection.gone)
            if selection != self._selections[owner]:
                self._change(owner, selection)

    def _change(self, owner: int, selection: Selection) -> None:
        position = self._reached
        if self._pace.speed is not None:
            # A stream asked for now begins now, not with what passed while the others were silent.
            passed = (self._clock.now() - self._started) * self._pace.speed
            position = int(np.searchsorted(self._at_ns, passed))
        if self._next[owner]:
            position = max(position, int(self._strips[owner].position[self._next[owner] - 1]) + 1)
        self._selections[owner] = selection
        self._strips[owner] = self._source.get(selection, self._pace.market_frames)
        self._next[owner] = int(np.searchsorted(self._strips[owner].position, position))

    def _joined_logs(self) -> tuple[SendLog, ...]:
        if self._pace.speed is None:
            return ()
        return tuple(
            SendLog.joined(logs) for logs, strip in zip(self._logs, self._strips, strict=True) if not strip.account
        )
