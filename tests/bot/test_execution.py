from __future__ import annotations

from decimal import Decimal

from harness.bot.execution import PaperExecution
from harness.bot.market import SymbolState
from harness.exchange.fills import FillRules
from harness.exchange.filters import SymbolFilters
from harness.exchange.orders import Order, Side

FILTERS = SymbolFilters(tick_size=Decimal("0.5"), lot_step=Decimal(1), minimum_notional=Decimal(0))
FREE = FillRules(fee_rate=Decimal(0), slippage=Decimal(0))


def state_of(*, bid: float = 0.0, ask: float = 0.0, price: float = 0.0) -> SymbolState:
    state = SymbolState("AAA")
    state.bid, state.ask, state.price = bid, ask, price
    return state


def order(side: Side, symbol: str = "AAA") -> Order:
    return Order(client_order_id="x", symbol=symbol, side=side, quantity=Decimal(3), time_ms=1)


def test_a_buyer_pays_the_ask_and_a_seller_gets_the_bid() -> None:
    execution = PaperExecution({"AAA": FILTERS}, FREE)
    state = state_of(bid=100.0, ask=101.0, price=100.5)
    assert execution.fill(order(Side.BUY), state).price == Decimal(101)
    assert execution.fill(order(Side.SELL), state).price == Decimal(100)


def test_without_a_book_it_is_the_last_price_on_the_worse_tick() -> None:
    execution = PaperExecution({"AAA": FILTERS}, FREE)
    state = state_of(price=100.3)
    assert execution.fill(order(Side.BUY), state).price == Decimal("100.5")
    assert execution.fill(order(Side.SELL), state).price == Decimal(100)


def test_an_unknown_symbol_has_the_default_filters_and_the_usual_costs() -> None:
    fill = PaperExecution({}).fill(order(Side.BUY, "BBB"), state_of(bid=99.0, ask=100.0))
    assert fill.price == Decimal("100.01")
    assert fill.fee == Decimal("100.01") * 3 * Decimal("0.001")
    assert fill.notional == Decimal("300.03")
