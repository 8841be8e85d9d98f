"""Faults on the line over real sockets: in a measured serve, and in a replay that goes on."""

from __future__ import annotations

import json
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from threading import Event
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from websockets.exceptions import ConnectionClosed, InvalidMessage, InvalidStatus
from websockets.sync.client import connect

from harness.replay.conversation import House
from harness.replay.faults.plan import FaultPlan
from harness.replay.faults.prepared import prepared
from harness.replay.faults.resolution import resolve
from harness.replay.frames import Strips
from harness.replay.line import Line
from harness.replay.pacing import Pace
from harness.replay.protocol.rules import SPOT
from harness.replay.serving import serve_once

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from websockets.sync.client import ClientConnection

    from harness.replay.faults.fault import Faults
    from harness.replay.server import Server
    from harness.replay.standing import Standing
    from harness.replay.tape import Tape

COUNT = 120


class Port:
    """A replay of one of the two ways; `url` is where its client goes."""

    def __init__(self, url: str) -> None:
        self.url = url

    def dial(self) -> ClientConnection:
        client: ClientConnection = connect(
            f"{self.url}/stream?streams=btcusdt@trade/ethusdt@bookTicker/bnbusdt@depth@100ms",
            proxy=None,
            compression=None,
            max_size=None,
            ping_interval=None,
            close_timeout=0.2,
        )
        return client


def faults_of(tape: Tape, *rules: dict[str, Any]) -> Faults:
    return resolve(msgspec.convert({"seed": 1, "fault": rules}, FaultPlan), tape)


@pytest.fixture(params=["measured", "standing"])
def begin(
    request: pytest.FixtureRequest, stand: Callable[..., Standing], make_server: Callable[..., Server]
) -> Iterator[Callable[..., Port]]:
    """Begins a replay of a tape with faults, in one of the two ways."""
    pool = ThreadPoolExecutor(1)
    given_up = Event()
    rules = replace(SPOT, messages_per_second=100)

    def start(tape: Tape, *faults: dict[str, Any], pace: Pace = Pace(speed=10.0)) -> Port:  # noqa: B008 - frozen
        found = prepared(tape, faults_of(tape, *faults))
        line = Line(found.line)
        if request.param == "standing":
            standing = stand(found.tape, pace, line=line, rules=rules)
            return Port(standing.url)
        server = make_server(house=House(rules=rules), stall_seconds=5.0)
        line.attach(server)
        options = {"connections": 1, "wait_seconds": 20.0, "given_up": given_up, "settle_seconds": 0.0, "line": line}
        pool.submit(serve_once, server, Strips(found.tape), pace, **options)  # type: ignore[arg-type]
        return Port(f"ws://127.0.0.1:{server.port}")

    yield start
    given_up.set()
    pool.shutdown(cancel_futures=True)


def numbers(client: ClientConnection) -> tuple[list[int], str]:
    """Frame numbers up to the end of a connection, and how it ended."""
    seen = []
    try:
        while True:
            seen.append(json.loads(client.recv(timeout=20))["data"]["n"])
    except ConnectionClosed as closed:
        return seen, str(closed.rcvd.code if closed.rcvd else "broken")


@pytest.mark.parametrize("pace", [Pace(), Pace(speed=10.0)], ids=["flood", "paced"])
@pytest.mark.parametrize(("how", "end"), [("clean", "1000"), ("reset", "broken"), ("mid_frame", "broken")])
def test_a_client_that_is_cut_and_comes_back_misses_nothing(
    begin: Callable[..., Port], tape: Tape, how: str, end: str, pace: Pace
) -> None:
    port = begin(tape, {"kind": "cut", "how": how, "at": [40, 41, 90]}, pace=pace)
    seen = []
    for first, last, ending in ((0, 40, end), (40, 41, end), (41, 90, end), (90, COUNT, "1000")):
        with port.dial() as client:
            assert numbers(client) == (list(range(first, last)), ending)
        seen.append(last)
    assert seen == [40, 41, 90, COUNT]


def test_frames_may_be_lost_by_a_cut(begin: Callable[..., Port], tape: Tape) -> None:
    port = begin(tape, {"kind": "cut", "at": 40, "skip": 15})
    with port.dial() as client:
        assert numbers(client)[0] == list(range(40))
    with port.dial() as client:
        assert numbers(client) == (list(range(55, COUNT)), "1000")


def test_a_half_open_connection_is_silent_and_its_successor_goes_on(begin: Callable[..., Port], tape: Tape) -> None:
    port = begin(tape, {"kind": "cut", "how": "half_open", "at": 40})
    with suppress(TimeoutError), port.dial() as dead:
        assert [json.loads(dead.recv(timeout=20))["data"]["n"] for _ in range(40)] == list(range(40))
        time.sleep(0.1)  # the last frame may be here before the connection is dead
        assert not dead.ping().wait(0.3)
        with pytest.raises(TimeoutError):
            dead.recv(timeout=0.1)
        with port.dial() as client:
            assert numbers(client) == (list(range(40, COUNT)), "1000")


def test_time_goes_on_after_a_live_cut(begin: Callable[..., Port], make_tape: Callable[..., Tape]) -> None:
    port = begin(make_tape(300, 10_000_000), {"kind": "cut", "at": 100, "resume": "live"}, pace=Pace(speed=4.0))
    with port.dial() as client:
        assert numbers(client)[0] == list(range(100))
    time.sleep(0.2)
    with port.dial() as client:
        later, _ = numbers(client)
    assert later[0] > 100
    assert later == list(range(later[0], 300))


@pytest.mark.parametrize("code", [1011, 4000, 1005])
def test_any_code_may_be_closed_with(begin: Callable[..., Port], tape: Tape, code: int) -> None:
    port = begin(tape, {"kind": "close_code", "at": 40, "code": code, "reason": "so it is"})
    with port.dial() as client:
        seen, end = numbers(client)
    assert seen == list(range(40))
    assert end == (str(code) if code != 1005 else "broken")
    with port.dial() as client:
        assert numbers(client) == (list(range(40, COUNT)), "1000")


def test_silence_and_trickle_hold_frames_up_and_lose_none(begin: Callable[..., Port], tape: Tape) -> None:
    slow = {"kind": "trickle", "at": 60, "frames": 5, "bytes_per_second": 20_000}
    port = begin(tape, {"kind": "silence", "at": 40, "seconds": 0.3}, slow)
    times: list[float] = []
    with port.dial() as client, suppress(ConnectionClosed):
        while True:
            assert json.loads(client.recv(timeout=20))["data"]["n"] == len(times)
            times.append(time.monotonic())
    assert len(times) == COUNT
    assert times[40] - times[39] > 0.25
    assert times[64] - times[59] > 0.03  # five frames of 250 bytes


def test_a_flood_of_pings_is_answered_and_not_held_against_the_client(begin: Callable[..., Port], tape: Tape) -> None:
    port = begin(tape, {"kind": "ping_flood", "at": 40, "pings": 500})
    with port.dial() as client:
        assert numbers(client) == (list(range(COUNT)), "1000")


def test_attempts_are_refused_from_the_start_and_after_a_cut(begin: Callable[..., Port], tape: Tape) -> None:
    port = begin(
        tape,
        {"kind": "refuse", "at": 0, "times": 1, "how": "http", "status": 429},
        {"kind": "refuse", "at": 40, "times": 2},
        {"kind": "cut", "at": 40},
    )
    with pytest.raises(InvalidStatus) as caught:
        port.dial()
    assert caught.value.response.status_code == 429
    with port.dial() as client:
        assert numbers(client)[0] == list(range(40))
    for _ in range(2):
        with pytest.raises((ConnectionResetError, EOFError, InvalidMessage, ConnectionClosed)):
            port.dial()
    with port.dial() as client:
        assert numbers(client) == (list(range(40, COUNT)), "1000")


def test_a_slow_client_keeps_nobody_waiting(make_tape: Callable[..., Tape], stand: Callable[..., Standing]) -> None:
    """One that reads nothing lags alone."""
    standing = stand(make_tape(1_500, 100_000), Pace(speed=1.0), hold=True)
    port = Port(standing.url)
    with socket.create_connection(("127.0.0.1", standing.server.port)) as deaf, port.dial() as client:
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2_048)
        deaf.sendall(
            b"GET /stream?streams=btcusdt@trade/ethusdt@bookTicker/bnbusdt@depth@100ms HTTP/1.1\r\n"
            b"Host: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n"
        )
        until = time.monotonic() + 20
        while len(standing.stage.listings()) < 2 and time.monotonic() < until:
            time.sleep(0.01)
        standing.stage.start()
        assert [json.loads(client.recv(timeout=20))["data"]["n"] for _ in range(1_500)] == list(range(1_500))
