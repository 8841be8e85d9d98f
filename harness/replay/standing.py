"""A replay that stays: server, stage and side door put together, for any client, until somebody ends it."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Self

from harness.clock import MonotonicClock
from harness.replay.conversation import House
from harness.replay.protocol.rules import SPOT
from harness.replay.rest.http import HttpAnswer, HttpRequest, refused
from harness.replay.server import STALL_SECONDS, Server
from harness.replay.side.control import Control
from harness.replay.side.showing import Counts, Shower
from harness.replay.stage import Stage

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from harness.replay.conversation import Desk
    from harness.replay.line import Line
    from harness.replay.pacing import Pace
    from harness.replay.protocol.rules import Rules
    from harness.replay.reel import Reel
    from harness.replay.side.showing import About

    Answering = Callable[[HttpRequest, int], HttpAnswer | None]


class Standing:
    """Serves from the moment it is made until `close`; a context manager.

    `notice` is told in words, from several threads, what clients do. `doors` answer HTTP, one after another, what the
    side door does not. Raises PortTaken, and ConfigError for a host that is not loopback.
    """

    def __init__(
        self,
        reel: Reel,
        pace: Pace,
        *,
        about: About,
        host: str,
        port: int,
        notice: Callable[[str], None],
        hold: bool = False,
        line: Line | None = None,
        desk: Desk | None = None,
        doors: Callable[[Stage], list[Answering]] = lambda _: [],
        rules: Rules = SPOT,
        stall_seconds: float = STALL_SECONDS,
    ) -> None:
        clock = MonotonicClock()
        self._line = line
        self.stage = Stage(reel, pace, clock=clock, notice=notice, hold=hold, stall_seconds=stall_seconds, line=line)
        shower = Shower(about, self.stage, self._counts, clock=clock)
        self._answering: list[Answering] = [Control(shower, self.stage).answer, *doors(self.stage)]
        self._made = threading.Event()
        house = House(rules=rules, desk=desk, answer=self._answer)
        self.server = Server(host, port, house=house, stall_seconds=stall_seconds, on_change=self.stage.on_change)
        if line is not None:
            line.attach(self.server)
        self._thread = threading.Thread(target=self.stage.run, name="replay-stage", daemon=True)
        self._thread.start()
        self._made.set()

    @property
    def url(self) -> str:
        """Of the root; streams and the account hang below it."""
        return f"ws://{_authority(self.server.host, self.server.port)}"

    def close(self) -> None:
        """Cut all clients off and stop listening."""
        self.stage.close()
        self._thread.join()
        self.server.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _answer(self, request: HttpRequest, now_ns: int) -> HttpAnswer:
        self._made.wait()  # the server takes clients before it is known here
        for answer in self._answering:
            found = answer(request, now_ns)
            if found is not None:
                return found
        return refused(404, -1000, "Not found.")

    def _counts(self) -> Counts:
        return Counts(
            url=self.url,
            open_connections=len(self.server.connections),
            faults_happened=self._line.happened if self._line is not None else 0,
        )


def _authority(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
