from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.exchange.fills import FillRules, fill, limit_price
from harness.exchange.filters import DEFAULT_FILTERS, SymbolFilters
from harness.exchange.orders import Order, Side

CENT = SymbolFilters(tick_size=Decimal("0.01"), lot_step=Decimal("0.001"), minimum_notional=Decimal(0))
FREE = FillRules(fee_rate=Decimal(0), slippage=Decimal(0))
TICKS = st.sampled_from(["1", "0.5", "0.25", "0.1", "0.01", "0.00001", "0.00000001"]).map(Decimal)
RULES = st.builds(
    FillRules,
    fee_rate=st.decimals("0", "0.01", places=6),
    slippage=st.decimals("0", "0.05", places=6),
)


def order(side: Side, quantity: str = "2", price: Decimal = Decimal(100)) -> Order:
    return Order(client_order_id="x", symbol="AAA", side=side, quantity=Decimal(quantity), price=price, time_ms=1)


@pytest.mark.parametrize(
    ("side", "best", "price"),
    [
        (Side.BUY, 100.0, "100.01"),  # 0.0001 worse is a tick
        (Side.SELL, 100.0, "99.99"),
        (Side.BUY, 1_000.0, "1000.10"),
        (Side.SELL, 1_000.0, "999.90"),
        (Side.BUY, 10.0, "10.01"),  # a tenth of a tick worse, rounded against the taker
        (Side.SELL, 10.0, "9.99"),
        (Side.BUY, 0.001, "0.01"),
    ],
)
def test_a_taker_gets_a_worse_price_on_a_tick(side: Side, best: float, price: str) -> None:
    assert limit_price(side, best, CENT, FillRules()) == Decimal(price)


def test_without_costs_the_price_is_the_best_one() -> None:
    assert limit_price(Side.BUY, 100.37, CENT, FREE) == Decimal("100.37")
    assert limit_price(Side.SELL, 100.37, CENT, FREE) == Decimal("100.37")


def test_the_fee_is_a_share_of_the_notional() -> None:
    made = fill(order(Side.BUY, "2.5"), FillRules(fee_rate=Decimal("0.001"), slippage=Decimal(0)))
    assert (made.price, made.notional, made.fee) == (Decimal(100), Decimal(250), Decimal("0.25"))


@given(best=st.floats(1e-8, 1e12), tick=TICKS, rules=RULES)
def test_a_buyer_never_pays_less_than_the_ask(best: float, tick: Decimal, rules: FillRules) -> None:
    filters = SymbolFilters(tick_size=tick, lot_step=Decimal(1), minimum_notional=Decimal(0))
    price = limit_price(Side.BUY, best, filters, rules)
    worst = Decimal(repr(best)) * (1 + rules.slippage)
    assert price >= Decimal(repr(best))
    assert price % tick == 0
    assert price < worst + tick


@given(best=st.floats(1e-8, 1e12), tick=TICKS, rules=RULES)
def test_a_seller_never_gets_more_than_the_bid_unless_the_bid_is_less_than_a_tick(
    best: float, tick: Decimal, rules: FillRules
) -> None:
    filters = SymbolFilters(tick_size=tick, lot_step=Decimal(1), minimum_notional=Decimal(0))
    price = limit_price(Side.SELL, best, filters, rules)
    assert price % tick == 0
    assert price >= tick
    assert price <= max(Decimal(repr(best)), tick)


@given(best=st.floats(1e-8, 1e12), rules=RULES)
def test_to_buy_and_sell_at_once_never_pays(best: float, rules: FillRules) -> None:
    bought, sold = (
        fill(order(side, price=limit_price(side, best, DEFAULT_FILTERS, rules)), rules)
        for side in (Side.BUY, Side.SELL)
    )
    assert sold.notional - bought.notional - bought.fee - sold.fee <= 0


def test_an_order_is_filled_whole_at_its_own_limit() -> None:
    made = fill(order(Side.SELL, "3", Decimal("7.5")), FillRules())
    assert (made.price, made.order.quantity, made.fee) == (Decimal("7.5"), Decimal(3), Decimal("0.0225"))
