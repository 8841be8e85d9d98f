"""One client without I/O, whatever it speaks: the head of its first request decides between WebSocket and HTTP."""

from __future__ import annotations

import re
from dataclasses import dataclass
from http.client import responses
from typing import TYPE_CHECKING, Final, Protocol

from harness.replay.protocol import session
from harness.replay.protocol.rules import SPOT, Rules
from harness.replay.protocol.selection import Selection, Wrapping
from harness.replay.protocol.session import END, Session
from harness.replay.rest.http import HttpAnswer, HttpRequest, HttpSession
from harness.units import NS_PER_S

if TYPE_CHECKING:
    from collections.abc import Callable

#: A request target of 64 KB, and headers.
_MAX_HEAD_BYTES: Final = 96 * 1024
_HEAD_SECONDS: Final = 10.0
_UPGRADE: Final = re.compile(rb"\r\nupgrade:[ \t]*websocket[ \t]*\r\n", re.IGNORECASE)
_TARGET: Final = re.compile(rb"[A-Z]+ (\S{1,200})")
_ORIGIN: Final = re.compile(rb"\r\norigin:[ \t]*(\S*)", re.IGNORECASE)
_HOST: Final = re.compile(rb"\r\nhost:[ \t]*(\S*)", re.IGNORECASE)
_API_PATHS: Final = ("/ws-api/", "/ws-fapi/")
_NOTHING: Final = Selection(wrapping=Wrapping.RAW)


class Desk(session.Desk, Protocol):
    """What all connections share of the exchange's account side."""

    def settle(self, deliver: Callable[[list[bytes]], None] | None = None) -> list[bytes]:
        """Make good what was accepted since the last call, and return the account events that tell of it.

        `deliver` is given the same before later ones can be. Raises OSError when it cannot be made good: then nobody
        may be told, ever.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class House:
    """What all conversations of a server share."""

    rules: Rules = SPOT
    desk: Desk | None = None
    answer: Callable[[HttpRequest, int], HttpAnswer] | None = None
    """Who answers HTTP; without it only WebSocket is spoken."""
    expired: Callable[[int], list[str]] = lambda _now_ns: []
    """Listen keys that ended since the last call; each is told once."""
    paths: tuple[str, ...] = ("/",)
    """How a path begins that leads anywhere."""
    max_connections: int = 1_024
    """At once; more are answered 503."""


class Conversation:
    """Methods return the bytes to send, in order; `END` among them means that nothing follows.

    `now_ns` is a monotonic clock's.
    """

    def __init__(self, house: House, *, now_ns: int, refusal: int | None = None) -> None:
        """`refusal` is an HTTP status with which whatever is asked first is refused."""
        self._house = house
        self._since_ns = now_ns
        self._refusal = refusal
        self._head = b""
        self._session: Session | HttpSession | None = None
        self._over = False
        self.path = ""
        """Of the first request, cut after 200 characters."""

    @property
    def over(self) -> bool:
        """Whether the connection is closing or closed, or was refused."""
        return self._over or (self._session is not None and self._session.over)

    @property
    def selection(self) -> Selection:
        """What the client wants at this moment."""
        return self._session.selection if isinstance(self._session, Session) else _NOTHING

    @property
    def closing_words(self) -> str:
        """How the client closed its WebSocket, for a message; empty as long as it did not."""
        return self._session.closing_words if isinstance(self._session, Session) else ""

    def receive(self, data: bytes, now_ns: int) -> list[bytes]:
        """What to send after these bytes came."""
        if self._over:
            return []
        if self._session is None:
            return self._decide(data, now_ns)
        return self._session.receive(data, now_ns)

    def receive_end(self, now_ns: int) -> list[bytes]:
        """What to send after the client half-closed."""
        if self._session is None:
            return self._end()
        return self._session.receive_end(now_ns)

    def tick(self, now_ns: int) -> list[bytes]:
        """What the clock alone makes the server send."""
        if self._session is not None:
            return self._session.tick(now_ns)
        return self._end() if now_ns - self._since_ns > _HEAD_SECONDS * NS_PER_S else []

    def push(self, event: bytes) -> list[bytes]:
        """One bare account event; nothing for a client that wants none."""
        return self._session.push(event) if isinstance(self._session, Session) else []

    def end_listening(self, listen_key: str, event: bytes) -> list[bytes]:
        """The event that tells that a listenKey ended, and a close frame; nothing where it was not listened to."""
        return self._session.end_listening(listen_key, event) if isinstance(self._session, Session) else []

    def ping(self, times: int) -> list[bytes]:
        """So many pings at once; nothing where no WebSocket is open."""
        return self._session.ping(times) if isinstance(self._session, Session) else []

    def close(self, code: int, reason: str = "") -> list[bytes]:
        """The beginning of the closing handshake; nothing where no WebSocket is open."""
        return self._session.close(code, reason) if isinstance(self._session, Session) else []

    def _decide(self, data: bytes, now_ns: int) -> list[bytes]:
        self._head += data
        if b"\r\n\r\n" not in self._head and len(self._head) <= _MAX_HEAD_BYTES:
            return []
        found = _TARGET.match(self._head)
        self.path = found[1].decode(errors="replace") if found else ""
        refusal = self._refusal or self._objection()
        if refusal is not None:
            return [_refused(refusal), *self._end()]
        head, self._head = self._head, b""
        self._session = self._begun(head)
        return self._session.receive(head, now_ns)

    def _objection(self) -> int | None:
        """The status by which what is asked first is refused; None for what is let in."""
        if not self.path.startswith(self._house.paths):
            return 404
        # A page of somebody else that is open in a browser here must not trade. Streams are for all to see.
        origin = _ORIGIN.search(self._head)
        if origin and self.path.startswith(_API_PATHS) and not _is_ours(origin[1], _HOST.search(self._head)):
            return 403
        return None

    def _begun(self, head: bytes) -> Session | HttpSession:
        house = self._house
        if house.answer is None or _UPGRADE.search(head):
            return Session(house.rules, house.desk, now_ns=self._since_ns)
        return HttpSession(house.answer, now_ns=self._since_ns)

    def _end(self) -> list[bytes]:
        if self._over:
            return []
        self._over = True
        return [END]


def _refused(status: int) -> bytes:
    words = responses.get(status, "Refused")
    return f"HTTP/1.1 {status} {words}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode()


def _is_ours(origin: bytes, host: re.Match[bytes] | None) -> bool:
    return host is not None and origin.lower() in {b"http://" + host[1].lower(), b"https://" + host[1].lower()}
