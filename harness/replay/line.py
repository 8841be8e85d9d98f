"""Carries out what shall happen on the line on purpose, between two frames, at the places that a plan of faults names.

A reset loses what the other side's system has not received; so it waits until all that was sent has arrived there, and
a plan gives the same loss each time.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final, NamedTuple

from harness.replay.errors import ReplayFailed
from harness.replay.faults.fault import CloseCodeSent, Cut, PingFlood, Refuse, Silence
from harness.replay.faults.fault import Trickle as TrickleFault

if TYPE_CHECKING:
    import threading
    from collections.abc import Sequence

    from harness.replay.connection import Connection
    from harness.replay.faults.prepared import LineFault
    from harness.replay.faults.values import Resume
    from harness.replay.server import Server

#: For what was sent to arrive in the other side's system.
_ARRIVE_S: Final = 10.0
#: How much of the next frame a cut in its middle sends: a header that promises 4,096 bytes, and a few of them.
_HALF_FRAME: Final = b'\x81\x7e\x10\x00{"stream":"'
_CLOSE: Final = 0x88


class Trickle(NamedTuple):
    """Up to place `until` on the tape, each client gets so many bytes per second; (0, 0.0) for no trickle."""

    until: int
    bytes_per_second: float


NO_TRICKLE: Final = Trickle(0, 0.0)


class Effect(NamedTuple):
    """What a fault leaves for the player to see to."""

    cut: tuple[Connection, ...] = ()
    """Connections that are of no use any more."""
    live: bool = False
    """Whether time goes on while their clients are away; else the tape waits for them."""
    resume_at: int | None = None
    """Where on the tape the clients that were cut go on; None for where they were."""
    silence_s: float = 0.0
    trickle: Trickle | None = None


class Line:
    """The faults that are still to come on the connections of one server; used by the sending thread."""

    def __init__(self, faults: Sequence[LineFault]) -> None:
        """`faults` in the order of their places."""
        self._faults = list(faults)
        self._next = 0
        self._server: Server | None = None

    @property
    def happened(self) -> int:
        """How many faults happened, since the last rewind."""
        return self._next

    def attach(self, server: Server) -> None:
        """Work on this server; what it shall refuse from the start, it refuses from now on."""
        self._server = server
        self._refuse_first()

    def rewind(self, place: int) -> None:
        """Let happen again what stands at `place` on the tape or after it."""
        self._next = sum(fault.position < place for fault in self._faults)
        if place == 0:
            self._refuse_first()

    def ahead(self) -> int | None:
        """The place of the next fault; None when there is none any more."""
        return self._faults[self._next].position if self._next < len(self._faults) else None

    def strike(self, connections: Sequence[Connection]) -> Effect:
        """Let the next fault happen to those of the connections that it is meant for."""
        planned = self._faults[self._next]
        self._next += 1
        fault = planned.fault
        meant = [one for one in connections if fault.on == "all" or not one.selection.account]
        match fault:
            case Cut():
                for connection in meant:
                    self._cut(connection, fault)
                return _ended(meant, planned, fault.resume)
            case CloseCodeSent():
                for connection in meant:
                    _close_with(connection, fault)
                return _ended(meant, planned, fault.resume)
            case Silence():
                return Effect(silence_s=fault.seconds)
            case TrickleFault():
                return Effect(trickle=Trickle(planned.until, fault.bytes_per_second))
            case PingFlood():
                for connection in meant:
                    connection.ping(fault.pings)
            case Refuse():
                self._refuse(fault)
        return Effect()

    def back(
        self, cut: Sequence[Connection], present: Sequence[Connection], seconds: float, given_up: threading.Event
    ) -> list[Connection]:
        """The new connections of clients that were cut, in their order, account connections for account connections.

        Raises ReplayFailed when they do not come back in time, or it was given up.
        """
        until = time.monotonic() + seconds
        while not given_up.is_set() and time.monotonic() < until and self._server is not None:
            come = [one for one in self._server.subscribed() if one not in present and one not in cut]
            account, market = ([one for one in come if one.selection.account is kind] for kind in (True, False))
            were_account = [one.was_account for one in cut]
            if len(account) >= sum(were_account) and len(market) >= len(cut) - sum(were_account):
                return [(account if kind else market).pop(0) for kind in were_account]
            self._server.wait_change(until - time.monotonic())
        raise ReplayFailed(f"{len(cut)} clients were cut on purpose and did not come back within {seconds:g} s")

    def _cut(self, connection: Connection, fault: Cut) -> None:
        if fault.how == "clean":
            connection.close(fault.code or 1000)
            return
        connection.drain(_ARRIVE_S)
        if fault.how == "half_open":
            connection.freeze()
            if self._server is not None:
                self._server.forget(connection)
            return
        if fault.how == "mid_frame":
            connection.inject(_HALF_FRAME)
            connection.drain(_ARRIVE_S)
        connection.reset()

    def _refuse_first(self) -> None:
        while self._server is not None and self._next < len(self._faults):
            planned = self._faults[self._next]
            if planned.position or not isinstance(planned.fault, Refuse):
                return
            self._refuse(planned.fault)
            self._next += 1

    def _refuse(self, fault: Refuse) -> None:
        if self._server is not None:
            self._server.refuse(fault.times, (fault.status or 503) if fault.how == "http" else None)


def _ended(cut: Sequence[Connection], planned: LineFault, resume: Resume) -> Effect:
    skips = planned.until > planned.position
    return Effect(tuple(cut), live=resume == "live", resume_at=planned.until if skips else None)


def _close_with(connection: Connection, fault: CloseCodeSent) -> None:
    payload = fault.code.to_bytes(2, "big") + fault.reason.encode()
    connection.inject(bytes((_CLOSE, len(payload))) + payload)
    connection.drain(_ARRIVE_S)
    connection.end()
