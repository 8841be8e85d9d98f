"""Where a WebSocket URL leads: market streams, the WebSocket API, or an account's listenKey.

Source: Binance, web-socket-streams.md (`/ws`, `/stream`), web-socket-api.md (`/ws-api/v3`), the USD-M change notice of
2026 (`/public`, `/market`, `/private` before the old forms).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qsl, unquote

#: Streams per connection, spot and USD-M.
MAX_STREAMS: Final = 1024

_ROUTE = re.compile(r"^/(?:public|market|private)(?=/)")
#: A listenKey is 64 letters and digits; no stream name is that long without "@" or "!".
_LISTEN_KEY = re.compile(r"[A-Za-z0-9]{40,128}")


class BadPath(ValueError):
    """A request target that leads nowhere; carries the HTTP status and the text of the answer."""

    def __init__(self, status: int, text: str) -> None:
        self.status = status
        self.text = text
        super().__init__(text)


@dataclass(frozen=True, slots=True)
class MarketPath:
    """Market streams; the names in the URL are subscribed at once, in their order."""

    combined: bool
    streams: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ApiPath:
    """The WebSocket API: requests, and account events after `userDataStream.subscribe`."""


@dataclass(frozen=True, slots=True)
class ListenKeyPath:
    """Account events as they were sent before 2026: unwrapped, from the first moment."""

    listen_key: str


Path = MarketPath | ApiPath | ListenKeyPath


def route(target: str) -> Path:
    """What the target of the opening request asks for; raises BadPath for one that Binance would not serve."""
    path, _, query = target.partition("?")
    if path == "/ws-api/v3":
        return ApiPath()
    path = _ROUTE.sub("", path, count=1).rstrip("/")
    fields = _query(query)
    _only_milliseconds(fields)
    if path == "/stream":
        return _market(combined=True, names=fields.get("streams", "").split("/"))
    if path == "/ws" and fields.get("listenKey"):
        return ListenKeyPath(fields["listenKey"])
    if path == "/ws":
        return _market(combined=False, names=fields.get("streams", "").split("/"))
    if path.startswith("/ws/"):
        names = [unquote(name) for name in path.removeprefix("/ws/").split("/")]
        if len(names) == 1 and _LISTEN_KEY.fullmatch(names[0]):
            return ListenKeyPath(names[0])
        return _market(combined=False, names=names)
    raise BadPath(404, "Invalid request path")


def _query(query: str) -> dict[str, str]:
    try:
        return dict(parse_qsl(query, max_num_fields=16, errors="strict"))
    except ValueError as error:
        raise BadPath(400, "Invalid request query") from error


def _only_milliseconds(fields: dict[str, str]) -> None:
    # Sending milliseconds to a client that asked for microseconds would be wrong without a sign of it.
    if fields.get("timeUnit", "MILLISECOND").upper() != "MILLISECOND":
        raise BadPath(400, "timeUnit: a recording is served in MILLISECOND, as it was received")


def _market(*, combined: bool, names: list[str]) -> MarketPath:
    # A bare number is a client's counter of its connections (`/ws/0`), not a stream.
    streams = tuple(dict.fromkeys(name for name in names if name and not name.isdecimal()))
    if len(streams) > MAX_STREAMS:
        raise BadPath(400, f"more than {MAX_STREAMS} streams on one connection")
    return MarketPath(combined, streams)
