"""The order gateway: a Binance that takes orders, on loopback, and the witness of what a bot decided.

What it accepted is what stands in its log, on the disk before the client is told, and read back at its start: so its
memory of client order ids outlives it. `python -m harness.replay.orders.gateway` is the gateway as a process.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import errno
import json
import logging
import os
import signal
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final
from weakref import WeakSet

import msgspec
from websockets.asyncio.server import broadcast, serve
from websockets.exceptions import ConnectionClosed

from harness.errors import PortTaken, TickproofError
from harness.exchange.reports import reports_of, wrapped
from harness.replay.orders.account import Cut, Faults, WitnessedAccount
from harness.replay.orders.log import OrderLog
from harness.replay.protocol.order_requests import OrderRequests
from harness.replay.protocol.paths import ApiPath, BadPath, route
from harness.replay.protocol.refusals import NotARequest
from harness.replay.protocol.session import MAX_MESSAGE_BYTES
from harness.replay.server import loopback

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from websockets.asyncio.server import ServerConnection
    from websockets.http11 import Request, Response

#: Connections at once; more are answered 503.
MAX_CLIENTS: Final = 64
#: Requests that wait for the one task that answers; clients are not read until it has caught up.
_MAX_WAITING: Final = 1_024
#: Requests that share one wait for the disk.
_MAX_BATCH: Final = 256
#: A client that does not read what it subscribed to is cut off.
_MAX_UNREAD_BYTES: Final = 8 << 20

_QUIET = logging.getLogger("harness.replay.orders.gateway.websockets")
_QUIET.addHandler(logging.NullHandler())
_QUIET.propagate = False


class OrderGateway:
    """Answers all connections in one order, that in which their requests came, from one account."""

    def __init__(self, account: WitnessedAccount, *, late_s: float = 0.0) -> None:
        self._account = account
        self._late_s = late_s
        self._clients: dict[ServerConnection, OrderRequests] = {}
        self._cut: WeakSet[ServerConnection] = WeakSet()
        self._closings: set[asyncio.Task[None]] = set()
        self._waiting: asyncio.Queue[tuple[ServerConnection, OrderRequests, str, int]] = asyncio.Queue(_MAX_WAITING)

    async def run(self, host: str, port: int, ready: Callable[[int], None], stop: asyncio.Event) -> None:
        """Serve until `stop` is set; `ready` is called with the port once clients may connect.

        Raises ConfigError for a host that is not loopback, PortTaken, and OSError when the log cannot be written.
        """
        host = loopback(host)
        try:
            server = await serve(
                self._converse,
                host,
                port,
                process_request=self._admit,
                origins=[None],  # a browser sends one, and no page of the web trades here
                compression=None,
                max_size=MAX_MESSAGE_BYTES,
                close_timeout=1,
                logger=_QUIET,
            )
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                raise PortTaken(host, port) from error
            raise
        async with server:
            ready(next(iter(server.sockets)).getsockname()[1])
            await self._answer_until(stop)

    async def _answer_until(self, stop: asyncio.Event) -> None:
        answering = asyncio.create_task(self._answer_all())
        stopped = asyncio.create_task(stop.wait())
        try:
            await asyncio.wait({answering, stopped}, return_when=asyncio.FIRST_COMPLETED)
            if answering.done():
                answering.result()
        finally:
            for task in (answering, stopped):
                task.cancel()
            await asyncio.gather(answering, stopped, return_exceptions=True)

    def _admit(self, connection: ServerConnection, request: Request) -> Response | None:
        try:
            path = route(request.path)
        except BadPath as error:
            return connection.respond(error.status, error.text)
        if not isinstance(path, ApiPath):
            return connection.respond(404, "orders are taken at /ws-api/v3 only")
        if len(self._clients) >= MAX_CLIENTS:
            return connection.respond(503, "too many connections")
        return None

    async def _converse(self, connection: ServerConnection) -> None:
        requests = self._clients[connection] = OrderRequests(self._account)
        try:
            async for message in connection:
                if not isinstance(message, str):
                    await connection.close(1008, "Invalid request")
                    return
                await self._waiting.put((connection, requests, message, time.monotonic_ns()))
        except ConnectionClosed:
            return
        finally:
            del self._clients[connection]

    async def _answer_all(self) -> None:
        while True:
            batch = [await self._waiting.get()]
            while not self._waiting.empty() and len(batch) < _MAX_BATCH:
                batch.append(self._waiting.get_nowait())
            answers = [(one[0], self._answer(*one)) for one in batch]
            accepted = self._account.write()
            if self._late_s:
                await asyncio.sleep(self._late_s)
            for connection, answer in answers:
                self._send(connection, answer)
            for order in accepted:
                for report in reports_of(order):
                    self._push(wrapped(report).decode())

    def _answer(self, connection: ServerConnection, requests: OrderRequests, text: str, now_ns: int) -> str:
        """The answer to a request; empty for none. What follows a cut on its connection was never received."""
        if connection in self._cut:
            return ""
        try:
            # Half a surrogate pair in an id is echoed as JSON would escape it: UTF-8 has no word for it.
            return requests.answer(text, now_ns).encode(errors="backslashreplace").decode()
        except Cut:
            self._cut.add(connection)
            connection.transport.abort()
        except NotARequest:
            self._cut.add(connection)
            closing = asyncio.create_task(connection.close(1008, "Invalid request"))
            self._closings.add(closing)
            closing.add_done_callback(self._closings.discard)
        return ""

    def _push(self, event: str) -> None:
        for connection, requests in self._clients.items():
            if requests.selection.account:
                self._send(connection, event)

    def _send(self, connection: ServerConnection, text: str) -> None:
        if not text or connection in self._cut:
            return
        broadcast([connection], text)  # never waits, and passes over a connection that is closing
        if connection.transport.get_write_buffer_size() > _MAX_UNREAD_BYTES:
            connection.transport.abort()


async def serve_orders(
    log: Path,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    faults: Faults | None = None,
    ready: Callable[[int], None],
    watch_input: bool = False,
) -> int:
    """Take orders until SIGTERM or Ctrl-C, or the end of the input if that is watched; returns the orders in the log.

    `ready` is called with the port. Raises TickproofError for a log, host or port that cannot be used, and OSError
    when the log cannot be written any more: then nobody was told of an order that is not in it.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    if watch_input:
        threading.Thread(target=_wait_for_end_of_input, args=(loop, stop), name="order-input", daemon=True).start()
    faults = faults or Faults()
    with OrderLog(log) as opened:
        account = WitnessedAccount(opened, faults=faults)
        await OrderGateway(account, late_s=faults.late_ms / 1_000).run(host, port, ready, stop)
        return len(opened)


def _wait_for_end_of_input(loop: asyncio.AbstractEventLoop, stop: asyncio.Event) -> None:
    with contextlib.suppress(OSError):
        while os.read(0, 4_096):
            pass
    with contextlib.suppress(RuntimeError):  # the loop was closed meanwhile
        loop.call_soon_threadsafe(stop.set)


def main(arguments: Sequence[str]) -> int:
    """The process: one JSON line with the port when clients may connect; returns its exit status."""
    parser = argparse.ArgumentParser(prog="python -m harness.replay.orders.gateway", description=__doc__)
    parser.add_argument(
        "--log", type=Path, required=True, help="JSON lines of the accepted orders; read back if it is there"
    )
    parser.add_argument("--host", default="127.0.0.1", help="an address of the loopback")
    parser.add_argument("--port", type=int, default=0, help="0 for any free one")
    parser.add_argument("--faults", default="{}", help="JSON, for tests")
    given = parser.parse_args(arguments)
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    try:
        faults = msgspec.json.decode(given.faults, type=Faults)
        asyncio.run(
            serve_orders(given.log, host=given.host, port=given.port, faults=faults, ready=_tell_port, watch_input=True)
        )
    except (TickproofError, msgspec.MsgspecError, OSError) as error:
        sys.stderr.write(f"order gateway: {error}\n")
        return error.exit_code if isinstance(error, TickproofError) else 4
    return 0


def _tell_port(port: int) -> None:
    sys.stdout.write(json.dumps({"port": port}) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
