from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import ConfigError
from harness.exchange.streams import parse
from harness.recordings.capture.plan import MAX_STREAMS, base_url, checked_url, links, route_of

LOCAL = "ws://127.0.0.1:9443"


def test_spot_has_two_default_hosts_and_usd_m_two_routes() -> None:
    assert base_url("spot", None) == "wss://stream.binance.com:9443"
    assert base_url("spot", None, data_only=True) == "wss://data-stream.binance.vision"
    found = links(base_url("usdm", None), ["btcusdt@depth@100ms", "btcusdt@markPrice@1s", "!bookTicker"])
    assert [(link.number, link.url) for link in found] == [
        (1, "wss://fstream.binance.com/market/stream?streams=btcusdt@markPrice@1s"),
        (2, "wss://fstream.binance.com/public/stream?streams=btcusdt@depth@100ms/!bookTicker"),
    ]


@pytest.mark.parametrize(
    ("route", "names"),
    [
        ("public", ("a@depth", "a@depth20@100ms", "a@rpiDepth@500ms", "a@bookTicker", "!bookTicker", "a@trade")),
        (
            "market",
            ("a@aggTrade", "a@kline_1m", "a@continuousKline_1m", "a@markPrice", "!markPrice@arr@1s", "a@ticker"),
        ),
        ("market", ("!ticker@arr", "a@miniTicker", "a@forceOrder", "!contractInfo", "tradingSession", "a@what")),
    ],
)
def test_each_usd_m_stream_has_its_route(route: str, names: tuple[str, ...]) -> None:
    assert {route_of(name) for name in names} == {route}


def test_streams_of_a_symbol_stay_on_one_connection() -> None:
    names = [f"{symbol}@{kind}" for kind in ("trade", "bookTicker") for symbol in ("a", "b", "c", "d", "e")]
    found = links(LOCAL, names, connections=3)
    assert [link.number for link in found] == [1, 2, 3]
    homes = {(parse(name).symbol, link.number) for link in found for name in link.streams}
    assert len(homes) == 5
    assert sorted(name for link in found for name in link.streams) == sorted(names)


def test_more_connections_than_symbols_are_not_opened() -> None:
    assert len(links(LOCAL, ["a@trade", "a@depth", "b@trade"], connections=9)) == 2


def test_what_does_not_fit_a_request_line_is_subscribed() -> None:
    names = [f"symbol{number}usdt@bookTicker" for number in range(400)]
    (link,) = links(LOCAL, names)
    assert (link.url, link.subscribe, link.streams) == (f"{LOCAL}/stream", tuple(names), tuple(names))
    (short,) = links(LOCAL, names[:3])
    assert short.subscribe == ()
    assert short.url.endswith("symbol2usdt@bookTicker")


@given(st.lists(st.integers(0, 400), min_size=1, max_size=400), st.integers(1, 8))
def test_no_connection_ever_has_too_many_streams_and_none_is_lost(symbols: list[int], connections: int) -> None:
    names = [f"s{symbol}@kind{number}" for number, symbol in enumerate(symbols * 8)]
    found = links(LOCAL, names, connections=connections)
    assert sorted(name for link in found for name in link.streams) == sorted(set(names))
    assert all(0 < len(link.streams) <= MAX_STREAMS for link in found)
    assert [link.number for link in found] == list(range(1, len(found) + 1))


def test_a_whole_address_says_its_streams_itself() -> None:
    (link,) = links(f"{LOCAL}/stream?streams=a@trade/b@depth&timeUnit=MICROSECOND", ["c@trade"])
    assert link.streams == ("a@trade", "b@depth", "c@trade")
    assert link.url == f"{LOCAL}/stream?timeUnit=MICROSECOND&streams=a@trade/b@depth/c@trade"


def test_a_raw_address_is_left_as_it_is() -> None:
    (link,) = links(f"{LOCAL}/ws/a@trade/b@depth", ["c@trade"])
    assert (link.url, link.streams, link.subscribe) == (
        f"{LOCAL}/ws/a@trade/b@depth",
        ("a@trade", "b@depth", "c@trade"),
        ("c@trade",),
    )


@pytest.mark.parametrize("name", ["a b@trade", "a/b?@trade", "x" * 129, "a@trade\n"])
def test_a_name_that_is_none_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match="is no stream"):
        links(LOCAL, [name])


def test_nothing_and_too_much_are_refused() -> None:
    with pytest.raises(ConfigError, match="name at least one"):
        links(LOCAL, [])
    with pytest.raises(ConfigError, match="more than 64 connections"):
        links(LOCAL, [f"s{number}@trade" for number in range(64 * MAX_STREAMS + 1)])


@pytest.mark.parametrize(
    "url",
    ["http://127.0.0.1", "ws://", "127.0.0.1:9443", "ws://example.com:9443", "ws://[::1", "ws://a:b", "ws://10.0.0.1"],
)
def test_an_address_must_be_a_websocket_and_without_tls_on_loopback(url: str) -> None:
    with pytest.raises(ConfigError, match="--url"):
        checked_url(url, "--url")


@pytest.mark.parametrize("url", ["ws://127.0.0.1:1", "ws://localhost:1", "ws://[::1]:1/stream", "wss://example.com"])
def test_these_addresses_are_taken(url: str) -> None:
    assert checked_url(url, "--url") == url
