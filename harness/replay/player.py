"""Plays a tape once, to given connections: one thread, blocking sockets, as fast as TCP takes it or to a schedule.

What a client wants may change while it plays; the rest of the programme is then put together anew. All connections
follow the one order of the tape, so one that stops reading holds up the others. What happens on the line happens
between two frames of that order.
"""

from __future__ import annotations

import threading
from bisect import bisect_right
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from harness.replay.connection import PeerLost
from harness.replay.errors import ReplayFailed
from harness.replay.hand_overs import HandOvers
from harness.replay.line import NO_TRICKLE
from harness.replay.pacing import SendLog, wait_until
from harness.replay.programme import Programme, Run, merged, pieces
from harness.replay.sent import Sent
from harness.units import Nanoseconds

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from harness.clock import Clock
    from harness.replay.connection import Connection
    from harness.replay.frames import Strips
    from harness.replay.line import Line
    from harness.replay.pacing import Pace
    from harness.replay.protocol.selection import Selection

#: Bytes handed over in one call in a flood: large enough to cost nothing, small enough that a pong waits little.
PIECE_BYTES: Final = 256 * 1024


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
        line: Line | None = None,
        given_up: threading.Event | None = None,
        back_seconds: float = 60.0,
    ) -> None:
        """`line` is what happens on purpose; clients that it cuts have `back_seconds` to come back."""
        self._connections = list(connections)
        self._source = strips
        self._due = pace.due_ns(strips.tape.cut(pace.market_frames).at_ns)
        self._pace = pace
        self._line = line
        self._given_up = given_up or threading.Event()
        self._back_seconds = back_seconds
        self._clock = clock
        self._attention = attention
        attention.clear()  # before the selections are read: what changes later sets it again
        self._selections = [connection.selection for connection in self._connections]
        self._strips = [strips.get(selection, pace.market_frames) for selection in self._selections]
        self._next = [0] * len(self._connections)
        self._overs = [HandOvers() for _ in self._connections]
        self._bases = list(self._next)
        self._reached = 0
        self._logs: list[list[SendLog]] = [[] for _ in self._connections]
        self._sent = {False: 0, True: 0}
        self._origin = Nanoseconds(0)
        """When the tape would have begun if no fault on the line had held it up."""
        self._trickle = NO_TRICKLE
        self._limit = 0
        self._timed = self._rest()

    @property
    def connections(self) -> list[Connection]:
        """Those it plays to; new ones take the place of those that were cut on purpose."""
        return list(self._connections)

    def sent(self) -> list[Sent]:
        """What each market connection was sent so far; from any thread."""
        return [
            Sent(self._source.tape, strip, self._bases[owner], self._overs[owner])
            for owner, strip in enumerate(self._strips)
            if not strip.account
        ]

    @property
    def market_frames(self) -> int:
        """Market frames handed over so far, on all connections."""
        return self._sent[False]

    def play(self) -> Played:
        """Send all; raises ReplayFailed when a client closes or stops reading before the end."""
        started = self._origin = self._clock.now()
        while not self._play_to_stop() or self._strike():
            self._timed = self._rest()
        return Played(
            market_frames=self._sent[False],
            user_frames=self._sent[True],
            started_ns=started,
            ended_ns=self._clock.now(),
            logs=self._joined_logs(),
        )

    def _play_to_stop(self) -> bool:
        """Whether all was sent up to the next fault on the line, or the end; False when clients want something else."""
        if self._flood() if self._pace.floods else self._paced():
            return True
        self._look_again()
        return False

    def _stop(self) -> int:
        """The position up to which nothing happens but frames."""
        stops = [len(self._due)]
        if self._line is not None and (ahead := self._line.ahead()) is not None:
            stops.append(ahead)
        if self._trickle.until > self._reached:
            stops.append(self._trickle.until)
        return min(stops)

    def _strike(self) -> bool:
        """Let happen what happens at the place that was reached; whether there is anything left to do."""
        stop = self._limit
        self._reached = max(self._reached, stop)
        if self._line is None or stop != self._line.ahead():
            return stop < len(self._due)
        before = self._clock.now()
        effect = self._line.strike(self._connections)
        self._trickle = effect.trickle or self._trickle
        self._given_up.wait(effect.silence_s)
        come = self._line.back(effect.cut, self._connections, self._back_seconds, self._given_up) if effect.cut else ()
        if not effect.live:
            self._origin = Nanoseconds(self._origin + self._clock.now() - before)
        for gone, connection in zip(effect.cut, come, strict=True):
            owner = self._connections.index(gone)
            self._connections[owner] = connection
            place = effect.resume_at if effect.resume_at is not None else stop
            self._change(owner, connection.selection, self._passed() if effect.live else place)
        return True

    def _rest(self) -> _Timed:
        """What is still to be sent up to the next stop; built before the clock starts, and again after each change."""
        self._limit = self._stop()
        programme = merged(self._strips, self._next, self._limit)
        due = self._due[programme.position]
        return _Timed(programme, due, [] if self._pace.floods else due.tolist())

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

    def _paced(self) -> bool:
        """As `_flood`, with all that is due at a moment, and only that, sent together; lasts as long as the tape."""
        place = 0
        for run in self._timed.programme.runs:
            while place < run.stop:
                now = wait_until(self._origin + self._timed.times[place], self._clock, self._attention)
                if self._attention.is_set():
                    return False
                upto = bisect_right(self._timed.times, now - self._origin, place, run.stop)
                self._write_logged(run, place, upto)
                place = upto
        if len(self._due) and self._limit == len(self._due):
            wait_until(self._origin + int(self._due[-1]), self._clock, self._attention)
        return not self._attention.is_set()

    def _write_logged(self, run: Run, place: int, upto: int) -> None:
        end = run.end - (run.stop - upto)
        if not self._strips[run.owner].account:
            due = self._timed.due[place:upto] + self._origin
            self._logs[run.owner].append(SendLog(due, np.full(len(due), self._clock.now())))
        self._write(run.owner, end - (upto - place), end)

    def _write(self, owner: int, first: int, end: int) -> None:
        strip = self._strips[owner]
        start = int(strip.offsets[first])
        frames = strip.blob[start : int(strip.offsets[end])]
        self._overs[owner].note(end - first, self._clock.now())
        try:
            if self._trickle.until > self._reached:
                self._connections[owner].trickle(frames, self._trickle.bytes_per_second)
            else:
                self._connections[owner].write(frames)
        except PeerLost as lost:
            whole = strip.whole(start + lost.sent)
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
                # A stream asked for now begins now, not with what passed while the others were silent.
                self._change(owner, selection, self._passed())

    def _passed(self) -> int:
        """The position that the clock, or the flood, has reached."""
        if self._pace.floods:
            return self._reached
        return int(np.searchsorted(self._due, self._clock.now() - self._origin))

    def _change(self, owner: int, selection: Selection, position: int) -> None:
        if self._next[owner]:
            position = max(position, int(self._strips[owner].position[self._next[owner] - 1]) + 1)
        self._selections[owner] = selection
        self._strips[owner] = self._source.get(selection, self._pace.market_frames)
        self._next[owner] = self._strips[owner].before(position)
        self._bases[owner] = self._next[owner] - self._overs[owner].count

    def _joined_logs(self) -> tuple[SendLog, ...]:
        if self._pace.floods:
            return ()
        return tuple(
            SendLog.joined(logs) for logs, strip in zip(self._logs, self._strips, strict=True) if not strip.account
        )
