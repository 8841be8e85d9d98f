"""Over a real loopback, with the library's own clients."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import websockets
from websockets.exceptions import ConnectionClosedError, ConnectionClosedOK
from websockets.sync.client import connect

from harness.replay.conversation import House
from harness.replay.errors import ReplayFailed
from harness.replay.protocol.rules import SPOT
from harness.replay.tape import tape_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future
    from threading import Event

    from websockets.sync.client import ClientConnection

    from harness.recordings.format import Frame
    from harness.replay.player import Played
    from harness.replay.server import Server
    from harness.replay.tape import Tape

    Serve = Callable[..., Future[Played]]

SUBSCRIBE_ACCOUNT = '{"id":1,"method":"userDataStream.subscribe"}'


def dial(server: Server, path: str, **options: Any) -> ClientConnection:
    client: ClientConnection = connect(
        f"ws://127.0.0.1:{server.port}{path}",
        compression=None,
        ping_interval=None,
        proxy=None,
        max_size=None,
        **options,
    )
    return client


def market(server: Server, tape: Tape, **options: Any) -> ClientConnection:
    return dial(server, "/stream?streams=" + "/".join(tape.names), **options)


def rest_of(client: ClientConnection) -> list[bytes]:
    """All frames to the close frame, which must say 1000."""
    bodies = []
    with contextlib.suppress(ConnectionClosedOK):
        while True:
            bodies.append(client.recv(timeout=20, decode=False))
    assert client.close_code == 1000
    return bodies


def market_bodies(tape: Tape) -> list[bytes]:
    return [body for body in tape.bodies if body.startswith(b'{"stream"')]


@pytest.mark.parametrize("speed", [None, 10.0], ids=["flood", "paced"])
def test_every_frame_arrives_in_order_byte_for_byte(
    server: Server, tape: Tape, serve: Serve, speed: float | None
) -> None:
    served = serve(server, tape, speed=speed)
    with market(server, tape) as client:
        assert rest_of(client) == market_bodies(tape)
    played = served.result(20)
    assert (played.market_frames, played.user_frames) == (120, 0)
    assert played.started_ns < played.ended_ns
    assert server.connections == []


@pytest.mark.parametrize("speed", [None, 10.0], ids=["flood", "paced"])
async def test_an_asyncio_client_receives_the_same(
    server: Server, tape: Tape, serve: Serve, speed: float | None
) -> None:
    served = serve(server, tape, speed=speed)
    url = f"ws://127.0.0.1:{server.port}/stream?streams={'/'.join(tape.names)}"
    async with websockets.connect(url, compression=None, ping_interval=None, proxy=None) as client:
        assert [message.encode() async for message in client if isinstance(message, str)] == market_bodies(tape)
    assert (await asyncio.wrap_future(served)).market_frames == 120


@pytest.mark.parametrize("speed", [None, 10.0], ids=["flood", "paced"])
def test_market_and_account_come_on_connections_of_their_own(
    server: Server, tape: Tape, serve: Serve, speed: float | None
) -> None:
    served = serve(server, tape, speed=speed, connections=2)
    with market(server, tape) as client, dial(server, "/ws-api/v3") as account:
        account.send(SUBSCRIBE_ACCOUNT)
        assert json.loads(account.recv(timeout=20))["result"] == {"subscriptionId": 0}
        assert rest_of(client) == market_bodies(tape)
        assert rest_of(account) == [body for body in tape.bodies if b"subscriptionId" in body]
    played = served.result(20)
    assert (played.market_frames, played.user_frames) == (120, 24)
    assert len(played.logs) == (1 if speed else 0)


def test_a_subset_receives_only_its_streams(server: Server, tape: Tape, serve: Serve) -> None:
    served = serve(server, tape)
    with dial(server, "/stream?streams=ethusdt@bookTicker/nosuch@trade") as client:
        assert rest_of(client) == [body for body in tape.bodies if b"ethusdt@bookTicker" in body]
    assert served.result(20).market_frames == 40


def test_a_raw_connection_receives_payloads(server: Server, tape: Tape, serve: Serve) -> None:
    served = serve(server, tape)
    with dial(server, "/ws/btcusdt@trade") as client:
        bodies = rest_of(client)
    assert [json.loads(body)["n"] for body in bodies] == list(range(0, 120, 3))
    served.result(20)


def test_a_serve_may_be_cut_short(server: Server, tape: Tape, serve: Serve) -> None:
    served = serve(server, tape, frames=10, connections=2)
    with market(server, tape) as client, dial(server, "/ws/" + "k" * 64) as account:
        assert rest_of(client) == market_bodies(tape)[:10]
        assert rest_of(account) == [b'{"e":"x","n":4}', b'{"e":"x","n":9}'][:1]
    assert served.result(20).market_frames == 10


def test_several_serves_follow_one_another_on_one_server(server: Server, tape: Tape, serve: Serve) -> None:
    for _ in range(3):
        served = serve(server, tape)
        with market(server, tape) as client:
            assert len(rest_of(client)) == 120
        served.result(20)


def test_the_log_has_a_line_for_each_frame_and_follows_the_schedule(server: Server, tape: Tape, serve: Serve) -> None:
    served = serve(server, tape, speed=4.0)
    with market(server, tape) as client:
        rest_of(client)
    played = served.result(20)
    (log,) = played.logs
    assert len(log.scheduled_ns) == len(log.sent_ns) == 120
    at = tape.at_ns[tape.stream >= 0]
    assert log.scheduled_ns.tolist() == [played.started_ns + round(int(ns) / 4.0) for ns in at]
    assert (np.diff(log.sent_ns) >= 0).all()
    assert (log.sent_ns >= log.scheduled_ns).all()
    assert played.ended_ns >= log.sent_ns[-1]


def test_two_market_connections_leave_two_logs_and_both_get_all(server: Server, tape: Tape, serve: Serve) -> None:
    served = serve(server, tape, speed=20.0, connections=2)
    with market(server, tape) as first, dial(server, "/ws/btcusdt@trade") as second:
        assert len(rest_of(first)) == 120
        assert len(rest_of(second)) == 40
    assert [len(log.sent_ns) for log in served.result(20).logs] == [120, 40]


def test_a_client_that_rests_loses_nothing(server: Server, make_tape: Callable[..., Tape], serve: Serve) -> None:
    tape = make_tape(3_000)  # 13 MB: more than the buffers of both sides hold
    served = serve(server, tape)
    bodies: list[bytes] = []
    with market(server, tape, max_queue=4) as client:
        bodies.append(client.recv(timeout=20, decode=False))
        with pytest.raises(TimeoutError):
            served.result(0.3)  # it waits for the client
        bodies += rest_of(client)
    assert bodies == market_bodies(tape)
    assert served.result(20).market_frames == 3_000


def test_a_client_that_stops_reading_ends_the_serve(
    make_server: Callable[..., Server], make_tape: Callable[..., Tape], serve: Serve
) -> None:
    server, tape = make_server(stall_seconds=0.5), make_tape(3_000)
    served = serve(server, tape)
    with socket.create_connection(("127.0.0.1", server.port)) as client:
        client.sendall(handshake("/stream?streams=" + "/".join(tape.names)))
        with pytest.raises(
            ReplayFailed, match=r"market connection read nothing for 0\.5 s, after [\d,]+ market"
        ) as caught:
            served.result(20)
    assert caught.value.after_frames is not None
    assert 0 < caught.value.after_frames < 3_000


@pytest.mark.parametrize("speed", [None, 0.01], ids=["flood", "paced"])
def test_a_client_that_closes_early_ends_the_serve(
    server: Server, make_tape: Callable[..., Tape], serve: Serve, speed: float | None
) -> None:
    tape = make_tape(3_000)
    served = serve(server, tape, speed=speed)
    with market(server, tape, max_queue=4, close_timeout=0.2) as client:
        client.recv(timeout=20)
        client.close(1001, "enough")
    with pytest.raises(ReplayFailed, match=r"market connection (closed with 1001 enough|went away)") as caught:
        served.result(20)
    assert caught.value.after_frames is not None
    assert 0 < caught.value.after_frames < 3_000
    assert server.connections == []


def test_a_client_that_vanishes_ends_the_serve(server: Server, make_tape: Callable[..., Tape], serve: Serve) -> None:
    tape = make_tape(100, 1_000_000_000)
    served = serve(server, tape, speed=1.0)
    with socket.create_connection(("127.0.0.1", server.port)) as client:
        client.sendall(handshake("/stream?streams=" + "/".join(tape.names)))
        client.recv(10_000)
    with pytest.raises(ReplayFailed, match="went away"):
        served.result(20)


def test_a_lost_account_connection_ends_the_serve_too(
    server: Server, make_tape: Callable[..., Tape], serve: Serve
) -> None:
    tape = make_tape(100, 1_000_000_000)
    served = serve(server, tape, speed=1.0, connections=2)
    with market(server, tape), dial(server, "/ws/" + "k" * 64) as account:
        account.close()
        with pytest.raises(ReplayFailed, match="closed with 1000"):
            served.result(30)


def test_a_serve_that_is_given_up_ends_at_once(server: Server, tape: Tape, serve: Serve, given_up: Event) -> None:
    served = serve(server, tape)
    given_up.set()
    server.wake()
    with pytest.raises(ReplayFailed, match="cancelled"):
        served.result(20)


def test_a_stream_asked_for_in_the_middle_begins_there(
    server: Server, make_tape: Callable[..., Tape], serve: Serve
) -> None:
    tape = make_tape(300, 20_000_000)  # 6 s at recorded pace
    served = serve(server, tape, speed=4.0)
    with dial(server, "/stream") as client:
        client.send('{"method":"SUBSCRIBE","params":["btcusdt@trade"],"id":1}')
        assert client.recv(timeout=20) == '{"result":null,"id":1}'
        early = [json.loads(client.recv(timeout=20)) for _ in range(5)]
        client.send('{"method":"SUBSCRIBE","params":["ethusdt@bookTicker"],"id":2}')
        late = [json.loads(body) for body in rest_of(client)]
    assert {"result": None, "id": 2} in late
    data = [message for message in early + late if "stream" in message]
    numbers = [message["data"]["n"] for message in data]
    assert numbers == sorted(set(numbers))
    assert [n for n in numbers if n % 3 == 0] == list(range(0, 300, 3))
    others = [n for n in numbers if n % 3 == 1]
    assert others == list(range(others[0], 300, 3))
    assert others[0] > 1
    assert served.result(20).market_frames == len(data)
    (log,) = served.result(20).logs
    assert len(log.sent_ns) == len(data)


def test_silence_lasts_as_long_as_the_recording(server: Server, make_tape: Callable[..., Tape], serve: Serve) -> None:
    tape = make_tape(21, 10_000_000)
    served = serve(server, tape, speed=1.0)
    with dial(server, "/ws/nosuch@trade") as client:
        assert rest_of(client) == []
    played = served.result(20)
    assert played.ended_ns - played.started_ns >= 200_000_000


def test_a_broken_market_frame_reaches_everybody(server: Server, frames: list[Frame], serve: Serve) -> None:
    broken = frames[3]._replace(body=b"}{ no frame")
    tape = tape_of([*frames[:3], broken, *frames[4:6]])
    served = serve(server, tape)
    with dial(server, "/ws/btcusdt@trade") as client:
        assert broken.body in rest_of(client)
    served.result(20)


def test_answers_travel_between_the_frames(server: Server, make_tape: Callable[..., Tape], serve: Serve) -> None:
    tape = make_tape(200, 10_000_000)
    served = serve(server, tape, speed=2.0)
    with market(server, tape) as client:
        pongs = []
        bodies = []
        for _ in range(50):
            pongs.append(client.ping())
            bodies.append(client.recv(timeout=20, decode=False))
        bodies += rest_of(client)
        assert all(pong.wait(0) for pong in pongs)
    assert bodies == market_bodies(tape)
    served.result(20)


def test_the_server_pings_with_the_time_in_milliseconds(make_server: Callable[..., Server]) -> None:
    server = make_server(house=House(rules=replace(SPOT, ping_seconds=0.05)))
    before = time.time_ns() // 1_000_000
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as client:
        client.sendall(handshake("/ws/a@trade"))
        data = b""
        while b"\x89" not in data or len(data.rsplit(b"\x89", 1)[1]) < 14:
            data += client.recv(1_000)
    size, payload = data.rsplit(b"\x89", 1)[1][0], data.rsplit(b"\x89", 1)[1][1:14]
    assert size == 13
    assert before <= int(payload) <= time.time_ns() // 1_000_000


def test_a_refused_client_is_told_why(server: Server) -> None:
    with pytest.raises(websockets.InvalidStatus) as caught:
        dial(server, "/nowhere")
    assert caught.value.response.status_code == 404
    with dial(server, "/ws") as client:
        client.send("hello")
        with pytest.raises(ConnectionClosedError, match="1008"):
            client.recv(timeout=20)


def handshake(path: str) -> bytes:
    lines = [
        f"GET {path} HTTP/1.1",
        "Host: localhost",
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==",
        "Sec-WebSocket-Version: 13",
    ]
    return "\r\n".join([*lines, "", ""]).encode()
