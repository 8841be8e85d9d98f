"""What a connection subscribes to: in its URL as far as it fits, by requests beyond that; without I/O.

Source: Binance, web-socket-streams.md, "Live Subscribing/Unsubscribing to streams" and "Combined streams";
web-socket-api.md, "User Data Stream requests" (BINANCE.md, sections 2, 4 and 7).
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol
from urllib.parse import quote, unquote, urlsplit

import msgspec

from harness.errors import ConfigError
from harness.redact import redact

if TYPE_CHECKING:
    from collections.abc import Iterable

#: Streams on one connection, spot and USD-M.
MAX_STREAMS: Final = 1_024
#: Servers read a request line of 8 KiB (websockets' own among them); what stands around its target is 15 bytes.
MAX_TARGET_BYTES: Final = 8 * 1024 - 64
#: A control frame above 4,096 bytes has been seen refused.
MAX_REQUEST_BYTES: Final = 4_000
#: Answers are smaller; a larger frame is a market's.
_MAX_ANSWER_BYTES = 8_192
_MAX_NAME = 128
_MARKET_FRAME = b'{"stream":'
#: What may stand in a query as it is; a plus sign would be read as a space.
_PLAIN = "!@_:./-"


class Answer(NamedTuple):
    """What the peer said to a request of ours."""

    request: str
    """The method asked for."""
    error: str
    """Empty when it was done."""


class Subscription(Protocol):
    """What a kept connection asks of its peer, anew on every connection."""

    @property
    def url(self) -> str:
        """Where to connect to."""
        ...

    @property
    def is_in_url(self) -> bool:
        """Whether the URL says it all, so that `opening` is empty."""
        ...

    @property
    def is_vital(self) -> bool:
        """Whether a connection is of no use when a request of `opening` is refused."""
        ...

    @property
    def requests(self) -> Requests:
        """Those under way."""
        ...

    def opening(self) -> list[bytes]:
        """The requests of a new connection; what an earlier one left unanswered is forgotten."""
        ...

    def again(self, names: Iterable[str]) -> list[bytes]:
        """Requests that end these subscriptions and begin them anew; unknown names are passed over."""
        ...


class _Frame(msgspec.Struct):
    """What answers have at their top, and market and account events do not."""

    id: int | str | None = None
    result: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    error: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    code: int | None = None
    msg: str = ""


class Requests:
    """Requests under way, by their id; told apart from all else that comes."""

    def __init__(self) -> None:
        self.awaited: dict[int | str, str] = {}
        """Methods by id, oldest first; while it is empty no frame need be looked at."""
        self._last = 0

    def new(self, method: str, params: list[str] | None = None, identity: str | None = None) -> bytes:
        """A request, awaited from now on."""
        if identity is None:
            self._last += 1
        key: int | str = self._last if identity is None else identity
        self.awaited[key] = method
        request = {"method": method, "id": key} if params is None else {"method": method, "params": params, "id": key}
        return _dumped(request)

    def take(self, frame: bytes) -> Answer | None:
        """The answer that the frame is, no longer awaited; None for any other frame."""
        if frame.startswith(_MARKET_FRAME) or len(frame) > _MAX_ANSWER_BYTES:
            return None
        try:
            read = _read(frame)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            return None
        error = _error(read)
        if read.id is None and error and self.awaited:
            # An error without id is documented; requests are answered in their order.
            return Answer(self.awaited.pop(next(iter(self.awaited))), error)
        if read.id is None or read.id not in self.awaited or not (error or read.result is not msgspec.UNSET):
            return None
        return Answer(self.awaited.pop(read.id), error)


class MarketStreams:
    """Market streams by name.

    The names in the URL and those given besides; these go into a query `streams=` that stands in the URL already, or
    into one that is made when the URL has no path, as long as the request line stays under 8 KiB. The rest, and all
    after a bare `/stream` or `/ws`, is for SUBSCRIBE. Raises ConfigError for names that are none, and for too many.
    """

    is_vital = False

    def __init__(self, url: str, streams: Iterable[str] = ()) -> None:
        self.requests = Requests()
        place = _Place(url)
        self.is_combined = place.is_combined
        """Whether frames come in the envelope that names their stream."""
        self.names = tuple(dict.fromkeys((*place.names, *streams)))
        """All of them, in their order."""
        self._check(url)
        self.url, self._rest = place.filled(self.names)

    def _check(self, url: str) -> None:
        source = redact(url.partition("?")[0])
        for name in self.names:
            if not name.isprintable() or len(name) > _MAX_NAME or not name or set(name) & set("/?&#= "):
                raise ConfigError(source, "streams", f"{name[:_MAX_NAME]!r} is no stream; one is like btcusdt@trade")
        if len(self.names) > MAX_STREAMS:
            problem = f"{len(self.names):,} streams; one connection carries {MAX_STREAMS:,}: leave some out"
            raise ConfigError(source, "streams", problem)

    @property
    def is_in_url(self) -> bool:
        """Whether nothing is left for SUBSCRIBE."""
        return not self._rest

    def opening(self) -> list[bytes]:
        """SUBSCRIBE for what the URL does not hold, in batches that the exchange takes."""
        self.requests.awaited.clear()
        return [self.requests.new("SUBSCRIBE", names) for names in batches(self._rest)]

    def again(self, names: Iterable[str]) -> list[bytes]:
        """UNSUBSCRIBE and SUBSCRIBE, batch by batch."""
        known = set(self.names)
        parts = batches([name for name in dict.fromkeys(names) if name in known])
        return [self.requests.new(method, part) for part in parts for method in ("UNSUBSCRIBE", "SUBSCRIBE")]


class AccountStream:
    """The account's events on the WebSocket API. Subscribed without a key: a replay's or a gateway's, on loopback."""

    is_in_url = False
    is_vital = True

    def __init__(self, url: str) -> None:
        self.requests = Requests()
        self.url = url

    def opening(self) -> list[bytes]:
        """The one request."""
        self.requests.awaited.clear()
        return [self.requests.new("userDataStream.subscribe", identity="account")]

    def again(self, names: Iterable[str]) -> list[bytes]:
        """Nothing: the account is one stream, and one that may be silent for days."""
        del names
        return []


class _Place:
    """A URL taken apart: where stream names stand in it, and where more of them may."""

    def __init__(self, url: str) -> None:
        self._url = url
        parts = urlsplit(url)
        if parts.path in {"", "/"}:
            parts = parts._replace(path="/stream", query="&".join(filter(None, [parts.query, "streams="])))
        self._parts = parts
        fields = [field.partition("=") for field in self._parts.query.split("&")]
        self._query = next((value for key, _, value in fields if key == "streams"), None)
        path = self._parts.path.rstrip("/")
        self.is_combined = path.endswith("/stream")
        _, raw, tail = path.partition("/ws/")
        in_path = tail.split("/") if raw else []
        # A bare number is a client's counter of its connections (`/ws/0`), not a stream.
        self._in_path = [unquote(name) for name in in_path if name and not name.isdecimal()]
        in_query = unquote(self._query or "").split("/")
        self.names = [*self._in_path, *(name for name in in_query if name)]

    def filled(self, names: tuple[str, ...]) -> tuple[str, list[str]]:
        """The URL with as many of the names as it may hold, and the others."""
        if self._query is None:
            return self._url, [name for name in names if name not in self._in_path]
        if list(names) == self.names and len(self._target(self._query)) <= MAX_TARGET_BYTES:
            return self._url, []
        room = MAX_TARGET_BYTES - len(self._target(""))
        held: list[str] = []
        for name in names:
            room -= len(quote(name, _PLAIN)) + bool(held)
            if room < 0:
                break
            held.append(quote(name, _PLAIN))
        target = self._target("/".join(held))
        return self._parts._replace(query=target.partition("?")[2]).geturl(), list(names[len(held) :])

    def _target(self, streams: str) -> str:
        """What the request line asks for when the query names these."""
        fields = [f"streams={streams}" if field.startswith("streams=") else field for field in self._fields()]
        return f"{self._parts.path}?{'&'.join(fields)}"

    def _fields(self) -> list[str]:
        return self._parts.query.split("&")


def batches(names: Iterable[str]) -> list[list[str]]:
    """The names in as few requests as stay below MAX_REQUEST_BYTES each."""
    parts: list[list[str]] = []
    # `{"method":"UNSUBSCRIBE","params":[],"id":}` and the id's digits.
    envelope = 80
    room = 0
    for name in names:
        size = len(_dumped(name)) + 1
        if size > room:
            parts.append([])
            room = MAX_REQUEST_BYTES - envelope
        parts[-1].append(name)
        room -= size
    return parts


_read = msgspec.json.Decoder(_Frame).decode


def _error(frame: _Frame) -> str:
    """The code and text of an error answer, wrapped or bare, on one line of bounded length; empty when it is none."""
    told = frame
    if isinstance(frame.error, msgspec.Raw):
        try:
            told = _read(bytes(frame.error))
        except msgspec.MsgspecError:
            return "an error that says nothing"
    elif frame.code is None or not frame.msg:
        return ""
    return redact(f"{told.code}: {told.msg!r}"[:300])


def _dumped(document: object) -> bytes:
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode()
