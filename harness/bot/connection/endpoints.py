"""Where a live bot finds its market."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal
from urllib.parse import parse_qs, urlsplit

from harness.errors import ConfigError, UnknownName
from harness.exchange import streams as names

if TYPE_CHECKING:
    from collections.abc import Sequence

Market = Literal["spot", "usdm"]

#: Market data only, no account (BINANCE.md, section 1.1).
_SPOT = ("wss://data-stream.binance.vision/stream", "https://data-api.binance.vision")
#: USD-M splits its streams over routes (section 1.2): book data on one, the rest on another.
_USDM_ROUTES = {
    "public": "wss://fstream.binance.com/public/stream",
    "market": "wss://fstream.binance.com/market/stream",
}
_USDM_REST = "https://fapi.binance.com"
_USDM_PUBLIC = frozenset({"bookTicker", "depth", "partialDepth", "trade"})
MARKETS: tuple[Market, ...] = ("spot", "usdm")


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoints:
    """The addresses of one market, and what is subscribed there."""

    market: Market
    market_url: str
    streams: tuple[str, ...]
    """To be subscribed; empty where the URL names them."""
    symbols: tuple[str, ...]
    """In upper case."""
    rest_url: str | None


def of(market: str, url: str | None, rest_url: str | None, symbols: Sequence[str], kinds: Sequence[str]) -> Endpoints:
    """Binance's public streams, or those of another address.

    Raises UnknownName for a market, ConfigError for an address, a symbol or a stream that is none, and for USD-M
    streams of two routes: one connection carries one order of frames.
    """
    if market not in MARKETS:
        raise UnknownName("market", market, MARKETS)
    known = market
    if url and "streams=" in url:
        named = tuple(name for part in parse_qs(_checked(url)).get("streams", []) for name in part.split("/"))
        found = dict.fromkeys(names.parse(name).symbol for name in named)
        return Endpoints(
            market=known, market_url=url, streams=(), symbols=tuple(filter(None, found)), rest_url=rest_url
        )
    wanted = tuple(symbol.strip().upper() for symbol in symbols if symbol.strip())
    subscribed = tuple(f"{symbol.lower()}@{kind.strip()}" for symbol in wanted for kind in kinds if kind.strip())
    for name in subscribed:
        if names.parse(name).kind == "other":
            raise ConfigError(
                "bot run", "streams", f"{name!r} is no stream; for example bookTicker, aggTrade, kline_1m"
            )
    if not subscribed:
        raise ConfigError("bot run", "symbols", "name at least one symbol and one kind of stream")
    if url:
        _checked(url)
        root = url.rstrip("/")
        whole = root if urlsplit(url).path.rstrip("/").endswith("/stream") else f"{root}/stream"
        return Endpoints(market=known, market_url=whole, streams=subscribed, symbols=wanted, rest_url=rest_url)
    home, rest = _SPOT if known == "spot" else (_usdm_route(subscribed), _USDM_REST)
    return Endpoints(market=known, market_url=home, streams=subscribed, symbols=wanted, rest_url=rest_url or rest)


def _checked(url: str) -> str:
    """The address's query."""
    parts = urlsplit(url)
    if parts.scheme not in {"ws", "wss"} or not parts.hostname:
        raise ConfigError("bot run", "url", f"{url!r} is no WebSocket address; write ws://host:port")
    return parts.query


def _usdm_route(subscribed: Sequence[str]) -> str:
    routes = {"public" if names.parse(name).kind in _USDM_PUBLIC else "market" for name in subscribed}
    if len(routes) > 1:
        raise ConfigError(
            "bot run",
            "streams",
            "USD-M sends book data (bookTicker, depth, trade) and the rest (aggTrade, kline, markPrice) on different"
            " connections, whose frames have no common order: name streams of one of them",
        )
    return _USDM_ROUTES[routes.pop()]
