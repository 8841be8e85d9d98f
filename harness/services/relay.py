"""A TCP relay that holds every byte back for half a stated round trip, in each direction.

One thread with one selector: what is read is stamped and queued, and sent when it is due. Data is delayed, not
serialised: any number of chunks may be under way, so that throughput is not limited.
"""

from __future__ import annotations

import contextlib
import heapq
import itertools
import os
import select
import selectors
import socket
import struct
import sys
import time
from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.units import Nanoseconds

LOOPBACK = "127.0.0.1"
_READ_BYTES = 64 * 1024
#: What may be under way in one direction: at 15 ms one way this still lets 1 GB/s pass.
_WINDOW_BYTES = 16 * 1024 * 1024
#: A sleep ends 0.1 to 0.4 ms late on a virtual machine whose cores were idle; the last stretch is polled instead.
_POLLED_NS = 300_000
_IDLE_SECONDS = 3600.0

#: Linux's Documentation/networking/timestamping.rst: the kernel tells when data arrived, as three timespecs of the
#: wall clock of which the first counts. An idle core takes 0.1 ms and more to wake us, which is no part of the delay.
_STAMPS_ARRIVALS = sys.platform == "linux"
_SO_TIMESTAMPING = 37
_STAMP_ON_ARRIVAL = (1 << 3) | (1 << 4)  # SOF_TIMESTAMPING_RX_SOFTWARE, SOF_TIMESTAMPING_SOFTWARE
_TIMESPEC = struct.Struct("@ll")
_NOTE_BYTES = socket.CMSG_SPACE(3 * _TIMESPEC.size)
#: A stamp further back than this is not believed: the wall clock was set between arrival and reading.
_BELIEVED_NS = 50_000_000


def _arrival(notes: list[tuple[int, int, bytes]], now: int) -> int:
    """When data arrived, on the monotonic clock; `now` where the kernel does not tell."""
    for level, kind, content in notes:
        if level == socket.SOL_SOCKET and kind == _SO_TIMESTAMPING and len(content) >= _TIMESPEC.size:
            whole, part = _TIMESPEC.unpack_from(content)
            age = time.time_ns() - (whole * 1_000_000_000 + part)
            return now - age if 0 <= age <= _BELIEVED_NS else now
    return now


class _End:
    """One socket of a connection, and the delay line of what is on its way to it."""

    def __init__(self, relay: Relay, sock: socket.socket, *, established_ns: int) -> None:
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if _STAMPS_ARRIVALS:
            sock.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPING, _STAMP_ON_ARRIVAL)
        self.relay = relay
        self.sock = sock
        self.peer: _End = self
        self.connected = True
        self.closed = False
        self._established_ns = established_ns
        #: (due, data); empty data is the end of the stream.
        self.line: deque[tuple[int, memoryview]] = deque()
        self.on_the_way = 0
        self._last_due_ns = 0
        self._hears = True
        self.told_all = False
        self._blocked = False
        self.events = 0

    def pair_with(self, peer: _End) -> None:
        self.peer, peer.peer = peer, self
        for end in (self, peer):
            end.watch()

    def watch(self) -> None:
        """Ask the selector for what can be used at this moment."""
        reads = self._hears and self.connected and self.peer.on_the_way < _WINDOW_BYTES
        wanted = (selectors.EVENT_READ if reads else 0) | (
            selectors.EVENT_WRITE if self._blocked or not self.connected else 0
        )
        if wanted != self.events and not self.closed:
            self.relay.watch(self, self.events, wanted)
            self.events = wanted

    def on_events(self, mask: int) -> None:
        try:
            if mask & selectors.EVENT_WRITE:
                self._on_writable()
            if mask & selectors.EVENT_READ and not self.closed:
                self._read()
        except OSError:
            self.abort()

    def deliver_due(self, now: int) -> None:
        """Send what is due."""
        if self.closed or not self.connected:
            return
        try:
            while self.line and self.line[0][0] <= now and not self._blocked:
                self._deliver_first()
        except OSError:
            self.abort()
            return
        self.watch()
        self.peer.watch()

    def abort(self) -> None:
        """End the connection on both sides at once, as a reset does."""
        for end in (self, self.peer):
            if not end.closed:
                end.relay.watch(end, end.events, 0)
                end.closed = True
                end.line.clear()
                end.sock.close()

    def _on_writable(self) -> None:
        if not self.connected:
            error = self.sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if error:
                raise OSError(error, "connect")
            self.connected = True
        self._blocked = False
        self.deliver_due(time.monotonic_ns())

    def _read(self) -> None:
        try:
            data, notes, _, _ = self.sock.recvmsg(_READ_BYTES, _NOTE_BYTES)
        except BlockingIOError:
            return
        now = time.monotonic_ns()
        if not data:
            self._hears = False
            self.watch()
        self.peer.hold(data, now=now, arrived=_arrival(notes, now))

    def hold(self, data: bytes, *, now: int, arrived: int) -> None:
        """Put data on its way to this end; empty data is the end of the stream."""
        # Not before the handshake would have been over, and never before what came earlier.
        due = max(max(arrived, self._established_ns) + self.relay.round_trip // 2, self._last_due_ns)
        self._last_due_ns = due
        self.line.append((due, memoryview(data)))
        self.on_the_way += len(data)
        if due <= now:
            self.deliver_due(now)
        else:
            self.relay.wake_at(due, self)
        self.peer.watch()

    def _deliver_first(self) -> None:
        due, data = self.line[0]
        if not data:
            self.line.popleft()
            self.sock.shutdown(socket.SHUT_WR)
            self.told_all = True
            if self.peer.told_all:
                self.abort()
            return
        try:
            sent = self.sock.send(data)
        except BlockingIOError:
            self._blocked = True
            return
        self.on_the_way -= sent
        if sent == len(data):
            self.line.popleft()
        else:
            self.line[0] = (due, data[sent:])


class Relay:
    """Listens on a free port of loopback from the moment it is made, and relays to `target` while `run` runs."""

    def __init__(self, target: tuple[str, int], round_trip: Nanoseconds) -> None:
        """Raises OSError when no port can be had."""
        self._target = socket.getaddrinfo(*target, type=socket.SOCK_STREAM)[0]
        #: May be changed at any time, from any thread; holds for what is read from then on.
        self.round_trip = round_trip
        self._selector = selectors.DefaultSelector()
        self._listener = socket.create_server((LOOPBACK, 0), backlog=1024)
        self._listener.setblocking(False)
        self._due: list[tuple[int, int, _End]] = []
        self._serial = itertools.count()
        self._ends: set[_End] = set()
        self._open = True
        self._wake_read, self._wake_write = socket.socketpair()
        self._wake_read.setblocking(False)
        self.watch_file(self._listener, self._accept)
        self.watch_file(self._wake_read, self._stop)

    @property
    def port(self) -> int:
        """The port on 127.0.0.1 that clients connect to."""
        return int(self._listener.getsockname()[1])

    def close(self) -> None:
        """Make `run` return; may be called from any thread, more than once."""
        with contextlib.suppress(OSError):
            self._wake_write.send(b"x")

    def run(self) -> None:
        """Relay until `close`; then every connection is closed."""
        try:
            while self._open:
                self._wait()
                self._deliver(time.monotonic_ns())
        finally:
            self._tear_down()

    def watch_file(self, file: int | socket.socket, callback: Callable[[], None]) -> None:
        """Call back whenever a file can be read (a control line)."""
        self._selector.register(file, selectors.EVENT_READ, callback)

    def unwatch_file(self, file: int | socket.socket) -> None:
        """Undo `watch_file`."""
        self._selector.unregister(file)

    def watch(self, end: _End, before: int, wanted: int) -> None:
        """Tell the selector what an end waits for."""
        if wanted == 0 and before != 0:
            self._selector.unregister(end.sock)
        elif before == 0 and wanted != 0:
            self._selector.register(end.sock, wanted, end)
        elif before != wanted:
            self._selector.modify(end.sock, wanted, end)

    def wake_at(self, due_ns: int, end: _End) -> None:
        """Have `end.deliver_due` called at a time."""
        heapq.heappush(self._due, (due_ns, next(self._serial), end))

    def _wait(self) -> None:
        timeout = _IDLE_SECONDS
        if self._due:
            timeout = max(0.0, (self._due[0][0] - time.monotonic_ns() - _POLLED_NS) / 1e9)
        if timeout == 0.0:
            os.sched_yield()  # polling, but not in the way of a server on the same core
        else:
            # epoll counts in milliseconds; select(2) on its one descriptor counts in microseconds.
            select.select([self._selector.fileno()], [], [], timeout)
        for key, mask in self._selector.select(0):
            if isinstance(key.data, _End):
                key.data.on_events(mask)
            else:
                key.data()

    def _deliver(self, now: int) -> None:
        while self._due and self._due[0][0] <= now:
            heapq.heappop(self._due)[2].deliver_due(now)

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:  # nobody waits any more, or no descriptors are left
                return
            self._connect(client)

    def _connect(self, client: socket.socket) -> None:
        """The kernel answered the client's handshake at once; the round trip it would take is added to the start."""
        established = time.monotonic_ns() + self.round_trip
        family, kind, protocol, _, address = self._target
        near = _End(self, client, established_ns=established)
        far = _End(self, socket.socket(family, kind, protocol), established_ns=established)
        self._ends = {end for end in self._ends if not end.closed} | {near, far}
        far.connected = far.sock.connect_ex(address) == 0
        near.pair_with(far)

    def _stop(self) -> None:
        self._open = False

    def _tear_down(self) -> None:
        for end in self._ends:
            end.abort()
        for sock in (self._listener, self._wake_read, self._wake_write):
            sock.close()
        self._selector.close()
