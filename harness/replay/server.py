"""The listening side: accepts clients on loopback, keeps their connections, pings them."""

from __future__ import annotations

import contextlib
import errno
import ipaddress
import socket
import struct
import threading
import time
from collections import deque
from typing import TYPE_CHECKING, Final

import msgspec

from harness.errors import ConfigError, PortTaken
from harness.replay.connection import Connection
from harness.replay.conversation import Conversation, House
from harness.units import NS_PER_MS

if TYPE_CHECKING:
    from collections.abc import Callable

#: A client that reads nothing for so long has stopped.
STALL_SECONDS: Final = 30.0
#: For clients to answer a close frame at the end.
_GOODBYE_S: Final = 1.0
_BACKLOG: Final = 1_024
#: A rule of no time at all must not keep a core busy.
_LEAST_TICK_S: Final = 0.005
#: Connections above the limit that may wait for their 503 at once; further ones are closed without a word.
_MOST_REFUSED: Final = 256


def loopback(host: str) -> str:
    """The host, if it is an address of this machine's loopback; raises ConfigError otherwise."""
    try:
        address = ipaddress.ip_address("127.0.0.1" if host == "localhost" else host)
    except ValueError:
        address = None
    if address is None or not address.is_loopback:
        raise ConfigError("replay", "host", f"{host!r} is not a loopback address; use 127.0.0.1 or ::1")
    return str(address)


class Server:
    """Listens from the moment it is made; every client is kept until it is dropped.

    Raises PortTaken, and ConfigError for a host that is not loopback.
    """

    def __init__(
        self,
        host: str = "127.0.0.1",
        port: int = 0,
        *,
        house: House | None = None,
        stall_seconds: float = STALL_SECONDS,
        on_change: Callable[[Connection], None] | None = None,
    ) -> None:
        self._house = house or House()
        self._desk = self._house.desk
        self._stall_seconds = stall_seconds
        self.accepted = 0
        """Connections that were let in."""
        self.refused = 0
        """Connections that were refused on purpose."""
        self._events: deque[bytes] = deque()
        self._telling = threading.Lock()
        self._refusals: deque[int | None] = deque()
        self._told = on_change
        self._changed = threading.Condition()
        self._connections: list[Connection] = []
        self._half_open: list[Connection] = []
        self._closed = threading.Event()
        rules = self._house.rules
        shortest = min(rules.ping_seconds, rules.pong_seconds, rules.lifetime_seconds)
        self._tick_seconds = min(1.0, max(_LEAST_TICK_S, shortest / 4))
        self.attention = threading.Event()
        """Set whenever a client changes what it wants, or is lost."""
        self.lost = ""
        self.broken = ""
        """Why it is of no use any more: orders cannot be written, or nothing is sent. Nothing is answered then."""
        self.host = loopback(host)
        self._listener = _listen(self.host, port)
        self.port: int = self._listener.getsockname()[1]
        for task in (self._accept, self._keep_alive):
            threading.Thread(target=task, name=f"replay-{task.__name__}", daemon=True).start()

    @property
    def connections(self) -> list[Connection]:
        """All clients that were not dropped, in the order they came."""
        with self._changed:
            return list(self._connections)

    def subscribed(self) -> list[Connection]:
        """Clients that wait for data, in the order they came."""
        return [one for one in self.connections if not one.selection.empty and not one.gone]

    def wait_subscribed(self, count: int, seconds: float, given_up: threading.Event) -> list[Connection]:
        """The clients that wait for data, once there are that many.

        Fewer when time is up, it was given up, or one that had subscribed was lost meanwhile (`lost` says how).
        """
        until = time.monotonic() + seconds
        with self._changed:
            self.lost = ""
            while (
                len(self.subscribed()) < count
                and not (given_up.is_set() or self.lost)
                and (rest := until - time.monotonic()) > 0
            ):
                self._changed.wait(min(rest, 1.0))
        return self.subscribed()

    def wait_change(self, seconds: float) -> None:
        """Until a client changes what it wants or is lost, at most so long, and at most a second."""
        with self._changed:
            self._changed.wait(max(0.0, min(seconds, 1.0)))

    def wake(self) -> None:
        """Let every wait look again."""
        self.attention.set()
        with self._changed:
            self._changed.notify_all()

    def refuse(self, times: int, status: int | None) -> None:
        """Refuse so many connections that come next, with an HTTP status or, for None, with a reset."""
        self._refusals.extend([status] * times)

    def forget(self, connection: Connection) -> None:
        """Keep a connection that is half-open on purpose, and count it no more among the clients."""
        with self._changed, contextlib.suppress(ValueError):
            self._connections.remove(connection)
            self._half_open.append(connection)

    def drop_half_open(self) -> None:
        """Give back those that were kept half-open."""
        with self._changed:
            kept, self._half_open = self._half_open, []
        for connection in kept:
            connection.release()

    def abort(self) -> None:
        """End all connections now; whoever writes to one finds it lost."""
        for connection in self.connections:
            connection.abort()

    def drop(self, *connections: Connection) -> None:
        """Give connections back."""
        for connection in connections:
            connection.release()
            with self._changed, contextlib.suppress(ValueError):
                self._connections.remove(connection)

    def say_goodbye(self, code: int, reason: str) -> None:
        """Close all connections in order, and wait a little for their clients to answer."""
        connections = self.connections
        for connection in connections:
            connection.close(code, reason)
        until = time.monotonic() + _GOODBYE_S
        for connection in connections:
            connection.wait_gone(max(0.0, until - time.monotonic()))

    def close(self) -> None:
        """Stop listening, and drop all."""
        self._closed.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # wakes accept(); close() alone would not
        self._listener.close()
        self.wake()
        self.abort()
        self.drop(*self.connections)
        self.drop_half_open()

    def _accept(self) -> None:
        while not self._closed.is_set():
            try:
                sock, _ = self._listener.accept()
            except OSError:
                if self._closed.wait(0.05):  # too many open files passes; a closed listener does not
                    return
                continue
            try:
                connection = self._greet(sock)
            except OSError:  # gone before it was greeted
                sock.close()
                continue
            if connection is None:
                continue
            with self._changed:  # before it is read: what it asks for is looked up in the list
                self._connections.append(connection)
            connection.start()
            if self._closed.is_set():
                self.drop(connection)

    def _greet(self, sock: socket.socket) -> Connection | None:
        refused = bool(self._refusals)
        status = self._refusals.popleft() if refused else None
        excess = self._excess()
        if excess >= 0:
            status = 503
        self.refused += refused
        if excess >= _MOST_REFUSED or (refused and status is None):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            sock.close()
            return None
        self.accepted += 1
        return Connection(
            sock,
            Conversation(self._house, now_ns=time.monotonic_ns(), refusal=status),
            number=self.accepted,
            stall_seconds=self._stall_seconds,
            on_change=self._on_change,
            settle=self._settle,
            tell=self._tell,
        )

    def _excess(self) -> int:
        """How many connections there are above the limit; one more is let in while it is negative."""
        most = self._house.max_connections
        if len(self._connections) >= most:  # those that ended since the last look do not count
            self.drop(*(connection for connection in self.connections if connection.wait_gone(0)))
        return len(self._connections) - most

    def _settle(self) -> None:
        if self._desk is None:
            return
        if self.broken:
            raise OSError(self.broken)
        try:
            self._desk.settle(self._events.extend)
        except OSError as error:
            self.broken = f"{error.strerror or error}"
            self.wake()
            raise

    def _tell(self) -> None:
        """Hand the account events that were settled to all connections, in their order."""
        # One thread at a time, and whoever it is looks again after letting go: a push takes a turn and comes by here.
        while self._events and self._telling.acquire(blocking=False):
            try:
                while self._events:
                    event = self._events.popleft()
                    for connection in self.connections:
                        connection.push(event)
            finally:
                self._telling.release()

    def _keep_alive(self) -> None:
        while not self._closed.wait(self._tick_seconds):
            now = time.monotonic_ns()
            for key in self._house.expired(now):
                self._end_listening(key)
            for connection in self.connections:
                if connection.wait_gone(0) or connection.overdue:
                    self.drop(connection)
                else:
                    connection.tick(now)

    def _end_listening(self, key: str) -> None:
        """Tell whoever listens by a key that it ended, and close: nothing more would come."""
        event = msgspec.json.encode({"e": "listenKeyExpired", "E": time.time_ns() // NS_PER_MS, "listenKey": key})
        for connection in self.connections:
            connection.end_listening(key, event)

    def _on_change(self, connection: Connection) -> None:
        if connection.gone and connection.has_subscribed:
            self.lost = connection.gone
        self.wake()
        if self._told is not None:
            self._told(connection)


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            raise PortTaken(host, port) from error
        raise ConfigError("replay", "port", f"cannot listen on {host}:{port}: {error.strerror or error}") from error
    return listener
