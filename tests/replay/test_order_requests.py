from __future__ import annotations

import json
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.exchange.filters import SymbolFilters
from harness.replay.orders.account import Cut, Faults, WitnessedAccount
from harness.replay.orders.log import OrderLog, read_log
from harness.replay.protocol.order_requests import OrderRequests

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ARRIVED_NS = 77
PARAMS = {
    "symbol": "BTCUSDT",
    "side": "BUY",
    "type": "LIMIT",
    "timeInForce": "IOC",
    "price": "30000.25",
    "quantity": "0.5",
    "newClientOrderId": "1-42-B",
    "timestamp": 1_700_000_000_000,
}


@pytest.fixture
def log(tmp_path: Path) -> Iterator[OrderLog]:
    with OrderLog(tmp_path / "orders.jsonl") as opened:
        yield opened


@pytest.fixture
def account(log: OrderLog) -> WitnessedAccount:
    return WitnessedAccount(log)


def ask(account: WitnessedAccount, method: str, **params: Any) -> dict[str, Any]:
    request = {"id": "a-1", "method": method, "params": params}
    answer: dict[str, Any] = json.loads(OrderRequests(account).answer(json.dumps(request), ARRIVED_NS))
    assert answer["id"] == "a-1"
    return answer


def place(account: WitnessedAccount, **changes: Any) -> dict[str, Any]:
    params = {name: value for name, value in {**PARAMS, **changes}.items() if value is not None}
    return ask(account, "order.place", **params)


def code(answer: dict[str, Any]) -> int:
    assert answer["status"] == (400 if "error" in answer else 200)
    return answer["error"]["code"] if "error" in answer else 0


def test_an_order_is_placed_and_told_in_full_with_its_fill(account: WitnessedAccount) -> None:
    result = place(account)["result"]
    assert list(result) == [
        *("symbol", "orderId", "orderListId", "clientOrderId", "transactTime", "price", "origQty", "executedQty"),
        *("origQuoteOrderQty", "cummulativeQuoteQty", "status", "timeInForce", "type", "side", "workingTime"),
        *("fills", "selfTradePreventionMode"),
    ]
    assert (result["clientOrderId"], result["orderId"], result["status"]) == ("1-42-B", 1, "FILLED")
    assert result["fills"] == [
        {
            "price": "30000.25000000",
            "qty": "0.50000000",
            "commission": "15.00012500",
            "commissionAsset": "USDT",
            "tradeId": 1,
        }
    ]


def test_a_client_that_wants_less_is_told_less(account: WitnessedAccount) -> None:
    short = place(account, newOrderRespType="ACK")["result"]
    assert list(short) == ["symbol", "orderId", "orderListId", "clientOrderId", "transactTime"]
    assert "fills" not in place(account, newOrderRespType="RESULT", newClientOrderId="2")["result"]


@pytest.mark.parametrize("missing", sorted(PARAMS.keys() - {"newClientOrderId"}))
def test_a_parameter_that_is_missing_is_named(account: WitnessedAccount, missing: str) -> None:
    answer = place(account, **{missing: None})
    assert code(answer) == -1102
    assert f"'{missing}'" in answer["error"]["msg"]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"side": "HOLD"}, -1117),
        ({"type": "MARKET"}, -2010),
        ({"type": "STOP_LOSS_LIMIT"}, -2010),
        ({"type": "HOPE"}, -1116),
        ({"timeInForce": "GTX"}, -1115),
        ({"icebergQty": "0.1"}, -2010),
        ({"stopPrice": "0.1"}, -1106),
        ({"quoteOrderQty": "0.1"}, -1106),
        ({"type": "LIMIT_MAKER"}, -1106),
        ({"newClientOrderId": ""}, -1102),
        ({"newClientOrderId": 7}, -1102),
        ({"price": "1e5"}, -1100),
        ({"price": "-1"}, -1100),
        ({"quantity": "٣"}, -1100),
        ({"quantity": 0.5}, -1102),
        ({"quantity": "0"}, -1013),
        ({"quantity": "0.123456789"}, -1111),
        ({"timestamp": True}, -1102),
        ({"newClientOrderId": "x" * 37}, -1100),
        ({"newClientOrderId": "\ud800"}, -1100),
        ({"symbol": "\ud800"}, -1100),
        ({"newOrderRespType": "SOME"}, -1102),
        ({"newOrderRespType": []}, -1102),
    ],
)
def test_a_malformed_order_is_refused_as_documented(
    account: WitnessedAccount, log: OrderLog, changes: dict[str, Any], expected: int
) -> None:
    assert code(place(account, **changes)) == expected
    account.write()
    assert len(log) == 0


def test_filters_hold_where_they_are_known(log: OrderLog) -> None:
    lots = SymbolFilters(tick_size=Decimal("0.01"), lot_step=Decimal(1), minimum_notional=Decimal(0))
    assert place(WitnessedAccount(log, filters={"BTCUSDT": lots}))["error"] == {
        "code": -1013,
        "msg": "Filter failure: LOT_SIZE",
    }


def test_an_order_sent_again_is_a_duplicate_before_and_after_it_is_written(account: WitnessedAccount) -> None:
    place(account)
    for _ in range(2):
        assert place(account)["error"] == {"code": -2010, "msg": "Duplicate order sent."}
        account.write()


def test_a_gateway_that_comes_back_remembers_every_order(tmp_path: Path) -> None:
    path = tmp_path / "orders.jsonl"
    with OrderLog(path) as log:
        first = WitnessedAccount(log)
        place(first)
        first.write()
    with OrderLog(path) as log:
        second = WitnessedAccount(log)
        assert code(place(second)) == -2010
        status = ask(second, "order.status", symbol="BTCUSDT", origClientOrderId="1-42-B")["result"]
        assert (status["status"], status["executedQty"], status["orderId"]) == ("FILLED", "0.50000000", 1)
        assert place(second, newClientOrderId="2")["result"]["orderId"] == 2


def test_status_and_trades_tell_what_became_of_an_order(account: WitnessedAccount) -> None:
    place(account)
    account.write()
    status = ask(account, "order.status", symbol="BTCUSDT", orderId=1)["result"]
    assert status["cummulativeQuoteQty"] == "15000.12500000"
    (trade,) = ask(account, "myTrades", symbol="BTCUSDT", orderId=status["orderId"])["result"]
    assert (trade["price"], trade["commission"], trade["isBuyer"]) == ("30000.25000000", "15.00012500", True)
    assert ask(account, "myTrades", symbol="ETHUSDT", orderId=1)["result"] == []
    assert ask(account, "myTrades", symbol="BTCUSDT", orderId=2)["result"] == []
    assert code(ask(account, "myTrades", symbol="BTCUSDT")) == -1102


def test_an_order_that_is_not_there_has_two_errors(account: WitnessedAccount) -> None:
    place(account)
    assert code(ask(account, "order.status", symbol="BTCUSDT", origClientOrderId="x")) == -2013
    assert code(ask(account, "order.status", symbol="ETHUSDT", origClientOrderId="1-42-B")) == -2013
    assert code(ask(account, "order.cancel", symbol="BTCUSDT", origClientOrderId="1-42-B")) == -2011
    for method in ("order.cancel", "order.status"):
        assert code(ask(account, method, symbol="BTCUSDT")) == -1102
        assert code(ask(account, method, symbol="BTCUSDT", orderId="1")) == -1102
        assert code(ask(account, method, symbol="BTCUSDT", origClientOrderId="")) == -1102


def test_account_events_are_subscribed_to_as_on_any_connection(account: WitnessedAccount) -> None:
    requests = OrderRequests(account)
    subscribed = [requests.selection.account]
    for method, result in (("userDataStream.subscribe", {"subscriptionId": 0}), ("ping", {})):
        assert json.loads(requests.answer(json.dumps({"id": 1, "method": method}), 0))["result"] == result
    subscribed.append(requests.selection.account)
    requests.answer('{"id":1,"method":"userDataStream.unsubscribe"}', 0)
    assert [*subscribed, requests.selection.account] == [False, True, False]
    assert json.loads(requests.answer('{"id":1,"method":"order.cancelReplace"}', 0))["error"]["code"] == -1020


def test_a_full_log_takes_no_further_order(tmp_path: Path) -> None:
    with OrderLog(tmp_path / "orders.jsonl", max_orders=2) as log:
        account = WitnessedAccount(log)
        assert [code(place(account, newClientOrderId=str(number))) for number in range(3)] == [0, 0, -1015]
        account.write()
        assert code(place(account, newClientOrderId="3")) == -1015
        assert code(place(account, newClientOrderId="1")) == -2010


def test_every_nth_order_is_refused_or_expires_when_asked_for(log: OrderLog, tmp_path: Path) -> None:
    account = WitnessedAccount(log, faults=Faults(reject_every=2, expire_every=3))
    answers = [place(account, newClientOrderId=str(number)) for number in range(1, 7)]
    assert [code(answer) for answer in answers] == [0, -2010, 0, -2010, 0, -2010]
    assert answers[1]["error"]["msg"] == "Account has insufficient balance for requested action."
    account.write()
    assert [(order.client_order_id, order.status) for order in read_log(tmp_path / "orders.jsonl")] == [
        ("1", "FILLED"),
        ("3", "EXPIRED"),
        ("5", "FILLED"),
    ]


def test_a_cut_before_an_order_loses_it_and_one_after_it_does_not(log: OrderLog) -> None:
    account = WitnessedAccount(log, faults=Faults(drop_before=1, drop_after=3))
    with pytest.raises(Cut):
        place(account)
    assert code(place(account)) == 0
    with pytest.raises(Cut):
        place(account, newClientOrderId="2")
    assert [one.order.client_order_id for one in account.write()] == ["1-42-B", "2"]
    assert account.write() == []
    assert code(place(account, newClientOrderId="2")) == -2010


VALUES: st.SearchStrategy[Any] = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.text()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.lists(st.none())
    | st.just({})
)


@given(
    st.sampled_from(
        [
            "order.place",
            "order.test",
            "order.status",
            "order.cancel",
            "openOrders.status",
            "openOrders.cancelAll",
            "myTrades",
        ]
    ),
    st.dictionaries(st.sampled_from([*PARAMS, "origClientOrderId", "orderId", "cancelRestrictions"]), VALUES) | VALUES,
)
def test_whatever_is_asked_is_answered_in_json(
    tmp_path_factory: pytest.TempPathFactory, method: str, params: object
) -> None:
    with OrderLog(tmp_path_factory.mktemp("log") / "orders.jsonl") as log:
        request = {"id": None, "method": method, "params": params}
        answer = json.loads(OrderRequests(WitnessedAccount(log)).answer(json.dumps(request), 0))
    assert answer["status"] in {200, 400}
