"""What the bot knows of each symbol, kept up to date in constant time per event."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.bot.candles import INTERVALS, CandleIndicators
from harness.bot.indicators import Vwap

if TYPE_CHECKING:
    from harness.bot.settings import MarketSettings
    from harness.exchange.book import LocalBook
    from harness.exchange.events import AggTrade, BookTicker, Candle, Kline, MarkPrice, Trade

#: No price is smaller: the finest tick on Binance's wire is 1e-8. With the bounds of the event records it keeps every
#: feature finite.
LEAST_PRICE = 1e-12


class SymbolState:
    """One symbol. Plain attributes: they are touched for every frame."""

    __slots__ = (
        "ask",
        "atr",
        "band_high",
        "band_low",
        "bid",
        "book",
        "candles",
        "depth_gaps",
        "depth_id",
        "fast",
        "flow",
        "imbalance",
        "mark_price",
        "observations",
        "outcome",
        "price",
        "rsi",
        "slow",
        "spread",
        "symbol",
        "today",
        "trend",
        "volatility",
    )

    def __init__(self, symbol: str) -> None:
        self.symbol = symbol
        self.observations = 0
        self.price = 0.0
        """Middle of the book where there is a book ticker, else the last trade; 0 before the first."""
        self.bid = 0.0
        self.ask = 0.0
        self.fast = 0.0
        self.slow = 0.0
        self.volatility = 0.0
        """Exponential mean of the absolute relative move, moves of zero left out."""
        self.imbalance = 0.0
        """-1 (all offered) to 1 (all bid) at the best prices."""
        self.spread = 0.0
        """Share of the price."""
        self.flow = 0.0
        """Exponential mean of the aggressor's side, -1 to 1."""
        self.trend = 0.0
        """Close over open of the last candle seen, less one."""
        self.today = Vwap()
        """Volume-weighted mean price of the UTC day's trades, by event time."""
        self.mark_price = 0.0
        """USD-M; 0 elsewhere."""
        self.rsi = 50.0
        """Wilder's index at the last closed candle; 50 until there are enough of them."""
        self.atr = 0.0
        """Average true range at the last closed candle, as a share of its close; 0 until there are enough."""
        self.band_low = 0.0
        self.band_high = 0.0
        """Bollinger bands at the last closed candle; both 0 until there are enough."""
        self.candles: dict[str, CandleIndicators] = {}
        """By interval."""
        self.depth_id = 0
        self.depth_gaps = 0
        self.book: LocalBook | None = None
        """The whole book, where it is kept and in step."""
        self.outcome = ""
        """Of the last signal that was recorded, so that the same one is not recorded again."""


class Market:
    """All symbols, and the time of the market connection."""

    def __init__(self, settings: MarketSettings) -> None:
        self.symbols: dict[str, SymbolState] = {}
        self.time_ms = 0
        """The largest event time seen yet; 0 before the first. Neither receive time nor the wall clock enters."""
        self.prices_ignored = 0
        """Events that say nothing of the price: a book with an empty or a crossed side, a price of zero."""
        self._settings = settings
        self._interval = settings.interval
        self._fast = 2.0 / (settings.fast + 1)
        self._slow = 2.0 / (settings.slow + 1)

    def state(self, symbol: str) -> SymbolState:
        """The state of a symbol, new at its first mention."""
        state = self.symbols.get(symbol)
        if state is None:
            state = self.symbols[symbol] = SymbolState(symbol)
        return state

    def on_book_ticker(self, state: SymbolState, event: BookTicker) -> bool:
        """New best prices; False, and the last whole book stays, when a side is empty or the two are crossed."""
        bid, ask = event.bid, event.ask
        if not LEAST_PRICE <= bid <= ask:
            self.prices_ignored += 1
            return False
        state.bid, state.ask = bid, ask
        offered = event.bid_quantity + event.ask_quantity
        state.imbalance = (event.bid_quantity - event.ask_quantity) / offered if offered > 0 else 0.0
        middle = (bid + ask) * 0.5
        state.spread = (ask - bid) / middle
        self._observe(state, middle)
        return True

    def on_trade(self, state: SymbolState, event: AggTrade | Trade) -> bool:
        """A trade; it moves the price only of a symbol without book ticker. False for one at no price."""
        price = event.price
        if not price >= LEAST_PRICE:
            self.prices_ignored += 1
            return False
        state.flow += ((-1.0 if event.buyer_is_maker else 1.0) - state.flow) * self._fast
        state.today.update(self.time_ms, price, event.quantity)
        if state.bid == 0.0:
            self._observe(state, price)
        return True

    def on_kline(self, state: SymbolState, event: Kline) -> bool:
        """An update of a candle; True for one of the deciding interval. False for one without prices."""
        candle = event.candle
        if not (candle.open >= LEAST_PRICE and candle.close >= LEAST_PRICE):
            self.prices_ignored += 1
            return False
        decides = candle.interval == self._interval
        if decides:
            state.trend = candle.close / candle.open - 1.0
        if candle.is_closed:
            self.close_candle(state, candle)
        return decides

    def close_candle(self, state: SymbolState, candle: Candle) -> None:
        """Move the indicators of its interval; also the way in which past candles warm them up."""
        indicators = state.candles.get(candle.interval)
        if indicators is None:
            if candle.interval not in INTERVALS:
                return
            indicators = state.candles[candle.interval] = CandleIndicators(self._settings)
        if indicators.close(candle) and candle.interval == self._interval:
            _take_over(state, indicators, candle.close)

    def on_mark_price(self, state: SymbolState, event: MarkPrice) -> bool:
        """The price that margins are reckoned by; it decides nothing."""
        state.mark_price = event.price
        return False

    def _observe(self, state: SymbolState, price: float) -> None:
        """The averages are `indicators.Ema` to the last bit, written out: a call costs more than they do."""
        previous = state.price
        state.price = price
        state.observations += 1
        if previous == 0.0:
            state.fast = state.slow = price
            return
        if price != previous:
            move = abs(price / previous - 1.0)
            state.volatility += (move - state.volatility) * self._slow if state.volatility else move
        state.fast += (price - state.fast) * self._fast
        state.slow += (price - state.slow) * self._slow


def _take_over(state: SymbolState, indicators: CandleIndicators, close: float) -> None:
    if indicators.rsi.ready:
        state.rsi = indicators.rsi.value
    if indicators.atr.ready:
        state.atr = indicators.atr.value / close
    if indicators.bands.ready:
        state.band_low, state.band_high = indicators.bands.lower, indicators.bands.upper
