"""The thin shell around a session: one socket, and the thread that reads it.

Data frames are written by the sender's thread, answers and pings by whoever makes them; both go out at frame
boundaries. While the sender writes, answers wait in an outbox that it empties between two pieces.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
import time
from collections import deque
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from harness.replay.protocol.rules import SPOT
from harness.replay.protocol.session import END, Session
from harness.units import NS_PER_S

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.replay.protocol.selection import Selection

_RECEIVE_BYTES: Final = 64 * 1024
_SEND_BUFFER_BYTES: Final = 4 * 1024 * 1024
#: When a ping is due is this shell's to say.
_RULES: Final = replace(SPOT, ping_seconds=0.0)


class PeerLost(Exception):
    """A client that cannot be written to any more; `sent` bytes of the piece were taken before."""

    def __init__(self, reason: str, sent: int = 0) -> None:
        self.reason = reason
        self.sent = sent
        super().__init__(reason)


class Connection:
    """One client; `selection` may be read from any thread."""

    def __init__(self, sock: socket.socket, *, stall_seconds: float, on_change: Callable[[Connection], None]) -> None:
        self._socket = sock
        self._session = Session(_RULES, now_ns=time.monotonic_ns())
        self._on_change = on_change
        self._stall_seconds = stall_seconds
        self._thinking = threading.Lock()
        self._writing = threading.Lock()
        self._outbox: deque[bytes] = deque()
        self._gone = threading.Event()
        self._reason = ""
        self._pinged_ns = time.monotonic_ns()
        self.selection: Selection = self._session.selection
        self.has_subscribed = False
        _set_up(sock, stall_seconds)
        self._reader = threading.Thread(target=self._read, name="replay-reader", daemon=True)

    def start(self) -> None:
        """Begin to read."""
        self._reader.start()

    @property
    def gone(self) -> str:
        """Why no more data can be sent; empty while it can, or before the handshake is over."""
        return self._reason

    @property
    def answered(self) -> bool:
        """Whether a close frame came from the client: it has then read all that was sent before ours."""
        return bool(self._session.closing_words)

    def write(self, frames: memoryview) -> None:
        """Hand whole data frames to the system; raises PeerLost when the client closed or stopped reading."""
        with self._writing:
            self._empty_outbox()
            if self._reason:
                raise PeerLost(self._reason)
            self._send(frames)
        self._flush()

    def ping_if_due(self, every_seconds: float) -> None:
        """Send a ping with the time in milliseconds as text, if the last one is long enough ago."""
        now = time.monotonic_ns()
        if now - self._pinged_ns >= every_seconds * NS_PER_S:
            self._pinged_ns = now
            self._say(lambda session: session.tick(now))

    def close(self, code: int, reason: str = "") -> None:
        """Start the closing handshake; `wait_gone` tells when the client has answered."""
        self._say(lambda session: session.close(code, reason))

    def wait_gone(self, seconds: float) -> bool:
        """Whether the client ended the connection in that time."""
        return self._gone.wait(seconds)

    def abort(self) -> None:
        """End the connection now, whatever it is doing."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)

    def release(self) -> None:
        """Abort, wait for the reader's thread and give the socket back."""
        self.abort()
        if self._reader.is_alive() and self._reader is not threading.current_thread():
            self._reader.join(self._stall_seconds)
        with self._writing:
            self._socket.close()

    def _read(self) -> None:
        reason = "went away"
        try:
            while data := self._socket.recv(_RECEIVE_BYTES):
                self._receive(data)
            self._say(lambda session: session.receive_end(time.monotonic_ns()), otherwise="went away")
        except OSError as error:
            reason = f"went away: {error.strerror or error}"
        self._lose(self._session.closing_words or reason)
        self._gone.set()

    def _receive(self, data: bytes) -> None:
        self._say(lambda session: session.receive(data, time.monotonic_ns()))

    def _say(self, turn: Callable[[Session], list[bytes]], otherwise: str = "was closed") -> None:
        """Let the session take one turn, and send what it says; `otherwise` is why it ended if the client is silent."""
        with self._thinking:
            self._outbox.extend(turn(self._session))
            selection, over = self._session.selection, self._session.over
        if over:
            self._lose(self._session.closing_words or otherwise)
        elif selection != self.selection:
            self.selection = selection
            self.has_subscribed = self.has_subscribed or not selection.empty
            self._on_change(self)
        try:
            self._flush()
        except PeerLost as lost:
            self._lose(lost.reason)

    def _lose(self, reason: str) -> None:
        if not self._reason:
            self._reason = reason
            self.selection = self._session.selection
            self._on_change(self)

    def _flush(self) -> None:
        # Whoever holds the lock looks again after letting it go, so no answer is left lying.
        while self._outbox and self._writing.acquire(blocking=False):
            try:
                self._empty_outbox()
            finally:
                self._writing.release()

    def _empty_outbox(self) -> None:
        while self._outbox:
            said = self._outbox.popleft()
            if said == END:
                with contextlib.suppress(OSError):
                    self._socket.shutdown(socket.SHUT_WR)
            else:
                self._send(memoryview(said))

    def _send(self, data: memoryview) -> None:
        sent = 0
        try:
            while sent < len(data):
                sent += self._socket.send(data[sent:])
        except BlockingIOError:
            raise PeerLost(f"read nothing for {self._stall_seconds:g} s", sent) from None
        except OSError as error:
            raise PeerLost(self._reason or f"went away: {error.strerror or error}", sent) from None


def _set_up(sock: socket.socket, stall_seconds: float) -> None:
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER_BYTES)
    # A blocking socket with the kernel's own time-out: Python's would cost a poll() before every send().
    whole, part = divmod(round(stall_seconds * 1e6), 1_000_000)
    sock.setblocking(True)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("@ll", whole, part))
