from __future__ import annotations

import logging
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from harness.backends.registry import registry
from harness.bot.account_feed import AccountFeed, OrderReport
from harness.bot.orders.gateways import PaperGateway
from harness.bot.orders.open_orders import DIFFERENCES, OpenOrders
from harness.bot.wire import Wire
from harness.exchange.fills import FillRules, fill
from harness.exchange.orders import Order, Side

ORDER = Order(
    client_order_id="1-42-B",
    symbol="BTCUSDT",
    side=Side.BUY,
    quantity=Decimal("0.5"),
    price=Decimal(30000),
    time_ms=1_700_000_000_000,
)
BOOKED = fill(ORDER, FillRules())


FILLED = OrderReport(
    client_order_id="1-42-B",
    symbol="BTCUSDT",
    side="BUY",
    execution="TRADE",
    status="FILLED",
    reject_reason="NONE",
    last_quantity=Decimal("0.50000000"),
    last_price=Decimal("30000.00000000"),
    filled=Decimal("0.50000000"),
    commission=Decimal("15.00000000"),
    commission_asset="USDT",
    order_id=1,
    trade_id=1,
    time_ms=7,
)
NEW = replace(
    FILLED,
    execution="NEW",
    status="NEW",
    last_quantity=Decimal(0),
    last_price=Decimal(0),
    filled=Decimal(0),
    commission=Decimal(0),
)
EXPIRED = replace(NEW, execution="EXPIRED", status="EXPIRED")


class Book:
    """Open orders, and which were settled."""

    def __init__(self, **options: Any) -> None:
        self.settled: list[str] = []
        self.orders = OpenOrders(self.settled.append, **options)

    def hear(self, *reports: OrderReport) -> dict[str, int]:
        for report in reports:
            self.orders.on_report(report)
        return dict(self.orders.differences)


@pytest.fixture
def book() -> Book:
    made = Book()
    made.orders.expect(ORDER, BOOKED)
    return made


def part(quantity: str, filled: str, *, price: str = "30000", commission: str = "0", status: str = "") -> OrderReport:
    whole = Decimal(filled) == ORDER.quantity
    return replace(
        FILLED,
        status=status or ("FILLED" if whole else "PARTIALLY_FILLED"),
        last_quantity=Decimal(quantity),
        filled=Decimal(filled),
        last_price=Decimal(price),
        commission=Decimal(commission),
    )


def test_an_order_that_ends_as_it_was_booked_is_settled_without_a_difference(book: Book) -> None:
    assert book.hear(NEW) == {}
    assert book.settled == []
    assert book.hear(FILLED) == {}
    assert book.settled == ["1-42-B"]
    statistics = book.orders.statistics
    assert (statistics.open, statistics.peak, statistics.settled, statistics.different) == (0, 1, 1, 0)


def test_reports_that_come_twice_or_late_change_nothing(book: Book) -> None:
    assert book.hear(NEW, NEW, FILLED, NEW, FILLED, FILLED) == {}
    assert book.settled == ["1-42-B"]


@pytest.mark.parametrize(
    ("report", "difference"),
    [
        (replace(FILLED, last_price=Decimal("30000.01000000")), "price"),
        (replace(FILLED, commission=Decimal("15.00000001")), "commission"),
        (replace(FILLED, commission=Decimal(0)), "commission"),
        (replace(FILLED, commission_asset="BNB"), "commission"),
        (EXPIRED, "quantity"),
        (replace(FILLED, last_quantity=Decimal("0.4"), filled=Decimal("0.4"), commission=Decimal(12)), "quantity"),
        (replace(FILLED, last_quantity=Decimal("0.6"), filled=Decimal("0.6"), commission=Decimal(18)), "overfilled"),
        (replace(NEW, execution="REJECTED", status="REJECTED"), "rejected"),
        (replace(FILLED, symbol="ETHUSDT"), "other order"),
        (replace(FILLED, side="SELL"), "other order"),
        (replace(FILLED, last_quantity=Decimal("0.2"), commission=Decimal(6)), "missed trade"),
    ],
)
def test_a_difference_is_counted_by_name_and_the_order_settled_all_the_same(
    book: Book, report: OrderReport, difference: str
) -> None:
    assert book.hear(report) == {difference: 1}
    assert difference in DIFFERENCES
    assert book.settled == ["1-42-B"]


def test_money_is_compared_to_the_eight_decimals_that_the_wire_tells() -> None:
    book = Book()
    odd = replace(ORDER, quantity=Decimal("0.00000003"), price=Decimal("0.33333333"))
    book.orders.expect(odd, fill(odd, FillRules(fee_rate=Decimal("0.9"))))
    assert book.orders._open["1-42-B"].booked.fee == Decimal("0.00000000899999991")
    report = replace(
        FILLED,
        last_quantity=Decimal("0.00000003"),
        filled=Decimal("0.00000003"),
        last_price=Decimal("0.33333333"),
        commission=Decimal("0.00000001"),
    )
    assert book.hear(report) == {}


def test_parts_are_added_up(book: Book) -> None:
    first = part("0.2", "0.2", price="29999.7", commission="5.9")
    second = part("0.3", "0.5", price="30000.2", commission="9.1")
    assert book.hear(first, first, second, first) == {}
    assert book.settled == ["1-42-B"]


def test_a_part_that_comes_twice_is_added_once(book: Book) -> None:
    first, second, third = part("0.1", "0.1"), part("0.1", "0.2"), part("0.3", "0.5", commission="15")
    assert book.hear(first, second, second, first, third) == {}


def test_one_report_of_the_whole_stands_for_its_parts(book: Book) -> None:
    assert book.hear(part("0.2", "0.2", commission="6"), FILLED) == {}


def test_a_part_that_was_never_told_is_a_difference_until_the_whole_is_told(book: Book) -> None:
    late = part("0.1", "0.4", commission="3")
    assert book.hear(late) == {}
    assert book.hear(FILLED) == {}
    again = Book()
    again.orders.expect(ORDER, BOOKED)
    assert again.hear(late, part("0.1", "0.5", commission="3")) == {"missed trade": 1}


def test_an_order_of_somebody_else_is_counted_and_not_kept(book: Book) -> None:
    for number in range(1_000):
        book.hear(replace(FILLED, client_order_id=f"web_{number}"))
    assert book.orders.differences == {}
    assert book.orders.foreign == 1_000
    assert book.settled == []
    assert len(book.orders._open) + len(book.orders._done) == 1


def test_an_order_under_an_id_of_ours_that_was_never_sent_is_a_difference(book: Book) -> None:
    assert book.hear(replace(FILLED, client_order_id="7-42-B")) == {"unknown order": 1}
    assert book.orders.foreign == 0


def test_settled_orders_are_remembered_up_to_a_number() -> None:
    book = Book(remembered=2)
    told = []
    for number in range(4):
        one = replace(ORDER, client_order_id=f"1-{number}-B")
        book.orders.expect(one, fill(one, FillRules()))
        told.append(replace(FILLED, client_order_id=one.client_order_id))
    assert book.hear(*told) == {}
    assert len(book.orders._done) == 2
    assert book.hear(*told) == {"unknown order": 2}


def test_an_order_that_is_expected_twice_keeps_what_was_told_of_it(book: Book) -> None:
    book.hear(part("0.2", "0.2", commission="6"))
    book.orders.expect(ORDER, BOOKED)
    assert book.hear(part("0.3", "0.5", commission="9")) == {}
    assert book.orders.statistics.peak == 1


def test_each_kind_of_difference_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    book = Book()
    for number in range(3):
        one = replace(ORDER, client_order_id=f"1-{number}-B")
        book.orders.expect(one, fill(one, FillRules()))
        book.hear(replace(FILLED, client_order_id=one.client_order_id, commission=Decimal(1), last_price=Decimal(1)))
    assert book.orders.differences == {"price": 3, "commission": 3}
    assert [record.levelno for record in caplog.records] == [logging.WARNING] * 2
    assert "order 1-0-B was filled at another mean price than was booked" in caplog.text
    assert book.orders.statistics.different == 6


@pytest.mark.parametrize("codec", ["json", "orjson", "msgspec"])
async def test_what_a_gateway_tells_through_the_account_feed_is_what_was_booked(codec: str) -> None:
    if not registry().is_installed("codec", codec):
        pytest.skip(f"{codec} is not installed")
    book, rules = Book(), FillRules()
    feed = AccountFeed(Wire(registry().codec(codec)), book.orders.on_report)
    gateway = PaperGateway(feed.on_frame, rules=rules)
    await gateway.open()
    sides = {Side.BUY: "0.12345678", Side.SELL: "98765.4321"}
    for side, quantity in sides.items():
        one = replace(ORDER, client_order_id=side, side=side, quantity=Decimal(quantity), price=Decimal("0.07654321"))
        book.orders.expect(one, fill(one, rules))
        gateway.send(one)
        gateway.send(one)
    await gateway.close()
    assert book.orders.differences == {}
    assert book.settled == list(sides)
    assert feed.orders == {"NEW": 2, "FILLED": 4}
