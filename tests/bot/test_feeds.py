from __future__ import annotations

from harness.bot.depth_feed import DepthFeed
from harness.bot.feeds import KlineFeed, PriceFeed
from harness.bot.market import Market
from harness.bot.settings import MarketSettings
from harness.exchange.events import MARKET_SHAPES, MarkPrice, MiniTicker


def test_every_kind_that_is_decoded_has_one_handler() -> None:
    market = Market(MarketSettings())
    feeds = (PriceFeed(market), KlineFeed(market), DepthFeed())
    kinds = [kind for feed in feeds for kind in feed.handlers()]
    assert sorted(kinds) == sorted(MARKET_SHAPES)


def test_a_mini_ticker_is_no_reason_to_decide() -> None:
    market = Market(MarketSettings())
    state = market.state("AAA")
    event = MiniTicker(event_time=1, symbol="AAA", close=5.0, open=1.0, high=6.0, low=0.5, volume=10.0)
    assert not PriceFeed(market).handlers()["miniTicker"](state, event)
    assert state.observations == 0


def test_a_mark_price_is_kept_and_no_reason_to_decide() -> None:
    event = MarkPrice(event_time=1, symbol="AAA", price=5.5, index=5.6, funding_rate="", next_funding_time=0)
    market = Market(MarketSettings())
    state = market.state("AAA")
    assert not PriceFeed(market).handlers()["markPrice"](state, event)
    assert (state.mark_price, state.observations) == (5.5, 0)
