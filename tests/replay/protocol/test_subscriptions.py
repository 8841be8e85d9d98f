from __future__ import annotations

import pytest

from harness.replay.protocol.routes import Route
from harness.replay.protocol.selection import Selection, Wrapping
from harness.replay.protocol.subscriptions import Subscriptions

KEY = "a1B2" * 16
#: BINANCE.md, section 1.2, in its order.
PUBLIC = (
    *("btcusdt@depth", "btcusdt@depth@500ms", "btcusdt@depth5", "btcusdt@depth20@100ms", "btcusdt@bookTicker"),
    *("!bookTicker", "btcusdt@rpiDepth@500ms", "btcusdt@trade"),
)
MARKET = (
    *("btcusdt@aggTrade", "btcusdt@kline_1m", "btcusdt_perpetual@continuousKline_1m", "btcusdt@markPrice"),
    *("btcusdt@markPrice@1s", "!markPrice@arr", "!markPrice@arr@1s", "btcusdt@ticker", "!ticker@arr"),
    *("btcusdt@miniTicker", "!miniTicker@arr", "btcusdt@forceOrder", "!forceOrder@arr", "defiusdt@compositeIndex"),
    *("!contractInfo", "!assetIndex@arr", "adausd@assetIndex", "tradingSession"),
)


@pytest.mark.parametrize("name", PUBLIC)
def test_book_data_flows_on_public_only(name: str) -> None:
    assert [route for route in Route if route.carries(name)] == [Route.ALL, Route.PUBLIC]


@pytest.mark.parametrize("name", MARKET)
def test_other_market_data_flows_on_market_only(name: str) -> None:
    assert [route for route in Route if route.carries(name)] == [Route.ALL, Route.MARKET]


@pytest.mark.parametrize("name", ["btcusdt@nothing", "!nothing@arr", "", "BTCUSDT", "btcusdt@avgPrice"])
def test_what_usdm_has_not_flows_on_no_route_of_it(name: str) -> None:
    assert [route for route in Route if route.carries(name)] == [Route.ALL]


def test_every_name_is_told_and_those_of_the_route_flow() -> None:
    subscriptions = Subscriptions([*PUBLIC, *MARKET, "nothing", KEY], route=Route.PUBLIC)
    assert subscriptions.names == (*PUBLIC, *MARKET, "nothing", KEY)
    assert subscriptions.selection(combined=True) == Selection(wrapping=Wrapping.COMBINED, streams=frozenset(PUBLIC))


def test_a_listen_key_is_known_by_its_form_or_by_being_named() -> None:
    assert Subscriptions([KEY]).selection(combined=False).account
    assert Subscriptions([KEY]).selection(combined=False).streams == frozenset()
    assert not Subscriptions(["short"]).selection(combined=False).account
    assert Subscriptions(["short"], listen_keys=["short"]).selection(combined=False).account


def test_the_whole_key_stands_for_all_events_beside_single_ones() -> None:
    selection = Subscriptions([f"{KEY}@A", KEY]).selection(combined=True)
    assert selection.events == frozenset()
    assert selection.listen_key == KEY


def test_raw_selections_of_different_keys_share_their_bytes() -> None:
    other = KEY[::-1]
    assert Subscriptions([KEY]).selection(combined=False) == Subscriptions([other]).selection(combined=False)


def test_whoever_admits_is_asked_each_time() -> None:
    good: set[str] = set()
    subscriptions = Subscriptions([KEY], admits=good.__contains__)
    assert subscriptions.selection(combined=False).empty
    good.add(KEY)
    assert subscriptions.selection(combined=False).account
