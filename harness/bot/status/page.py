"""A small HTTP server on loopback: a status page, metrics and health, off the trading loop's path.

It runs in a thread with an event loop of its own. Of the trading loop it asks one thing: a snapshot, at most one a
second however many ask. A loop that does not answer is itself worth telling, so /healthz tells it.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import ipaddress
import logging
import math
import socket
import threading
import time
from concurrent.futures import Future
from dataclasses import dataclass
from email.utils import formatdate
from http import HTTPStatus
from typing import TYPE_CHECKING, Final, Self

from harness.bot.status.exposition import CONTENT_TYPE, Exposition
from harness.bot.status.html import CONTENT_SECURITY_POLICY, StatusHtml
from harness.bot.status.http_request import Request, Unacceptable, parse
from harness.bot.status.snapshot import Snapshot, State
from harness.errors import ConfigError, PortTaken

if TYPE_CHECKING:
    from collections.abc import Callable

_log = logging.getLogger(__name__)

#: A snapshot is shown for so long before another is taken.
FRESH_S: Final = 1.0
#: The trading loop has so long to give one.
PATIENCE_S: Final = 2.0
#: A client has so long for all of its request and our answer.
CLIENT_S: Final = 5.0
#: What a client may send before the empty line.
MOST_HEAD: Final = 8_192
#: When more are connected, the one that came first is dropped.
MOST_CLIENTS: Final = 32

_TEXT: Final = "text/plain; charset=utf-8"
_HEADERS: Final = (
    "Cache-Control: no-store\r\n"
    f"Content-Security-Policy: {CONTENT_SECURITY_POLICY}\r\n"
    "X-Content-Type-Options: nosniff\r\n"
    "X-Frame-Options: DENY\r\n"
    "Referrer-Policy: no-referrer\r\n"
    "Cross-Origin-Resource-Policy: same-origin\r\n"
    "Cross-Origin-Opener-Policy: same-origin\r\n"
    "Connection: close\r\n"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Answer:
    status: HTTPStatus
    body: bytes
    kind: str = _TEXT


class StatusPage:
    """Serves `/`, `/metrics` and `/healthz` from the moment it is made until it is closed.

    `take` is called on `loop`, the bot's, and must be quick. Raises ConfigError for a host that is not loopback, and
    PortTaken; port 0 is any free one.
    """

    def __init__(
        self, take: Callable[[], Snapshot], loop: asyncio.AbstractEventLoop, *, host: str = "127.0.0.1", port: int = 0
    ) -> None:
        self.host = _loopback(host)
        self._listener = _listen(self.host, port)
        self.port: int = self._listener.getsockname()[1]
        self._pages = _Pages(_Source(take, loop))
        self._names = frozenset({"localhost", "127.0.0.1", "[::1]", self._name})
        self._clients: dict[asyncio.StreamWriter, asyncio.Task[None]] = {}
        self._ended: Future[None] = Future()
        self._thread = threading.Thread(target=self._run, name="status-page", daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        """Where the page is."""
        return f"http://{self._name}:{self.port}/"

    @property
    def _name(self) -> str:
        return f"[{self.host}]" if ":" in self.host else self.host

    def close(self) -> None:
        """Drop all clients and stop listening; may be called twice."""
        if not self._ended.done():
            self._ended.set_result(None)
        self._thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    def _run(self) -> None:
        # Not the loop of the stack: this one is never measured, and the plainest does.
        with asyncio.Runner(loop_factory=asyncio.SelectorEventLoop) as runner:
            runner.run(self._serve())

    async def _serve(self) -> None:
        server = await asyncio.start_server(self._on_client, sock=self._listener, limit=MOST_HEAD)
        await asyncio.wrap_future(self._ended)
        # Whoever was accepted just now comes in before the server closes, which would lose sight of him otherwise.
        asyncio.get_running_loop().remove_reader(self._listener)
        for _ in range(3):
            await asyncio.sleep(0)
        server.close()
        for writer, task in self._clients.items():
            task.cancel()
            writer.transport.abort()

    def _on_client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(self._clients) >= MOST_CLIENTS:
            first = next(iter(self._clients))
            del self._clients[first]
            first.transport.abort()
        self._clients[writer] = asyncio.create_task(self._attend(reader, writer))

    async def _attend(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.transport.set_write_buffer_limits(high=0)  # so that drain() waits until the kernel has all
        try:
            async with asyncio.timeout(CLIENT_S):
                writer.write(await self._answered(reader))
                await writer.drain()
                writer.write_eof()
                # Closing on unread bytes would reset the connection, and the answer might be lost with it.
                while await reader.read(MOST_HEAD):
                    pass
        except (TimeoutError, OSError, asyncio.IncompleteReadError):
            pass  # a client that is slow, or gone
        finally:
            self._clients.pop(writer, None)
            writer.transport.abort()

    async def _answered(self, reader: asyncio.StreamReader) -> bytes:
        try:
            request = parse(await reader.readuntil(b"\r\n\r\n"), self._names)
        except asyncio.LimitOverrunError:
            return _response(_told(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "the request is too long"))
        except Unacceptable as error:
            return _response(_told(error.status, str(error)), is_head=error.is_head)
        try:
            answer = await self._pages.answer(request)
        except Exception:  # noqa: BLE001 - told and logged; the next client may fare better
            _log.exception("the status page could not be made")
            answer = _told(HTTPStatus.INTERNAL_SERVER_ERROR, "the page could not be made; the log says why")
        return _response(answer, is_head=request.is_head)


class _Pages:
    """What each path answers. A page is made once for a snapshot, however many ask for it."""

    def __init__(self, source: _Source) -> None:
        self._source = source
        self._snapshot: Snapshot | None = None
        self._made: dict[str, _Answer] = {}
        html, exposition = StatusHtml(), Exposition(self._current)
        self._makers: dict[str, Callable[[Snapshot], _Answer]] = {
            "/": lambda snapshot: _Answer(
                status=HTTPStatus.OK, body=html.render(snapshot), kind="text/html; charset=utf-8"
            ),
            "/metrics": lambda _: _Answer(status=HTTPStatus.OK, body=exposition.text(), kind=CONTENT_TYPE),
            "/healthz": _health,
        }

    async def answer(self, request: Request) -> _Answer:
        if request.path not in self._makers:
            return _told(HTTPStatus.NOT_FOUND, f"there are {', '.join(self._makers)}")
        taken = await self._source.snapshot()
        if isinstance(taken, str):
            return _told(HTTPStatus.SERVICE_UNAVAILABLE, taken)
        if taken is not self._snapshot:
            self._snapshot = taken
            self._made.clear()
        if request.path not in self._made:
            self._made[request.path] = self._makers[request.path](taken)
        return self._made[request.path]

    def _current(self) -> Snapshot:
        assert self._snapshot is not None, "a page is made of a snapshot"  # noqa: S101 - set in answer()
        return self._snapshot


class _Source:
    """Snapshots, taken on the bot's loop for the loop of this thread; never more than one is outstanding."""

    def __init__(self, take: Callable[[], Snapshot], loop: asyncio.AbstractEventLoop) -> None:
        self._take = take
        self._loop = loop
        self._outstanding: asyncio.Future[None] | None = None
        self._latest: Snapshot | str = ""
        self._arrived_at = -math.inf

    async def snapshot(self) -> Snapshot | str:
        """One that is fresh, or a sentence that says why there is none."""
        if self._outstanding is None and time.monotonic() - self._arrived_at >= FRESH_S:
            self._ask()
        if self._outstanding is not None:
            done, _ = await asyncio.wait([self._outstanding], timeout=PATIENCE_S)
            if not done:
                return f"the trading loop did not answer within {PATIENCE_S:g} s"
        return self._latest

    def _ask(self) -> None:
        here = asyncio.get_running_loop()
        self._outstanding = here.create_future()
        try:
            self._loop.call_soon_threadsafe(self._answer, here)
        except RuntimeError:  # the loop is closed
            self._arrived("the bot has stopped")

    def _answer(self, asking: asyncio.AbstractEventLoop) -> None:
        """On the bot's loop."""
        try:
            taken: Snapshot | str = self._take()
        except Exception as error:  # noqa: BLE001 - a figure that cannot be read must not end the bot
            taken = f"the bot's figures could not be read: {type(error).__name__}"
            if taken != self._latest:  # once, not every second
                _log.exception("the bot's figures could not be read")
        with contextlib.suppress(RuntimeError):  # the page was closed meanwhile
            asking.call_soon_threadsafe(self._arrived, taken)

    def _arrived(self, taken: Snapshot | str) -> None:
        self._latest = taken
        self._arrived_at = time.monotonic()
        if self._outstanding is not None:
            self._outstanding.set_result(None)
            self._outstanding = None


def _health(snapshot: Snapshot) -> _Answer:
    if snapshot.state is State.TRADING:
        return _told(HTTPStatus.OK, "trading")
    return _told(HTTPStatus.SERVICE_UNAVAILABLE, f"{snapshot.state.value}: {snapshot.reason or 'no reason is known'}")


def _told(status: HTTPStatus, sentence: str) -> _Answer:
    return _Answer(status=status, body=f"{sentence}\n".encode(errors="backslashreplace"))


def _response(answer: _Answer, *, is_head: bool = False) -> bytes:
    allow = "Allow: GET, HEAD\r\n" if answer.status is HTTPStatus.METHOD_NOT_ALLOWED else ""
    head = (
        f"HTTP/1.1 {answer.status.value} {answer.status.phrase}\r\nDate: {formatdate(usegmt=True)}\r\n"
        f"Content-Type: {answer.kind}\r\nContent-Length: {len(answer.body)}\r\n{allow}{_HEADERS}\r\n"
    )
    return head.encode("ascii") + (b"" if is_head else answer.body)


def _loopback(host: str) -> str:
    try:
        address = ipaddress.ip_address("127.0.0.1" if host == "localhost" else host)
    except ValueError:
        address = None
    if address is None or not address.is_loopback:
        raise ConfigError("status page", "host", f"{host!r} is not a loopback address; use 127.0.0.1 or ::1")
    return str(address)


def _listen(host: str, port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(MOST_CLIENTS)
    except OverflowError as error:
        listener.close()
        raise ConfigError("status page", "port", f"{port} is not between 0 and 65535") from error
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            raise PortTaken(host, port) from error
        problem = f"cannot listen on {host}:{port}: {error.strerror or error}"
        raise ConfigError("status page", "port", problem) from error
    return listener
