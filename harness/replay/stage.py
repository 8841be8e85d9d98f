"""A replay that goes on: one timeline for whoever connects, played by one thread that never waits for a client.

It begins with the first client that subscribes, or when it is told to. A client that comes later joins where the
timeline is; one that reads slowly lags on its own. In a flood there is no timeline: each client gets the recording from
its start, as fast as it reads.
"""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from harness.replay.audience import Audience
from harness.replay.connection import PeerLost
from harness.replay.line import NO_TRICKLE
from harness.replay.pacing import wait_until
from harness.replay.protocol.selection import Wrapping
from harness.replay.sent import Sent
from harness.replay.timeline import Timeline
from harness.units import NS_PER_S, Nanoseconds

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.clock import Clock
    from harness.replay.audience import Listing
    from harness.replay.connection import Connection
    from harness.replay.frames import Strips
    from harness.replay.line import Line
    from harness.replay.pacing import Lateness, Pace
    from harness.replay.reel import Reel
    from harness.replay.tape import Tape

#: A client that takes nothing is offered the rest so often.
_AGAIN_NS: Final = 1_000_000
#: Nobody listens: the timeline is looked at so often.
_ALONE_S: Final = 0.02

#: In a trickle, clients get some bytes so often.
_SLICE_S: Final = 0.01

State = Literal["waiting", "held", "playing", "paused", "ended"]
"""Waiting for a first client; for a first start; playing; paused; at the end, until clients have read all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StageStatus:
    """Where the replay is."""

    state: State
    turn: int
    """How many times the recording was played before."""
    place: int
    """Frames of this turn that are due, account frames among them."""
    frames: int
    """Frames of a turn."""
    market_frame: int
    """The number of the last market frame that is due, from 1."""
    seconds: float
    """Of the recording, up to the last frame that is due."""
    connections: int
    lagging: int
    """Clients that do not take what is due."""
    sent_market_frames: int
    sent_user_frames: int
    lateness_us: Lateness


class Stage:
    """Connections and commands come from any thread; `run` is the thread that sends."""

    def __init__(
        self,
        reel: Reel,
        pace: Pace,
        *,
        clock: Clock,
        notice: Callable[[str], None],
        hold: bool = False,
        stall_seconds: float = 30.0,
        line: Line | None = None,
    ) -> None:
        self._reel = reel
        self._clock = clock
        self._notice = notice
        self._line = line
        self._rest: State = "held" if hold else "waiting"
        self._state: State = self._rest
        self._closing = False
        self._attention = threading.Event()
        self._commands: deque[Callable[[], None]] = deque()
        self._changed: deque[Connection] = deque()
        self._timeline = Timeline(pace)
        self._audience = Audience(clock, stall_seconds=stall_seconds, lost=self._on_lost)
        self._until: int | None = None
        self._missing = {False: 0, True: 0}
        """Clients that were cut and are waited for, by whether they wanted account events."""
        self._cut_counts: deque[int] = deque()
        """Data frames that market connections had got which were cut; those that take their places count on."""
        self._silent_until = Nanoseconds(0)
        self._trickle = NO_TRICKLE
        self.takes_orders = False
        """Then time begins with a client of the market, and a connection by which orders come outlives the recording:
        its reports do not end with the recorded events."""
        self.on_rewind: Callable[[], None] = lambda: None
        """Called by the sending thread when the recording is at its start again."""
        self._turn = 0
        self._before = 0
        """Frames of the turns before this one."""
        self._strips = reel.first
        self._entering = threading.Lock()
        self._timeline.load(reel.first.tape, before=0)

    # From any thread.

    def on_change(self, connection: Connection) -> None:
        """A connection wants something else, or is lost."""
        if not connection.gone and not connection.selection.empty:
            self._strips.get(connection.selection)  # built here, so that the sending thread need not
        self._changed.append(connection)
        self._attention.set()

    def start(self, *, until_frame: int | None = None) -> None:
        """Play, or play on; to pause again once market frame `until_frame` of this turn is due."""
        self._command(lambda: self._start(until_frame))

    def pause(self) -> None:
        """Let time stand."""
        self._command(self._pause)

    def seek(self, *, frame: int | None = None, seconds: float | None = None) -> None:
        """Go on with market frame `frame` (from 1), or at so many seconds, of the recording as it was first played."""
        self._command(lambda: self._seek(frame, seconds))

    def close(self) -> None:
        """End `run`."""
        self._closing = True
        self._attention.set()

    def where(self) -> tuple[Tape, int]:
        """The tape of the turn under way, and the place that is reached on it."""
        with self._entering:
            return self._strips.tape, self._timeline.place

    def sent(self) -> list[Sent]:
        """What each market connection that is open was sent of the turn that it is in."""
        found = [(cursor.place, cursor.sent) for cursor in self._audience.cursors if cursor.selection.streams]
        return [
            Sent(tape, place.strip, place.base, overs)
            for place, overs in found
            if (tape := self._reel.tape_of(place.turn)) is not None
        ]

    def lateness(self) -> Lateness:
        """Of the last hand-overs; takes milliseconds to work out."""
        return self._audience.lateness()

    def status(self, lateness: Lateness | None = None) -> StageStatus:
        """Where it is now; with a lateness that was asked for before, or as it is."""
        timeline, audience = self._timeline, self._audience
        return StageStatus(
            state=self._state,
            turn=self._turn,
            place=timeline.place,
            frames=timeline.end,
            market_frame=timeline.market_frame,
            seconds=round(timeline.seconds, 3),
            connections=len(audience),
            lagging=audience.lagging,
            sent_market_frames=audience.sent_market_frames,
            sent_user_frames=audience.sent_user_frames,
            lateness_us=lateness if lateness is not None else audience.lateness(),
        )

    def listings(self) -> list[Listing]:
        """What each connection was sent."""
        return self._audience.listings(self._timeline.place)

    def run(self) -> None:
        """Play until `close`."""
        while not self._closing:
            if self._attention.is_set():
                self._attend()
            if self._timeline.runs:
                self._play()
            else:
                self._stand()

    # From here on: the sending thread only.

    def _command(self, command: Callable[[], None]) -> None:
        self._commands.append(command)
        self._attention.set()

    def _attend(self) -> None:
        self._attention.clear()
        while self._commands:
            self._commands.popleft()()
        while self._changed:
            self._look(self._changed.popleft())

    def _look(self, connection: Connection) -> None:
        place = 0 if self._timeline.floods and not self._is_missing else self._timeline.place
        takes_over = self._cut_counts and not connection.selection.account
        count = self._cut_counts[0] if takes_over else 0
        if not self._audience.look(connection, self._strips, self._turn, place, count):
            return
        if takes_over:
            self._cut_counts.popleft()
        selection = connection.selection
        what = "account events" if selection.account else f"{len(selection.streams)} streams"
        self._notice(f"a client subscribed to {what}")
        self._missing[selection.account] = max(0, self._missing[selection.account] - 1)
        if self._state == "waiting" and not (self.takes_orders and selection.account):
            self._start(None)

    @property
    def _is_missing(self) -> bool:
        return any(self._missing.values())

    def _start(self, until_frame: int | None) -> None:
        self._until = None if until_frame is None else self._timeline.place_of_frame(until_frame) + 1
        if self._until is not None and self._until <= self._timeline.place:
            self._until = None
            self._pause()
            return
        if self._state in {"waiting", "held"}:
            self._reel.prepare(self._turn + 1, self._strips)
        self._state = "playing"

    def _pause(self) -> None:
        if self._state in {"playing", "held", "waiting"}:
            self._state = "paused"
            self._timeline.stop()

    def _seek(self, frame: int | None, seconds: float | None) -> None:
        if self._turn:
            self._rewind()
            self._reel.prepare(1, self._strips)
        timeline = self._timeline
        place = timeline.place_of_frame(frame) if frame is not None else timeline.place_at(seconds or 0.0)
        self._go_to(place)
        self._until = None
        self._forget_faults()
        if self._line is not None:
            self._line.rewind(timeline.place)
        if self._state == "ended":
            self._state = "playing"

    def _go_to(self, place: int) -> None:
        self._timeline.seek(place, self._clock.now())
        for cursor in self._audience.cursors:
            cursor.jump(self._strips.get(cursor.selection), self._turn, self._timeline.place)

    def _forget_faults(self) -> None:
        """What lasts longer than a moment is over."""
        self._missing = {False: 0, True: 0}
        self._cut_counts.clear()
        self._silent_until = Nanoseconds(0)
        self._trickle = NO_TRICKLE

    def _rewind(self) -> None:
        self._before = 0
        self._enter(0, self._reel.first)

    def _enter(self, turn: int, strips: Strips) -> None:
        with self._entering:
            self._turn = turn
            self._strips = strips
            self._timeline.load(strips.tape, before=self._before)

    def _limit(self) -> int:
        """Up to where nothing happens but frames."""
        ahead = [self._timeline.end]
        if self._until is not None:
            ahead.append(self._until)
        if self._trickle.until:
            ahead.append(self._trickle.until)
        if self._line is not None and self._turn == 0 and (fault := self._line.ahead()) is not None:
            ahead.append(fault)
        return min(ahead)

    def _stand(self) -> None:
        now = self._clock.now()
        if self._state == "playing" and not self._is_missing and now >= self._silent_until:
            self._timeline.start(now)
            return
        self._audience.offer(self._timeline.place, None)
        if self._audience.lagging:
            self._attention.wait(_AGAIN_NS / NS_PER_S)
        else:
            self._attention.wait(max(0.0, self._silent_until - now) / NS_PER_S or None)

    def _play(self) -> None:
        timeline = self._timeline
        limit = self._limit()
        before = timeline.place
        now = self._await_due(limit)
        if self._attention.is_set():
            return
        place = timeline.advance(now, limit)
        due = timeline.due(before) if place > before and not timeline.floods else None
        moved = self._audience.offer(place, due, self._budget())
        if place < limit:
            return
        if not self._arrive(place) and not moved:
            self._attention.wait(_AGAIN_NS / NS_PER_S)

    def _await_due(self, limit: int) -> Nanoseconds:
        """The time, once the next frame is due or a client that lags may have made room."""
        if self._trickle.until:
            self._attention.wait(_SLICE_S)
            return self._clock.now()
        now = self._clock.now()
        if self._timeline.floods or self._timeline.place >= limit:
            return now
        if not len(self._audience):
            self._attention.wait(_ALONE_S)
        else:
            due = self._timeline.due(self._timeline.place)
            return wait_until(
                min(due, now + _AGAIN_NS) if self._audience.lagging else due, self._clock, self._attention
            )
        return self._clock.now()

    def _budget(self) -> int | None:
        """Bytes that each client gets in one slice of a trickle; None for no limit."""
        return max(1, round(self._trickle.bytes_per_second * _SLICE_S)) if self._trickle.until else None

    def _arrive(self, place: int) -> bool:
        """Let happen what happens at a place, once all clients have what is before it; whether anything did."""
        is_until = self._until is not None and place >= self._until  # a fault may have led beyond it
        if place == self._timeline.end and not self._at_fault(place) and not is_until:
            return self._end(place)
        if not self._audience.done(place):
            return False
        if self._trickle.until and place >= self._trickle.until:
            self._trickle = NO_TRICKLE
        elif self._at_fault(place):
            self._strike(place)
        if is_until:
            self._until = None
            self._pause()
        return True

    def _at_fault(self, place: int) -> bool:
        return self._line is not None and self._turn == 0 and place == self._line.ahead()

    def _strike(self, place: int) -> None:
        if self._line is None:
            return
        effect = self._line.strike([cursor.connection for cursor in self._audience.cursors])
        for connection in effect.cut:
            count = self._audience.leave(connection, place) or 0
            if not connection.was_account and not effect.live:
                self._cut_counts.append(count)
            self._notice(f"a client was cut on purpose, after {count:,} frames")
        self._trickle = effect.trickle or self._trickle
        if effect.resume_at is not None:
            self._go_to(effect.resume_at)
        if effect.cut and not effect.live:
            for kind in self._missing:
                self._missing[kind] = sum(connection.was_account is kind for connection in effect.cut)
            self._timeline.stop()
        if effect.silence_s:
            self._silent_until = Nanoseconds(self._clock.now() + round(effect.silence_s * NS_PER_S))
            self._timeline.stop()

    def _end(self, place: int) -> bool:
        if self._reel.loops:
            return self._turn_over(place)
        self._state = "ended"
        for cursor in self._audience.cursors:
            if cursor.done(place):
                self._notice(f"a client got all of it: {cursor.sent.count:,} frames")
                if not (self.takes_orders and cursor.selection.wrapping is Wrapping.API):
                    cursor.connection.close(1000)
                self._audience.leave(cursor.connection, place)
        if len(self._audience):
            return False
        self._start_over()
        return True

    def _start_over(self) -> None:
        """Wait for the first client again: everybody has read all, or has gone."""
        self._rewind()
        self._forget_faults()
        self._until = None
        self._timeline.stop()
        self._state = self._rest
        if self._line is not None:
            self._line.rewind(0)
        self.on_rewind()

    def _turn_over(self, place: int) -> bool:
        """Go on with the next turn; in a flood once all clients have this one, and not to nobody."""
        if self._timeline.floods and not len(self._audience):
            self._start_over()
            return True
        if self._timeline.floods and not self._audience.done(place):
            return False
        turn = self._turn + 1
        strips = self._reel.turn(turn)
        for cursor in self._audience.cursors:
            try:
                cursor.follow(strips.get(cursor.selection), turn)
            except PeerLost as lost:
                self._audience.drop(cursor.connection, lost.reason, place)
        self._before += self._timeline.end
        self._enter(turn, strips)
        self._reel.prepare(turn + 1, strips)
        return True

    def _on_lost(self, connection: Connection, reason: str, frames: int) -> None:
        if not connection.gone:
            connection.abort()  # it may stand in the middle of a frame: nothing that makes sense can follow
        which = "account" if connection.selection.account else "market"
        self._notice(f"the client of a {which} connection {reason}, after {frames:,} frames")
