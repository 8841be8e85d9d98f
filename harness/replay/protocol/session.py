"""One client connection without I/O: bytes received go in, bytes to be sent come out.

The handshake and the frames that a client sends are the `websockets` library's; what is built here is Binance. Data
frames do not pass through: the shell sends them from prebuilt bytes, at frame boundaries.
"""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Final, Protocol

from websockets.exceptions import InvalidState
from websockets.frames import Frame, Opcode
from websockets.http11 import Request
from websockets.protocol import State
from websockets.server import ServerProtocol

from harness.replay.envelope import api_frame
from harness.replay.protocol.api_requests import ApiRequests
from harness.replay.protocol.market_requests import MarketRequests
from harness.replay.protocol.paths import ApiPath, BadPath, MarketPath, route
from harness.replay.protocol.refusals import NotARequest
from harness.replay.protocol.rules import SPOT
from harness.replay.protocol.selection import Selection, Wrapping
from harness.units import NS_PER_MS, NS_PER_S

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.replay.protocol.paths import Path
    from harness.replay.protocol.rules import Rules

#: No request of the protocol is near it: 1,024 stream names are about 30 KB.
MAX_MESSAGE_BYTES: Final = 64 * 1024
#: In the list of what to send: half-close the connection.
END: Final = b""

_QUIET = logging.getLogger("harness.replay.protocol.session")
_QUIET.addHandler(logging.NullHandler())
_QUIET.propagate = False


class Requests(Protocol):
    """What a connection may ask for, and what it wants."""

    @property
    def selection(self) -> Selection:
        """What the connection wants now."""
        ...

    def answer(self, text: str, now_ns: int) -> str:
        """The answer to one request, which is then in force; raises NotARequest when it must close the connection."""
        ...


class Desk(Protocol):
    """What all connections share of the exchange's account side."""

    def api_requests(self) -> Requests:
        """The requests of one new connection to the WebSocket API."""
        ...

    def admits(self, listen_key: str, now_ns: int) -> bool:
        """Whether account events flow for this listen key."""
        ...


def wall_ms() -> int:
    """The time of day in milliseconds since 1970."""
    return time.time_ns() // NS_PER_MS


class Session:
    """What one client has asked for, and what must be answered.

    Methods return the bytes to send, in order; `END` among them means that nothing follows. `now_ns` is a monotonic
    clock's; `wall_ms` gives the time of day that pings carry. Without a desk every listen key is good.
    """

    def __init__(
        self,
        rules: Rules = SPOT,
        desk: Desk | None = None,
        *,
        now_ns: int,
        wall_ms: Callable[[], int] = wall_ms,
    ) -> None:
        self._rules = rules
        self._desk = desk
        self._wall_ms = wall_ms
        self._pinged_ns = now_ns
        self._protocol = ServerProtocol(max_size=MAX_MESSAGE_BYTES, logger=_QUIET)
        self._requests: Requests | None = None
        self._fixed = Selection(wrapping=Wrapping.RAW)
        self._parts: list[bytes] = []
        self._opcode = Opcode.TEXT

    @property
    def open(self) -> bool:
        """Whether data frames may be sent: after the handshake and before any close frame."""
        return self._protocol.state is State.OPEN

    @property
    def over(self) -> bool:
        """Whether the connection is closing or closed, or was refused."""
        return self._protocol.state in {State.CLOSING, State.CLOSED} or self._protocol.eof_sent

    @property
    def selection(self) -> Selection:
        """What the client wants at this moment; empty before the handshake and after the end."""
        if not self.open:
            return Selection(wrapping=Wrapping.RAW)
        return self._requests.selection if self._requests is not None else self._fixed

    @property
    def closing_words(self) -> str:
        """How the client closed, for a message; empty as long as it did not."""
        close = self._protocol.close_rcvd
        if close is None:
            return ""
        return f"closed with {close.code} {close.reason}".rstrip()

    def receive(self, data: bytes, now_ns: int) -> list[bytes]:
        """What to send after these bytes came."""
        if self._protocol.reader.eof:
            return []
        self._protocol.receive_data(data)
        return self._react(now_ns)

    def receive_end(self, now_ns: int) -> list[bytes]:
        """What to send after the client half-closed."""
        if self._protocol.reader.eof:
            return []
        self._protocol.receive_eof()
        return self._react(now_ns)

    def tick(self, now_ns: int) -> list[bytes]:
        """What the clock alone makes the server send: a ping, with the time in milliseconds as text."""
        if self.open and now_ns - self._pinged_ns >= self._rules.ping_seconds * NS_PER_S:
            self._pinged_ns = now_ns
            self._protocol.send_ping(str(self._wall_ms()).encode())
        return self._protocol.data_to_send()

    def push(self, event: bytes) -> list[bytes]:
        """One bare account event in the envelope of this connection; nothing when it wants no account events."""
        selection = self.selection
        if selection.account:
            self._protocol.send_text(api_frame(event) if selection.wrapping is Wrapping.API else event)
        return self._protocol.data_to_send()

    def close(self, code: int, reason: str = "") -> list[bytes]:
        """A close frame, or nothing when the connection is not open."""
        if self.open:
            self._protocol.send_close(code, reason)
        return self._protocol.data_to_send()

    def _react(self, now_ns: int) -> list[bytes]:
        for event in self._protocol.events_received():
            if isinstance(event, Request):
                self._open(event, now_ns)
            elif isinstance(event, Frame) and self.open:
                self._on_frame(event, now_ns)
        return self._protocol.data_to_send()

    def _open(self, request: Request, now_ns: int) -> None:
        try:
            path = route(request.path)
        except BadPath as error:
            self._protocol.send_response(self._protocol.reject(error.status, error.text))
            return
        response = self._protocol.accept(request)
        if response.status_code == 101:
            self._enter(path, now_ns)
        self._protocol.send_response(response)

    def _enter(self, path: Path, now_ns: int) -> None:
        if isinstance(path, MarketPath):
            self._requests = MarketRequests(combined=path.combined, streams=path.streams)
        elif isinstance(path, ApiPath):
            self._requests = self._desk.api_requests() if self._desk is not None else ApiRequests()
        else:
            admitted = self._desk is None or self._desk.admits(path.listen_key, now_ns)
            self._fixed = Selection(wrapping=Wrapping.RAW, account=admitted)

    def _on_frame(self, frame: Frame, now_ns: int) -> None:
        if frame.opcode in {Opcode.TEXT, Opcode.BINARY}:
            self._opcode = frame.opcode
            self._parts = [bytes(frame.data)]
        elif frame.opcode is Opcode.CONT:
            self._parts.append(bytes(frame.data))
        else:
            return
        if frame.fin:
            message, self._parts = b"".join(self._parts), []
            self._on_message(message, now_ns)

    def _on_message(self, message: bytes, now_ns: int) -> None:
        if self._requests is None or self._opcode is not Opcode.TEXT:
            self._refuse()
            return
        try:
            answer = self._requests.answer(message.decode(), now_ns)
        except UnicodeDecodeError:
            self._protocol.fail(1007, "not UTF-8")
        except NotARequest:
            self._refuse()
        else:
            self._protocol.send_text(answer.encode(errors="backslashreplace"))

    def _refuse(self) -> None:
        try:
            self._protocol.send_close(1008, "Invalid request")
        except InvalidState:  # a frame before this one in the same read closed the connection
            return
