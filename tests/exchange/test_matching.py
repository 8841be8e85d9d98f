from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from harness.exchange.answers import own_trades_of, quote_asset, status_of
from harness.exchange.fills import FillRules, fill
from harness.exchange.filters import SymbolFilters
from harness.exchange.matching import Accepted, Cancelled, Exchange, Refusal
from harness.exchange.orders import Order, Side, Terms

ORDER = Order(
    client_order_id="1-42-B",
    symbol="BTCUSDT",
    side=Side.BUY,
    quantity=Decimal("0.5"),
    price=Decimal("30000.25"),
    time_ms=1_700_000_000_000,
)
FILTERS = {"BTCUSDT": SymbolFilters(tick_size=Decimal("0.01"), lot_step=Decimal("0.001"), minimum_notional=Decimal(10))}


def numbered(number: int, **changes: object) -> Order:
    return replace(ORDER, client_order_id=f"1-{number}-B", **changes)  # type: ignore[arg-type] # by name


def code(answer: Accepted | Refusal) -> int:
    return answer.code if isinstance(answer, Refusal) else 0


def test_an_order_is_filled_whole_at_its_own_limit_by_the_rules_that_all_share() -> None:
    rules = FillRules(fee_rate=Decimal("0.002"))
    accepted = Exchange(rules).place(ORDER, 7)
    assert accepted == Accepted(order=ORDER, order_id=1, trade_id=1, fill=fill(ORDER, rules), time_ms=7)


def test_ids_count_up_and_an_expired_order_has_no_trade() -> None:
    exchange = Exchange(last_order_id=10, last_trade_id=5)
    placed = [exchange.place(numbered(number), 7, expires=number == 1) for number in range(3)]
    assert [(one.order_id, one.trade_id) for one in placed if isinstance(one, Accepted)] == [(11, 6), (12, -1), (13, 7)]


def test_a_client_order_id_is_taken_once_even_for_another_order() -> None:
    exchange = Exchange()
    first = exchange.place(ORDER, 7)
    assert exchange.place(ORDER, 8) == Refusal(code=-2010, msg="Duplicate order sent.")
    assert code(exchange.place(replace(ORDER, side=Side.SELL, symbol="ETHUSDT"), 8)) == -2010
    assert exchange.status("BTCUSDT", "1-42-B") == first


class Written(dict[str, Accepted]):
    """An archive."""

    def find(self, client_order_id: str) -> Accepted | None:
        return self.get(client_order_id)

    def numbered(self, order_id: int) -> Accepted | None:
        return next((one for one in self.values() if one.order_id == order_id), None)


def test_what_an_exchange_forgot_its_archive_still_knows() -> None:
    written = Written()
    exchange = Exchange(remembered=2, archive=written)
    for number in range(5):
        accepted = exchange.place(numbered(number), 7)
        assert isinstance(accepted, Accepted)
        written[accepted.order.client_order_id] = accepted
    assert code(exchange.place(numbered(0), 8)) == -2010
    assert exchange.status("BTCUSDT", "1-0-B") == written["1-0-B"]
    assert exchange.status("BTCUSDT", order_id=1) == written["1-0-B"]
    assert code(exchange.status("BTCUSDT", order_id=6)) == -2013


def test_memory_is_bounded_without_an_archive() -> None:
    exchange = Exchange(remembered=2)
    for number in range(5):
        exchange.place(numbered(number), 7)
    assert [code(exchange.status("BTCUSDT", f"1-{number}-B")) for number in range(5)] == [-2013, -2013, -2013, 0, 0]
    assert [code(exchange.status("BTCUSDT", order_id=number)) for number in range(1, 6)] == [-2013, -2013, -2013, 0, 0]
    assert (len(exchange._recent), len(exchange._names)) == (2, 2)


@pytest.mark.parametrize("bad", ["", "x" * 37, "a b", "é", "a\n", "x;y"])
def test_a_malformed_client_order_id_is_refused(bad: str) -> None:
    refusal = Exchange().place(replace(ORDER, client_order_id=bad), 7)
    assert isinstance(refusal, Refusal)
    assert refusal.code == -1100
    assert r"'newClientOrderId'; legal range is '^[\.A-Z\:/a-z0-9_-]{1,36}$'" in refusal.msg


@pytest.mark.parametrize("good", ["x" * 36, ".A:/z_9-"])
def test_a_client_order_id_of_the_documented_characters_is_taken(good: str) -> None:
    assert code(Exchange().place(replace(ORDER, client_order_id=good), 7)) == 0


@pytest.mark.parametrize(
    ("symbol", "answer"), [("btcusdt", -1100), ("", -1100), ("X" * 51, -1100), ("币安人生USDT", 0)]
)
def test_a_symbol_is_upper_case_and_of_any_script(symbol: str, answer: int) -> None:
    assert code(Exchange().place(replace(ORDER, symbol=symbol), 7)) == answer


@pytest.mark.parametrize("field", ["price", "quantity"])
@pytest.mark.parametrize(
    ("amount", "answer"),
    [
        ("0", -1013),
        ("-1", -1013),
        ("NaN", -1013),
        ("Infinity", -1013),
        ("1E+999999", -1013),
        ("1E-999999", -1111),
        ("0.000000001", -1111),
        ("0.00000001", 0),
    ],
)
def test_an_amount_that_means_nothing_is_refused(field: str, amount: str, answer: int) -> None:
    assert code(Exchange().place(numbered(1, **{field: Decimal(amount)}), 7)) == answer


@pytest.mark.parametrize(
    ("changes", "failure"),
    [
        ({"price": Decimal("30000.255")}, "PRICE_FILTER"),
        ({"quantity": Decimal("0.0005")}, "LOT_SIZE"),
        ({"price": Decimal(1)}, "NOTIONAL"),
    ],
)
def test_filters_hold_where_they_are_known(changes: dict[str, Decimal], failure: str) -> None:
    order = numbered(1, **changes)
    assert Exchange(filters=FILTERS).place(order, 7) == Refusal(code=-1013, msg=f"Filter failure: {failure}")
    assert code(Exchange(filters=FILTERS).place(replace(order, symbol="ETHUSDT"), 7)) == 0


def test_a_refused_order_leaves_no_trace() -> None:
    exchange = Exchange(filters=FILTERS)
    exchange.place(replace(ORDER, quantity=Decimal("0.0005")), 7)
    accepted = exchange.place(ORDER, 8)
    assert isinstance(accepted, Accepted)
    assert accepted.order_id == 1


def cancel(exchange: Exchange, client_order_id: str | None = None, order_id: int | None = None) -> Accepted | Refusal:
    return exchange.cancel("BTCUSDT", client_order_id, order_id, cancel_id="c-1", now_ms=9)


@pytest.mark.parametrize("terms", [Terms.IOC, Terms.FOK])
def test_an_order_that_takes_at_once_is_never_open_to_be_cancelled(terms: Terms) -> None:
    exchange = Exchange()
    placed = exchange.place(replace(ORDER, terms=terms), 7)
    assert isinstance(placed, Accepted)
    assert placed.fill
    assert exchange.open_orders() == []
    assert cancel(exchange, "1-42-B") == Refusal(code=-2011, msg="Unknown order sent.")


@pytest.mark.parametrize("terms", [Terms.GTC, Terms.MAKER])
def test_an_order_that_rests_waits_until_it_is_cancelled_once(terms: Terms) -> None:
    exchange = Exchange(last_trade_id=5)
    placed = exchange.place(replace(ORDER, terms=terms), 7, expires=True)
    assert isinstance(placed, Accepted)
    assert (placed.open, placed.fill, placed.trade_id) == (True, None, -1)
    assert exchange.open_orders("BTCUSDT") == exchange.open_orders() == [placed]
    assert exchange.open_orders("ETHUSDT") == []
    done = cancel(exchange, order_id=placed.order_id)
    assert done == replace(placed, cancelled=Cancelled(cancel_id="c-1", time_ms=9))
    assert exchange.status("BTCUSDT", "1-42-B") == done
    assert (exchange.open_orders(), code(cancel(exchange, "1-42-B"))) == ([], -2011)


def test_an_order_is_cancelled_by_both_ids_only_if_they_are_its_own() -> None:
    exchange = Exchange()
    for number in range(2):
        exchange.place(numbered(number, terms=Terms.GTC), 7)
    assert code(cancel(exchange, "1-0-B", 2)) == -2011
    assert code(cancel(exchange, "1-1-B", 2)) == 0
    assert code(exchange.cancel("ETHUSDT", "1-0-B", cancel_id="c-1", now_ms=9)) == -2011
    assert code(exchange.cancel("BTCUSDT", "1-0-B", cancel_id="a b", now_ms=9)) == -1100


def test_open_orders_are_bounded_and_never_forgotten() -> None:
    exchange = Exchange(max_open=2, remembered=1)
    placed = [code(exchange.place(numbered(number, terms=Terms.GTC), 7)) for number in range(3)]
    assert placed == [0, 0, -1013]
    for number in range(3, 6):
        exchange.place(numbered(number), 7)
    assert [one.order_id for one in exchange.open_orders()] == [1, 2]
    assert code(cancel(exchange, "1-0-B")) == 0
    assert code(exchange.place(numbered(6, terms=Terms.GTC), 7)) == 0


def test_open_orders_of_an_earlier_life_can_be_cancelled() -> None:
    first = Exchange()
    first.place(replace(ORDER, terms=Terms.GTC), 7)
    second = Exchange(open_orders=first.open_orders(), last_order_id=1)
    assert code(second.place(ORDER, 8)) == -2010
    assert code(cancel(second, order_id=1)) == 0


def test_an_order_is_found_under_its_own_symbol_only() -> None:
    exchange = Exchange()
    exchange.place(ORDER, 7)
    assert exchange.status("ETHUSDT", "1-42-B") == Refusal(code=-2013, msg="Order does not exist.")


def test_the_answers_to_status_and_trades_agree_with_the_fill() -> None:
    filled, late = Exchange().place(ORDER, 7), Exchange().place(ORDER, 7, expires=True)
    assert isinstance(filled, Accepted)
    assert isinstance(late, Accepted)
    status, (trade,) = status_of(filled), own_trades_of(filled)
    assert (status.status, status.executed_qty, status.cummulative_quote_qty) == (
        "FILLED",
        "0.50000000",
        "15000.12500000",
    )
    assert (trade.commission, trade.commission_asset, trade.quote_qty) == ("15.00012500", "USDT", "15000.12500000")
    assert (status_of(late).status, status_of(late).executed_qty, own_trades_of(late)) == ("EXPIRED", "0.00000000", [])


@pytest.mark.parametrize(
    ("symbol", "asset"), [("BTCUSDT", "USDT"), ("BTCFDUSD", "FDUSD"), ("ETHBTC", "BTC"), ("USDT", None), ("XYZ", None)]
)
def test_the_quote_asset_is_the_end_of_the_symbol(symbol: str, asset: str | None) -> None:
    assert quote_asset(symbol) == asset
