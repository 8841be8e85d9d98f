"""Many clients at once, each of which gets every byte that it asked for, and nothing that stays behind."""

from __future__ import annotations

import hashlib
import json
import selectors
import socket
import threading
import time
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING, Any

import pytest
from websockets.sync.client import connect

from harness.replay.conversation import House
from harness.replay.frames import strip_of
from harness.replay.pacing import Pace
from harness.replay.protocol.selection import Selection, Wrapping

if TYPE_CHECKING:
    from collections.abc import Callable

    from websockets.sync.client import ClientConnection

    from harness.replay.server import Server
    from harness.replay.standing import Standing
    from harness.replay.tape import Tape

STREAMS = ("btcusdt@trade", "ethusdt@bookTicker", "bnbusdt@depth@100ms")
HANDSHAKE = (
    "Host: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
)


def dial(port: int, streams: tuple[str, ...], more: str = "", query: str = "") -> socket.socket:
    """A client whose handshake is over."""
    client = socket.create_connection(("127.0.0.1", port), timeout=20)
    client.sendall(f"GET /stream?streams={'/'.join(streams)}{query} HTTP/1.1\r\n{HANDSHAKE}{more}\r\n".encode())
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        head += client.recv(1)
    assert head.startswith(b"HTTP/1.1 101")
    return client


def drained(clients: list[socket.socket], sizes: list[int]) -> list[str]:
    """The digest of so many bytes of each."""
    digests = [hashlib.sha256() for _ in clients]
    left = list(sizes)
    with selectors.DefaultSelector() as selector:
        for number, client in enumerate(clients):
            selector.register(client, selectors.EVENT_READ, number)
        while any(left):
            ready = selector.select(20)
            assert ready, "nothing comes any more"
            for key, _ in ready:
                data = clients[key.data].recv(min(left[key.data], 1 << 20))
                assert data, "ended too early"
                digests[key.data].update(data)
                left[key.data] -= len(data)
                if not left[key.data]:
                    selector.unregister(clients[key.data])
    return [digest.hexdigest() for digest in digests]


def until(reached: Callable[[], bool]) -> None:
    end = time.monotonic() + 20
    while not reached():
        assert time.monotonic() < end
        time.sleep(0.005)


@pytest.mark.parametrize("pace", [Pace(), Pace(speed=2.0)])
@pytest.mark.parametrize("query", ["", "&timeUnit=MICROSECOND"])
@pytest.mark.parametrize("more", ["", "Sec-WebSocket-Extensions: permessage-deflate\r\n"])
def test_two_hundred_clients_get_every_byte(
    stand: Callable[..., Standing], make_tape: Callable[..., Tape], pace: Pace, query: str, more: str
) -> None:
    count = 200 if not query else 20
    tape = make_tape(120)
    selection = Selection(
        wrapping=Wrapping.COMBINED, streams=frozenset(STREAMS), microseconds=bool(query), deflated=bool(more)
    )
    blob = strip_of(tape, selection).blob
    standing = stand(tape, pace, hold=True)
    clients = [dial(standing.server.port, STREAMS, more, query) for _ in range(count)]
    until(lambda: len(standing.stage.listings()) == count)
    standing.stage.start()
    assert set(drained(clients, [len(blob)] * count)) == {hashlib.sha256(blob).hexdigest()}
    for client in clients:
        client.close()


def test_fifty_clients_each_with_another_selection_that_grows_bit_by_bit(
    stand: Callable[..., Standing], make_tape: Callable[..., Tape]
) -> None:
    tape = make_tape(600)
    standing = stand(tape, Pace(rate=1_000.0), hold=True)
    urls = [f"{standing.url}/stream?streams={STREAMS[n % 3]}/of{n}@trade" for n in range(50)]
    with ExitStack() as stack:
        options: dict[str, Any] = {"proxy": None, "compression": None, "max_size": None, "max_queue": None}
        clients = [stack.enter_context(connect(url, **options)) for url in urls]
        grow(standing, clients)
    for listing in standing.stage.listings():
        assert listing.frames == sum(
            int(n % 3 in {STREAMS.index(name) for name in stretch.selection.streams if name in STREAMS})
            for stretch in listing.stretches
            for n in market_numbers(tape, stretch.first, stretch.end)
        )


def grow(standing: Standing, clients: list[ClientConnection]) -> None:
    until(lambda: len(standing.stage.listings()) == 50)
    standing.stage.start()
    for number, client in enumerate(clients):
        client.send(json.dumps({"id": 1, "method": "SUBSCRIBE", "params": [STREAMS[(number + 1) % 3]]}))
    for number, client in enumerate(clients):
        told = [json.loads(text) for text in client]
        seen = [one["data"]["n"] for one in told if "data" in one]
        assert {"result": None, "id": 1} in told
        assert [n for n in seen if n % 3 == number % 3] == list(range(number % 3, 600, 3))
        later = [n for n in seen if n % 3 == (number + 1) % 3]
        assert later == list(range(later[0], 600, 3))
        assert client.close_code == 1000


def market_numbers(tape: Tape, first: int, end: int) -> list[int]:
    return [json.loads(tape.bodies[place])["data"]["n"] for place in range(first, end) if tape.stream[place] >= 0]


def test_nothing_is_left_of_clients_that_came_and_went(
    stand: Callable[..., Standing], make_tape: Callable[..., Tape]
) -> None:
    standing = stand(make_tape(120), Pace(speed=0.5))
    before = threading.active_count()
    for number in range(300):
        client = dial(standing.server.port, STREAMS)
        if number % 3 == 0:
            client.sendall(b"\x81\xff\x00")  # goes away in the middle of a frame
        client.close()
    until(lambda: not standing.server.connections and threading.active_count() <= before)
    assert standing.stage.status().connections == 0


def test_above_the_limit_clients_are_answered_503_and_room_that_was_left_is_given(
    make_server: Callable[..., Server],
) -> None:
    server = make_server(house=House(max_connections=20))
    held = [dial(server.port, STREAMS) for _ in range(20)]
    for _ in range(3):
        with socket.create_connection(("127.0.0.1", server.port), timeout=20) as client:
            client.sendall(f"GET /ws HTTP/1.1\r\n{HANDSHAKE}\r\n".encode())
            assert client.recv(100).startswith(b"HTTP/1.1 503")
    for one in held:
        one.close()
    until(lambda: not [one for one in server.connections if not one.wait_gone(0)])
    dial(server.port, STREAMS).close()


def test_clients_that_say_nothing_take_no_endless_number_of_threads(make_server: Callable[..., Server]) -> None:
    server = make_server(house=House(max_connections=20))
    silent = [socket.create_connection(("127.0.0.1", server.port), timeout=20) for _ in range(400)]
    until(lambda: server.refused + len(server.connections) >= 20)
    with suppress(ConnectionResetError):
        assert silent[-1].recv(1) == b""
    assert len(server.connections) <= 20 + 256
    for one in silent:
        one.close()
