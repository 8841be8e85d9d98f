"""A market that goes on where it was: frames at a steady pace over real WebSockets, each sent once, whoever listens.

The time of a replay goes on when its client dies; this one waits for the next life.
"""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Self

from websockets.exceptions import ConnectionClosed
from websockets.sync.server import ServerConnection, serve

if TYPE_CHECKING:
    from collections.abc import Sequence

_BURST = 20


class Feed:
    """Serves on loopback from the moment it is entered; the last connection is closed in order after the last frame."""

    def __init__(self, frames: Sequence[bytes], *, rate: float) -> None:
        self._texts = [frame.decode() for frame in frames]
        self._pause_s = _BURST / rate
        self._lock = threading.Lock()
        self.sent = 0

    def __enter__(self) -> Self:
        self._server = serve(self._serve, "127.0.0.1", 0, compression=None, ping_interval=None)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()
        self.url = f"ws://127.0.0.1:{self._server.socket.getsockname()[1]}/stream?streams=all"
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join(10.0)

    @property
    def over(self) -> bool:
        return self.sent >= len(self._texts)

    def _serve(self, connection: ServerConnection) -> None:
        with self._lock, suppress(ConnectionClosed):  # one at a time: a market has one order of frames
            while not self.over:
                connection.send(self._texts[self.sent])
                self.sent += 1
                if self.sent % _BURST == 0:
                    time.sleep(self._pause_s)
