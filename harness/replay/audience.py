"""Who listens to a replay that goes on: each connection with its place, as they come, change their minds and go."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from harness.replay.connection import PeerLost
from harness.replay.cursor import Cursor
from harness.replay.pacing import Lateness, quantiles_us
from harness.units import NS_PER_S, Nanoseconds

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.clock import Clock
    from harness.replay.connection import Connection
    from harness.replay.cursor import Stretch
    from harness.replay.frames import Strips

#: Hand-overs over which lateness is told.
_LATENESS_OF: Final = 100_000
#: Connections that ended and are still listed.
_LISTED: Final = 1_000


class _Late(NamedTuple):
    """So many frames were handed over together, the first of them so late."""

    ns: int
    frames: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """A connection that has or had subscribed, and what it was sent."""

    number: int
    path: str
    open: bool
    account: bool
    frames: int
    stretches: list[Stretch]


class Audience:
    """All cursors. Used by the sending thread; what is told of them may be asked from any."""

    def __init__(self, clock: Clock, *, stall_seconds: float, lost: Callable[[Connection, str, int], None]) -> None:
        """`lost` is told of each client that cannot be served any more: why, and the frames it had got."""
        self._clock = clock
        self._stall_ns = round(stall_seconds * NS_PER_S)
        self._lost = lost
        self._cursors: dict[Connection, Cursor] = {}
        self._ended: deque[Listing] = deque(maxlen=_LISTED)
        self._lates: deque[_Late] = deque(maxlen=_LATENESS_OF)
        self.sent_market_frames = 0
        self.sent_user_frames = 0

    def __len__(self) -> int:
        return len(self._cursors)

    def __contains__(self, connection: Connection) -> bool:
        return connection in self._cursors

    @property
    def cursors(self) -> list[Cursor]:
        """In the order in which they came."""
        return list(self._cursors.values())

    @property
    def lagging(self) -> int:
        """How many clients do not take what is due."""
        return sum(cursor.blocked_since is not None for cursor in self.cursors)

    def look(self, connection: Connection, strips: Strips, turn: int, place: int, count: int = 0) -> bool:
        """Take note of what a connection wants now; whether it is new here. The replay is at `place` of a turn.

        `count` data frames went to the one whose place a new one takes.
        """
        selection = connection.selection
        cursor = self._cursors.get(connection)
        if connection.gone:
            if cursor is not None:
                self.drop(connection, connection.gone, place)
        elif cursor is not None:
            if selection != cursor.selection:
                cursor.change(selection, strips.get(selection), turn, place)
        elif not selection.empty:
            self._cursors[connection] = Cursor(
                connection, selection, strips.get(selection), turn=turn, position=place, count=count
            )
            return True
        return False

    def done(self, place: int) -> bool:
        """Whether all have everything before a place of the turn under way."""
        return all(cursor.done(place) for cursor in self._cursors.values())

    def offer(self, place: int, due_ns: Nanoseconds | None, budget: int | None = None) -> bool:
        """Offer everybody what is due, at most so many bytes each; whether anybody took anything.

        `due_ns` is when the first of the frames that just became due was so; None where nothing did, or in a flood.
        """
        moved = False
        for connection, cursor in list(self._cursors.items()):
            now = self._clock.now()
            lags = cursor.blocked_since is not None
            try:
                frames = cursor.offer(place, now, budget)
                self._check_stall(cursor, now)
            except PeerLost as lost:
                self.drop(connection, lost.reason, place)
                continue
            if frames:
                moved = True
                self._count(cursor, frames)
                if due_ns is not None and not lags:
                    self._lates.append(_Late(now - due_ns, frames))
        return moved

    def drop(self, connection: Connection, reason: str, place: int) -> None:
        """Serve a connection no more, for a reason that is told."""
        frames = self.leave(connection, place)
        if frames is not None:
            self._lost(connection, reason, frames)

    def leave(self, connection: Connection, place: int) -> int | None:
        """Serve a connection no more; returns the frames it got, None for one that is not here."""
        cursor = self._cursors.pop(connection, None)
        if cursor is None:
            return None
        self._ended.append(_listing(cursor, place, is_open=False))
        return cursor.sent.count

    def listings(self, place: int) -> list[Listing]:
        """Those that ended lately and those that are there, in the order in which they came."""
        there = [_listing(cursor, place, is_open=True) for cursor in self.cursors]
        return sorted([*self._ended, *there], key=lambda listing: listing.number)

    def lateness(self) -> Lateness:
        """Of the last hand-overs to clients that read; each frame counts as late as the first that it went with."""
        lates = list(self._lates)
        return quantiles_us(np.repeat([late.ns for late in lates], [late.frames for late in lates]))

    def _check_stall(self, cursor: Cursor, now: Nanoseconds) -> None:
        if cursor.blocked_since is not None and now - cursor.blocked_since > self._stall_ns:
            raise PeerLost(f"read nothing for {self._stall_ns / NS_PER_S:g} s")

    def _count(self, cursor: Cursor, frames: int) -> None:
        if cursor.selection.account:
            self.sent_user_frames += frames
        else:
            self.sent_market_frames += frames


def _listing(cursor: Cursor, place: int, *, is_open: bool) -> Listing:
    return Listing(
        number=cursor.connection.number,
        path=cursor.connection.path,
        open=is_open,
        account=cursor.selection.account,
        frames=cursor.sent.count,
        stretches=cursor.stretches(place),
    )
