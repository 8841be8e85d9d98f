"""The other end for checking a transport: a WebSocket server on loopback that does what its path says."""

from __future__ import annotations

import asyncio
import contextlib
from http import HTTPStatus
from typing import TYPE_CHECKING

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from websockets.http11 import Request, Response

_SMALL = 1_000
_LARGE_BYTES = 1_000_000
#: Together more than the buffers of two sockets and a library hold.
FLOOD_FRAMES = 1_000
FLOOD_BYTES = 50_000

#: What "/frames" sends: small frames, an empty one, text outside ASCII, binary, a large one, one in three fragments.
FRAMES: tuple[bytes, ...] = (
    *(f'{{"u":{number}}}'.encode() for number in range(_SMALL)),
    b"",
    '{"s":"币安人生USDT"}'.encode(),
    bytes(range(256)),
    b"x" * _LARGE_BYTES,
    b"onetwothree",
    b"last",
)


class Peer:
    """A running server, and what it saw of its clients."""

    def __init__(self) -> None:
        self.extensions_offered = ""
        self.flood_sent = 0
        self._port = 0
        self._echo_closed: asyncio.Future[int] | None = None

    def url(self, path: str) -> str:
        """Where that path is served."""
        return f"ws://127.0.0.1:{self._port}/{path}"

    async def echo_closed(self) -> int:
        """The close code of the last client of "/echo"."""
        if self._echo_closed is None:
            raise LookupError("nobody connected to /echo")
        return await self._echo_closed

    def listen_on(self, server: Server) -> None:
        """The server that serves us."""
        self._port = next(iter(server.sockets)).getsockname()[1]

    def refuse(self, connection: ServerConnection, request: Request) -> Response | None:
        """No handshake on "/refused"."""
        self.extensions_offered = ", ".join(request.headers.get_all("Sec-WebSocket-Extensions"))
        if request.path == "/refused":
            return connection.respond(HTTPStatus.FORBIDDEN, "not here\n")
        return None

    async def on_connection(self, connection: ServerConnection) -> None:
        """Do what the path says."""
        what, _, argument = (connection.request.path if connection.request else "").strip("/").partition("/")
        with contextlib.suppress(ConnectionClosed):
            match what:
                case "frames":
                    await _send_frames(connection)
                case "flood":
                    await self._flood(connection)
                case "echo":
                    await self._echo(connection)
                case "ping":
                    await (await connection.ping())
                    await connection.send("pong")
                    await connection.wait_closed()
                case "close":
                    await connection.send("before")
                    await connection.close(int(argument), "as asked")
                case "abort":
                    connection.transport.abort()

    async def _flood(self, connection: ServerConnection) -> None:
        self.flood_sent = 0
        for number in range(FLOOD_FRAMES):
            await connection.send(f"{number:010}".ljust(FLOOD_BYTES, "x"))
            self.flood_sent += 1

    async def _echo(self, connection: ServerConnection) -> None:
        closed = self._echo_closed = asyncio.get_running_loop().create_future()
        try:
            async for frame in connection:
                kind = type(frame).__name__
                text = frame if isinstance(frame, str) else frame.decode()
                await connection.send(f"{kind} {text}")
        finally:
            closed.set_result(connection.close_code or 0)


async def _send_frames(connection: ServerConnection) -> None:
    for frame in FRAMES[:_SMALL]:
        await connection.send(frame.decode())
    await connection.send("")
    await connection.send(FRAMES[_SMALL + 1].decode())
    await connection.send(FRAMES[_SMALL + 2])
    await connection.send(FRAMES[_SMALL + 3])
    await connection.send(_fragments())
    await connection.send(FRAMES[-1])


def _fragments() -> Iterator[str]:
    yield from ("one", "two", "three")


@contextlib.asynccontextmanager
async def running_peer() -> AsyncIterator[Peer]:
    """A server on a free port of loopback, until the block ends."""
    peer = Peer()
    async with serve(
        peer.on_connection,
        "127.0.0.1",
        0,
        process_request=peer.refuse,
        compression=None,
        ping_interval=None,
        close_timeout=1,
    ) as server:
        peer.listen_on(server)
        yield peer
