from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.bot.ledger import Ledger, Position
from harness.exchange.orders import Fill, Order, Side

FEATURES = {"momentum": 1.0}
DAY_MS = 86_400_000
AMOUNTS = st.decimals("0.00000001", "1000000", places=8)


def fill_of(side: Side, quantity: Decimal, price: Decimal, fee: Decimal, *, frame: int = 7, time_ms: int = 5) -> Fill:
    order = Order(
        client_order_id=f"1-{frame}-{side[0]}",
        symbol="AAA",
        side=side,
        quantity=quantity,
        price=price,
        time_ms=time_ms,
    )
    return Fill(order=order, price=price, fee=fee)


def position(entry: Fill) -> Position:
    return Position(
        entry=entry, features=FEATURES, strategy="momentum", stop_price=1.0, target_price=2.0, deadline_ms=9
    )


@given(quantity=AMOUNTS, bought=AMOUNTS, sold=AMOUNTS, fees=st.tuples(AMOUNTS, AMOUNTS))
def test_profit_is_what_came_in_less_what_went_out_and_the_fees(
    quantity: Decimal, bought: Decimal, sold: Decimal, fees: tuple[Decimal, Decimal]
) -> None:
    ledger = Ledger()
    ledger.open(position(fill_of(Side.BUY, quantity, bought, fees[0])))
    record = ledger.close(fill_of(Side.SELL, quantity, sold, fees[1]), "reversal")
    assert record.fees == fees[0] + fees[1]
    assert record.pnl == quantity * sold - quantity * bought - (fees[0] + fees[1])


def test_one_record_is_written_when_opened_and_again_under_the_same_id_when_closed() -> None:
    ledger = Ledger()
    opened = ledger.open(position(fill_of(Side.BUY, Decimal(2), Decimal(10), Decimal("0.02"))))
    assert ledger.committed == Decimal(20)
    closed = ledger.close(
        fill_of(Side.SELL, Decimal(2), Decimal(11), Decimal("0.022"), frame=9, time_ms=8), "take-profit"
    )
    assert opened.trade_id == closed.trade_id == "1-7-B"
    assert (opened.exit_price, opened.pnl, opened.closed_ms, opened.reason) == (None, None, None, None)
    assert (closed.exit_price, closed.pnl) == (Decimal(11), Decimal("1.958"))
    assert (closed.opened_ms, closed.closed_ms, closed.reason) == (5, 8, "take-profit")
    assert (closed.quantity, closed.features, closed.strategy) == (Decimal(2), FEATURES, "momentum")
    assert (ledger.committed, ledger.realised) == (Decimal(0), Decimal("1.958"))
    assert ledger.positions == {}
    assert ledger.closed_ms == {"AAA": 8}
    assert (ledger.trades_opened, ledger.trades_closed) == (1, 1)


def test_what_is_not_held_cannot_be_closed() -> None:
    with pytest.raises(KeyError):
        Ledger().close(fill_of(Side.SELL, Decimal(1), Decimal(1), Decimal(0)), "reversal")


def traded(ledger: Ledger, sold_at: str, time_ms: int) -> None:
    ledger.open(position(fill_of(Side.BUY, Decimal(1), Decimal(10), Decimal(0))))
    ledger.close(fill_of(Side.SELL, Decimal(1), Decimal(sold_at), Decimal(0), time_ms=time_ms), "reversal")


def test_a_day_s_profit_is_that_of_the_trades_closed_on_it() -> None:
    ledger = Ledger()
    traded(ledger, "11", DAY_MS - 1)
    traded(ledger, "12.5", DAY_MS - 1)
    assert ledger.realised_on(0) == Decimal("3.5")
    assert ledger.realised_on(DAY_MS) == 0
    traded(ledger, "9", DAY_MS)
    assert ledger.realised_on(DAY_MS) == Decimal(-1)
    assert ledger.realised == Decimal("2.5")


def test_an_earlier_life_is_taken_over_whole() -> None:
    earlier, later = Ledger(), Ledger()
    traded(earlier, "12", 5)
    earlier.open(position(fill_of(Side.BUY, Decimal(1), Decimal(10), Decimal(0))))
    later.restore(earlier.positions.values(), earlier.closed_ms, earlier.realised, (5, earlier.realised_on(5)))
    for name in ("positions", "closed_ms", "committed", "realised"):
        assert getattr(later, name) == getattr(earlier, name)
    assert later.realised_on(7) == Decimal(2)
    assert (later.trades_opened, later.trades_closed) == (0, 0)
