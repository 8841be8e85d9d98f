from __future__ import annotations

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.bot.indicators import Ema, book_imbalance, relative_spread
from harness.bot.market import LEAST_PRICE, Market
from harness.bot.settings import MarketSettings
from harness.exchange.events import LARGEST, BookTicker, Candle, Kline, Trade


@pytest.fixture
def market() -> Market:
    return Market(MarketSettings(fast=3, slow=7))


def ticker(bid: float, ask: float, bid_quantity: float = 1.0, ask_quantity: float = 1.0) -> BookTicker:
    return BookTicker(symbol="AAA", update_id=1, bid=bid, bid_quantity=bid_quantity, ask=ask, ask_quantity=ask_quantity)


def trade(price: float, quantity: float = 1.0, *, sold: bool = False) -> Trade:
    return Trade(event_time=1, symbol="AAA", trade_id=1, price=price, quantity=quantity, buyer_is_maker=sold)


def kline(opened: float, closed: float, *, open_time: int = 0, interval: str = "1m", is_closed: bool = False) -> Kline:
    candle = Candle(
        open_time=open_time,
        close_time=open_time + 59_999,
        interval=interval,
        open=opened,
        close=closed,
        high=max(opened, closed),
        low=min(opened, closed),
        volume=1.0,
        trades=1,
        is_closed=is_closed,
    )
    return Kline(event_time=1, symbol="AAA", candle=candle)


def test_a_symbol_has_one_state_from_its_first_mention(market: Market) -> None:
    state = market.state("AAA")
    assert market.state("AAA") is state
    assert market.symbols == {"AAA": state}


def test_the_first_book_sets_both_averages(market: Market) -> None:
    state = market.state("AAA")
    assert market.on_book_ticker(state, ticker(99.0, 101.0, 3.0, 1.0))
    assert (state.price, state.fast, state.slow, state.volatility) == (100.0, 100.0, 100.0, 0.0)
    assert (state.imbalance, state.spread, state.observations) == (0.5, 0.02, 1)


def test_what_is_written_out_here_is_what_the_checked_indicators_tell_to_the_last_bit() -> None:
    market, draw = Market(MarketSettings(fast=3, slow=7)), random.Random(5)
    state, fast, slow, bid = market.state("AAA"), Ema(3), Ema(7), 100.0
    for _ in range(5_000):
        bid *= 1 + draw.uniform(-0.01, 0.01)
        ask, sizes = bid * (1 + draw.random() / 1_000), (draw.random(), draw.random())
        market.on_book_ticker(state, ticker(bid, ask, *sizes))
        for average in (fast, slow):
            average.update((bid + ask) * 0.5)
        assert (state.fast, state.slow) == (fast.value, slow.value)
        assert (state.imbalance, state.spread) == (book_imbalance(*sizes), relative_spread(bid, ask))


def test_the_averages_follow_the_price_each_at_its_own_pace(market: Market) -> None:
    state = market.state("AAA")
    market.on_book_ticker(state, ticker(100.0, 100.0))
    market.on_book_ticker(state, ticker(110.0, 110.0))
    assert state.fast == 100.0 + 10.0 * (2 / 4)
    assert state.slow == 100.0 + 10.0 * (2 / 8)
    assert state.volatility == pytest.approx(0.1)
    market.on_book_ticker(state, ticker(110.0, 110.0))
    assert state.volatility == pytest.approx(0.1)  # a move of zero is left out


@given(
    books=st.lists(
        st.tuples(st.floats(LEAST_PRICE, LARGEST), st.floats(LEAST_PRICE, LARGEST), st.floats(0, LARGEST)), min_size=1
    )
)
def test_averages_stay_among_the_prices_and_all_else_in_its_range(books: list[tuple[float, float, float]]) -> None:
    market = Market(MarketSettings(fast=3, slow=7))
    state = market.state("AAA")
    middles = []
    for one, other, quantity in books:
        bid, ask = sorted((one, other))
        assert market.on_book_ticker(state, ticker(bid, ask, quantity, 1.0))
        middles.append((bid + ask) / 2)
    slack = 1e-9
    assert min(middles) * (1 - slack) <= state.fast <= max(middles) * (1 + slack)
    assert min(middles) * (1 - slack) <= state.slow <= max(middles) * (1 + slack)
    assert -1.0 <= state.imbalance <= 1.0
    assert 0.0 <= state.spread <= 2.0
    assert 0.0 <= state.volatility < math.inf


@given(bid=st.floats(0, LARGEST), ask=st.floats(0, LARGEST))
def test_a_book_is_taken_when_both_sides_are_there_and_in_order(bid: float, ask: float) -> None:
    market = Market(MarketSettings())
    state = market.state("AAA")
    is_whole = LEAST_PRICE <= bid <= ask
    assert market.on_book_ticker(state, ticker(bid, ask)) == is_whole
    assert (state.price > 0) == is_whole
    assert market.prices_ignored == (not is_whole)


def test_a_book_without_quantities_has_no_imbalance(market: Market) -> None:
    state = market.state("AAA")
    market.on_book_ticker(state, ticker(1.0, 2.0, 0.0, 0.0))
    assert state.imbalance == 0.0


def test_a_trade_moves_the_price_only_where_there_is_no_book(market: Market) -> None:
    state = market.state("AAA")
    assert market.on_trade(state, trade(50.0))
    assert (state.price, state.observations) == (50.0, 1)
    market.on_book_ticker(state, ticker(99.0, 101.0))
    assert market.on_trade(state, trade(7.0))
    assert (state.price, state.observations) == (100.0, 2)


def test_flow_leans_to_the_side_that_took(market: Market) -> None:
    state = market.state("AAA")
    market.on_trade(state, trade(1.0))
    assert state.flow == 0.5
    market.on_trade(state, trade(1.0, sold=True))
    assert state.flow == -0.25


@given(sides=st.lists(st.booleans(), max_size=200))
def test_flow_stays_between_minus_one_and_one(sides: list[bool]) -> None:
    market = Market(MarketSettings(fast=1))
    state = market.state("AAA")
    for side in sides:
        market.on_trade(state, trade(1.0, sold=side))
    assert -1.0 <= state.flow <= 1.0


@pytest.mark.parametrize("price", [0.0, -0.0, 5e-324, 9.9e-13])
def test_a_trade_at_no_price_is_ignored(market: Market, price: float) -> None:
    state = market.state("AAA")
    assert not market.on_trade(state, trade(price))
    assert (state.flow, state.observations, market.prices_ignored) == (0.0, 0, 1)


@given(opened=st.floats(0, LARGEST), closed=st.floats(0, LARGEST))
def test_a_trend_is_finite_or_not_taken(opened: float, closed: float) -> None:
    market = Market(MarketSettings())
    state = market.state("AAA")
    if market.on_kline(state, kline(opened, closed)):
        assert state.trend == closed / opened - 1.0
        assert math.isfinite(state.trend)
    else:
        assert min(opened, closed) < LEAST_PRICE
        assert (state.trend, market.prices_ignored) == (0.0, 1)


def closed_candles(market: Market, closes: list[float], interval: str = "1m") -> None:
    state = market.state("AAA")
    for number, close in enumerate(closes):
        market.on_kline(state, kline(close, close, open_time=number * 60_000, interval=interval, is_closed=True))


def test_closed_candles_of_the_deciding_interval_move_the_indicators(market: Market) -> None:
    state = market.state("AAA")
    closes = [100.0 + number % 5 for number in range(21)]
    closed_candles(market, closes[:14])
    assert (state.rsi, state.atr, state.band_high) == (50.0, 0.0, 0.0)  # not enough of them
    closed_candles(market, closes)
    indicators = state.candles["1m"]
    assert indicators.closed == 21
    assert state.rsi == indicators.rsi.value != 50.0
    assert state.atr == indicators.atr.value / closes[-1] > 0.0
    assert (state.band_low, state.band_high) == (indicators.bands.lower, indicators.bands.upper)


def test_an_open_candle_decides_and_moves_no_indicator(market: Market) -> None:
    state = market.state("AAA")
    assert market.on_kline(state, kline(100.0, 101.0))
    assert state.candles == {}


def test_a_candle_that_closes_twice_counts_once(market: Market) -> None:
    state = market.state("AAA")
    for _ in range(2):
        market.on_kline(state, kline(100.0, 101.0, open_time=60_000, is_closed=True))
    market.on_kline(state, kline(100.0, 101.0, open_time=0, is_closed=True))
    assert state.candles["1m"].closed == 1


def test_other_intervals_have_indicators_of_their_own_and_decide_nothing(market: Market) -> None:
    state = market.state("AAA")
    assert not market.on_kline(state, kline(100.0, 130.0, interval="1h", is_closed=True))
    assert (state.candles["1h"].closed, state.trend, state.rsi) == (1, 0.0, 50.0)


def test_an_interval_that_the_exchange_does_not_have_is_not_kept(market: Market) -> None:
    state = market.state("AAA")
    for number in range(100):
        market.on_kline(state, kline(100.0, 130.0, interval=f"{number}x", is_closed=True))
    assert state.candles == {}


def test_the_volume_weighted_mean_begins_anew_every_utc_day(market: Market) -> None:
    state = market.state("AAA")
    for price, quantity in ((10.0, 1.0), (20.0, 3.0)):
        market.on_trade(state, trade(price, quantity))
    assert state.today.value == 17.5
    market.time_ms = 86_400_000
    market.on_trade(state, trade(30.0, 2.0))
    assert state.today.value == 30.0
