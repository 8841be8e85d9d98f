"""Whether a transport keeps the promises of `contracts.Transport` and `contracts.Connection`."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

from harness.backends.conformance.failure import BrokenPromise, Failure, failures_of, require, shown
from harness.backends.conformance.peer import FLOOD_BYTES, FLOOD_FRAMES, FRAMES, Peer, running_peer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from harness.backends.contracts import Connection, Transport

#: A peer that sent nothing more in so many looks, 10 ms apart, is held back.
_STILL_LOOKS = 20


async def check_transport(transport: Transport) -> list[Failure]:
    """Every promise that the transport broke; the peer is a WebSocket server on loopback, started here."""
    async with running_peer() as peer:
        return await failures_of(_Checks(transport, peer).by_promise())


class _Checks:
    def __init__(self, transport: Transport, peer: Peer) -> None:
        self._transport = transport
        self._peer = peer

    def by_promise(self) -> dict[str, Callable[[], Awaitable[None]]]:
        """Each check under its promise."""
        return {
            "frames are pushed as bytes, whole and in order, before wait_closed() returns": self._in_order,
            "compression is not asked for": self._plain,
            "the connection shows the library's own object": self._engine,
            "send() sends one text frame": self._sends,
            "the peer's pings are answered": self._pings,
            "no callback between pause() and resume()": self._pause_at_once,
            "pause() holds the peer back, and nothing is lost": self._pause_holds_back,
            "wait_closed() returns when the peer closes in order": self._closes_in_order,
            "any other close is a ConnectionError": self._closes_otherwise,
            "a broken connection is a ConnectionError": self._breaks,
            "wait_closed() raises what the callback raised, and close() does not": self._callback_raises,
            "close() closes in order, twice if need be": self._close,
            "close() ends also a connection that is paused and full": self._close_paused,
            "nobody listening is an OSError": self._nobody,
            "a refused handshake is a ConnectionError": self._refused,
        }

    @contextlib.asynccontextmanager
    async def _connected(self, path: str, on_frame: Callable[[bytes], object]) -> AsyncIterator[Connection]:
        connection = await self._transport.connect(self._peer.url(path), on_frame)
        try:
            yield connection
        finally:
            await connection.close()

    async def _in_order(self) -> None:
        seen: list[object] = []
        async with self._connected("frames", seen.append) as connection:
            await connection.wait_closed()
        kinds = {type(frame).__name__ for frame in seen}
        require(kinds == {"bytes"}, f"frames came as {', '.join(sorted(kinds)) or 'nothing'}")
        require(len(seen) == len(FRAMES), f"of {len(FRAMES)} frames {len(seen)} came")
        wrong = next((number for number, frame in enumerate(seen) if frame != FRAMES[number]), None)
        require(wrong is None, f"frame {wrong} is not the one that was sent")

    async def _plain(self) -> None:
        async with self._connected("frames", lambda _: None):
            offered = self._peer.extensions_offered
        require(not offered, f"the handshake offered {shown(offered)}")

    async def _engine(self) -> None:
        async with self._connected("echo", lambda _: None) as connection:
            require(connection.engine is not None, "engine is None")

    async def _sends(self) -> None:
        answered = asyncio.get_running_loop().create_future()
        async with self._connected("echo", answered.set_result) as connection:
            await connection.send('{"s":"币安"}'.encode())
            answer = await answered
        require(answer == 'str {"s":"币安"}'.encode(), f"the peer saw {shown(answer)}")

    async def _pings(self) -> None:
        answered = asyncio.get_running_loop().create_future()
        async with self._connected("ping", answered.set_result):
            require(await answered == b"pong", "the peer saw no pong")

    async def _pause_at_once(self) -> None:
        seen: list[bytes] = []
        connections: list[Connection] = []
        paused, complete = asyncio.Event(), asyncio.Event()

        def on_frame(frame: bytes) -> None:
            seen.append(frame)
            if len(seen) == 3:
                connections[0].pause()
                paused.set()
            if len(seen) == 10:
                complete.set()

        async with self._connected("echo", on_frame) as connection:
            connections.append(connection)
            for number in range(10):
                await connection.send(str(number).encode())
            await paused.wait()
            await _stands_still(lambda: len(seen))
            require(len(seen) == 3, f"paused in the third callback, {len(seen)} came")
            connection.resume()
            await complete.wait()
        require(seen == [f"str {number}".encode() for number in range(10)], f"after resume() came {shown(seen)}")

    async def _pause_holds_back(self) -> None:
        counted = wrong = 0

        def on_frame(frame: bytes) -> None:
            nonlocal counted, wrong
            wrong += int(frame[:10]) != counted
            counted += 1

        async with self._connected("flood", on_frame) as connection:
            connection.pause()
            await _stands_still(lambda: self._peer.flood_sent)
            before, sent = counted, self._peer.flood_sent
            require(sent < FLOOD_FRAMES, f"the peer could send all {FLOOD_FRAMES * FLOOD_BYTES:,} bytes meanwhile")
            await _stands_still(lambda: counted)
            require(counted == before, f"{counted - before} frames were pushed while paused")
            connection.resume()
            await connection.wait_closed()
        require(counted == FLOOD_FRAMES, f"of {FLOOD_FRAMES} frames {counted} came")
        require(not wrong, f"{wrong} frames came out of order")

    async def _closes_in_order(self) -> None:
        for code in (1000, 1001):
            async with self._connected(f"close/{code}", lambda _: None) as connection:
                await connection.wait_closed()

    async def _closes_otherwise(self) -> None:
        for code in (1008, 1011, 1013, 4000):
            async with self._connected(f"close/{code}", lambda _: None) as connection:
                await _raises(ConnectionError, connection.wait_closed(), f"closed with {code}, wait_closed()")

    async def _breaks(self) -> None:
        async with self._connected("abort", lambda _: None) as connection:
            await _raises(ConnectionError, connection.wait_closed(), "cut off, wait_closed()")

    async def _callback_raises(self) -> None:
        def on_frame(_: bytes) -> None:
            raise LookupError("the callback's own")

        async with self._connected("frames", on_frame) as connection:
            await _raises(LookupError, connection.wait_closed(), "wait_closed()")

    async def _close(self) -> None:
        connection = await self._transport.connect(self._peer.url("echo"), lambda _: None)
        await connection.close()
        await connection.close()
        code = await self._peer.echo_closed()
        require(code in {1000, 1001}, f"the peer saw close code {code}")

    async def _close_paused(self) -> None:
        seen: list[bytes] = []
        connection = await self._transport.connect(self._peer.url("flood"), seen.append)
        connection.pause()
        await _stands_still(lambda: self._peer.flood_sent)
        before = len(seen)
        await connection.close()
        require(len(seen) == before, f"{len(seen) - before} frames were pushed by close()")

    async def _nobody(self) -> None:
        address = await _free_address()
        await _raises(OSError, self._transport.connect(address, lambda _: None), "connect()")

    async def _refused(self) -> None:
        attempt = self._transport.connect(self._peer.url("refused"), lambda _: None)
        await _raises(ConnectionError, attempt, "connect() to a peer that answers 403")


async def _raises(kind: type[Exception], call: Awaitable[object], doing: str) -> None:
    try:
        value = await call
    except kind:
        return
    raise BrokenPromise(f"{doing} returned {shown(value)}")


async def _stands_still(count: Callable[[], int]) -> None:
    before, looks = -1, 0
    while looks < _STILL_LOOKS:
        now = count()
        before, looks = now, looks + 1 if now == before else 0
        await asyncio.sleep(0.01)


async def _free_address() -> str:
    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()
    return f"ws://127.0.0.1:{port}/"
