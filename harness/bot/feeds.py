"""Feeds of prices and candles: handlers of streams on the shared market connection."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.bot.market import Market, SymbolState
    from harness.exchange.events import Event

    Handler = Callable[[SymbolState, Any], bool]
    """Takes a payload into the market state; True when the strategy shall look at the symbol."""


class PriceFeed:
    """Book tickers and trades: every one that names a price is a reason to decide.

    Mark prices are kept and mini tickers pass by: they are no price at which anybody traded.
    """

    def __init__(self, market: Market) -> None:
        self._market = market

    def handlers(self) -> dict[str, Handler]:
        """By kind of stream."""
        return {
            "bookTicker": self._market.on_book_ticker,
            "aggTrade": self._market.on_trade,
            "trade": self._market.on_trade,
            "markPrice": self._market.on_mark_price,
            "miniTicker": _pass_by,
        }


class KlineFeed:
    """Candles of any interval, open and closed; those of the deciding interval are a reason to decide."""

    def __init__(self, market: Market) -> None:
        self._market = market

    def handlers(self) -> dict[str, Handler]:
        """By kind of stream."""
        return {"kline": self._market.on_kline}


def _pass_by(state: SymbolState, event: Event) -> bool:
    """A day's summary decides nothing."""
    del state, event
    return False
