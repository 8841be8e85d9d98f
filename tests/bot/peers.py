"""A scripted exchange on loopback: serves stated frames, and does to each connection what its script says."""

from __future__ import annotations

import asyncio
import contextlib
import json
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable

    from websockets.http11 import Request, Response

End = Literal["close", "end", "abort", "silent", "stay", "refuse"]


class Visit(NamedTuple):
    """What is done with one connection."""

    until: int | None = None
    """Frames up to this index, not included, are served, from where the last connection ended; None for all."""
    end: End = "close"
    """Then: close with `code`; end the TCP stream without a word (seen as 1006); reset it; fall silent and deaf, as a
    host that has lost its power; stay and serve nothing more; or, before all that, refuse the handshake."""
    code: int = 1000
    reason: str = ""
    requests: int = 0
    """So many requests of the client are awaited before the first frame."""


def acknowledge(request: dict[str, Any]) -> dict[str, Any]:
    """As Binance answers a request that it has done."""
    if request["method"].startswith("userDataStream"):
        return {"id": request["id"], "status": 200, "result": {"subscriptionId": 0}}
    return {"result": None, "id": request["id"]}


class ScriptedPeer:
    """Visits are taken from the script one by one; when it is at its end, all that is left is served, and 1000."""

    def __init__(
        self,
        frames: Iterable[str | bytes] = (),
        script: Iterable[Visit] = (),
        *,
        answer: Callable[[dict[str, Any]], dict[str, Any] | None] = acknowledge,
    ) -> None:
        self.frames = [frame if isinstance(frame, str) else frame.decode() for frame in frames]
        self.targets: list[str] = []
        """Of every handshake, refused ones included: path and query."""
        self.requests: list[list[dict[str, Any]]] = []
        """Of each connection that was not refused."""
        self.sizes: list[int] = []
        """Of every request in bytes."""
        self.close_codes: list[int | None] = []
        """Of the connections that ended, in the order in which they did; 1006 for one without a close frame."""
        self.position = 0
        """The next frame."""
        self._script = list(script)
        self._answer = answer
        self._visits: dict[int, Visit] = {}
        self._changed = asyncio.Condition()
        self._port = 0

    def url(self, target: str = "/stream?streams=btcusdt@trade") -> str:
        """Where it is served."""
        return f"ws://127.0.0.1:{self._port}{target}"

    async def until(self, condition: Callable[[ScriptedPeer], object]) -> None:
        """Return when it holds; asked whenever something happened here."""
        async with self._changed:
            await self._changed.wait_for(lambda: condition(self))

    async def _tell(self) -> None:
        async with self._changed:
            self._changed.notify_all()

    async def door(self, connection: ServerConnection, request: Request) -> Response | None:
        """Let in, or not."""
        visit = self._script.pop(0) if self._script else Visit()
        self.targets.append(request.path)
        self._visits[id(connection)] = visit
        await self._tell()
        if visit.end == "refuse":
            return connection.respond(HTTPStatus.SERVICE_UNAVAILABLE, "not now\n")
        return None

    async def on_connection(self, connection: ServerConnection) -> None:
        """Do what the script says."""
        visit = self._visits.pop(id(connection))
        asked: list[dict[str, Any]] = []
        self.requests.append(asked)
        listener = asyncio.ensure_future(self._listen(connection, asked))
        try:
            with contextlib.suppress(ConnectionClosed):
                await self.until(lambda _: len(asked) >= visit.requests or listener.done())
                await self._serve(connection, visit)
                await self._finish(connection, visit)
            await connection.wait_closed()
        finally:
            listener.cancel()
            await asyncio.gather(listener, return_exceptions=True)
            self.close_codes.append(connection.close_code)
            await self._tell()

    async def _listen(self, connection: ServerConnection, asked: list[dict[str, Any]]) -> None:
        try:
            async for text in connection:
                self.sizes.append(len(text.encode() if isinstance(text, str) else text))
                asked.append(json.loads(text))
                await self._tell()
                answer = self._answer(asked[-1])
                if answer is not None:
                    await connection.send(json.dumps(answer, separators=(",", ":")))
        finally:
            await asyncio.shield(self._tell())

    async def _serve(self, connection: ServerConnection, visit: Visit) -> None:
        until = len(self.frames) if visit.until is None else visit.until
        while self.position < until:
            self.position += 1
            await connection.send(self.frames[self.position - 1])
        await self._tell()

    async def _finish(self, connection: ServerConnection, visit: Visit) -> None:
        if visit.end == "close":
            await connection.close(visit.code, visit.reason)
        elif visit.end == "end":
            connection.transport.close()
        elif visit.end == "abort":
            # A reset throws away what the other side has not read: only when all is there it costs no frame.
            await (await connection.ping())
            connection.transport.abort()
        elif visit.end == "silent":
            await (await connection.ping())
            connection.transport.pause_reading()

    @contextlib.asynccontextmanager
    async def serving(self) -> AsyncIterator[ScriptedPeer]:
        """On a free port, until the block ends."""
        server: Server
        async with serve(
            self.on_connection,
            "127.0.0.1",
            0,
            process_request=self.door,
            compression=None,
            ping_interval=None,
            close_timeout=0.2,
        ) as server:
            self._port = next(iter(server.sockets)).getsockname()[1]
            yield self
