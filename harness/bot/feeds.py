"""The bot's feeds: handlers of streams on the shared market connection, and of the account connection."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from harness.exchange.events import (
    AccountPosition,
    Event,
    ExecutionReport,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.bot.market import Market, SymbolState
    from harness.bot.wire import Wire

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


class AccountFeed:
    """The account's events. They reconcile and are counted; they never decide."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self.counts: Counter[str] = Counter()
        """Events by kind."""
        self.orders: Counter[str] = Counter()
        """Reports by the state of the order that they tell."""
        self.balances: dict[str, float] = {}
        """Free amount by asset, as last told."""

    def on_frame(self, frame: bytes) -> None:
        """Take one frame of the account connection."""
        event = self._wire.account_event(frame)
        if event is None:
            return
        self.counts[type(event).__name__] += 1
        if isinstance(event, AccountPosition):
            self.balances.update((balance.asset, balance.free) for balance in event.balances)
        elif isinstance(event, ExecutionReport):
            self.orders[event.status] += 1
