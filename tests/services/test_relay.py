from __future__ import annotations

import socket
import threading
import time
from contextlib import ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.services.relay import Relay
from harness.units import milliseconds

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MS = 1_000_000


@contextmanager
def listening(serve: Callable[[socket.socket], None], connections: int = 1) -> Iterator[tuple[str, int]]:
    """The address of a server that runs `serve` on each of so many connections."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def work() -> None:
            connection, _ = listener.accept()
            with connection:
                serve(connection)

        threads = [threading.Thread(target=work) for _ in range(connections)]
        for thread in threads:
            thread.start()
        yield listener.getsockname()
        for thread in threads:
            thread.join(30)


@contextmanager
def relaying(target: tuple[str, int], round_trip_ms: float = 0) -> Iterator[Relay]:
    relay = Relay(target, milliseconds(round_trip_ms))
    thread = threading.Thread(target=relay.run)
    thread.start()
    try:
        yield relay
    finally:
        relay.close()
        thread.join(30)
        assert not thread.is_alive()


def connect(relay: Relay) -> socket.socket:
    return socket.create_connection(("127.0.0.1", relay.port), timeout=30)


def echo(connection: socket.socket) -> None:
    while data := connection.recv(65536):
        connection.sendall(data)


def read_to_end(connection: socket.socket) -> bytes:
    return b"".join(iter(lambda: connection.recv(65536), b""))


@settings(max_examples=20, deadline=None)
@given(chunks=st.lists(st.binary(min_size=1, max_size=5000), max_size=20), round_trip_ms=st.sampled_from([0, 0.1, 2]))
def test_bytes_come_through_unchanged_and_in_order(chunks: list[bytes], round_trip_ms: float) -> None:
    with listening(echo) as target, relaying(target, round_trip_ms) as relay, connect(relay) as client:
        for chunk in chunks:
            client.sendall(chunk)
        client.shutdown(socket.SHUT_WR)
        assert read_to_end(client) == b"".join(chunks)


@pytest.mark.parametrize("round_trip_ms", [1, 20])
def test_an_exchange_takes_at_least_the_stated_round_trip(round_trip_ms: int) -> None:
    with listening(echo) as target, relaying(target, round_trip_ms) as relay, connect(relay) as client:
        for _ in range(5):
            start = time.monotonic_ns()
            client.sendall(b"x")
            assert client.recv(1) == b"x"
            assert time.monotonic_ns() - start >= round_trip_ms * MS


def test_the_handshake_of_a_new_connection_costs_a_round_trip_too() -> None:
    with listening(echo) as target, relaying(target, 20) as relay:
        start = time.monotonic_ns()
        with connect(relay) as client:
            client.sendall(b"x")
            assert client.recv(1) == b"x"
            assert time.monotonic_ns() - start >= 40 * MS


def test_chunks_are_on_their_way_at_the_same_time() -> None:
    arrivals: list[int] = []

    def note(connection: socket.socket) -> None:
        while connection.recv(1):
            arrivals.append(time.monotonic_ns())

    with listening(note) as target, relaying(target, 200) as relay, connect(relay) as client:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for _ in range(50):
            client.sendall(b"x")
            time.sleep(0.001)  # so that they are chunks of their own
        client.shutdown(socket.SHUT_WR)
        assert read_to_end(client) == b""
    assert len(arrivals) == 50
    # One after the other they would take 50 x 100 ms.
    assert arrivals[-1] - arrivals[0] < 2_500 * MS


def test_more_than_fits_any_buffer_passes_a_slow_reader_whole() -> None:
    size = 40_000_000

    def read_late(connection: socket.socket) -> None:
        received = 0
        while data := connection.recv(1_000_000):
            received += len(data)
        connection.sendall(str(received).encode())

    with listening(read_late) as target, relaying(target, 5) as relay, connect(relay) as client:
        client.sendall(bytes(size))
        client.shutdown(socket.SHUT_WR)
        assert read_to_end(client) == str(size).encode()


def test_many_connections_pass_at_once() -> None:
    with listening(echo, 100) as target, relaying(target, 5) as relay, ExitStack() as stack:
        clients = [stack.enter_context(connect(relay)) for _ in range(100)]
        for number, client in enumerate(clients):
            client.sendall(b"%03d" % number)
        assert [client.recv(3) for client in clients] == [b"%03d" % number for number in range(100)]


def test_the_round_trip_changes_under_way_without_reordering() -> None:
    with listening(echo) as target, relaying(target, 200) as relay, connect(relay) as client:
        client.sendall(b"slow")
        relay.round_trip = milliseconds(0)
        client.sendall(b"fast")
        client.shutdown(socket.SHUT_WR)
        assert read_to_end(client) == b"slowfast"


def test_a_target_that_refuses_closes_the_client() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = listener.getsockname()
    with relaying(address) as relay:
        for _ in range(2):
            with connect(relay) as client, suppress(ConnectionResetError):
                assert client.recv(1) == b""


def test_a_client_that_vanishes_closes_the_target() -> None:
    ended = threading.Event()

    def wait_for_end(connection: socket.socket) -> None:
        with suppress(ConnectionResetError):
            read_to_end(connection)
        ended.set()

    with listening(wait_for_end) as target, relaying(target, 1) as relay:
        client = connect(relay)
        client.sendall(b"x")
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")  # close with a reset
        client.close()
        assert ended.wait(30)


def test_closing_the_relay_ends_its_connections() -> None:
    with listening(echo) as target, relaying(target, 60_000) as relay, connect(relay) as client:
        client.sendall(b"never arrives")
        relay.close()
        with suppress(ConnectionResetError):
            assert read_to_end(client) == b""
