"""A WebSocket client that knows when what it hands on was read: for captures, where the time matters most.

The websockets library's protocol without I/O on an asyncio socket. The clock is looked at once for each piece that is
read, before anything is made of it; frames of one piece share its time. The stamp comes after the system's receive
buffer, the loop's turn and, under TLS, the decryption; and before the parsing.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections import deque
from typing import TYPE_CHECKING

from websockets.client import ClientProtocol
from websockets.exceptions import InvalidURI, WebSocketException
from websockets.frames import Frame, Opcode
from websockets.protocol import State
from websockets.uri import parse_uri

from harness.backends.transports import CLOSE_TIMEOUT_S, MAX_FRAME_BYTES
from harness.clock import MonotonicClock

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.clock import Clock
    from harness.units import Nanoseconds

OPEN_TIMEOUT_S = 10.0
#: Of an orderly end (RFC 6455, 7.4.1).
_ORDERLY = frozenset({1000, 1001})
_LOOKS_A_SILENCE = 4


class StampedTransport:
    """Fits `contracts.Transport`; `read_at` is the time of the piece whose frames are being handed on.

    A connection that brings no byte for `silent_s`, not even a ping, is broken off; 0 for never. TLS is verified.
    """

    def __init__(self, clock: Clock | None = None, *, silent_s: float = 0.0) -> None:
        self.clock = clock or MonotonicClock()
        self.read_at: Nanoseconds = self.clock.now()
        self._silent_s = silent_s

    async def connect(self, url: str, on_frame: Callable[[bytes], object]) -> StampedConnection:
        """Open and read from now on: no compression, no redirect, no proxy; pings are answered."""
        try:
            uri = parse_uri(url)
        except InvalidURI as error:
            raise ConnectionError(str(error)) from error
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(OPEN_TIMEOUT_S):
            _, connection = await loop.create_connection(
                lambda: StampedConnection(self, ClientProtocol(uri, max_size=MAX_FRAME_BYTES), on_frame),
                uri.host,
                uri.port,
                ssl=ssl.create_default_context() if uri.secure else None,
            )
            try:
                await asyncio.shield(connection.opened)
            except BaseException:
                connection.abort("the handshake was given up")
                raise
        connection.watch(self._silent_s)
        return connection


class StampedConnection(asyncio.Protocol):
    """One connection: a protocol of asyncio's on the one side, `contracts.Connection` on the other."""

    def __init__(self, owner: StampedTransport, protocol: ClientProtocol, on_frame: Callable[[bytes], object]) -> None:
        loop = asyncio.get_running_loop()
        self.opened: asyncio.Future[None] = loop.create_future()
        """Done when the peer took the handshake; ConnectionError when it did not."""
        self.ended: asyncio.Future[None] = loop.create_future()
        """Done when the connection has ended and all its frames were handed on."""
        self.last_read: Nanoseconds = owner.clock.now()
        """When anything last came."""
        self._owner = owner
        self._protocol = protocol
        self._on_frame: Callable[[bytes], object] | None = on_frame
        self._loop = loop
        self._transport: asyncio.Transport | None = None
        self._parts: list[bytes] = []
        self._held: deque[tuple[Nanoseconds, bytes]] = deque()
        self._is_lost = False
        self._paused = False
        self._fault: Exception | None = None
        self._told = ""
        self._look: asyncio.TimerHandle | None = None
        self._linger: asyncio.TimerHandle | None = None

    @property
    def engine(self) -> object:
        """The library's protocol."""
        return self._protocol

    @property
    def closed_in_order(self) -> bool:
        """Whether the peer has said that it closes (1000, 1001)."""
        closed = self._protocol.close_rcvd
        return closed is not None and closed.code in _ORDERLY

    @property
    def why(self) -> str:
        """Why the connection ended, once it has."""
        if self._told:
            return self._told
        try:
            return str(self._protocol.close_exc)
        except (AssertionError, WebSocketException):
            return str(self._protocol.handshake_exc or "no answer to the handshake")

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Asyncio's: send the handshake."""
        self._transport = transport  # type: ignore[assignment] # create_connection makes no other kind
        self._protocol.send_request(self._protocol.connect())
        self._flush()

    def data_received(self, data: bytes) -> None:
        """Asyncio's: look at the clock, then at the data."""
        self.last_read = self._owner.read_at = self._owner.clock.now()
        self._protocol.receive_data(data)
        self._flush()
        self._handle()

    def eof_received(self) -> None:
        """Asyncio's: the peer sends no more."""
        self._protocol.receive_eof()
        self._flush()
        self._handle()

    def connection_lost(self, exc: Exception | None) -> None:
        """Asyncio's: the socket is gone."""
        for timer in (self._look, self._linger):
            if timer:
                timer.cancel()
        if self._protocol.state is not State.CLOSED:
            with contextlib.suppress(EOFError):
                self._protocol.receive_eof()
        self._told = self._told or (str(exc) if exc else "")
        if not self.opened.done():
            self.opened.set_exception(ConnectionError(f"the peer refused the WebSocket: {self.why}"))
            self.opened.exception()
        self._is_lost = True
        self._end()

    def watch(self, silent_s: float) -> None:
        """Break the connection off when nothing comes for so long; 0 for never."""
        if not silent_s or self.ended.done():
            return
        quiet_ns = self._owner.clock.now() - self.last_read
        if not self._paused and quiet_ns > silent_s * 1e9:
            self.abort(f"nothing came for {silent_s:g} s, not even a ping")
            return
        self._look = self._loop.call_later(silent_s / _LOOKS_A_SILENCE, self.watch, silent_s)

    def abort(self, told: str) -> None:
        """End at once, for that reason."""
        self._told = self._told or told
        if self._transport:
            self._transport.abort()

    async def send(self, data: bytes) -> None:
        """Send one text frame; raises ConnectionError when the connection has ended."""
        if self._protocol.state is not State.OPEN or self.ended.done():
            raise ConnectionError(f"the WebSocket has ended: {self.why}")
        self._protocol.send_text(data)
        self._flush()

    def pause(self) -> None:
        """Stop reading; frames of the piece that is being handed on wait, with the time at which it was read."""
        self._paused = True
        if self._transport and not self._transport.is_closing():
            self._transport.pause_reading()

    def resume(self) -> None:
        """Read on."""
        self._paused = False
        self.last_read = self._owner.clock.now()
        while self._held and not self._paused:
            self._owner.read_at, body = self._held.popleft()
            self._push(body)
        self._end()
        if self._paused:
            return
        if self._transport and not self._transport.is_closing():
            self._transport.resume_reading()

    async def wait_closed(self) -> None:
        """Until the peer closes in order; raises ConnectionError for any other end, or what the callback raised."""
        await asyncio.shield(self.ended)
        if self._fault:
            raise self._fault
        if not self.closed_in_order:
            raise ConnectionError(f"the WebSocket broke off: {self.why}")

    async def close(self) -> None:
        """End from our side; nothing is pushed any more."""
        self._on_frame = None
        self._held.clear()
        self._end()
        if self.ended.done():
            return
        self.resume()  # the peer's answer stands behind what was not read
        if self._protocol.state is State.OPEN:
            self._protocol.send_close(1000)
            self._flush()
        try:
            async with asyncio.timeout(CLOSE_TIMEOUT_S):
                await asyncio.shield(self.ended)
        except TimeoutError:
            self.abort("the peer did not close")
            await asyncio.shield(self.ended)

    def _flush(self) -> None:
        for data in self._protocol.data_to_send():
            if self._transport is None or self._transport.is_closing():
                return
            if data:
                self._transport.write(data)
            else:
                self._transport.close()  # our close frame is out, and so is the peer's

    def _handle(self) -> None:
        for event in self._protocol.events_received():
            if isinstance(event, Frame):
                self._take(event)
            elif self._protocol.handshake_exc is None and not self.opened.done():
                self.opened.set_result(None)
        if self._protocol.close_expected() and self._linger is None:
            self._linger = self._loop.call_later(CLOSE_TIMEOUT_S, self.abort, "the peer did not end the connection")
        # The protocol waits for the peer's end of stream; a peer that did not take the handshake may not send one.
        if self._protocol.handshake_exc is not None:
            self.abort(str(self._protocol.handshake_exc))

    def _take(self, frame: Frame) -> None:
        if frame.opcode not in {Opcode.TEXT, Opcode.BINARY, Opcode.CONT}:
            return
        body = bytes(frame.data)
        if not frame.fin or self._parts:
            self._parts.append(body)
            if not frame.fin:
                return
            body = b"".join(self._parts)
            self._parts.clear()
        if self._paused:
            self._held.append((self._owner.read_at, body))
        else:
            self._push(body)

    def _push(self, body: bytes) -> None:
        if self._on_frame is None:
            return
        try:
            self._on_frame(body)
        except Exception as error:  # noqa: BLE001 - whatever it is, `wait_closed` tells it
            self._on_frame = None
            self._fault = error
            self.abort(str(error))

    def _end(self) -> None:
        """The connection has ended once its socket is gone and nothing is held."""
        if self._is_lost and not self._held and not self.ended.done():
            self.ended.set_result(None)
