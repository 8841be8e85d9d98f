"""WebSocket libraries behind one push contract."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, ConnectionClosedOK, InvalidHandshake

if TYPE_CHECKING:
    from collections.abc import Callable

#: The largest frame taken. Binance's are below 50 kB; the bound keeps a hostile peer from filling the memory.
MAX_FRAME_BYTES = 8 * 1024 * 1024
#: A peer that does not answer our close is left after this long.
CLOSE_TIMEOUT_S = 2.0


class _Opening(connect):
    """No redirect is followed: whoever checked an address gets that one, or none."""

    def process_redirect(self, exc: Exception) -> Exception | str:
        """The refusal itself."""
        return exc


class WebsocketsTransport:
    """The websockets library by its public `recv(decode=False)` loop: the seed's way, and the reference."""

    async def connect(self, url: str, on_frame: Callable[[bytes], object]) -> WebsocketsConnection:
        """Open and read from now on. No compression, redirects, pings or proxy of our own: the peer pings."""
        try:
            connection = await _Opening(
                url,
                compression=None,
                ping_interval=None,
                proxy=None,
                max_size=MAX_FRAME_BYTES,
                close_timeout=CLOSE_TIMEOUT_S,
            )
        except InvalidHandshake as error:
            raise ConnectionError(f"the peer refused the WebSocket: {error}") from error
        return WebsocketsConnection(connection, on_frame)


class WebsocketsConnection:
    """One connection and the task that reads it."""

    def __init__(self, connection: ClientConnection, on_frame: Callable[[bytes], object]) -> None:
        self._connection = connection
        self._on_frame = on_frame
        self._running = asyncio.Event()
        self._running.set()
        self._reader = asyncio.get_running_loop().create_task(self._read())

    @property
    def engine(self) -> object:
        """The library's connection."""
        return self._connection

    async def _read(self) -> None:
        receive, on_frame, running = self._connection.recv, self._on_frame, self._running
        with contextlib.suppress(ConnectionClosedOK):
            while True:
                frame = await receive(decode=False)
                # Asked after the wait for a frame: it may have been paused meanwhile.
                if not running.is_set():
                    await running.wait()
                on_frame(frame)

    async def send(self, data: bytes) -> None:
        """Send one text frame; raises ConnectionError when the connection has ended."""
        try:
            await self._connection.send(data, text=True)
        except ConnectionClosed as error:
            raise ConnectionError(f"the WebSocket has ended: {error}") from error

    def pause(self) -> None:
        """Stop reading."""
        self._running.clear()

    def resume(self) -> None:
        """Read on."""
        self._running.set()

    async def wait_closed(self) -> None:
        """Until the peer closes in order; raises ConnectionError for any other end, or what the callback raised."""
        try:
            await asyncio.shield(self._reader)
        except ConnectionClosed as error:
            raise ConnectionError(f"the WebSocket broke off: {error}") from error

    async def close(self) -> None:
        """End the reading task and close; an error of the callback is `wait_closed`'s to tell."""
        self._reader.cancel()
        await asyncio.gather(self._reader, return_exceptions=True)
        # What was not read stands before the peer's own close frame: unread, it would hold us for the whole time-out.
        unread = asyncio.get_running_loop().create_task(self._discard())
        try:
            await self._connection.close()
        finally:
            unread.cancel()
            await asyncio.gather(unread, return_exceptions=True)

    async def _discard(self) -> None:
        with contextlib.suppress(ConnectionClosed):
            while True:
                await self._connection.recv(decode=False)
