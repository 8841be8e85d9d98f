"""A relay between client and replay whose connections can be cut: neither side is asked, both see a reset."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from typing import Self

_READ_BYTES = 256 * 1024
_START_SECONDS = 10.0


class Relay:
    """Passes bytes to one port of the loopback and back, in a thread of its own; a context manager."""

    def __init__(self, target: int) -> None:
        self._target = target
        self._writers: set[asyncio.StreamWriter] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="relay", daemon=True)
        self._server: asyncio.Server | None = None

    @property
    def port(self) -> int:
        """Where clients connect."""
        assert self._server is not None
        return int(self._server.sockets[0].getsockname()[1])

    def cut(self) -> int:
        """Reset all connections at once; how many there were."""
        return asyncio.run_coroutine_threadsafe(self._cut(), self._loop).result(_START_SECONDS)

    def __enter__(self) -> Self:
        self._thread.start()
        opening = asyncio.start_server(self._pass, "127.0.0.1", 0)
        self._server = asyncio.run_coroutine_threadsafe(opening, self._loop).result(_START_SECONDS)
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result(_START_SECONDS)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_START_SECONDS)
        self._loop.close()

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._target)
        except OSError:
            writer.transport.abort()
            return
        ends = {writer, far_writer}
        self._writers |= ends
        try:
            await asyncio.gather(_pump(reader, far_writer), _pump(far_reader, writer))
        finally:
            for end in ends:
                end.transport.abort()
            self._writers -= ends

    async def _cut(self) -> int:
        count = len(self._writers) // 2
        for writer in list(self._writers):
            writer.transport.abort()
        return count

    async def _end(self) -> None:
        assert self._server is not None
        self._server.close()
        await self._cut()
        passing = asyncio.all_tasks() - {asyncio.current_task()}
        if passing:
            await asyncio.wait(passing, timeout=_START_SECONDS / 2)


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(_READ_BYTES):
            writer.write(data)
            await writer.drain()
        if writer.can_write_eof():
            writer.write_eof()
            return
    writer.transport.abort()
