from __future__ import annotations

from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.bot.ledger import Ledger, Position
from harness.bot.market import SymbolState
from harness.bot.risk import Exit, Refusal, Risk
from harness.bot.settings import RiskSettings
from harness.bot.signal import Signal
from harness.exchange.filters import DEFAULT_FILTERS, SymbolFilters
from harness.exchange.orders import Fill, Order, Side

SETTINGS = RiskSettings(
    capital=100_000.0,
    risk_fraction=0.0001,  # with the stop-loss of 0.01: a notional of 1,000
    maximum_notional=5_000.0,
    maximum_open=2,
    cool_down_ms=500,
    maximum_hold_ms=10_000,
    stop_loss=0.01,
    take_profit=0.02,
    daily_loss_limit=50.0,
)
FILTERS = SymbolFilters(tick_size=Decimal("0.01"), lot_step=Decimal("0.001"), minimum_notional=Decimal(5))
SURE = 1.0
DAY_MS = 86_400_000


def fill_of(symbol: str, *, side: Side = Side.BUY, price: str = "100", time_ms: int = 1_000) -> Fill:
    order = Order(
        client_order_id=f"1-{time_ms}-{side[0]}",
        symbol=symbol,
        side=side,
        quantity=Decimal(10),
        price=Decimal(price),
        time_ms=time_ms,
    )
    return Fill(order=order, price=Decimal(price), fee=Decimal(1))


def position_of(symbol: str, settings: RiskSettings = SETTINGS) -> Position:
    return Risk(settings, Ledger()).position(fill_of(symbol), {"momentum": 2.0}, "momentum")


def held(*symbols: str) -> Ledger:
    ledger = Ledger()
    for symbol in symbols:
        ledger.open(position_of(symbol))
    return ledger


def after_a_trade(price: str, time_ms: int = 2_000) -> Ledger:
    """Bought ten at 100 and sold at this price; both fees are 1."""
    ledger = held("ZZZ")
    ledger.close(fill_of("ZZZ", side=Side.SELL, price=price, time_ms=time_ms), "time-out")
    return ledger


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
    assert Risk(SETTINGS, Ledger()).exit_of(position_of("AAA"), price, signal, time_ms) is reason


def test_a_symbol_rests_after_it_was_closed() -> None:
    ledger = held("AAA")
    ledger.close(fill_of("AAA", side=Side.SELL, time_ms=2_000), "time-out")
    risk = Risk(SETTINGS, ledger)
    assert risk.size_of(at(100.0), FILTERS, 2_000, SURE) is Refusal.COOL_DOWN
    assert risk.size_of(at(100.0), FILTERS, 2_499, SURE) is Refusal.COOL_DOWN
    assert isinstance(risk.size_of(at(100.0), FILTERS, 2_500, SURE), Decimal)


def test_no_more_positions_are_opened_than_allowed() -> None:
    assert Risk(SETTINGS, held("BBB")).size_of(at(100.0), FILTERS, 1, SURE) == Decimal(10)
    assert Risk(SETTINGS, held("BBB", "CCC")).size_of(at(100.0), FILTERS, 1, SURE) is Refusal.TOO_MANY_OPEN


def test_an_order_below_the_minimum_is_refused_by_name() -> None:
    risk = Risk(RiskSettings(maximum_notional=4.0), Ledger())
    assert risk.size_of(at(100.0), FILTERS, 1, SURE) is Refusal.TOO_SMALL
    assert risk.size_of(at(1e18), DEFAULT_FILTERS, 1, SURE) is Refusal.TOO_SMALL


def test_the_size_is_reckoned_at_the_ask_where_there_is_one() -> None:
    risk = Risk(SETTINGS, Ledger())
    assert risk.size_of(at(100.0, ask=125.0), FILTERS, 1, SURE) == Decimal(8)
    assert risk.size_of(at(100.0), FILTERS, 1, SURE) == Decimal(10)


def test_a_position_loses_the_stated_share_of_the_capital_at_its_stop() -> None:
    risk = Risk(SETTINGS, Ledger())
    size = risk.size_of(at(250.0), FILTERS, 1, SURE)
    assert isinstance(size, Decimal)
    assert float(size) * 250.0 * SETTINGS.stop_loss == pytest.approx(SETTINGS.capital * SETTINGS.risk_fraction)


def test_profits_and_losses_change_the_size() -> None:
    won = Risk(SETTINGS, after_a_trade("1100.2")).size_of(at(100.0), FILTERS, 2_000, SURE)
    assert won == Decimal(11)  # 10,000 more
    unlimited = msgspec.structs.replace(SETTINGS, daily_loss_limit=0.0, capital=10_000.0, risk_fraction=0.001)
    lost = Risk(unlimited, after_a_trade("50.2")).size_of(at(100.0), FILTERS, 2_000, SURE)
    assert lost == Decimal("9.5")


def test_no_position_is_larger_than_allowed_or_than_the_cash() -> None:
    capped = msgspec.structs.replace(SETTINGS, maximum_notional=300.0)
    assert Risk(capped, Ledger()).size_of(at(100.0), FILTERS, 1, SURE) == Decimal(3)
    poor = msgspec.structs.replace(SETTINGS, capital=1_250.0, risk_fraction=1.0)
    assert Risk(poor, held("BBB")).size_of(at(100.0), FILTERS, 1, SURE) == Decimal("2.5")  # 1,000 are committed
    broke = msgspec.structs.replace(SETTINGS, capital=1_000.0)
    assert Risk(broke, held("BBB")).size_of(at(100.0), FILTERS, 1, SURE) is Refusal.NO_CASH


def test_nothing_is_entered_on_a_day_of_large_losses_and_the_next_day_is_new() -> None:
    risk = Risk(SETTINGS, after_a_trade("95.2"))  # 48 and two of fees: the limit of 50
    assert risk.size_of(at(100.0), FILTERS, 2_000, SURE) is Refusal.DAILY_LOSS
    assert risk.size_of(at(100.0), FILTERS, DAY_MS - 1, SURE) is Refusal.DAILY_LOSS
    assert isinstance(risk.size_of(at(100.0), FILTERS, DAY_MS, SURE), Decimal)
    assert isinstance(Risk(SETTINGS, after_a_trade("95.3")).size_of(at(100.0), FILTERS, 2_000, SURE), Decimal)


def test_an_unsure_signal_is_refused_by_name() -> None:
    risk = Risk(msgspec.structs.replace(SETTINGS, minimum_confidence=0.5), Ledger())
    assert risk.size_of(at(100.0), FILTERS, 1, 0.499) is Refusal.UNSURE
    assert isinstance(risk.size_of(at(100.0), FILTERS, 1, 0.5), Decimal)


@given(price=st.floats(1e-8, 1e9), notional=st.floats(1.0, 1e6))
def test_a_size_is_a_multiple_of_the_lot_and_never_costs_more_than_stated(price: float, notional: float) -> None:
    settings = RiskSettings(capital=1e9, risk_fraction=1.0, maximum_notional=notional)
    size = Risk(settings, Ledger()).size_of(at(price), FILTERS, 1, SURE)
    if isinstance(size, Refusal):
        assert size is Refusal.TOO_SMALL
        return
    assert size % FILTERS.lot_step == 0
    assert size > 0
    assert size * Decimal(price) <= Decimal(notional) * Decimal("1.000000000000001")
