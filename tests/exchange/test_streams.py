from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.exchange.streams import Stream, parse

KNOWN = [
    ("btcusdt@aggTrade", "BTCUSDT", "aggTrade", ""),
    ("btcusdt@trade", "BTCUSDT", "trade", ""),
    ("btcusdt@bookTicker", "BTCUSDT", "bookTicker", ""),
    ("btcusdt@kline_1m", "BTCUSDT", "kline", "1m"),
    ("btcusdt@kline_1d@+08:00", "BTCUSDT", "kline", "1d@+08:00"),
    ("btcusdt@depth", "BTCUSDT", "depth", ""),
    ("btcusdt@depth@100ms", "BTCUSDT", "depth", "100ms"),
    ("btcusdt@depth@500ms", "BTCUSDT", "depth", "500ms"),
    ("btcusdt@depth20", "BTCUSDT", "partialDepth", "20"),
    ("btcusdt@depth20@100ms", "BTCUSDT", "partialDepth", "20@100ms"),
    ("btcusdt@miniTicker", "BTCUSDT", "miniTicker", ""),
    ("btcusdt@ticker", "BTCUSDT", "ticker", ""),
    ("btcusdt@ticker_1h", "BTCUSDT", "ticker", "1h"),
    ("btcusdt@markPrice", "BTCUSDT", "markPrice", ""),
    ("btcusdt@markPrice@1s", "BTCUSDT", "markPrice", "1s"),
    ("btcusdt@forceOrder", "BTCUSDT", "forceOrder", ""),
    ("btcusdt@avgPrice", "BTCUSDT", "avgPrice", ""),
    ("btcusdt@referencePrice", "BTCUSDT", "referencePrice", ""),
    ("btcusdt@blockTrade", "BTCUSDT", "blockTrade", ""),
    ("defiusdt@compositeIndex", "DEFIUSDT", "compositeIndex", ""),
    ("btc@assetIndex", "BTC", "assetIndex", ""),
    ("btcusdt_perpetual@continuousKline_1m", "BTCUSDT_PERPETUAL", "continuousKline", "1m"),
    ("btcusdt@rpiDepth@500ms", "BTCUSDT", "rpiDepth", "500ms"),
    ("!miniTicker@arr", "", "other", "!miniTicker@arr"),
    ("!ticker_4h@arr", "", "other", "!ticker_4h@arr"),
    ("!markPrice@arr@1s", "", "other", "!markPrice@arr@1s"),
    ("!bookTicker", "", "other", "!bookTicker"),
    ("tradingSession", "", "other", "tradingSession"),
]


@pytest.mark.parametrize(("name", "symbol", "kind", "option"), KNOWN)
def test_a_name_is_taken_apart_and_put_together_again(name: str, symbol: str, kind: str, option: str) -> None:
    stream = parse(name)
    assert (stream.symbol, stream.kind, stream.option) == (symbol, kind, option)
    assert stream.name == name
    assert stream.is_known


INTERVALS = "1s 1m 3m 5m 15m 30m 1h 2h 4h 6h 8h 12h 1d 3d 1w 1M"


def test_candles_of_every_interval_are_known() -> None:
    for interval in INTERVALS.split():
        assert parse(f"btcusdt@kline_{interval}") == Stream(symbol="BTCUSDT", kind="kline", option=interval)


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("btcusdt@novelty@1s", "novelty@1s"),
        ("btcusdt@aggTrade2", "aggTrade2"),
        ("btcusdt@!bookTicker", "!bookTicker"),
        ("!novelty@arr", "!novelty@arr"),
        ("!ticker_5m@arr", "!ticker_5m@arr"),
        ("btcusdt", "btcusdt"),
        ("", ""),
    ],
)
def test_what_binance_has_not_is_unknown_and_labelled_without_its_symbol(name: str, label: str) -> None:
    stream = parse(name)
    assert not stream.is_known
    assert stream.label == label


def test_a_known_stream_is_labelled_by_its_kind_and_one_of_all_symbols_by_its_name() -> None:
    assert parse("btcusdt@depth20@100ms").label == "partialDepth"
    assert parse("!markPrice@arr").label == "!markPrice@arr"


def test_a_stream_composed_from_its_parts_has_the_name_to_subscribe_to() -> None:
    assert Stream(symbol="ETHUSDT", kind="depth", option="100ms").name == "ethusdt@depth@100ms"
    assert Stream(symbol="ETHUSDT", kind="kline", option="5m").name == "ethusdt@kline_5m"
    assert Stream(symbol="ETHUSDT", kind="aggTrade").name == "ethusdt@aggTrade"


@given(st.text(st.characters(codec="utf-8") | st.sampled_from("@ad"), max_size=30))
def test_any_text_is_parsed_and_keeps_its_name(name: str) -> None:
    stream = parse(name)
    symbol = name.partition("@")[0]
    # Letters without a way back from upper case are no exchange's; all others come back as they were.
    assert stream.name == name or symbol.upper().lower() != symbol


@given(st.sampled_from([case[0] for case in KNOWN if case[1]]), st.text("@_!amx019", max_size=6))
def test_what_follows_a_known_form_makes_it_another_stream_with_the_same_name(name: str, tail: str) -> None:
    assert parse(name + tail).name == name + tail
