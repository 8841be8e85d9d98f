"""The thin shell around a conversation: one socket, and the thread that reads it.

Data frames are written by the sender's thread, answers and pings by whoever makes them; both go out at frame
boundaries. While the sender writes, answers wait in an outbox that it empties between two pieces.
"""

from __future__ import annotations

import contextlib
import fcntl
import socket
import struct
import sys
import termios
import threading
import time
from collections import deque
from typing import TYPE_CHECKING, Final

from harness.replay.orders.account import Cut
from harness.replay.protocol.session import END

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.replay.conversation import Conversation
    from harness.replay.protocol.selection import Selection

_RECEIVE_BYTES: Final = 64 * 1024
_SEND_BUFFER_BYTES: Final = 4 * 1024 * 1024
#: For the client's answer to a close frame, and for its end of the connection.
_CLOSE_SECONDS: Final = 10.0
#: Answers and events that a client has not read; with more it is cut off.
_MAX_WAITING_BYTES: Final = 8 << 20
#: A trickle is sent in slices of this.
_SLICE_S: Final = 0.01


class PeerLost(Exception):
    """A client that cannot be written to any more; `sent` bytes of the piece were taken before."""

    def __init__(self, reason: str, sent: int = 0) -> None:
        self.reason = reason
        self.sent = sent
        super().__init__(reason)


class Connection:
    """One client; what it wants may be read from any thread.

    `on_change` is told whenever that changes, and when it is lost. `settle` is called after each turn and before
    anything is answered; where it raises OSError nothing is answered, ever. `tell` is called after the answer.
    """

    def __init__(
        self,
        sock: socket.socket,
        conversation: Conversation,
        *,
        number: int,
        stall_seconds: float,
        on_change: Callable[[Connection], None],
        settle: Callable[[], None] = lambda: None,
        tell: Callable[[], None] = lambda: None,
    ) -> None:
        self._socket = sock
        self._conversation = conversation
        self._on_change = on_change
        self._settle = settle
        self._tell = tell
        self._stall_seconds = stall_seconds
        self._thinking = threading.Lock()
        self._writing = threading.Lock()
        self._outbox: deque[bytes] = deque()
        self._put = self._taken = 0
        """Bytes that came into the outbox, counted by whoever thinks, and that left it, by whoever writes."""
        self._in_frame = False
        self._thawed = threading.Event()
        self._thawed.set()
        self._gone = threading.Event()
        self._breaks_off = False
        self._is_cut = False
        self._reason = ""
        self._over_since: float | None = None
        self.number = number
        """Counted from 1, by server."""
        self.selection: Selection = conversation.selection
        self.has_subscribed = False
        self.was_account = False
        """Whether account events were wanted when it was lost."""
        _set_up(sock, stall_seconds)
        self._reader = threading.Thread(target=self._read, name="replay-reader", daemon=True)

    def start(self) -> None:
        """Begin to read."""
        self._reader.start()

    @property
    def path(self) -> str:
        """What it asked for first."""
        return self._conversation.path

    @property
    def gone(self) -> str:
        """Why no more data can be sent; empty while it can, or before the handshake is over."""
        return self._reason

    @property
    def answered(self) -> bool:
        """Whether a close frame came from the client: it has then read all that was sent before ours."""
        return bool(self._conversation.closing_words)

    @property
    def overdue(self) -> bool:
        """Whether it was closed and the client has not ended it in time."""
        return self._over_since is not None and time.monotonic() - self._over_since > _CLOSE_SECONDS

    def write(self, frames: memoryview) -> None:
        """Hand whole data frames to the system; raises PeerLost when the client closed or stopped reading."""
        with self._writing:
            self._empty_outbox()
            if self._reason:
                raise PeerLost(self._reason)
            self._send(frames)
        self._flush()

    def offer(self, data: memoryview, is_boundary: Callable[[int], bool]) -> int:
        """Hand over as much as the system takes at once, and return its size; raises PeerLost when the client is lost.

        `is_boundary` tells whether a frame ends after so many bytes of the data: nothing else is sent before it does.
        """
        if self._reason:
            raise PeerLost(self._reason)
        if not self._writing.acquire(blocking=False):
            return 0
        try:
            if not self._empty_outbox(socket.MSG_DONTWAIT):
                return 0
            taken = self._socket.send(data, socket.MSG_DONTWAIT)
            self._in_frame = not is_boundary(taken)
        except BlockingIOError:
            return 0
        except OSError as error:
            raise self._gone_away(error) from error
        finally:
            self._writing.release()
        self._flush()
        return taken

    def trickle(self, frames: memoryview, bytes_per_second: float) -> None:
        """As `write`, so slowly; nothing else is sent meanwhile."""
        size = max(1, round(bytes_per_second * _SLICE_S))
        with self._writing:
            self._empty_outbox()
            for start in range(0, len(frames), size):
                if self._reason:
                    raise PeerLost(self._reason, start)
                self._send(frames[start : start + size])
                self._gone.wait(_SLICE_S)
        self._flush()

    def tick(self, now_ns: int) -> None:
        """Let the clock have its say: pings, and the limits of time."""
        if self._thawed.is_set():
            self._say(lambda conversation: conversation.tick(now_ns))

    def push(self, event: bytes) -> None:
        """Send one bare account event, if the client wants account events."""
        self._say(lambda conversation: conversation.push(event))

    def end_listening(self, listen_key: str, event: bytes) -> None:
        """Tell the client that its listenKey ended, and start the closing handshake, if it listened by that."""
        self._say(lambda conversation: conversation.end_listening(listen_key, event))

    def close(self, code: int, reason: str = "") -> None:
        """Start the closing handshake; `wait_gone` tells when the client has answered."""
        self._say(lambda conversation: conversation.close(code, reason))

    def inject(self, data: bytes) -> None:
        """Send bytes past the protocol, between two frames: for faults on purpose."""
        with self._thinking:
            self._outbox.append(data)
            self._put += len(data)
        with contextlib.suppress(PeerLost):
            self._flush()

    def drain(self, seconds: float) -> bool:
        """Whether the client's system has taken all that was sent, in that time; its program may not have read it."""
        until = time.monotonic() + seconds
        while (left := _unsent(self._socket)) and time.monotonic() < until and not self._gone.is_set():
            time.sleep(0.001)
        return not left

    def ping(self, times: int) -> None:
        """Send so many pings at once; what they are answered with is not held against the client."""
        self._say(lambda conversation: conversation.ping(times))

    def end(self) -> None:
        """End it without a further word, after all that was sent."""
        self._lose("was ended on purpose")
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)

    def freeze(self) -> None:
        """Read and write nothing more, and leave the connection open: it is half-open for the client."""
        self._thawed.clear()
        self._lose("was frozen on purpose")

    def reset(self) -> None:
        """Break off as a crash would: the client sees a reset, and never what it had not received by now."""
        self._breaks_off = True
        self._lose("was reset on purpose")
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RD)  # wakes the reader, who closes the socket

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
        self._thawed.set()
        if self._reader.is_alive() and self._reader is not threading.current_thread():
            self._reader.join(self._stall_seconds)
        with self._writing:
            self._socket.close()

    def _read(self) -> None:
        reason = "was ended by an error of this server"
        try:
            while (data := self._socket.recv(_RECEIVE_BYTES)) and not self._is_cut:
                self._thawed.wait()
                self._receive(data)
            if not self._breaks_off:
                self._say(lambda conversation: conversation.receive_end(time.monotonic_ns()), otherwise="went away")
            reason = "went away"
        except OSError as error:
            reason = f"went away: {error.strerror or error}"
        finally:  # whatever happened, nobody may wait for this client
            if self._breaks_off:
                self._break_off()
            self._lose(self._conversation.closing_words or reason)
            self._gone.set()

    def _break_off(self) -> None:
        with self._writing, contextlib.suppress(OSError):
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self._socket.close()

    def _receive(self, data: bytes) -> None:
        # Waiting here for a client that does not read its answers keeps it from asking more.
        self._say(lambda conversation: conversation.receive(data, time.monotonic_ns()), flags=0)

    def _say(
        self,
        turn: Callable[[Conversation], list[bytes]],
        *,
        otherwise: str = "was closed",
        flags: int = socket.MSG_DONTWAIT,
    ) -> None:
        """Let the conversation take one turn, and send what it says; `otherwise` is why it ended without a word.

        Without `flags` it waits until the system takes all; else what is left goes out with the next turn or frame.
        """
        with self._thinking:
            said, cut = self._turn(turn)
            try:
                self._settle()
            except OSError as error:
                self._lose(f"is not answered: {error}")
                self.abort()
                return
            self._outbox.extend(said)
            self._put += sum(map(len, said))
            over = self._conversation.over
        try:
            self._flush(flags)  # first of all: whoever is told that a connection is over may end it
        except PeerLost as lost:
            self._lose(lost.reason)
            self.abort()
        if over:
            self._over_since = time.monotonic() if self._over_since is None else self._over_since
            self._lose(self._conversation.closing_words or otherwise)
        elif self._select():
            self._on_change(self)
        if cut or self._put - self._taken > _MAX_WAITING_BYTES:
            self._lose("was cut on purpose" if cut else "does not read its answers")
            self.abort()
        self._tell()

    def _turn(self, turn: Callable[[Conversation], list[bytes]]) -> tuple[list[bytes], bool]:
        """What the conversation says, and whether the connection must be cut instead."""
        try:
            return turn(self._conversation), False
        except Cut:
            self._is_cut = True  # what the client said after it was never received
            return [], True

    def _select(self) -> bool:
        """Whether something else is wanted than before; as it is now, not as it was when some turn was over."""
        with self._thinking:
            selection = self._conversation.selection
            changed = selection != self.selection and not self._reason
            if changed:
                self.selection = selection
                self.has_subscribed = self.has_subscribed or not selection.empty
            return changed

    def _lose(self, reason: str) -> None:
        if not self._reason:
            self.was_account = self.selection.account
            self._reason = reason
            self.selection = self._conversation.selection
            self._on_change(self)

    def _flush(self, flags: int = socket.MSG_DONTWAIT) -> None:
        # Whoever holds the lock looks again after letting it go, so no answer is left lying.
        emptied = True
        while emptied and self._outbox and not self._in_frame and self._writing.acquire(blocking=False):
            try:
                emptied = self._empty_outbox(flags)
            finally:
                self._writing.release()

    def _empty_outbox(self, flags: int = 0) -> bool:
        """Whether all was sent that may be; with MSG_DONTWAIT, what the system does not take at once is left."""
        while self._outbox and not self._in_frame:
            said = self._outbox.popleft()
            self._taken += len(said)
            if said == END:
                with contextlib.suppress(OSError):
                    self._socket.shutdown(socket.SHUT_WR)
            elif not flags:
                self._send(memoryview(said))
            elif left := said[self._send_some(said) :]:
                self._outbox.appendleft(left)
                self._taken -= len(left)
                return False
        return True

    def _gone_away(self, error: OSError, sent: int = 0) -> PeerLost:
        return PeerLost(self._reason or f"went away: {error.strerror or error}", sent)

    def _send_some(self, data: bytes) -> int:
        try:
            return self._socket.send(data, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return 0
        except OSError as error:
            raise self._gone_away(error) from error

    def _send(self, data: memoryview) -> None:
        sent = 0
        try:
            while sent < len(data):
                sent += self._socket.send(data[sent:])
        except BlockingIOError:
            raise PeerLost(f"read nothing for {self._stall_seconds:g} s", sent) from None
        except OSError as error:
            raise self._gone_away(error, sent) from None


def _unsent(sock: socket.socket) -> int:
    """Bytes that the client's system has not acknowledged (Linux, tcp(7): SIOCOUTQ); 0 where it cannot be told."""
    try:
        return int.from_bytes(fcntl.ioctl(sock, termios.TIOCOUTQ, bytes(4)), sys.byteorder)
    except (OSError, ValueError):  # ValueError: given back meanwhile
        return 0


def _set_up(sock: socket.socket, stall_seconds: float) -> None:
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER_BYTES)
    # A blocking socket with the kernel's own time-out: Python's would cost a poll() before every send().
    whole, part = divmod(round(stall_seconds * 1e6), 1_000_000)
    sock.setblocking(True)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("@ll", whole, part))
