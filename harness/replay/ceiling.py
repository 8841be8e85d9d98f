"""How fast the replay can be drained: the server of the trials against clients that do nothing else.

The first client only counts bytes, and its first, untimed pass checks that they are the frames of the recording; the
second walks from header to header in a Python loop. A stack under test must stay far below both.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from harness import spawn
from harness.replay.drain import Drained, Kind, Order
from harness.replay.errors import ReplayFailed
from harness.replay.pacing import Pace
from harness.replay.protocol.selection import Selection, Wrapping
from harness.replay.serving import serve_once
from harness.units import NS_PER_S

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from harness.replay.frames import Strips
    from harness.replay.server import Server

_WAIT_SECONDS = 30.0


class Rates(NamedTuple):
    """Frames per second, one per repeat, from the first send to the last byte read."""

    counting: tuple[float, ...]
    parsing: tuple[float, ...]
    frames: int
    wire_bytes: int


def measure(
    server: Server,
    strips: Strips,
    *,
    repeats: int,
    frames: int | None = None,
    cores: Sequence[int] = (),
    given_up: threading.Event | None = None,
) -> Rates:
    """Flood all market streams into one draining client, `repeats` times for each kind.

    Raises ReplayFailed when a client breaks, or did not receive exactly the recording's frames. Must be called from
    the main thread (it starts a process).
    """
    bench = _Bench(server, strips, frames, given_up or threading.Event())
    return Rates(
        counting=bench.run("counting", repeats, cores),
        parsing=bench.run("parsing", repeats, cores),
        frames=len(bench.strip),
        wire_bytes=len(bench.strip.blob),
    )


class _Bench:
    def __init__(self, server: Server, strips: Strips, frames: int | None, given_up: threading.Event) -> None:
        self._server = server
        self._strips = strips
        self._pace = Pace(speed=None, market_frames=frames)
        self._given_up = given_up
        self._names = strips.tape.names
        self.strip = strips.get(
            Selection(wrapping=Wrapping.COMBINED, streams=frozenset(self._names)), self._pace.market_frames
        )
        self._sha256 = hashlib.sha256(self.strip.blob).hexdigest()

    def run(self, kind: Kind, repeats: int, cores: Sequence[int]) -> tuple[float, ...]:
        order = Order(
            host=self._server.host, port=self._server.port, streams=self._names, passes=("checking", *[kind] * repeats)
        )
        with draining(order, cores or _other_cores()) as child:
            self._pass(child)
            return tuple(self._pass(child) for _ in range(repeats))

    def _pass(self, child: subprocess.Popen[bytes]) -> float:
        played = serve_once(
            self._server,
            self._strips,
            self._pace,
            connections=1,
            wait_seconds=_WAIT_SECONDS,
            given_up=self._given_up,
            settle_seconds=0.02,
        )
        line = child.stdout.readline() if child.stdout else b""
        if not line:
            raise ReplayFailed("the draining client died")
        drained = msgspec.json.decode(line, type=Drained)
        self._check(drained)
        return round(played.market_frames * NS_PER_S / (drained.ended_ns - played.started_ns), 1)

    def _check(self, drained: Drained) -> None:
        expected = (len(self.strip.blob), len(self.strip), self._sha256)
        got = (drained.bytes, drained.frames, drained.sha256)
        for wanted, found in zip(expected, got, strict=True):
            if found is not None and found != wanted:
                raise ReplayFailed(f"the draining client received {found}, not {wanted}")


@contextlib.contextmanager
def draining(order: Order, cores: Sequence[int]) -> Iterator[subprocess.Popen[bytes]]:
    """A client that carries out the order, in a process of its own; from the main thread only."""
    child = spawn.spawn(
        [sys.executable, "-m", "harness.replay.drain"],
        cores=cores,
        env=spawn.python_environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    try:
        if child.stdin is not None:
            child.stdin.write(msgspec.json.encode(order))
            child.stdin.close()
        yield child
    finally:
        spawn.stop(child)
        if child.stdout is not None:
            child.stdout.close()


def _other_cores() -> tuple[int, ...]:
    """The machine's cores beside our own; empty where that leaves none."""
    own = set(spawn.available_cores())
    return tuple(sorted(set(range(os.cpu_count() or 1)) - own)) if own else ()
