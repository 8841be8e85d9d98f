from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.exchange.account_events import (
    ACCOUNT_SHAPES,
    UNREAD_ACCOUNT_EVENTS,
    AccountChange,
    AccountConfigUpdate,
    AccountUpdate,
    AssetsMode,
    BalanceUpdate,
    ExecutionReport,
    FuturesBalance,
    Leverage,
    ListenKeyExpired,
    ListStatus,
    MarginCall,
    OrderTradeUpdate,
)
from harness.exchange.events import MARKET_SHAPES, Event

REPORT: dict[str, Any] = msgspec.json.decode(
    '{"e":"executionReport","E":5,"s":"AAA","c":"1-2-B","S":"BUY","q":"1.50","p":"2","x":"NEW","X":"NEW","i":7,'
    '"l":"0.00","z":"0","L":"0","n":"0","N":null,"T":4,"t":-1,"Z":"0"}'
)
FUTURES_ORDER: dict[str, Any] = msgspec.json.decode(
    '{"s":"AAA","c":"1-2-B","S":"BUY","q":"1","p":"2","ap":"2","x":"NEW","X":"NEW","i":7,"l":"0","z":"0","L":"0",'
    '"T":4,"t":0,"ps":"BOTH","rp":"-0.5"}'
)


def read(document: dict[str, Any], shape: type[Event]) -> Any:
    return msgspec.convert(document, shape, strict=False)


def test_every_account_payload_has_an_event_time_and_every_shape_a_name_of_its_own() -> None:
    shapes = [*MARKET_SHAPES.values(), *ACCOUNT_SHAPES.values()]
    assert all("event_time" in shape.__struct_fields__ for shape in shapes)
    assert len(set(shapes)) == len(shapes)
    assert not UNREAD_ACCOUNT_EVENTS & ACCOUNT_SHAPES.keys()


@pytest.mark.parametrize("field", [field for field in REPORT if field != "e"])
def test_a_report_without_what_orders_are_reconciled_by_is_refused(field: str) -> None:
    with pytest.raises(msgspec.ValidationError):
        read({key: value for key, value in REPORT.items() if key != field}, ExecutionReport)


def test_an_order_that_was_never_cancelled_has_no_other_id() -> None:
    report = read(REPORT, ExecutionReport)
    assert (report.original_client_order_id, report.reject_reason) == ("", "NONE")


@pytest.mark.parametrize(
    "text",
    ["", "-1", "1e999", "NaN", "Infinity", "sNaN", "1,5", " 1", "1\n", "0x10", "1_000", "٣", "1." + "0" * 30, "1" * 30],
)
def test_money_is_plain_digits(text: str) -> None:
    with pytest.raises(msgspec.ValidationError):
        read({**REPORT, "q": text}, ExecutionReport)


@given(st.decimals(min_value=0, max_value=10**18, places=8))
def test_money_is_exact(amount: Decimal) -> None:
    for text in (f"{amount:f}", str(amount)):
        assert Decimal(read({**REPORT, "q": text}, ExecutionReport).quantity) == amount


@given(st.from_regex(r"-?[0-9]{1,20}(\.[0-9]{1,20})?([eE][-+]?[0-9]{1,2})?", fullmatch=True))
def test_no_money_that_is_taken_is_anything_but_a_finite_number(text: str) -> None:
    change = read({"e": "balanceUpdate", "E": 1, "a": "BTC", "d": text}, BalanceUpdate).change
    assert Decimal(change).is_finite()


@pytest.mark.parametrize("field", ["c", "C", "x", "X", "r", "s", "S", "N"])
def test_a_text_that_no_exchange_writes_is_refused(field: str) -> None:
    assert read({**REPORT, field: "x" * 256}, ExecutionReport)
    with pytest.raises(msgspec.ValidationError):
        read({**REPORT, field: "x" * 257}, ExecutionReport)


@pytest.mark.parametrize("number", [2**63 - 1, -(2**63)])
def test_ids_of_64_bits_are_exact(number: int) -> None:
    report = read({**REPORT, "i": number, "t": number}, ExecutionReport)
    assert (report.order_id, report.trade_id) == (number, number)
    with pytest.raises(msgspec.ValidationError):
        read({**REPORT, "i": number + (1 if number > 0 else -1)}, ExecutionReport)


def test_a_futures_order_tells_no_commission_where_there_is_none() -> None:
    order = read({"e": "ORDER_TRADE_UPDATE", "E": 5, "T": 4, "o": FUTURES_ORDER}, OrderTradeUpdate).order
    assert (order.commission, order.commission_asset, order.realised_profit) == ("0", None, "-0.5")
    rebate = {**FUTURES_ORDER, "n": "-0.01", "N": "USDT"}
    order = read({"e": "ORDER_TRADE_UPDATE", "E": 5, "T": 4, "o": rebate}, OrderTradeUpdate).order
    assert (order.commission, order.commission_asset) == ("-0.01", "USDT")


def test_an_account_update_may_tell_balances_only() -> None:
    document = {"e": "ACCOUNT_UPDATE", "E": 5, "T": 4, "a": {"m": "FUNDING_FEE", "B": [{"a": "USDT", "wb": "-1.5"}]}}
    assert read(document, AccountUpdate) == AccountUpdate(
        event_time=5,
        change=AccountChange(
            reason="FUNDING_FEE", balances=[FuturesBalance(asset="USDT", wallet="-1.5")], positions=[]
        ),
    )


def test_a_configuration_is_that_of_a_symbol_or_of_the_account() -> None:
    leverage = read({"e": "ACCOUNT_CONFIG_UPDATE", "E": 5, "T": 4, "ac": {"s": "AAA", "l": 25}}, AccountConfigUpdate)
    assert leverage == AccountConfigUpdate(event_time=5, leverage=Leverage(symbol="AAA", leverage=25))
    mode = read({"e": "ACCOUNT_CONFIG_UPDATE", "E": 5, "T": 4, "ai": {"j": True}}, AccountConfigUpdate)
    assert mode == AccountConfigUpdate(event_time=5, assets_mode=AssetsMode(is_multi_assets=True))


def test_a_margin_call_names_its_positions() -> None:
    position = {"s": "AAA", "ps": "LONG", "pa": "-1.3", "mt": "CROSSED", "mp": "8", "up": "-1.1", "mm": "1.6"}
    call = read({"e": "MARGIN_CALL", "E": 5, "p": [position]}, MarginCall)
    assert [(one.symbol, one.side, one.amount) for one in call.positions] == [("AAA", "LONG", "-1.3")]


def test_a_list_of_orders_names_its_orders() -> None:
    orders = [{"s": "AAA", "i": 17, "c": "x"}, {"s": "AAA", "i": 18, "c": "y"}]
    document = {"e": "listStatus", "E": 5, "s": "AAA", "g": 2, "c": "OCO", "l": "EXEC_STARTED", "L": "EXECUTING"}
    status = read({**document, "r": "NONE", "C": "z", "T": 4, "O": orders}, ListStatus)
    assert (status.list_id, status.status, [one.client_order_id for one in status.orders]) == (
        2,
        "EXEC_STARTED",
        ["x", "y"],
    )


def test_a_listen_key_is_not_kept() -> None:
    event = read({"e": "listenKeyExpired", "E": 5, "listenKey": "secret"}, ListenKeyExpired)
    assert "secret" not in repr(event)
