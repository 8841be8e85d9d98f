from __future__ import annotations

from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.exchange.filters import DEFAULT_FILTERS, SymbolFilters, filters_for

FILTERS = SymbolFilters(tick_size=Decimal("0.01"), lot_step=Decimal("0.001"), minimum_notional=Decimal(5))


@pytest.mark.parametrize(
    ("price", "rounded"),
    [(100.004, "100.00"), (100.006, "100.01"), (100.005, "100.00"), (100.015, "100.02"), (0.1 + 0.2, "0.30")],
)
def test_a_price_goes_to_the_nearest_tick(price: float, rounded: str) -> None:
    assert FILTERS.round_price(price) == Decimal(rounded)


@pytest.mark.parametrize(("quantity", "rounded"), [(0.0019999, "0.001"), (2.0, "2.000"), (0.0009, "0"), (0.3, "0.300")])
def test_a_quantity_goes_down_to_its_step(quantity: float, rounded: str) -> None:
    assert FILTERS.round_quantity(quantity) == Decimal(rounded)


@given(st.floats(min_value=1e-8, max_value=1e9, allow_nan=False))
def test_rounding_stays_within_a_step_and_on_the_grid(value: float) -> None:
    exact = Decimal(repr(value))
    price, quantity = FILTERS.round_price(value), FILTERS.round_quantity(value)
    assert price % FILTERS.tick_size == 0
    assert abs(price - exact) <= FILTERS.tick_size / 2
    assert quantity % FILTERS.lot_step == 0
    assert 0 <= exact - quantity < FILTERS.lot_step


def test_a_step_that_is_no_decimal_fraction_is_kept() -> None:
    quarter = SymbolFilters(tick_size=Decimal("0.25"), lot_step=Decimal(5), minimum_notional=Decimal(0))
    assert quarter.round_price(10.3) == Decimal("10.25")
    assert quarter.round_quantity(14.9) == 10


def test_an_order_is_enough_from_the_minimum_notional_on() -> None:
    assert FILTERS.is_enough(Decimal(10), Decimal("0.5"))
    assert not FILTERS.is_enough(Decimal(10), Decimal("0.499"))


def test_nothing_is_never_enough() -> None:
    assert not DEFAULT_FILTERS.is_enough(Decimal(10), Decimal(0))


def test_an_unknown_symbol_gets_the_stated_defaults() -> None:
    assert filters_for("BTCUSDT", {"BTCUSDT": FILTERS}) is FILTERS
    assert filters_for("ETHUSDT", {"BTCUSDT": FILTERS}) is DEFAULT_FILTERS


@pytest.mark.parametrize("tick", ["0", "-1", "NaN", "Infinity"])
def test_a_tick_that_is_not_positive_is_refused(tick: str) -> None:
    with pytest.raises(ValueError, match="above 0"):
        SymbolFilters(tick_size=Decimal(tick), lot_step=Decimal(1), minimum_notional=Decimal(0))


def test_filters_survive_json() -> None:
    assert msgspec.json.decode(msgspec.json.encode(FILTERS), type=SymbolFilters) == FILTERS
