"""The routes of USD-M: since 2026 each carries a part of the streams; the unsplit paths, and spot, carry all.

Source: Binance, "Important WebSocket Change Notice" of USD-M; `<symbol>@trade`, which is undocumented, was seen on
`/public`.
"""

from __future__ import annotations

from enum import Enum
from typing import Final

from harness.exchange.streams import parse

_PUBLIC: Final = frozenset({"depth", "partialDepth", "rpiDepth", "bookTicker", "trade"})
_MARKET: Final = frozenset(
    {
        *("aggTrade", "kline", "continuousKline", "markPrice", "forceOrder"),
        *("miniTicker", "ticker", "compositeIndex", "assetIndex"),
    }
)
_PUBLIC_OF_ALL: Final = "!bookTicker"


class Route(Enum):
    """What stands before `/ws` or `/stream`."""

    ALL = ""
    PUBLIC = "public"
    MARKET = "market"
    PRIVATE = "private"

    @property
    def carries_accounts(self) -> bool:
        """Whether the events of a listenKey flow here."""
        return self in {Route.ALL, Route.PRIVATE}

    def carries(self, name: str) -> bool:
        """Whether a market stream of that name flows here; one of another route is acknowledged and silent."""
        if self is Route.ALL:
            return True
        if self is Route.PRIVATE:
            return False
        stream = parse(name)
        if stream.kind == "other":
            return stream.is_known and (name == _PUBLIC_OF_ALL) is (self is Route.PUBLIC)
        return stream.kind in (_PUBLIC if self is Route.PUBLIC else _MARKET)
