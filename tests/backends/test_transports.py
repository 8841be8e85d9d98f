from __future__ import annotations

import asyncio
import contextlib
import functools
from typing import TYPE_CHECKING

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.asyncio.server import ServerConnection, serve

from harness.backends import transports
from harness.backends.conformance import check_transport
from harness.backends.registry import registry
from harness.backends.transports import WebsocketsTransport

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from contextlib import AbstractAsyncContextManager

    TcpServer = Callable[[Callable[..., Awaitable[None]]], AbstractAsyncContextManager[int]]


@contextlib.asynccontextmanager
async def serving(handler: Callable[[ServerConnection], Awaitable[None]]) -> AsyncIterator[str]:
    """The address of a server that is the websockets library with all its defaults, compression and pings included."""
    async with serve(handler, "127.0.0.1", 0, close_timeout=1) as server:
        yield f"ws://127.0.0.1:{next(iter(server.sockets)).getsockname()[1]}/"


def test_the_transport_that_ships_keeps_every_promise_on_each_loop(runner: asyncio.Runner) -> None:
    failures = runner.run(check_transport(registry().transport("websockets")))
    assert [str(failure) for failure in failures] == []


async def test_a_server_that_would_compress_is_not_let() -> None:
    seen: list[bytes] = []
    extensions: list[str] = []

    async def handler(connection: ServerConnection) -> None:
        extensions.extend(map(str, connection.protocol.extensions))
        assert connection.request is not None
        extensions.extend(connection.request.headers.get_all("Sec-WebSocket-Extensions"))
        await connection.send("x" * 1_000)

    async with serving(handler) as address:
        connection = await WebsocketsTransport().connect(address, seen.append)
        await connection.wait_closed()
        assert isinstance(connection.engine, ClientConnection)
        assert connection.engine.protocol.extensions == []
        await connection.close()
    assert extensions == []
    assert seen == [b"x" * 1_000]


async def test_a_proxy_of_the_environment_is_passed_by(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "ALL_PROXY", "socks_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    seen: list[bytes] = []

    async def handler(connection: ServerConnection) -> None:
        await connection.send("through")

    async with serving(handler) as address:
        connection = await WebsocketsTransport().connect(address, seen.append)
        await connection.wait_closed()
        await connection.close()
    assert seen == [b"through"]


async def test_it_sends_no_pings_of_its_own() -> None:
    async def handler(connection: ServerConnection) -> None:
        await connection.wait_closed()

    async with serving(handler) as address:
        connection = await WebsocketsTransport().connect(address, lambda _: None)
        assert isinstance(connection.engine, ClientConnection)
        assert connection.engine.ping_interval is None
        assert connection.engine.keepalive_task is None
        await connection.close()


async def test_a_frame_larger_than_the_bound_breaks_the_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transports, "MAX_FRAME_BYTES", 1_000)
    seen: list[bytes] = []

    async def handler(connection: ServerConnection) -> None:
        await connection.send("y" * 1_000)
        await connection.send("x" * 1_001)
        await connection.wait_closed()
        assert connection.close_code == 1009

    async with serving(handler) as address:
        connection = await WebsocketsTransport().connect(address, seen.append)
        with pytest.raises(ConnectionError, match="1009"):
            await connection.wait_closed()
        await connection.close()
    assert seen == [b"y" * 1_000]


async def test_the_reason_of_a_close_is_told() -> None:
    async def handler(connection: ServerConnection) -> None:
        await connection.close(1008, "too many streams")

    async with serving(handler) as address:
        connection = await WebsocketsTransport().connect(address, lambda _: None)
        with pytest.raises(ConnectionError, match=r"broke off.*1008.*too many streams"):
            await connection.wait_closed()
        await connection.close()


async def test_a_server_that_takes_the_connection_and_never_answers_is_a_time_out(
    monkeypatch: pytest.MonkeyPatch, tcp_server: TcpServer
) -> None:
    monkeypatch.setattr(transports, "_Opening", functools.partial(connect, open_timeout=0.05))

    async def mute(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await reader.read()

    async with tcp_server(mute) as port:
        with pytest.raises(TimeoutError):
            await WebsocketsTransport().connect(f"ws://127.0.0.1:{port}/", lambda _: None)


@pytest.mark.parametrize(
    "greeting", [b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", b"220 mail.example.com ESMTP\r\n", b""]
)
async def test_a_server_that_speaks_no_websocket_is_a_connection_error(greeting: bytes, tcp_server: TcpServer) -> None:
    async def stranger(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(greeting)

    async with tcp_server(stranger) as port:
        with pytest.raises(ConnectionError, match="refused the WebSocket"):
            await WebsocketsTransport().connect(f"ws://127.0.0.1:{port}/", lambda _: None)


async def test_waiting_can_be_given_up_and_the_reading_goes_on() -> None:
    seen: list[bytes] = []
    go_on = asyncio.Event()

    async def handler(connection: ServerConnection) -> None:
        await go_on.wait()
        await connection.send("late")

    async with serving(handler) as address:
        connection = await WebsocketsTransport().connect(address, seen.append)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await connection.wait_closed()
        go_on.set()
        await connection.wait_closed()
        await connection.close()
    assert seen == [b"late"]


async def test_closing_leaves_no_task_behind() -> None:
    async def handler(connection: ServerConnection) -> None:
        for number in range(1_000):
            await connection.send(str(number))
        await connection.wait_closed()

    async with serving(handler) as address:
        before = asyncio.all_tasks()
        connection = await WebsocketsTransport().connect(address, lambda _: None)
        connection.pause()
        await connection.close()
        ours = {task for task in asyncio.all_tasks() - before if "Websockets" in repr(task.get_coro())}
    assert ours == set()


async def test_sending_on_a_connection_that_has_ended_is_a_connection_error() -> None:
    async def handler(connection: ServerConnection) -> None:
        await connection.close(1001, "going away")

    async with serving(handler) as address:
        connection = await WebsocketsTransport().connect(address, lambda _: None)
        await connection.wait_closed()
        with pytest.raises(ConnectionError, match=r"has ended.*1001"):
            await connection.send(b"{}")
        await connection.close()


async def test_closing_that_is_given_up_leaves_no_task_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    # So that nothing but giving up ends it.
    monkeypatch.setattr(transports, "CLOSE_TIMEOUT_S", 1_000.0)
    deaf = asyncio.Event()

    async def handler(connection: ServerConnection) -> None:
        connection.transport.pause_reading()
        deaf.set()
        await connection.wait_closed()

    async with serving(handler) as address:
        before = asyncio.all_tasks()
        connection = await WebsocketsTransport().connect(address, lambda _: None)
        await deaf.wait()
        closing = asyncio.ensure_future(connection.close())
        for _ in range(10):
            await asyncio.sleep(0)
        closing.cancel()
        ended, _ = await asyncio.wait({closing}, timeout=10)
        assert ended == {closing}
        ours = {task for task in asyncio.all_tasks() - before if "Websockets" in repr(task.get_coro())}
        assert ours == set()
