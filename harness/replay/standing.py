"""A replay that stays: server, stage and side door put together, for any client, until somebody ends it."""

from __future__ import annotations

import threading
from dataclasses import dataclass
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
    from collections.abc import Callable, Sized
    from types import TracebackType

    from harness.replay.conversation import Desk
    from harness.replay.line import Line
    from harness.replay.orders.latency import TickToOrder
    from harness.replay.pacing import Pace
    from harness.replay.protocol.rules import Rules
    from harness.replay.reel import Reel
    from harness.replay.rest.routes import Rest
    from harness.replay.side.showing import About


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """What a replay has beside its streams."""

    desk: Desk | None = None
    rest: Rest | None = None
    expired: Callable[[int], list[str]] = lambda _now_ns: []
    """Listen keys that ended since the last call; each is told once."""
    orders: Sized | None = None
    """Those that were accepted; None where none are taken."""
    tick_to_order: Callable[[], TickToOrder | None] = lambda: None


class Standing:
    """Serves from the moment it is made until `close`; a context manager.

    `notice` is told in words, from several threads, what clients do; `exchange` makes what asks where the replay is.
    Raises PortTaken, and ConfigError for a host that is not loopback.
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
        exchange: Callable[[Stage], Exchange] = lambda _: Exchange(),
        rules: Rules = SPOT,
        stall_seconds: float = STALL_SECONDS,
    ) -> None:
        clock = MonotonicClock()
        self.tls_url: str | None = None
        """Where TLS is spoken before it, once that is so."""
        self._line = line
        self.stage = Stage(reel, pace, clock=clock, notice=notice, hold=hold, stall_seconds=stall_seconds, line=line)
        self._exchange = exchange(self.stage)
        self.stage.takes_orders = self._exchange.orders is not None
        if self._exchange.rest is not None:
            self.stage.on_rewind = self._exchange.rest.restart
        shower = Shower(about, self.stage, self._counts, clock=clock, tick_to_order=self._exchange.tick_to_order)
        self._control = Control(shower, self.stage)
        self._made = threading.Event()
        house = House(rules=rules, desk=self._exchange.desk, answer=self._answer, expired=self._exchange.expired)
        self.server = Server(host, port, house=house, stall_seconds=stall_seconds, on_change=self.stage.on_change)
        if line is not None:
            line.attach(self.server)
        self._thread = threading.Thread(target=self._play, name="replay-stage", daemon=True)
        self._thread.start()
        self._made.set()

    @property
    def url(self) -> str:
        """Of the root; streams and the account hang below it."""
        return f"ws://{_authority(self.server.host, self.server.port)}"

    def close(self) -> None:
        """Cut all clients off and stop listening."""
        self.stage.close()
        self.server.abort()  # whatever the sending thread waits for does not come any more
        self._thread.join()
        self.server.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _play(self) -> None:
        try:
            self.stage.run()
        except Exception as error:
            # Without the thread that sends, clients would be answered and never sent anything.
            self.server.broken = f"the thread that sends ended with {type(error).__name__}: {error}"
            self.server.abort()
            raise

    def _answer(self, request: HttpRequest, now_ns: int) -> HttpAnswer:
        self._made.wait()  # the server takes clients before it is known here
        found = self._control.answer(request, now_ns)
        if found is None and self._exchange.rest is not None:
            found = self._exchange.rest.answer(request, now_ns)
        return found or refused(404, -1000, "Not found.")

    def _counts(self) -> Counts:
        return Counts(
            url=self.url,
            tls_url=self.tls_url,
            open_connections=len(self.server.connections),
            accepted_connections=self.server.accepted,
            refused_connections=self.server.refused,
            faults_happened=self._line.happened if self._line is not None else 0,
            orders=len(self._exchange.orders) if self._exchange.orders is not None else None,
        )


def _authority(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
