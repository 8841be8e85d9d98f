"""The bot's feeds: handlers of streams on the shared market connection, and of the account connection."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, cast

from harness.exchange.events import (
    AccountPosition,
    AggTrade,
    BookTicker,
    DepthUpdate,
    Event,
    ExecutionReport,
    Kline,
    Trade,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.bot.market import Market, SymbolState
    from harness.bot.wire import Wire

    Handler = Callable[[SymbolState, Event], bool]
    """Takes a payload into the market state; True when the strategy shall look at the symbol."""


class PriceFeed:
    """Book tickers and trades: every one that names a price is a reason to decide. Mini tickers only pass by."""

    def __init__(self, market: Market) -> None:
        self._market = market

    def handlers(self) -> dict[str, Handler]:
        """By kind of stream."""
        return {
            "bookTicker": self.on_book_ticker,
            "aggTrade": self.on_trade,
            "trade": self.on_trade,
            "miniTicker": self.on_mini_ticker,
        }

    def on_book_ticker(self, state: SymbolState, event: Event) -> bool:
        """New best prices."""
        return self._market.on_book_ticker(state, cast("BookTicker", event))

    def on_trade(self, state: SymbolState, event: Event) -> bool:
        """One or several trades at a price."""
        trade = cast("AggTrade | Trade", event)
        return self._market.on_trade(state, trade.price, trade.quantity, buyer_is_maker=trade.buyer_is_maker)

    def on_mini_ticker(self, state: SymbolState, event: Event) -> bool:
        """A day's summary decides nothing."""
        del state, event
        return False


class KlineFeed:
    """Candles, open and closed."""

    def __init__(self, market: Market) -> None:
        self._market = market

    def handlers(self) -> dict[str, Handler]:
        """By kind of stream."""
        return {"kline": self.on_kline}

    def on_kline(self, state: SymbolState, event: Event) -> bool:
        """An update of the current candle."""
        return self._market.on_kline(state, cast("Kline", event))


class DepthFeed:
    """Changes of the book: their sequence is watched, their levels stay as received."""

    def __init__(self, market: Market) -> None:
        self._market = market

    def handlers(self) -> dict[str, Handler]:
        """By kind of stream."""
        return {"depth": self.on_depth}

    def on_depth(self, state: SymbolState, event: Event) -> bool:
        """Never a reason to decide."""
        self._market.on_depth(state, cast("DepthUpdate", event))
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
