from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.bot.ledger import Ledger, Position
from harness.bot.market import SymbolState
from harness.bot.risk import Exit, Refusal, Risk
from harness.bot.settings import RiskSettings
from harness.bot.strategy import Features, Signal
from harness.exchange.filters import DEFAULT_FILTERS, SymbolFilters
from harness.exchange.orders import Fill, Order, Side

SETTINGS = RiskSettings(
    notional=1_000.0, maximum_open=2, cool_down_ms=500, maximum_hold_ms=10_000, stop_loss=0.01, take_profit=0.02
)
FILTERS = SymbolFilters(tick_size=Decimal("0.01"), lot_step=Decimal("0.001"), minimum_notional=Decimal(5))


def fill_of(symbol: str, *, side: Side = Side.BUY, price: str = "100", time_ms: int = 1_000) -> Fill:
    order = Order(client_order_id=f"{symbol}-1-B", symbol=symbol, side=side, quantity=Decimal(10), time_ms=time_ms)
    return Fill(order=order, price=Decimal(price), fee=Decimal(1))


FEATURES = Features(0.0, 0.0, 0.0, 0.0, 0.0)
POSITION = Position(entry=fill_of("AAA"), features=FEATURES)


def at(price: float, *, ask: float = 0.0) -> SymbolState:
    state = SymbolState("AAA")
    state.price, state.ask = price, ask
    return state


@pytest.mark.parametrize(
    ("price", "signal", "time_ms", "reason"),
    [
        (100.0, Signal.HOLD, 1_000, None),
        (99.0, Signal.HOLD, 1_000, Exit.STOP_LOSS),
        (99.01, Signal.HOLD, 1_000, None),
        (102.0, Signal.HOLD, 1_000, Exit.TAKE_PROFIT),
        (101.99, Signal.HOLD, 1_000, None),
        (100.0, Signal.HOLD, 10_999, None),
        (100.0, Signal.HOLD, 11_000, Exit.TIME_OUT),
        (100.0, Signal.LEAVE, 1_000, Exit.REVERSAL),
        (100.0, Signal.ENTER, 1_000, None),
        (98.0, Signal.LEAVE, 99_000, Exit.STOP_LOSS),  # the first reason counts
        (100.0, Signal.LEAVE, 99_000, Exit.TIME_OUT),
    ],
)
def test_a_position_is_closed_for_a_reason(price: float, signal: Signal, time_ms: int, reason: Exit | None) -> None:
    assert Risk(SETTINGS, Ledger()).exit_of(POSITION, at(price), signal, time_ms) is reason


def test_a_symbol_rests_after_it_was_closed() -> None:
    ledger = Ledger()
    ledger.open(fill_of("AAA"), FEATURES)
    ledger.close(fill_of("AAA", side=Side.SELL, time_ms=2_000), "time-out")
    risk = Risk(SETTINGS, ledger)
    assert risk.size_of(at(100.0), FILTERS, 2_000) is Refusal.COOL_DOWN
    assert risk.size_of(at(100.0), FILTERS, 2_499) is Refusal.COOL_DOWN
    assert risk.size_of(at(100.0), FILTERS, 2_500) == Decimal(10)


def test_no_more_positions_are_opened_than_allowed() -> None:
    ledger = Ledger()
    risk = Risk(SETTINGS, ledger)
    for symbol in ("BBB", "CCC"):
        assert risk.size_of(at(100.0), FILTERS, 1) == Decimal(10)
        ledger.open(fill_of(symbol), FEATURES)
    assert risk.size_of(at(100.0), FILTERS, 1) is Refusal.TOO_MANY_OPEN


def test_an_order_below_the_minimum_is_refused_by_name() -> None:
    risk = Risk(RiskSettings(notional=4.0), Ledger())
    assert risk.size_of(at(100.0), FILTERS, 1) is Refusal.TOO_SMALL
    assert risk.size_of(at(1e18), DEFAULT_FILTERS, 1) is Refusal.TOO_SMALL


def test_the_size_is_reckoned_at_the_ask_where_there_is_one() -> None:
    risk = Risk(SETTINGS, Ledger())
    assert risk.size_of(at(100.0, ask=125.0), FILTERS, 1) == Decimal(8)
    assert risk.size_of(at(100.0), FILTERS, 1) == Decimal(10)


@given(price=st.floats(1e-8, 1e9), notional=st.floats(1.0, 1e6))
def test_a_size_is_a_multiple_of_the_lot_and_never_costs_more_than_stated(price: float, notional: float) -> None:
    size = Risk(RiskSettings(notional=notional), Ledger()).size_of(at(price), FILTERS, 1)
    if isinstance(size, Refusal):
        assert size is Refusal.TOO_SMALL
        return
    assert size % FILTERS.lot_step == 0
    assert size > 0
    assert size * Decimal(price) <= Decimal(notional) * Decimal("1.000000000000001")
