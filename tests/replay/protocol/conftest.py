"""The library's client without I/O, joined to a session by lists of bytes, with a clock that a test advances."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from websockets.client import ClientProtocol
from websockets.frames import Close, Frame, Opcode
from websockets.uri import parse_uri

from harness.replay.protocol.rules import SPOT
from harness.replay.protocol.session import END, Session
from harness.units import NS_PER_S

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from websockets.extensions.base import ClientExtensionFactory

    from harness.replay.protocol.rules import Rules
    from harness.replay.protocol.session import Desk

WALL_MS = 1_790_134_675_605


class Client:
    """One client and its session; nothing of it sleeps."""

    def __init__(
        self,
        path: str,
        rules: Rules = SPOT,
        *,
        desk: Desk | None = None,
        extensions: Sequence[ClientExtensionFactory] | None = None,
    ) -> None:
        self.now_ns = 0
        self.session = Session(rules, desk, now_ns=0, wall_ms=lambda: WALL_MS + self.now_ns // 1_000_000)
        self.protocol = ClientProtocol(parse_uri(f"ws://localhost{path}"), extensions=extensions)
        self.protocol.send_request(self.protocol.connect())
        self.received: list[object] = []
        self.ended = False
        self.exchange()
        self.received = self.received[1:]  # the handshake's response

    def exchange(self) -> None:
        """Let the session have all that the client has to say, and the client the answers."""
        while said := b"".join(self.protocol.data_to_send()):
            self.hear(self.session.receive(said, self.now_ns))

    def hear(self, answers: list[bytes]) -> None:
        """Let the client have what the session said."""
        for answer in answers:
            if answer == END:
                self.ended = True
                self.protocol.receive_eof()
            else:
                self.protocol.receive_data(answer)
            self.received += self.protocol.events_received()

    def say(self, text: bytes) -> list[bytes]:
        """What the session answers, as texts."""
        before = len(self.received)
        self.protocol.send_text(text)
        self.exchange()
        return self.texts(before)

    def wait(self, seconds: float, *, answer: bool = True) -> list[bytes]:
        """The payloads of the pings that came in that time, in steps of a second; answered unless told otherwise."""
        before = len(self.received)
        until = self.now_ns + round(seconds * NS_PER_S)
        while self.now_ns < until:
            self.now_ns = min(self.now_ns + NS_PER_S, until)
            self.hear(self.session.tick(self.now_ns))
            if answer:
                self.exchange()
            else:
                self.protocol.data_to_send()
        return [bytes(frame.data) for frame in self._frames(before) if frame.opcode is Opcode.PING]

    def texts(self, since: int = 0) -> list[bytes]:
        """The text frames received from that event on."""
        return [bytes(frame.data) for frame in self._frames(since) if frame.opcode is Opcode.TEXT]

    @property
    def close(self) -> Close | None:
        """The close frame that came from the session."""
        return self.protocol.close_rcvd

    def _frames(self, since: int) -> list[Frame]:
        return [event for event in self.received[since:] if isinstance(event, Frame)]


@pytest.fixture
def connect() -> Callable[..., Client]:
    return Client
