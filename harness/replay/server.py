"""The listening side: accepts clients on loopback, keeps their connections, pings them."""

from __future__ import annotations

import contextlib
import errno
import ipaddress
import socket
import threading
import time
from typing import TYPE_CHECKING, Final

from harness.errors import ConfigError, PortTaken
from harness.replay.connection import Connection

if TYPE_CHECKING:
    from collections.abc import Callable

#: Binance spot pings every 20 s; USD-M every 3 min.
PING_SECONDS: Final = 20.0
#: A client that reads nothing for so long has stopped.
STALL_SECONDS: Final = 30.0
_BACKLOG: Final = 64


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
        ping_seconds: float = PING_SECONDS,
        stall_seconds: float = STALL_SECONDS,
        on_change: Callable[[Connection], None] | None = None,
    ) -> None:
        self._ping_seconds = ping_seconds
        self._stall_seconds = stall_seconds
        self._told = on_change
        self._changed = threading.Condition()
        self._connections: list[Connection] = []
        self._closed = threading.Event()
        self.attention = threading.Event()
        """Set whenever a client changes what it wants, or is lost."""
        self.lost = ""
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
        return [connection for connection in self.connections if not connection.selection.empty]

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

    def wake(self) -> None:
        """Let every wait look again."""
        self.attention.set()
        with self._changed:
            self._changed.notify_all()

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

    def close(self) -> None:
        """Stop listening, and drop all."""
        self._closed.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # wakes accept(); close() alone would not
        self._listener.close()
        self.wake()
        self.drop(*self.connections)

    def _accept(self) -> None:
        while not self._closed.is_set():
            try:
                sock, _ = self._listener.accept()
            except OSError:
                if self._closed.wait(0.05):  # too many open files passes; a closed listener does not
                    return
                continue
            try:
                connection = Connection(sock, stall_seconds=self._stall_seconds, on_change=self._on_change)
            except OSError:  # gone before it was greeted
                sock.close()
                continue
            with self._changed:  # before it is read: what it asks for is looked up in the list
                self._connections.append(connection)
            connection.start()
            if self._closed.is_set():
                self.drop(connection)

    def _keep_alive(self) -> None:
        while not self._closed.wait(min(1.0, self._ping_seconds / 4)):
            for connection in self.connections:
                if connection.wait_gone(0):
                    self.drop(connection)
                elif not connection.gone:
                    connection.ping_if_due(self._ping_seconds)

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
