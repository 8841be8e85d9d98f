from __future__ import annotations

import pytest

from harness.bot.connection import endpoints
from harness.errors import ConfigError, UnknownName

SPOT = "wss://data-stream.binance.vision/stream"


def test_without_an_address_it_is_binance_s_public_market_data() -> None:
    found = endpoints.of("spot", None, None, ["btcusdt", " ETHUSDT "], ["bookTicker", "kline_1m"])
    assert (found.market_url, found.rest_url) == (SPOT, "https://data-api.binance.vision")
    assert found.streams == ("btcusdt@bookTicker", "btcusdt@kline_1m", "ethusdt@bookTicker", "ethusdt@kline_1m")
    assert found.symbols == ("BTCUSDT", "ETHUSDT")


@pytest.mark.parametrize(
    ("kinds", "route"),
    [(["bookTicker", "depth@100ms"], "public"), (["aggTrade", "kline_1m", "markPrice@1s"], "market")],
)
def test_usd_m_has_a_route_for_book_data_and_one_for_the_rest(kinds: list[str], route: str) -> None:
    found = endpoints.of("usdm", None, None, ["BTCUSDT"], kinds)
    assert found.market_url == f"wss://fstream.binance.com/{route}/stream"
    assert found.rest_url == "https://fapi.binance.com"


def test_streams_of_both_routes_have_no_common_order_and_are_refused() -> None:
    with pytest.raises(ConfigError, match="no common order"):
        endpoints.of("usdm", None, None, ["BTCUSDT"], ["bookTicker", "aggTrade"])


@pytest.mark.parametrize("url", ["ws://127.0.0.1:9443", "ws://127.0.0.1:9443/", "ws://127.0.0.1:9443/stream"])
def test_another_market_is_asked_for_its_combined_streams_and_has_no_rest_interface(url: str) -> None:
    found = endpoints.of("spot", url, None, ["BTCUSDT"], ["trade"])
    assert found.market_url == "ws://127.0.0.1:9443/stream"
    assert found.streams == ("btcusdt@trade",)
    assert found.rest_url is None
    assert endpoints.of("spot", url, "http://127.0.0.1:1", ["BTCUSDT"], ["trade"]).rest_url == "http://127.0.0.1:1"


def test_a_whole_address_says_for_itself_what_is_subscribed() -> None:
    url = "ws://127.0.0.1:9443/stream?streams=ethusdt@trade/btcusdt@trade/ethusdt@kline_1m/!miniTicker@arr"
    found = endpoints.of("spot", url, None, ["XRPUSDT"], ["depth"])
    assert (found.market_url, found.streams) == (url, ())
    assert found.symbols == ("ETHUSDT", "BTCUSDT")


@pytest.mark.parametrize("url", ["http://127.0.0.1", "127.0.0.1:9443", "ws://", "ftp://x/stream?streams=a@trade"])
def test_what_is_no_websocket_address_is_refused(url: str) -> None:
    with pytest.raises(ConfigError, match="no WebSocket address"):
        endpoints.of("spot", url, None, ["BTCUSDT"], ["trade"])


@pytest.mark.parametrize(("symbols", "kinds"), [([""], ["trade"]), (["BTCUSDT"], [" "]), ([], [])])
def test_nothing_to_subscribe_is_refused(symbols: list[str], kinds: list[str]) -> None:
    with pytest.raises(ConfigError, match="at least one"):
        endpoints.of("spot", None, None, symbols, kinds)


def test_a_stream_that_nobody_knows_is_refused_with_examples() -> None:
    with pytest.raises(ConfigError, match="is no stream; for example bookTicker"):
        endpoints.of("spot", None, None, ["BTCUSDT"], ["bookticker"])


def test_an_unknown_market_is_refused_with_those_that_are_known() -> None:
    with pytest.raises(UnknownName, match="known: spot, usdm"):
        endpoints.of("coinm", None, None, ["BTCUSDT"], ["trade"])
