"""TLS before the replay: takes wss:// and https:// on a port of its own and passes the bytes on, on loopback.

Kept apart from the server, whose sending thread hands prebuilt bytes to a plain socket: what TLS costs is paid here.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import threading
from typing import TYPE_CHECKING, Final, Self

from harness.errors import ConfigError, PortTaken

if TYPE_CHECKING:
    import ssl
    from types import TracebackType

_PIECE_BYTES: Final = 256 * 1024
_START_S: Final = 10.0
_END_S: Final = 5.0


class TlsFront:
    """Listens from the moment it is made until `close`; a context manager.

    Raises PortTaken, and ConfigError when it cannot listen.
    """

    def __init__(self, context: ssl.SSLContext, *, host: str, port: int, upstream: tuple[str, int]) -> None:
        """`host` is a loopback address; `upstream` is where the plain server listens."""
        self._context = context
        self._host = host
        self._upstream = upstream
        self._loop = asyncio.new_event_loop()
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._thread = threading.Thread(target=self._loop.run_forever, name="replay-tls", daemon=True)
        self._thread.start()
        try:
            self.port: int = asyncio.run_coroutine_threadsafe(self._listen(port), self._loop).result(_START_S)
        except BaseException as error:
            self.close()
            if isinstance(error, OSError) and error.errno == errno.EADDRINUSE:
                raise PortTaken(host, port) from error
            if isinstance(error, OSError):
                raise ConfigError("replay", "tls-port", f"cannot listen on {host}:{port}: {error}") from error
            raise

    def close(self) -> None:
        """Cut all clients off and stop listening; may be called again."""
        if self._loop.is_closed():
            return
        with contextlib.suppress(TimeoutError):
            asyncio.run_coroutine_threadsafe(self._end(), self._loop).result(_END_S)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_END_S)
        if not self._thread.is_alive():
            self._loop.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    async def _listen(self, port: int) -> int:
        self._server = await asyncio.start_server(self._serve, self._host, port, ssl=self._context)
        return int(self._server.sockets[0].getsockname()[1])

    async def _end(self) -> None:
        if self._server is not None:
            self._server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is not None:
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        try:
            inner_reader, inner_writer = await asyncio.open_connection(*self._upstream)
            await _relay(reader, writer, inner_reader, inner_writer)
        except (OSError, asyncio.CancelledError):
            pass
        finally:
            writer.transport.abort()


async def _relay(
    client_reader: asyncio.StreamReader,
    client_writer: asyncio.StreamWriter,
    server_reader: asyncio.StreamReader,
    server_writer: asyncio.StreamWriter,
) -> None:
    """Until the server has ended the connection, in order or not; the client is then treated alike."""
    up = asyncio.ensure_future(_send_up(client_reader, server_writer))
    try:
        await _pump(server_reader, client_writer)
        client_writer.close()
        async with asyncio.timeout(_END_S):
            await client_writer.wait_closed()
    except TimeoutError:
        return
    finally:
        server_writer.transport.abort()
        up.cancel()
        await asyncio.gather(up, return_exceptions=True)


async def _send_up(client_reader: asyncio.StreamReader, server_writer: asyncio.StreamWriter) -> None:
    try:
        await _pump(client_reader, server_writer)
        server_writer.write_eof()
    except OSError:
        server_writer.transport.abort()  # the client broke off: the server shall see the same


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while piece := await reader.read(_PIECE_BYTES):
        writer.write(piece)
        await writer.drain()
