"""One client connection without I/O: bytes received go in, bytes to be sent come out.

The handshake and the frames that a client sends are the `websockets` library's; what is built here is Binance. Data
frames do not pass through: the shell sends them from prebuilt bytes, at frame boundaries.
"""

from __future__ import annotations

import logging
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Final, Protocol

from websockets.frames import Frame, Opcode
from websockets.http11 import Request
from websockets.protocol import State
from websockets.server import ServerProtocol

from harness.replay.protocol.api_requests import ApiRequests
from harness.replay.protocol.compression import Deflate
from harness.replay.protocol.heartbeat import Heartbeat
from harness.replay.protocol.market_requests import MarketRequests
from harness.replay.protocol.message_limit import MessageLimit
from harness.replay.protocol.paths import BadPath, MarketPath, route
from harness.replay.protocol.pushed import account_text, ended_text, shutdown_text
from harness.replay.protocol.refusals import NotARequest
from harness.replay.protocol.rules import SPOT
from harness.replay.protocol.selection import Selection, Wrapping
from harness.replay.protocol.subscriptions import Subscriptions
from harness.units import NS_PER_MS, NS_PER_S

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.replay.protocol.paths import Path
    from harness.replay.protocol.rules import Rules

MAX_MESSAGE_BYTES: Final = SPOT.max_message_bytes
#: In the list of what to send: half-close the connection.
END: Final = b""

_HEAD_END: Final = b"\r\n\r\n"
#: A read is taken in pieces: the library answers every ping of one before the message limit has a say. About twenty.
_PIECE_BYTES: Final = 128

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

    def pending(self) -> list[str]:
        """What follows the last answer on this connection alone; each is told once."""
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

    Methods return the bytes to send, in order; `END` among them means that nothing follows. None raises, whatever a
    client sends. `now_ns` is a monotonic clock's; `wall_ms` gives the time of day that pings and notices carry.
    Without a desk every listen key is good.
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
        self._now_ns = now_ns
        self._since_ns = now_ns
        """The beginning of what goes on: of the opening handshake, of the connection, of the closing handshake."""
        self._protocol = ServerProtocol(
            extensions=[Deflate()] if rules.deflate else None, max_size=rules.max_message_bytes, logger=_QUIET
        )
        self._head: bytearray | None = bytearray()
        """The opening request as far as it came; None after it."""
        self._requests: Requests | None = None
        self._microseconds = False
        self._noticed = False
        self._limit = MessageLimit(rules.messages_per_second)
        self._heartbeat = Heartbeat(rules, now_ns)
        self._excused = 0
        self._message = bytearray()
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
        if not self.open or self._requests is None:
            return Selection(wrapping=Wrapping.RAW)
        wanted = self._requests.selection
        deflated = bool(self._protocol.extensions)
        if deflated or self._microseconds:
            return replace(wanted, deflated=deflated, microseconds=self._microseconds)
        return wanted

    @property
    def closing_words(self) -> str:
        """How the client closed, for a message; empty as long as it did not."""
        close = self._protocol.close_rcvd
        if close is None:
            return ""
        return f"closed with {close.code} {close.reason}".rstrip()

    def receive(self, data: bytes, now_ns: int) -> list[bytes]:
        """What to send after these bytes came."""
        self._now_ns = now_ns
        if self._protocol.reader.eof:
            return []
        frames = data if self._head is None else self._read_head(self._head, data)
        for at in range(0, len(frames), _PIECE_BYTES):
            self._protocol.receive_data(frames[at : at + _PIECE_BYTES])
            self._react()
        return self._protocol.data_to_send()

    def receive_end(self, now_ns: int) -> list[bytes]:
        """What to send after the client half-closed."""
        self._now_ns = now_ns
        self._protocol.receive_eof()
        return self._protocol.data_to_send()

    def tick(self, now_ns: int) -> list[bytes]:
        """What the time alone makes the server send: pings, the notice, the end of what took too long.

        To be called about four times in the shortest interval of the rules.
        """
        self._now_ns = now_ns
        age_s = (now_ns - self._since_ns) / NS_PER_S
        if self.open:
            self._tick_open(age_s)
        elif not self._protocol.eof_sent:
            self._tick_handshake(age_s)
        return self._protocol.data_to_send()

    def push(self, event: bytes) -> list[bytes]:
        """One bare account event in the envelope of this connection; nothing when it wants no such event."""
        text = account_text(self.selection, event)
        if text is not None:
            self._protocol.send_text(text)
        return self._protocol.data_to_send()

    def end_listening(self, listen_key: str, event: bytes) -> list[bytes]:
        """The event that tells that a listenKey ended, and a close frame; nothing where it was not listened to."""
        if self.open and isinstance(self._requests, MarketRequests) and self._requests.holds(listen_key):
            self._protocol.send_text(ended_text(self.selection, listen_key, event))
            self._close(1000, "listenKey expired")
        return self._protocol.data_to_send()

    def ping(self, times: int) -> list[bytes]:
        """So many pings at once, or nothing when the connection is not open; as many pongs are no messages."""
        if self.open:
            self._excused += times
            for number in range(times):
                self._protocol.send_ping(str(self._wall_ms() + number).encode())
        return self._protocol.data_to_send()

    def close(self, code: int, reason: str = "") -> list[bytes]:
        """A close frame, or nothing when the connection is not open."""
        if self.open:
            self._close(code, reason)
        return self._protocol.data_to_send()

    def _read_head(self, head: bytearray, data: bytes) -> bytes:
        """What follows the opening request, once that is whole: the library must not see frames before the answer."""
        searched = max(0, len(head) - len(_HEAD_END) + 1)
        head += data
        end = head.find(_HEAD_END, searched) + len(_HEAD_END)
        whole = end >= len(_HEAD_END)
        if (end if whole else len(head)) > self._rules.max_head_bytes:
            self._turn_down(431, "The opening request is too large")
            return b""
        if not whole:
            return b""
        self._head = None
        self._protocol.receive_data(head[:end])
        self._react()
        return bytes(head[end:])

    def _turn_down(self, status: int, text: str) -> None:
        self._head = None
        self._protocol.send_response(self._protocol.reject(status, text))

    def _tick_open(self, age_s: float) -> None:
        if age_s >= self._rules.lifetime_seconds:
            # With which code Binance ends a day is not documented; "going away" is what the standard has for it.
            self._close(1001, "Connection lifetime is over")
            return
        if self._heartbeat.is_over(self._now_ns):
            self._close(1008, "Pong timeout")
            return
        if self._rules.shutdown_notice and age_s >= self._rules.lifetime_seconds - self._rules.notice_seconds:
            self._notice()
        if self._heartbeat.is_due(self._now_ns):
            payload = str(self._wall_ms()).encode()
            self._heartbeat.pinged(payload, self._now_ns)
            self._protocol.send_ping(payload)

    def _tick_handshake(self, age_s: float) -> None:
        if self._protocol.state is State.CONNECTING and age_s >= self._rules.handshake_seconds:
            self._turn_down(408, "The opening request took too long")
        elif self._protocol.state is State.CLOSING and age_s >= self._rules.closing_seconds:
            self._protocol.fail(1006)

    def _notice(self) -> None:
        if not self._noticed:
            self._noticed = True
            self._protocol.send_text(shutdown_text(self.selection, self._wall_ms()))

    def _react(self) -> None:
        for event in self._protocol.events_received():
            if isinstance(event, Request):
                self._open(event)
            elif isinstance(event, Frame) and self.open:
                self._on_frame(event)

    def _open(self, request: Request) -> None:
        try:
            path = route(request.path, self._rules.max_streams)
        except BadPath as error:
            self._turn_down(error.status, error.text)
            return
        response = self._protocol.accept(request)
        self._protocol.send_response(response)
        if self.open:
            self._since_ns = self._now_ns
            self._heartbeat = Heartbeat(self._rules, self._now_ns)
            self._enter(path)

    def _enter(self, path: Path) -> None:
        self._microseconds = path.microseconds
        if isinstance(path, MarketPath):
            subscriptions = Subscriptions(
                path.streams, route=path.route, listen_keys=path.listen_keys, admits=self._admits
            )
            self._requests = MarketRequests(subscriptions, combined=path.combined, max_streams=self._rules.max_streams)
            return
        self._limit = MessageLimit(0)  # the WebSocket API counts weights instead, and the desk does that
        self._requests = ApiRequests() if self._desk is None else self._desk.api_requests()

    def _admits(self, listen_key: str) -> bool:
        return self._desk is None or self._desk.admits(listen_key, self._now_ns)

    def _on_frame(self, frame: Frame) -> None:
        if frame.opcode is Opcode.PONG and self._excused:
            self._excused -= 1
        elif frame.opcode is not Opcode.CONT and self._limit.exceeded(self._now_ns):
            # With which code is not documented.
            self._close(1008, "Too many messages")
            return
        if frame.opcode is Opcode.PONG:
            self._heartbeat.ponged(bytes(frame.data))
        elif frame.opcode is not Opcode.PING:
            self._on_data(frame)

    def _on_data(self, frame: Frame) -> None:
        if frame.opcode is not Opcode.CONT:
            self._opcode = frame.opcode
        self._message += frame.data
        if frame.fin:
            message = bytes(self._message)
            self._message.clear()
            self._on_message(message)

    def _on_message(self, message: bytes) -> None:
        if self._requests is None or self._opcode is not Opcode.TEXT:
            self._close(1008, "Invalid request")
            return
        try:
            answer = self._requests.answer(message.decode(), self._now_ns)
        except UnicodeDecodeError:
            self._protocol.fail(1007, "not UTF-8")
        except NotARequest:
            self._close(1008, "Invalid request")
        else:
            for text in (answer, *self._requests.pending()):
                self._protocol.send_text(text.encode(errors="backslashreplace"))

    def _close(self, code: int, reason: str) -> None:
        self._protocol.send_close(code, reason)
        self._since_ns = self._now_ns
