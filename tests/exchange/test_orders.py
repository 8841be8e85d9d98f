from __future__ import annotations

import dataclasses
from decimal import Decimal

import pytest

from harness.exchange.orders import Fill, Order, Side

ORDER = Order(
    client_order_id="1-7-B", symbol="AAA", side=Side.BUY, quantity=Decimal("0.30"), price=Decimal(9), time_ms=5
)


def test_the_sides_are_binance_s_two_words() -> None:
    assert [str(side) for side in Side] == ["BUY", "SELL"]


def test_a_notional_is_price_times_quantity_without_rounding() -> None:
    fill = Fill(order=ORDER, price=Decimal("86000.12345678"), fee=Decimal(0))
    assert fill.notional == Decimal("25800.037037034")


@pytest.mark.parametrize("record", [ORDER, Fill(order=ORDER, price=Decimal(1), fee=Decimal(0))])
def test_what_was_booked_cannot_be_changed(record: Order | Fill) -> None:
    for field in dataclasses.fields(record):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(record, field.name, None)
