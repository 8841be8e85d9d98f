"""Which streams are asked for on which connection; without I/O.

Sources: BINANCE.md, sections 1.1 (spot hosts), 1.2 (USD-M's routes) and 2 (1,024 streams a connection).
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qs, quote, unquote, urlsplit

from harness.errors import ConfigError
from harness.exchange import streams as names

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from harness.recordings.records import Market

#: Market streams of spot; the second carries no account data.
SPOT: Final = "wss://stream.binance.com:9443"
SPOT_DATA_ONLY: Final = "wss://data-stream.binance.vision"
#: USD-M sends book data on one route and the rest on another.
USDM: Final = "wss://fstream.binance.com/{route}"
ROUTE: Final = "{route}"

MAX_STREAMS: Final = 1_024
#: Nobody is served more than this by us: 64 connections are 65,536 streams.
MAX_CONNECTIONS: Final = 64
#: More does not fit the request line of every server and is subscribed by requests.
MAX_NAMES_IN_URL: Final = 4_000

_PUBLIC: Final = frozenset({"bookTicker", "depth", "partialDepth", "rpiDepth", "trade"})
#: What may stand in a query as it is; a plus sign would be read as a space.
_PLAIN: Final = "!@_:./-"
_SOURCE: Final = "record"


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """One market connection of a capture."""

    number: int
    """From 1."""
    url: str
    """Where to connect to."""
    streams: tuple[str, ...]
    """What it carries."""
    subscribe: tuple[str, ...]
    """What has to be asked for once it is open: all, or nothing where the URL says it."""


def route_of(stream: str) -> str:
    """The USD-M route that carries a stream: "public" for book data, "market" for the rest."""
    if stream == "!bookTicker":
        return "public"
    return "public" if names.parse(stream).kind in _PUBLIC else "market"


def base_url(market: Market, url: str | None, *, data_only: bool = False) -> str:
    """Where from: `url`, checked, or the market's default host. Raises ConfigError for an address that is none."""
    if url is None:
        return USDM if market == "usdm" else SPOT_DATA_ONLY if data_only else SPOT
    if data_only:
        raise ConfigError(_SOURCE, "--data-only", "is about the default host of spot; leave it out, or --url")
    return checked_url(url, "--url")


def checked_url(url: str, option: str) -> str:
    """The URL itself; raises ConfigError unless it is wss://, or ws:// to loopback."""
    try:
        parts = urlsplit(url)
        host = parts.hostname
        _ = parts.port
    except ValueError:
        raise ConfigError(_SOURCE, option, "is no address; write wss://host:port or ws://127.0.0.1:port") from None
    if parts.scheme not in {"ws", "wss"} or not host:
        raise ConfigError(_SOURCE, option, "is no WebSocket address; write wss://host:port or ws://127.0.0.1:port")
    if parts.scheme == "ws" and not _is_loopback(host):
        raise ConfigError(_SOURCE, option, f"{host} is not loopback: without TLS nobody knows who answers; use wss://")
    return url


def streams_in(url: str) -> list[str]:
    """Names of the streams that a URL itself asks for, in its combined (`?streams=`) or raw (`/ws/<a>/<b>`) form."""
    parts = urlsplit(url)
    named = parse_qs(parts.query).get("streams", [""])[0].split("/")
    _, raw, tail = parts.path.partition("/ws/")
    if raw:
        # A bare number is a client's counter of its connections (`/ws/0`), not a stream.
        named += [unquote(name) for name in tail.split("/") if not name.isdecimal()]
    return [name for name in named if name]


def links(base: str, streams: Iterable[str], *, connections: int = 1) -> tuple[Link, ...]:
    """The connections that carry these streams and those in the URL: at least `connections`, as far as there is work.

    Streams of a symbol stay together, so that they keep the exchange's order. `{route}` in the URL is replaced by
    USD-M's routes. Raises ConfigError for no stream, a name that is none, and more than MAX_CONNECTIONS connections.
    """
    wanted = tuple(dict.fromkeys([*streams_in(base), *streams]))
    for name in wanted:
        if not name.isprintable() or len(name) > 128 or set(name) & set("/?&#= "):
            raise ConfigError(_SOURCE, "--stream", f"{name[:128]!r} is no stream; one is like btcusdt@trade")
    if not wanted:
        raise ConfigError(_SOURCE, "--stream", "name at least one, for example --stream btcusdt@bookTicker")
    if "/ws/" in urlsplit(base).path or base.partition("?")[0].endswith("/ws"):
        return (Link(number=1, url=base, streams=wanted, subscribe=_besides(base, wanted)),)
    parts = [(url, part) for url, group in _routed(base, wanted) for part in _dealt(group, connections, len(wanted))]
    if len(parts) > MAX_CONNECTIONS:
        raise ConfigError(_SOURCE, "--stream", f"{len(wanted):,} streams want more than {MAX_CONNECTIONS} connections")
    return tuple(_link(number, url, part) for number, (url, part) in enumerate(parts, 1))


def _besides(url: str, wanted: Sequence[str]) -> tuple[str, ...]:
    named = set(streams_in(url))
    return tuple(name for name in wanted if name not in named)


def _routed(base: str, wanted: Sequence[str]) -> list[tuple[str, list[str]]]:
    root, _, query = base.partition("?")
    root = root.rstrip("/").removesuffix("/stream")
    kept = "&".join(field for field in query.split("&") if field and not field.startswith("streams="))
    tail = f"?{kept}" if kept else ""
    if ROUTE not in root:
        return [(f"{root}/stream{tail}", list(wanted))]
    groups: dict[str, list[str]] = {}
    for name in wanted:
        groups.setdefault(route_of(name), []).append(name)
    return [(f"{root.replace(ROUTE, route)}/stream{tail}", group) for route, group in sorted(groups.items())]


def _dealt(group: Sequence[str], connections: int, total: int) -> list[list[str]]:
    """The streams of one route on its share of the connections, symbol by symbol to the one with the fewest."""
    symbols: dict[str, list[str]] = {}
    for name in group:
        symbol = names.parse(name).symbol
        # Streams of no symbol have no order to keep; a symbol of more streams than a connection takes is torn apart.
        key = symbol or name
        while len(symbols.get(key, ())) >= MAX_STREAMS:
            key += "+"
        symbols.setdefault(key, []).append(name)
    share = min(len(symbols), max(1, round(connections * len(group) / total)))
    parts: list[list[str]] = [[] for _ in range(max(share, -(-len(group) // MAX_STREAMS)))]
    for held in symbols.values():
        part = min(parts, key=len)
        if len(part) + len(held) > MAX_STREAMS:
            part = []
            parts.append(part)
        part.extend(held)
    return [part for part in parts if part]


def _link(number: int, url: str, part: Sequence[str]) -> Link:
    named = "/".join(quote(name, _PLAIN) for name in part)
    if len(named) > MAX_NAMES_IN_URL:
        return Link(number=number, url=url, streams=tuple(part), subscribe=tuple(part))
    joint = "&" if "?" in url else "?"
    return Link(number=number, url=f"{url}{joint}streams={named}", streams=tuple(part), subscribe=())


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
