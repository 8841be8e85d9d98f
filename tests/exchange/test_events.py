from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.exchange.events import (
    LARGEST,
    MARKET_SHAPES,
    AggTrade,
    BookTicker,
    Event,
    Kline,
    MarkPrice,
)

AGG_TRADE: dict[str, Any] = {"e": "aggTrade", "E": 5, "s": "AAA", "a": 1, "p": "2.5", "q": "3", "m": True}
BOOK: dict[str, Any] = {"u": 1, "s": "AAA", "b": "1", "B": "2", "a": "3", "A": "4"}


def read(document: dict[str, Any], shape: type[Event]) -> Event:
    return msgspec.convert(document, shape, strict=False)


def test_every_market_payload_has_an_event_time_and_every_shape_a_name_of_its_own() -> None:
    for shape in MARKET_SHAPES.values():
        assert "event_time" in shape.__struct_fields__
    assert len(set(MARKET_SHAPES.values())) == len(MARKET_SHAPES)


def test_a_spot_book_ticker_has_no_event_time() -> None:
    assert read(BOOK, BookTicker) == BookTicker(
        symbol="AAA", update_id=1, bid=1.0, bid_quantity=2.0, ask=3.0, ask_quantity=4.0, event_time=0
    )


@pytest.mark.parametrize("field", ["E", "s", "a", "p", "q", "m"])
def test_a_field_that_is_needed_may_not_be_missing(field: str) -> None:
    with pytest.raises(msgspec.ValidationError):
        read({key: value for key, value in AGG_TRADE.items() if key != field}, AggTrade)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("p", "-0.1"),
        ("p", "1.1e18"),
        ("p", "nan"),
        ("p", "inf"),
        ("p", ""),
        ("p", None),
        ("p", []),
        ("q", -1),
        ("E", -1),
        ("E", 32_503_680_000_001),
        ("E", 1_672_515_782_136_000),
        ("E", 1.5),
        ("a", 2**63),
        ("a", -(2**63) - 1),
        ("s", 5),
        ("m", "perhaps"),
    ],
)
def test_what_is_out_of_bounds_is_refused(field: str, value: object) -> None:
    with pytest.raises(msgspec.ValidationError):
        read({**AGG_TRADE, field: value}, AggTrade)


@given(price=st.floats(0, LARGEST), time_ms=st.integers(0, 32_503_680_000_000), number=st.integers(-(2**63), 2**63 - 1))
def test_what_is_within_bounds_is_taken_to_the_last_bit(price: float, time_ms: int, number: int) -> None:
    for text in (price, repr(price)):
        event = read({**AGG_TRADE, "p": text, "E": time_ms, "a": number}, AggTrade)
        assert isinstance(event, AggTrade)
        assert (event.price, event.event_time, event.trade_id) == (price, time_ms, number)


def test_zero_is_no_error_for_it_says_that_nothing_is_there() -> None:
    event = read({**BOOK, "b": "0.00000000", "B": "0.00000000"}, BookTicker)
    assert isinstance(event, BookTicker)
    assert (event.bid, event.bid_quantity) == (0.0, 0.0)


@pytest.mark.parametrize("rate", ["0.00010000", "-0.00003629", ""])
def test_a_mark_price_tells_its_index_and_its_funding_which_a_delivered_contract_has_not(rate: str) -> None:
    document = {"e": "markPriceUpdate", "E": 1, "s": "AAA", "p": "2.5", "i": "2.4", "P": "2.3", "r": rate, "T": 9}
    assert read(document, MarkPrice) == MarkPrice(
        event_time=1, symbol="AAA", price=2.5, index=2.4, funding_rate=rate, next_funding_time=9
    )


def test_a_candle_is_checked_like_its_event() -> None:
    candle = {"t": 1, "T": 2, "i": "1m", "o": "1", "c": "2", "h": "3", "l": "1", "v": "9", "n": 4, "x": True}
    document = {"e": "kline", "E": 1, "s": "AAA", "k": candle}
    event = read(document, Kline)
    assert isinstance(event, Kline)
    assert (event.candle.open, event.candle.close, event.candle.is_closed) == (1.0, 2.0, True)
    with pytest.raises(msgspec.ValidationError):
        read({**document, "k": {**candle, "o": "-1"}}, Kline)


def test_events_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        read(AGG_TRADE, AggTrade).price = 1.0  # type: ignore[attr-defined]
