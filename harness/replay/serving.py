"""One serve from the first client to the last answer: wait, settle, play, close."""

from __future__ import annotations

import contextlib
import gc
import time
from typing import TYPE_CHECKING, Final

from harness.clock import MonotonicClock
from harness.replay.errors import ReplayFailed
from harness.replay.player import Played, Player

if TYPE_CHECKING:
    import threading
    from collections.abc import Iterator

    from harness.replay.connection import Connection
    from harness.replay.frames import Strips
    from harness.replay.line import Line
    from harness.replay.pacing import Pace
    from harness.replay.server import Server

#: From the last client's subscription to the first frame: its answer arrives, and the client comes to rest.
SETTLE_SECONDS: Final = 0.1
#: A slow client may still have tens of megabytes in the system's buffers when the last frame was sent.
READ_OUT_SECONDS: Final = 600.0


def serve_once(
    server: Server,
    strips: Strips,
    pace: Pace,
    *,
    connections: int,
    wait_seconds: float,
    given_up: threading.Event,
    settle_seconds: float = SETTLE_SECONDS,
    line: Line | None = None,
) -> Played:
    """What was played to `connections` clients, all of which have read it to its end; all are dropped afterwards.

    What `line` does on purpose happens in between; clients that it cuts are waited for as at the start.

    Raises ReplayFailed when they do not come, one closes early or stops reading, or `given_up` is set meanwhile.
    """
    present: list[Connection] | None = None
    try:
        clients = _clients(server, connections, wait_seconds, given_up)
        given_up.wait(settle_seconds)
        player = Player(
            clients,
            strips,
            pace,
            clock=MonotonicClock(),
            attention=server.attention,
            line=line,
            given_up=given_up,
            back_seconds=wait_seconds,
        )
        with _no_collection():
            played = player.play()
        present = server.connections  # whoever comes from now on comes for the next serve
        for connection in present:
            connection.close(1000)
        _wait_read(player)
    except ReplayFailed as failed:
        _check_not_given_up(given_up, failed.after_frames)
        raise
    finally:
        server.drop(*(server.connections if present is None else present))
        server.drop_half_open()
    _check_not_given_up(given_up, played.market_frames)
    return played


def _clients(server: Server, count: int, seconds: float, given_up: threading.Event) -> list[Connection]:
    clients = server.wait_subscribed(count, seconds, given_up)
    if len(clients) < count and server.lost:
        raise ReplayFailed(f"a client {server.lost} before the start", after_frames=0)
    if len(clients) < count:
        raise ReplayFailed(f"{len(clients)} of {count} clients had subscribed after {seconds:g} s")
    return clients


def _wait_read(player: Player) -> None:
    """Return once all have answered the close frame: a client that does has read everything before it."""
    until = time.monotonic() + READ_OUT_SECONDS
    for client in player.connections:
        if not client.wait_gone(max(0.0, until - time.monotonic())) or not client.answered:
            raise ReplayFailed(
                "a client did not answer the close frame after the last data frame",
                after_frames=player.market_frames,
            )


def _check_not_given_up(given_up: threading.Event, after_frames: int | None = None) -> None:
    if given_up.is_set():
        raise ReplayFailed("the serve was cancelled", after_frames=after_frames)


@contextlib.contextmanager
def _no_collection() -> Iterator[None]:
    # A collection would visit each of the recording's frames in the middle of the schedule.
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
