from __future__ import annotations

import pytest

from harness.backends.registry import registry
from harness.bot.feeds import AccountFeed, DepthFeed, KlineFeed, PriceFeed
from harness.bot.market import Market
from harness.bot.settings import MarketSettings
from harness.bot.wire import Wire
from harness.exchange.events import MARKET_SHAPES, MiniTicker

REPORT = (
    b'{"subscriptionId":0,"event":{"e":"executionReport","E":1,"s":"AAA","c":"web_1","S":"BUY","q":"1","x":"TRADE",'
    b'"X":"%s","i":5,"l":"1","z":"1","L":"2"}}'
)


@pytest.fixture
def feed() -> AccountFeed:
    return AccountFeed(Wire(registry().codec("json")))


def test_every_kind_that_is_decoded_has_one_handler() -> None:
    market = Market(MarketSettings())
    kinds = [kind for feed in (PriceFeed, KlineFeed, DepthFeed) for kind in feed(market).handlers()]
    assert sorted(kinds) == sorted(MARKET_SHAPES)


def test_a_mini_ticker_is_no_reason_to_decide() -> None:
    market = Market(MarketSettings())
    state = market.state("AAA")
    event = MiniTicker(event_time=1, symbol="AAA", close=5.0, open=1.0, high=6.0, low=0.5, volume=10.0)
    assert not PriceFeed(market).handlers()["miniTicker"](state, event)
    assert state.observations == 0


def test_account_events_are_counted_by_kind_and_state(feed: AccountFeed) -> None:
    for status in (b"NEW", b"FILLED", b"FILLED"):
        feed.on_frame(REPORT % status)
    assert feed.counts == {"ExecutionReport": 3}
    assert feed.orders == {"NEW": 1, "FILLED": 2}


def test_balances_are_those_last_told(feed: AccountFeed) -> None:
    for free in (b"1.5", b"2.5"):
        feed.on_frame(b'{"e":"outboundAccountPosition","E":1,"B":[{"a":"BTC","f":"%s","l":"0"}]}' % free)
    feed.on_frame(b'{"e":"outboundAccountPosition","E":1,"B":[{"a":"USDT","f":"9","l":"0"}]}')
    assert feed.balances == {"BTC": 2.5, "USDT": 9.0}


def test_answers_and_malformed_frames_are_no_account_events(feed: AccountFeed) -> None:
    for frame in (b'{"id":1,"status":200,"result":{}}', b"{", b"", b'{"e":"listStatus"}'):
        feed.on_frame(frame)
    assert feed.counts == {}
    assert feed.balances == {}
