"""HTTP/1.1 of one connection without I/O: bytes received go in, bytes to be sent come out.

The grammar is the `h11` library's; what is built here are limits, and that no bytes whatever raise. As in
`protocol.session`, methods return what to send, in order, and `END` among it means that nothing follows.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qsl, unquote

import h11
import msgspec

from harness.errors import TickproofError
from harness.replay.protocol.session import END
from harness.replay.rest.guards import refusal
from harness.units import NS_PER_S

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

JSON: Final = "application/json;charset=UTF-8"

#: Fields of a query or form; no request of Binance has more than 20.
MAX_FIELDS: Final = 64
_KB: Final = 1024
_METHODS: Final = frozenset({"GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"})


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpRules:
    """What a client is granted; more ends the connection."""

    max_target_bytes: int = 64 * _KB
    """Of the request target: a query may name hundreds of symbols."""
    max_head_bytes: int = 16 * _KB
    """Of all header names and values."""
    max_body_bytes: int = 64 * _KB
    max_pipelined: int = 16
    """Requests that one read may bring, so that few bytes cannot ask for many megabytes."""
    request_seconds: float = 10.0
    """From a request's first byte (for the first: from the connection's opening) to its last."""
    idle_seconds: float = 75.0
    """Between two requests."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpRequest:
    """One whole request."""

    method: str
    """In upper case; HEAD comes as GET, and the answer's body is not sent."""
    path: str
    """Percent-decoded, without the query."""
    query: Mapping[str, str]
    """Decoded; of a repeated name the first value."""
    headers: Mapping[str, str]
    """By lower-case name; of a repeated name the first value."""
    body: bytes = b""

    @property
    def form(self) -> Mapping[str, str]:
        """The fields of a urlencoded body; empty where it is none."""
        try:
            return fields_of(self.body.decode())
        except ValueError:
            return {}


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpAnswer:
    """What is sent back; Content-Length, and Connection where needed, are added."""

    status: int = 200
    body: bytes = b""
    content_type: str = JSON
    headers: tuple[tuple[str, str], ...] = ()


def fields_of(text: str) -> dict[str, str]:
    """The fields of a query or form, first values; raises ValueError for too many and for what is no UTF-8."""
    found: dict[str, str] = {}
    for name, value in parse_qsl(text, keep_blank_values=True, max_num_fields=MAX_FIELDS, errors="strict"):
        found.setdefault(name, value)
    return found


def refused(status: int, code: int, message: str, *headers: tuple[str, str]) -> HttpAnswer:
    """An error as Binance words it: `{"code":..,"msg":..}`."""
    body = msgspec.json.encode({"code": code, "msg": message})
    return HttpAnswer(status=status, body=body, headers=headers)


_UNKNOWN: Final = refused(500, -1000, "An unknown error occurred while processing the request.")
_TOO_MANY: Final = refused(429, -1003, "Too many requests queued.")


class _Bad(Exception):
    """A request that is not answered further: the answer, after which the connection ends."""

    def __init__(self, status: int, message: str) -> None:
        self.answer = refused(status, -1000, message)
        super().__init__(message)


@dataclass(slots=True)
class _Coming:
    """A request whose body is still coming."""

    head: h11.Request
    body: bytearray = field(default_factory=bytearray)


class HttpSession:
    """The requests of one connection, each answered as soon as it is whole."""

    def __init__(
        self, answer: Callable[[HttpRequest, int], HttpAnswer], *, now_ns: int, rules: HttpRules | None = None
    ) -> None:
        """`answer` is given each request and the time; a TickproofError of it becomes a plain 500.

        Times are nanoseconds of any monotonic clock.
        """
        self._answer = answer
        self._rules = rules or HttpRules()
        limit = self._rules.max_target_bytes + self._rules.max_head_bytes
        self._http = h11.Connection(h11.SERVER, max_incomplete_event_size=limit)
        self._coming: _Coming | None = None
        self._is_head = False
        self._since_ns = now_ns
        self._waiting = True
        """Whether a request has begun, or the first is still to begin."""
        self._over = False

    @property
    def over(self) -> bool:
        """Whether nothing more is sent; what still comes is not looked at."""
        return self._over

    def receive(self, data: bytes, now_ns: int) -> list[bytes]:
        """What to send after these bytes came."""
        if self._over or not data:
            return []
        return self._take(data, now_ns)

    def receive_end(self, now_ns: int) -> list[bytes]:
        """What to send after the client half-closed: a refusal of a request that was cut, and the end."""
        if self._over:
            return []
        return self._take(b"", now_ns)

    def tick(self, now_ns: int) -> list[bytes]:
        """What to send because of the time: 408 to a request that takes too long, the end of an idle connection."""
        rules = self._rules
        limit = rules.request_seconds if self._waiting else rules.idle_seconds
        if self._over or now_ns - self._since_ns < limit * NS_PER_S:
            return []
        if self._waiting:
            return self._fail(refused(408, -1007, "The request took too long."))
        return self._end()

    def _take(self, data: bytes, now_ns: int) -> list[bytes]:
        out: list[bytes] = []
        answered = 0
        try:
            self._http.receive_data(data)
            while not self._over and (request := self._next(out)) is not None:
                answered += 1
                if answered > self._rules.max_pipelined:
                    out += self._fail(_TOO_MANY)
                else:
                    out += self._respond(request, now_ns)
        except h11.RemoteProtocolError as error:
            out += self._fail(refused(error.error_status_hint or 400, -1000, "Malformed HTTP request."))
        except _Bad as error:
            out += self._fail(error.answer)
        begun = self._coming is not None or bool(self._http.trailing_data[0])
        if answered or (begun and not self._waiting):
            self._since_ns = now_ns
        self._waiting = begun or (self._waiting and not answered)
        return out

    def _next(self, out: list[bytes]) -> HttpRequest | None:
        """The next whole request, or None until more bytes come."""
        while True:
            event = self._http.next_event()
            if isinstance(event, h11.Request):
                self._is_head = event.method == b"HEAD"
                self._check_head(event)
                self._coming = _Coming(event)
                if self._http.they_are_waiting_for_100_continue:
                    out.append(self._sent(h11.InformationalResponse(status_code=100, headers=[])))
            elif isinstance(event, h11.Data) and self._coming is not None:
                self._coming.body += event.data
                if len(self._coming.body) > self._rules.max_body_bytes:
                    raise _Bad(413, "The request's body is too long.")
            elif isinstance(event, h11.EndOfMessage) and self._coming is not None:
                coming, self._coming = self._coming, None
                return _request(coming.head, bytes(coming.body))
            elif isinstance(event, h11.ConnectionClosed):
                out += self._end()
                return None
            else:
                return None

    def _check_head(self, head: h11.Request) -> None:
        rules = self._rules
        if len(head.target) > rules.max_target_bytes:
            raise _Bad(414, "The request's target is too long.")
        if sum(len(name) + len(value) for name, value in head.headers) > rules.max_head_bytes:
            raise _Bad(431, "The request's head is too long.")
        length = dict(head.headers).get(b"content-length", b"0")
        if int(length) > rules.max_body_bytes:
            raise _Bad(413, "The request's body is too long.")

    def _respond(self, request: HttpRequest, now_ns: int) -> list[bytes]:
        if request.method not in _METHODS:
            return self._fail(refused(405, -1000, "Request method not supported."))
        words = refusal(request.method, request.headers)
        if words is not None:
            return self._fail(refused(403, -1000, f"Forbidden: {words}."))
        try:
            answer = self._answer(request, now_ns)
        except TickproofError:
            answer = _UNKNOWN
        out = [self._bytes(answer)]
        if self._http.states[h11.CLIENT] is h11.DONE and self._http.our_state is h11.DONE:
            self._http.start_next_cycle()
            self._is_head = False
            return out
        return out + self._end()

    def _fail(self, answer: HttpAnswer) -> list[bytes]:
        """Refuse, and end the connection."""
        out = []
        if self._http.our_state in {h11.IDLE, h11.SEND_RESPONSE}:
            out.append(self._bytes(answer, ("Connection", "close")))
        return out + self._end()

    def _end(self) -> list[bytes]:
        self._over = True
        self._coming = None
        return [END]

    def _bytes(self, answer: HttpAnswer, *more: tuple[str, str]) -> bytes:
        headers = [
            ("Content-Type", answer.content_type),
            ("Content-Length", str(len(answer.body))),
            *answer.headers,
            *more,
        ]
        out = self._sent(h11.Response(status_code=answer.status, headers=headers))
        if answer.body and not self._is_head:
            out += self._sent(h11.Data(data=answer.body))
        return out + self._sent(h11.EndOfMessage())

    def _sent(self, event: h11.Event) -> bytes:
        return self._http.send(event) or b""


def _request(head: h11.Request, body: bytes) -> HttpRequest:
    method = head.method.decode("ascii")
    target = head.target.decode("ascii").partition("#")[0]
    scheme, _, rest = target.partition("://")
    if scheme.lower() in {"http", "https"}:  # the absolute form, which proxies are sent
        target = "/" + rest.partition("/")[2]
    path, _, query = target.partition("?")
    headers: dict[str, str] = {}
    for name, value in head.headers:
        headers.setdefault(name.decode("ascii"), value.decode("latin-1"))
    try:
        return HttpRequest(
            method="GET" if method == "HEAD" else method,
            path=unquote(path, errors="strict"),
            query=fields_of(query),
            headers=headers,
            body=body,
        )
    except ValueError as error:
        raise _Bad(400, "The request's target cannot be read.") from error
