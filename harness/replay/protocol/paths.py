"""Where a WebSocket URL leads: streams, those of an account among them, or the WebSocket API.

Source: Binance, web-socket-streams.md (`/ws`, `/stream`, `timeUnit`), web-socket-api.md (`/ws-api/v3`), and the USD-M
change notice of 2026 (`/public`, `/market`, `/private`, and `listenKey` with `events` in the query).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote

from harness.replay.protocol.routes import Route
from harness.replay.protocol.rules import SPOT

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_API: Final = ("/ws-api/v3", "/ws-fapi/v1")
_ROUTE: Final = re.compile(r"/(public|market|private)(?=/)")
_UNITS: Final = {"MILLISECOND": False, "MICROSECOND": True}
#: No documented query has more than four; one of several listenKeys has two for each.
_MAX_FIELDS: Final = 64


class BadPath(ValueError):
    """A request target that leads nowhere; carries the HTTP status and the text of the answer."""

    def __init__(self, status: int, text: str) -> None:
        self.status = status
        self.text = text
        super().__init__(text)


@dataclass(frozen=True, slots=True)
class MarketPath:
    """Streams; the names in the URL are subscribed at once, in their order.

    An account's events are streams too: `<listenKey>`, or `<listenKey>@<event>` for one type of them. The listenKeys
    that the query names are told apart, since they may look like anything.
    """

    combined: bool
    streams: tuple[str, ...]
    route: Route = Route.ALL
    microseconds: bool = False
    listen_keys: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ApiPath:
    """The WebSocket API: requests, and account events after `userDataStream.subscribe`."""

    microseconds: bool = False


Path = MarketPath | ApiPath


def route(target: str, max_streams: int = SPOT.max_streams) -> Path:
    """What the target of the opening request asks for; raises BadPath for one that Binance would not serve."""
    path, _, query = target.partition("?")
    path = path.rstrip("/")
    fields = _fields(query)
    microseconds = _in_microseconds(fields)
    if path in _API:
        return ApiPath(microseconds)
    found = _ROUTE.match(path)
    way = Route(found[1]) if found else Route.ALL
    form = path[found.end() :] if found else path
    combined = form == "/stream"
    if combined or form == "/ws":
        names = [name for key, value in fields if key == "streams" for name in value.split("/")]
    elif form.startswith("/ws/"):
        names = [_unquoted(name) for name in form.removeprefix("/ws/").split("/")]
    else:
        raise BadPath(404, "Invalid request path")
    listen_keys, of_accounts = _accounts(fields)
    streams = _streams([*names, *of_accounts], max_streams)
    return MarketPath(combined, streams, way, microseconds, listen_keys)


def _fields(query: str) -> list[tuple[str, str]]:
    # Not urllib's: it takes a plus for a blank, and `btcusdt@kline_1d@+08:00` is a stream.
    parts = [part.partition("=") for part in query.split("&", _MAX_FIELDS) if part]
    if len(parts) > _MAX_FIELDS:
        raise BadPath(400, "Invalid request query")
    return [(_unquoted(key), _unquoted(value)) for key, _, value in parts]


def _unquoted(text: str) -> str:
    try:
        return unquote(text, errors="strict")
    except UnicodeDecodeError as error:
        raise BadPath(400, "Invalid request query") from error


def _in_microseconds(fields: Iterable[tuple[str, str]]) -> bool:
    # Sending milliseconds to a client that asked for another unit would be wrong without a sign of it.
    unit = dict(fields).get("timeUnit", "MILLISECOND").upper()
    if unit not in _UNITS:
        raise BadPath(400, "Invalid timeUnit")
    return _UNITS[unit]


def _accounts(fields: Iterable[tuple[str, str]]) -> tuple[tuple[str, ...], list[str]]:
    """The listenKeys, and the streams that they are with the events that follow each of them in the query."""
    wanted: dict[str, list[str]] = {}
    last: list[str] = []
    for key, value in fields:
        if key == "listenKey" and value:
            last = wanted.setdefault(value, [])
        elif key == "events":
            last += [name for name in value.split("/") if name]
    streams = [f"{key}@{event}" for key, events in wanted.items() for event in events]
    streams += [key for key, events in wanted.items() if not events]
    return tuple(wanted), streams


def _streams(names: Sequence[str], max_streams: int) -> tuple[str, ...]:
    # A bare number is a client's counter of its connections (`/ws/0`), not a stream.
    streams = tuple(dict.fromkeys(name for name in names if name and not name.isdecimal()))
    if len(streams) > max_streams:
        raise BadPath(400, f"more than {max_streams} streams on one connection")
    return streams
