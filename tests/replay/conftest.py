"""Small tapes, and servers that end with their test."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from threading import Event
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, settings

from harness.recordings.format import Frame, Header, Writer
from harness.replay.conversation import House
from harness.replay.frames import Strips
from harness.replay.pacing import Pace
from harness.replay.protocol.rules import SPOT
from harness.replay.reel import Reel
from harness.replay.server import Server
from harness.replay.serving import serve_once
from harness.replay.side.showing import About
from harness.replay.standing import Standing
from harness.replay.tape import Tape, tape_of
from harness.units import Nanoseconds

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from concurrent.futures import Future
    from pathlib import Path

    from harness.replay.player import Played

# Other work shares the machine: how long an example takes says nothing.
settings.register_profile("replay", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("replay")

#: Tests ask more in a second than the exchange allows.
GENEROUS = replace(SPOT, messages_per_second=100_000)

STREAMS = ("btcusdt@trade", "ethusdt@bookTicker", "bnbusdt@depth@100ms")


def frames_of(count: int, step_ns: int = 1_000_000) -> list[Frame]:
    """Market frames of three streams and of all header sizes, with an account frame after every fifth."""
    made = []
    for number in range(count):
        at = Nanoseconds(number * step_ns)
        stream = STREAMS[number % 3]
        padding = "x" * (70_000 if number == 7 else number * 3)
        body = f'{{"stream":"{stream}","data":{{"n":{number},"note":"{padding}\u00e9"}}}}'
        made.append(Frame(at, "market", body.encode()))
        if number % 5 == 4:
            made.append(Frame(at, "user", f'{{"subscriptionId":0,"event":{{"e":"x","n":{number}}}}}'.encode()))
        if number % 50 == 0:
            made.append(Frame(at, "rest:/api/v3/depth", b"{}"))
    return made


@pytest.fixture
def frames() -> list[Frame]:
    return frames_of(120)


@pytest.fixture
def tape(frames: list[Frame]) -> Tape:
    return tape_of(frames)


@pytest.fixture
def make_tape() -> Callable[..., Tape]:
    return lambda count, step_ns=1_000_000: tape_of(frames_of(count, step_ns))


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server(house=House(rules=GENEROUS), stall_seconds=5.0)
    yield made
    made.close()


@pytest.fixture
def make_server() -> Iterator[Callable[..., Server]]:
    made: list[Server] = []

    def make(**options: Any) -> Server:
        made.append(Server(**options))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture
def stand() -> Iterator[Callable[..., Standing]]:
    """Makes replays that go on, until the test ends."""
    made: list[Standing] = []
    about = About(recording="made", title="Made", market="spot", source="generated", sha256="0" * 64, pace="any")

    def make(tape: Tape, pace: Pace, **options: Any) -> Standing:
        settled: dict[str, Any] = {"about": about, "host": "127.0.0.1", "port": 0, "notice": lambda _: None, **options}
        made.append(Standing(Reel(tape), pace, **settled))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture
def given_up() -> Event:
    return Event()


@pytest.fixture
def serve(given_up: Event) -> Iterator[Callable[..., Future[Played]]]:
    """Begins a serve in a thread of its own; the future holds what was played, or the error."""
    pool = ThreadPoolExecutor(4)

    def begin(
        server: Server, tape: Tape, *, speed: float | None = None, frames: int | None = None, connections: int = 1
    ) -> Future[Played]:
        return pool.submit(
            serve_once,
            server,
            Strips(tape),
            Pace(speed=speed, market_frames=frames),
            connections=connections,
            wait_seconds=20.0,
            given_up=given_up,
            settle_seconds=0.0,
        )

    yield begin
    given_up.set()
    pool.shutdown(wait=True, cancel_futures=True)


@pytest.fixture
def make_recording(tmp_path: Path) -> Callable[..., Path]:
    """Writes a recording of so many market frames."""

    def make(count: int = 120, step_ns: int = 1_000_000) -> Path:
        path = tmp_path / f"made-{count}.jsonl"
        header = Header(
            market="spot", streams=STREAMS, start_ms=1_700_000_000_000, source="generated", title="a test's own"
        )
        with Writer(path, header) as writer:
            for frame in frames_of(count, step_ns):
                writer.write(frame)
        return path

    return make
