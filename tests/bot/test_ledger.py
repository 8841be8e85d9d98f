from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.bot.ledger import Ledger
from harness.bot.strategy import Features
from harness.exchange.orders import Fill, Order, Side

FEATURES = Features(1.0, 0.0, 0.0, 0.0, 0.0)
AMOUNTS = st.decimals("0.00000001", "1000000", places=8)


def fill_of(side: Side, quantity: Decimal, price: Decimal, fee: Decimal, *, frame: int = 7, time_ms: int = 5) -> Fill:
    order = Order(client_order_id=f"AAA-{frame}-{side[0]}", symbol="AAA", side=side, quantity=quantity, time_ms=time_ms)
    return Fill(order=order, price=price, fee=fee)


@given(quantity=AMOUNTS, bought=AMOUNTS, sold=AMOUNTS, fees=st.tuples(AMOUNTS, AMOUNTS))
def test_profit_is_what_came_in_less_what_went_out_and_the_fees(
    quantity: Decimal, bought: Decimal, sold: Decimal, fees: tuple[Decimal, Decimal]
) -> None:
    ledger = Ledger()
    ledger.open(fill_of(Side.BUY, quantity, bought, fees[0]), FEATURES)
    record = ledger.close(fill_of(Side.SELL, quantity, sold, fees[1]), "reversal")
    assert record.fees == fees[0] + fees[1]
    assert record.pnl == quantity * sold - quantity * bought - (fees[0] + fees[1])


def test_one_record_is_written_when_opened_and_again_under_the_same_id_when_closed() -> None:
    ledger = Ledger()
    opened = ledger.open(fill_of(Side.BUY, Decimal(2), Decimal(10), Decimal("0.02")), FEATURES)
    assert ledger.positions["AAA"].entry_price == 10.0
    closed = ledger.close(
        fill_of(Side.SELL, Decimal(2), Decimal(11), Decimal("0.022"), frame=9, time_ms=8), "take-profit"
    )
    assert opened.trade_id == closed.trade_id == "AAA-7-B"
    assert (opened.exit_price, opened.pnl, opened.closed_ms, opened.reason) == (None, None, None, None)
    assert (closed.exit_price, closed.pnl) == (Decimal(11), Decimal("1.958"))
    assert (closed.opened_ms, closed.closed_ms, closed.reason) == (5, 8, "take-profit")
    assert (closed.quantity, closed.features) == (Decimal(2), FEATURES)
    assert ledger.positions == {}
    assert ledger.closed_ms == {"AAA": 8}
    assert (ledger.trades_opened, ledger.trades_closed) == (1, 1)


def test_what_is_not_held_cannot_be_closed() -> None:
    with pytest.raises(KeyError):
        Ledger().close(fill_of(Side.SELL, Decimal(1), Decimal(1), Decimal(0)), "reversal")
