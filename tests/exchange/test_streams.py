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
    ("btcusdt@forceOrder", "BTCUSDT", "other", "forceOrder"),
    ("btcusdt_perpetual@continuousKline_1m", "BTCUSDT_PERPETUAL", "other", "continuousKline_1m"),
    ("btcusdt@rpiDepth@500ms", "BTCUSDT", "other", "rpiDepth@500ms"),
    ("!miniTicker@arr", "", "other", "!miniTicker@arr"),
    ("!bookTicker", "", "other", "!bookTicker"),
    ("tradingSession", "", "other", "tradingSession"),
]


@pytest.mark.parametrize(("name", "symbol", "kind", "option"), KNOWN)
def test_a_name_is_taken_apart_and_put_together_again(name: str, symbol: str, kind: str, option: str) -> None:
    stream = parse(name)
    assert (stream.symbol, stream.kind, stream.option) == (symbol, kind, option)
    assert stream.name == name


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
