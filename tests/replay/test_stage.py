"""A replay that goes on, moved about while its clients lag, leave and come."""

from __future__ import annotations

import json
import socket
import time
from contextlib import ExitStack
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any

import httpx
import msgspec
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from harness.recordings.format import Recording, load
from harness.recordings.generate import find_profile, generate
from harness.replay.faults.plan import FaultPlan
from harness.replay.faults.prepared import prepared
from harness.replay.faults.resolution import resolve
from harness.replay.line import Line
from harness.replay.opening import Choices, Opened
from harness.replay.pacing import Pace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from websockets.sync.client import ClientConnection

    from harness.replay.standing import Standing
    from harness.replay.tape import Tape

ALL = "/stream?streams=btcusdt@trade/ethusdt@bookTicker/bnbusdt@depth@100ms"


def dial(url: str, path: str = ALL, **options: Any) -> ClientConnection:
    client: ClientConnection = connect(
        f"{url}{path}", proxy=None, compression=None, max_size=None, close_timeout=0.2, **options
    )
    return client


def until(reached: Callable[[], bool]) -> None:
    end = time.monotonic() + 20
    while not reached():
        assert time.monotonic() < end
        time.sleep(0.002)


@pytest.fixture
def faulty(stand: Callable[..., Standing]) -> Callable[..., Standing]:
    """A replay with faults."""

    def make(tape: Tape, pace: Pace, *rules: dict[str, Any], **options: Any) -> Standing:
        plan = msgspec.convert({"seed": 1, "fault": list(rules)}, FaultPlan)
        made = prepared(tape, resolve(plan, tape))
        return stand(made.tape, pace, line=Line(made.line), **options)

    return make


def numbers(client: ClientConnection, count: int) -> list[int]:
    return [json.loads(client.recv(timeout=20))["data"]["n"] for _ in range(count)]


def test_a_seek_out_of_a_trickle_ends_it(faulty: Callable[..., Standing], make_tape: Callable[..., Tape]) -> None:
    tape = make_tape(120)
    trickle = {"kind": "trickle", "at": 11, "bytes_per_second": 2_000, "frames": 60}
    standing = faulty(tape, Pace(speed=50.0), trickle)
    with dial(standing.url) as client:
        assert numbers(client, 11) == list(range(11))
        standing.stage.seek(frame=101)
        seen = [json.loads(text)["data"]["n"] for text in client]
    assert seen[-20:] == list(range(100, 120))


def test_a_stop_within_what_a_cut_skips_is_a_stop_behind_it(
    faulty: Callable[..., Standing], make_tape: Callable[..., Tape]
) -> None:
    cut = {"kind": "cut", "how": "clean", "at": 30, "skip": 40}
    standing = faulty(make_tape(120), Pace(speed=50.0), cut, hold=True)
    stage = standing.stage
    with dial(standing.url) as client:
        stage.start(until_frame=50)
        assert len(list(client)) == 30
    with dial(standing.url) as client:
        until(lambda: stage.status().state == "paused")
        stage.start()
        assert [json.loads(text)["data"]["n"] for text in client] == list(range(70, 120))


def test_a_cut_of_market_and_account_waits_for_both_and_goes_on(
    faulty: Callable[..., Standing], make_tape: Callable[..., Tape]
) -> None:
    standing = faulty(
        make_tape(120), Pace(speed=50.0), {"kind": "cut", "how": "clean", "at": 30, "on": "all"}, hold=True
    )
    market = account = 0
    for turn in range(2):
        with dial(standing.url) as one, dial(standing.url, "/ws/anyKey".ljust(64, "0")) as other:
            if not turn:
                until(lambda: standing.stage.status().connections == 2)
                standing.stage.start()
            market += len(list(one))
            account += len(list(other))
    assert (market, account) == (120, 24)


def test_whoever_reads_nothing_is_cut_off_and_the_rest_is_served(
    stand: Callable[..., Standing], make_tape: Callable[..., Tape]
) -> None:
    tape = make_tape(5_000)
    told: SimpleQueue[str] = SimpleQueue()
    standing = stand(tape, Pace(), stall_seconds=0.3, notice=told.put)
    with socket.socket() as lazy:
        lazy.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        lazy.connect(("127.0.0.1", standing.server.port))
        handshake = "Host: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13"
        key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="
        lazy.sendall(f"GET {ALL} HTTP/1.1\r\n{handshake}\r\n{key}\r\n\r\n".encode())
        with dial(standing.url) as client:
            assert numbers(client, 5_000) == list(range(5_000))
        while "read nothing for 0.3 s" not in told.get(timeout=20):
            pass
        while lazy.recv(1 << 20):  # what was on its way, and then the end
            pass


def test_time_goes_on_when_all_leave(stand: Callable[..., Standing], make_tape: Callable[..., Tape]) -> None:
    standing = stand(make_tape(2_000), Pace(rate=2_000.0))
    with dial(standing.url) as client:
        assert numbers(client, 10) == list(range(10))
    place = standing.stage.status().place
    until(lambda: standing.stage.status().place > place + 100)
    with dial(standing.url) as client:
        assert numbers(client, 1)[0] >= 90
    until(lambda: standing.stage.status().state == "waiting")
    with dial(standing.url) as client:
        assert numbers(client, 3) == [0, 1, 2]


def test_whoever_comes_to_a_paused_replay_gets_what_follows(
    stand: Callable[..., Standing], make_tape: Callable[..., Tape]
) -> None:
    standing = stand(make_tape(120), Pace(speed=50.0), hold=True)
    stage = standing.stage
    with ExitStack() as clients:
        first = clients.enter_context(dial(standing.url))
        stage.start(until_frame=40)
        assert numbers(first, 40) == list(range(40))
        until(lambda: stage.status().state == "paused")
        second = clients.enter_context(dial(standing.url))
        until(lambda: stage.status().connections == 2)
        stage.start(until_frame=60)
        assert numbers(second, 20) == numbers(first, 20) == list(range(40, 60))
        stage.seek(frame=1)
        stage.start()
        assert [json.loads(text)["data"]["n"] for text in second] == list(range(120))


def read_on(client: ClientConnection) -> None:
    while True:
        client.recv(timeout=20)


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Recording:
    target = tmp_path_factory.mktemp("spot") / "short.jsonl"
    generate(msgspec.structs.replace(find_profile("spot-30-symbols"), name="short", duration_ms=1_500), target)
    return load(target)


@pytest.fixture
def looping(recording: Recording) -> Iterator[Callable[..., Opened]]:
    made: list[Opened] = []

    def make(pace: Pace) -> Opened:
        made.append(Opened(recording, Choices(pace=pace, loop=True), lambda _: None))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.mark.parametrize("pace", [Pace(), Pace(rate=20_000.0)])
def test_over_turns_ids_follow_and_times_never_run_back(looping: Callable[..., Opened], pace: Pace) -> None:
    opened = looping(pace)
    ids: dict[str, int] = {}
    times: dict[str, int] = {}
    with dial(opened.url, "/stream?streams=" + "/".join(opened.tape.names)) as client:
        for _ in range(3 * len(opened.tape) + 10):
            told = json.loads(client.recv(timeout=20))
            stream, data = told["stream"], told["data"]
            assert data.get("E", 0) >= times.get(stream, 0)
            times[stream] = data.get("E", 0)
            if data.get("e") == "depthUpdate":
                assert data["U"] == ids.get(stream, data["U"] - 1) + 1
                ids[stream] = data["u"]
        assert ids


def test_in_a_flood_no_turn_is_played_to_nobody(looping: Callable[..., Opened]) -> None:
    opened = looping(Pace())
    stage = opened.standing.stage
    with dial(opened.url, f"/ws/{opened.tape.names[0]}") as client:
        client.recv(timeout=20)
    until(lambda: stage.status().state == "waiting")
    assert stage.status().turn == 0


def test_a_replay_ends_at_once_whatever_its_clients_do(recording: Recording) -> None:
    opened = Opened(recording, Choices(pace=Pace(), loop=True), lambda _: None)
    with dial(opened.url, "/stream?streams=" + "/".join(opened.tape.names), max_queue=1) as client:
        client.recv(timeout=20)
        opened.close()
        with pytest.raises(ConnectionClosed):
            read_on(client)


def test_a_turn_with_faults_may_be_longer_than_those_that_follow(recording: Recording, tmp_path: Path) -> None:
    plan = msgspec.convert({"seed": 1, "fault": [{"kind": "duplicate", "at": 5, "times": 50}]}, FaultPlan)
    choices = Choices(pace=Pace(rate=5_000.0), loop=True, faults=plan, orders=tmp_path / "orders.jsonl")
    with Opened(recording, choices, lambda _: None) as opened, dial(opened.url, "/ws-api/v3") as api:
        stage = opened.standing.stage
        with dial(opened.url, "/stream?streams=" + "/".join(opened.tape.names)) as client:
            client.recv(timeout=20)
            for number in range(40):
                order = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "IOC", "quantity": "1",
                         "price": "100", "newClientOrderId": f"1-{number + 1}-B"}  # fmt: skip
                api.send(json.dumps({"id": number, "method": "order.place", "params": order}))
                assert json.loads(api.recv(timeout=20))["id"] == number
                if not number % 10:
                    stage.status()
                stage.listings()
            until(lambda: stage.status().turn >= 2)


def test_a_snapshot_of_a_later_turn_fits_the_stream_of_that_turn(looping: Callable[..., Opened]) -> None:
    opened = looping(Pace(rate=2_000.0))
    name = next(one for one in opened.tape.names if "@depth@" in one)
    url = f"{opened.url.replace('ws', 'http', 1)}/api/v3/depth"
    for turn in (1, 2, 3):
        with dial(opened.url, f"/ws/{name}", max_queue=None) as client:
            until(lambda: opened.standing.stage.status().turn >= turn)  # noqa: B023 - used at once
            snapshot = httpx.get(url, params={"symbol": name.partition("@")[0].upper()}, trust_env=False).json()
            told = json.loads(client.recv(timeout=20))
            while told["u"] <= snapshot["lastUpdateId"]:
                told = json.loads(client.recv(timeout=20))
            assert told["U"] <= snapshot["lastUpdateId"] + 1
