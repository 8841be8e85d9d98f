"""A replay that stays: each client that connects gets the recording from its start, until somebody ends it."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Self

from harness.clock import MonotonicClock
from harness.replay.errors import ReplayFailed
from harness.replay.player import Pace, Player
from harness.replay.server import PING_SECONDS, STALL_SECONDS, Server

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from harness.replay.connection import Connection
    from harness.replay.frames import Strips

#: For the client's answer to our close frame.
_CLOSE_SECONDS = 10.0


class Standing:
    """Serves from the moment it is made until `close`; a context manager.

    `notice` is told in words, from several threads, what clients do. Raises PortTaken, and ConfigError for a host that
    is not loopback.
    """

    def __init__(
        self,
        strips: Strips,
        pace: Pace,
        *,
        host: str,
        port: int,
        notice: Callable[[str], None],
        ping_seconds: float = PING_SECONDS,
        stall_seconds: float = STALL_SECONDS,
    ) -> None:
        self._strips = strips
        self._pace = pace
        self._notice = notice
        self._playing: dict[Connection, threading.Event] = {}
        self._lock = threading.Lock()
        self._server = Server(
            host, port, ping_seconds=ping_seconds, stall_seconds=stall_seconds, on_change=self._on_change
        )

    @property
    def url(self) -> str:
        """Of the root; streams and the account hang below it."""
        host = f"[{self._server.host}]" if ":" in self._server.host else self._server.host
        return f"ws://{host}:{self._server.port}"

    def close(self) -> None:
        """Cut all clients off and stop listening."""
        self._server.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _on_change(self, connection: Connection) -> None:
        with self._lock:
            attention = self._playing.get(connection)
            starts = attention is None and not connection.selection.empty and not connection.gone
            if starts:
                attention = self._playing[connection] = threading.Event()
        if attention is None:
            return
        attention.set()
        if starts:
            threading.Thread(target=self._play, args=(connection, attention), name="replay-player", daemon=True).start()

    def _play(self, connection: Connection, attention: threading.Event) -> None:
        what = "account events" if connection.selection.account else f"{len(connection.selection.streams)} streams"
        self._notice(f"a client subscribed to {what}")
        try:
            player = Player([connection], self._strips, self._pace, clock=MonotonicClock(), attention=attention)
            played = player.play()
            connection.close(1000)
            connection.wait_gone(_CLOSE_SECONDS)
            self._notice(f"a client got all of it: {played.market_frames + played.user_frames:,} frames")
        except ReplayFailed as failed:
            self._notice(str(failed))
        finally:
            self._server.drop(connection)
            with self._lock:
                del self._playing[connection]
