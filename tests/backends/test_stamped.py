from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

import pytest
from websockets.asyncio.server import ServerConnection, serve

from harness.backends import stamped
from harness.backends.conformance import check_transport
from harness.backends.stamped import StampedTransport
from harness.clock import ManualClock
from harness.units import seconds

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from contextlib import AbstractAsyncContextManager

    from harness.units import Nanoseconds

    TcpServer = Callable[[Callable[..., Awaitable[None]]], AbstractAsyncContextManager[int]]


@contextlib.asynccontextmanager
async def serving(handler: Callable[[ServerConnection], Awaitable[None]]) -> AsyncIterator[str]:
    async with serve(handler, "127.0.0.1", 0, close_timeout=1, ping_interval=None) as server:
        yield f"ws://127.0.0.1:{next(iter(server.sockets)).getsockname()[1]}/"


def test_it_keeps_every_promise_of_a_transport_on_each_loop(runner: asyncio.Runner) -> None:
    failures = runner.run(check_transport(StampedTransport()))
    assert [str(failure) for failure in failures] == []


async def test_frames_have_the_time_at_which_their_bytes_were_read_not_that_of_their_handling() -> None:
    clock = ManualClock()
    transport = StampedTransport(clock)
    seen: list[tuple[Nanoseconds, bytes]] = []
    both = asyncio.Event()

    def slow(frame: bytes) -> None:
        seen.append((transport.read_at, frame))
        clock.advance(seconds(5))
        if len(seen) == 2:
            both.set()

    async def handler(connection: ServerConnection) -> None:
        connection.transport.write(b"\x81\x01a\x81\x01b")  # one write, one piece
        await connection.recv()
        await connection.send("c")

    async with serving(handler) as address:
        connection = await transport.connect(address, slow)
        await both.wait()
        await connection.send(b"go on")
        await connection.wait_closed()
        await connection.close()
    assert seen == [(0, b"a"), (0, b"b"), (seconds(10), b"c")]


async def test_frames_that_a_pause_held_keep_their_time() -> None:
    clock = ManualClock()
    transport = StampedTransport(clock)
    seen: list[tuple[Nanoseconds, bytes]] = []
    first = asyncio.Event()

    async def handler(connection: ServerConnection) -> None:
        await connection.recv()
        connection.transport.write(b"\x81\x01a\x81\x01b")

    def pausing(frame: bytes) -> None:
        seen.append((transport.read_at, frame))
        if not first.is_set():
            connection.pause()
            first.set()

    async with serving(handler) as address:
        connection = await transport.connect(address, pausing)
        await connection.send(b"begin")
        await first.wait()
        clock.advance(seconds(1))
        assert seen == [(0, b"a")]
        connection.resume()
        await connection.wait_closed()
        await connection.close()
    assert seen == [(0, b"a"), (0, b"b")]


async def test_a_message_in_parts_is_one_frame() -> None:
    seen: list[bytes] = []

    async def handler(connection: ServerConnection) -> None:
        await connection.send(iter(["one ", "two ", "three"]))

    async with serving(handler) as address:
        connection = await StampedTransport().connect(address, seen.append)
        await connection.wait_closed()
    assert seen == [b"one two three"]


async def test_a_connection_without_any_byte_is_broken_off_and_a_ping_is_a_sign_of_life() -> None:
    clock = ManualClock()
    transport = StampedTransport(clock, silent_s=0.02)

    async def handler(connection: ServerConnection) -> None:
        await connection.wait_closed()

    async with serving(handler) as address:
        connection = await transport.connect(address, lambda _: None)
        with pytest.raises(TimeoutError):  # the clock stands still: however long it takes, nothing is late
            async with asyncio.timeout(0.05):
                await connection.wait_closed()
        clock.advance(seconds(0.03))
        with pytest.raises(ConnectionError, match=r"nothing came for 0\.02 s, not even a ping"):
            await connection.wait_closed()
        await connection.close()


async def test_a_server_that_never_answers_the_handshake_is_a_time_out(
    monkeypatch: pytest.MonkeyPatch, tcp_server: TcpServer
) -> None:
    monkeypatch.setattr(stamped, "OPEN_TIMEOUT_S", 0.05)

    async def mute(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await reader.read()

    async with tcp_server(mute) as port:
        with pytest.raises(TimeoutError):
            await StampedTransport().connect(f"ws://127.0.0.1:{port}/", lambda _: None)


@pytest.mark.parametrize(
    "greeting",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi",
        b"HTTP/1.1 302 Found\r\nLocation: ws://127.0.0.1:1/\r\n\r\n",
        b"220 mail.example.com ESMTP\r\n",
        b"",
    ],
)
async def test_a_server_that_speaks_no_websocket_is_a_connection_error(greeting: bytes, tcp_server: TcpServer) -> None:
    async def stranger(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(greeting)

    async with tcp_server(stranger) as port:
        with pytest.raises(ConnectionError, match="refused the WebSocket"):
            await StampedTransport().connect(f"ws://127.0.0.1:{port}/", lambda _: None)


async def test_a_frame_larger_than_the_bound_breaks_the_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stamped, "MAX_FRAME_BYTES", 1_000)
    seen: list[bytes] = []

    async def handler(connection: ServerConnection) -> None:
        await connection.send("y" * 1_000)
        await connection.send("x" * 1_001)
        await connection.wait_closed()

    async with serving(handler) as address:
        connection = await StampedTransport().connect(address, seen.append)
        with pytest.raises(ConnectionError, match="1009"):
            await connection.wait_closed()
        await connection.close()
    assert seen == [b"y" * 1_000]


async def test_an_address_that_is_none_is_a_connection_error() -> None:
    with pytest.raises(ConnectionError, match="isn't a valid URI"):
        await StampedTransport().connect("http://127.0.0.1:1/", lambda _: None)
