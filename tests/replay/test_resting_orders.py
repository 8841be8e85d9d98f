"""Orders that rest, and what else any client may ask about its orders."""

from __future__ import annotations

import errno
import json
import os
from typing import TYPE_CHECKING, Any

import pytest

from harness.exchange.reports import reports_of
from harness.replay.orders.account import Faults, WitnessedAccount
from harness.replay.orders.log import OrderLog, read_log
from harness.replay.orders.stamps import Stamps
from harness.replay.protocol.order_requests import OrderRequests

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from harness.exchange.orders import Order

PARAMS = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "price": "30000.25", "quantity": "0.5", "timestamp": 5}
GTC = {"timeInForce": "GTC", "newClientOrderId": "a-1"}


class Client:
    """One connection to an account whose clock stands."""

    def __init__(self, log: OrderLog, **changes: Any) -> None:
        self.account = WitnessedAccount(log, wall_ms=lambda: 99, **changes)
        self.requests = OrderRequests(self.account)

    def ask(self, method: str, **params: Any) -> Any:
        """The result, or the code of the error."""
        request = {"id": 1, "method": method, "params": params}
        answer = json.loads(self.requests.answer(json.dumps(request), 77))
        return answer["result"] if answer["status"] == 200 else answer["error"]["code"]

    def place(self, **params: Any) -> Any:
        return self.ask("order.place", **PARAMS, **params)

    def told(self) -> list[tuple[str, str]]:
        return [(report["c"], report["X"]) for one in self.account.write() for report in reports_of(one)]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "orders.jsonl"


@pytest.fixture
def log(path: Path) -> Iterator[OrderLog]:
    with OrderLog(path) as opened:
        yield opened


@pytest.fixture
def client(log: OrderLog) -> Client:
    return Client(log)


def test_an_order_without_an_id_is_given_one(client: Client) -> None:
    made = [client.place(timeInForce="IOC")["clientOrderId"] for _ in range(2)]
    assert len(set(made)) == 2
    assert client.ask("order.status", symbol="BTCUSDT", origClientOrderId=made[1])["orderId"] == 2


def test_fill_or_kill_is_filled_whole_as_is_immediate_or_cancel(client: Client) -> None:
    told = client.place(timeInForce="FOK")
    assert (told["status"], told["timeInForce"], told["executedQty"]) == ("FILLED", "FOK", "0.50000000")


def test_an_order_that_rests_is_told_as_new_without_fills(client: Client) -> None:
    told = client.place(**GTC)
    assert (told["status"], told["timeInForce"], told["type"]) == ("NEW", "GTC", "LIMIT")
    assert (told["executedQty"], told["fills"]) == ("0.00000000", [])
    assert client.told() == [("a-1", "NEW")]
    assert client.ask("myTrades", symbol="BTCUSDT", orderId=1) == []


def test_a_maker_order_is_acknowledged_only_unless_more_is_wanted(client: Client) -> None:
    maker = {**PARAMS, "type": "LIMIT_MAKER"}
    assert "status" not in client.ask("order.place", **maker)
    told = client.ask("order.place", **maker, newOrderRespType="RESULT")
    assert (told["status"], told["timeInForce"], told["type"]) == ("NEW", "GTC", "LIMIT_MAKER")


@pytest.mark.parametrize(
    "ids", [{"origClientOrderId": "a-1"}, {"orderId": 1}, {"orderId": 1, "origClientOrderId": "a-1"}]
)
def test_a_resting_order_is_cancelled_as_documented(client: Client, path: Path, ids: dict[str, Any]) -> None:
    client.place(**GTC)
    told = client.ask("order.cancel", symbol="BTCUSDT", newClientOrderId="c-1", timestamp=5, **ids)
    assert told == {
        "symbol": "BTCUSDT",
        "origClientOrderId": "a-1",
        "orderId": 1,
        "orderListId": -1,
        "clientOrderId": "c-1",
        "transactTime": 99,
        "price": "30000.25000000",
        "origQty": "0.50000000",
        "executedQty": "0.00000000",
        "origQuoteOrderQty": "0.00000000",
        "cummulativeQuoteQty": "0.00000000",
        "status": "CANCELED",
        "timeInForce": "GTC",
        "type": "LIMIT",
        "side": "BUY",
        "selfTradePreventionMode": "EXPIRE_MAKER",
    }
    assert list(told)[:5] == ["symbol", "origClientOrderId", "orderId", "orderListId", "clientOrderId"]
    assert client.told() == [("a-1", "NEW"), ("c-1", "CANCELED")]
    assert [line.status for line in read_log(path)] == ["CANCELED"]
    assert client.ask("order.status", symbol="BTCUSDT", orderId=1)["status"] == "CANCELED"
    assert client.ask("order.cancel", symbol="BTCUSDT", orderId=1) == -2011


def test_ids_that_do_not_belong_together_name_no_order(client: Client) -> None:
    client.place(**GTC)
    assert client.ask("order.cancel", symbol="BTCUSDT", orderId=1, origClientOrderId="a-2") == -2011
    assert client.ask("order.status", symbol="BTCUSDT", orderId=1, origClientOrderId="a-2") == -2013
    assert client.ask("order.status", symbol="ETHUSDT", orderId=1) == -2013


@pytest.mark.parametrize(
    ("restriction", "answer"), [("ONLY_NEW", None), ("ONLY_PARTIALLY_FILLED", -2011), ("SOME", -1145), ([], -1145)]
)
def test_a_restricted_cancellation_is_heeded(client: Client, restriction: object, answer: int | None) -> None:
    client.place(**GTC)
    told = client.ask("order.cancel", symbol="BTCUSDT", orderId=1, cancelRestrictions=restriction)
    assert told == answer if answer else told["status"] == "CANCELED"


def test_the_id_of_a_cancellation_is_checked(client: Client) -> None:
    client.place(**GTC)
    assert client.ask("order.cancel", symbol="BTCUSDT", orderId=1, newClientOrderId="a b") == -1100
    assert client.told() == [("a-1", "NEW")]


def test_open_orders_are_told_and_cancelled_together(client: Client) -> None:
    for number in range(3):
        client.place(timeInForce="GTC", newClientOrderId=f"a-{number}")
    client.place(timeInForce="IOC")
    assert [one["clientOrderId"] for one in client.ask("openOrders.status")] == ["a-0", "a-1", "a-2"]
    assert client.ask("openOrders.status", symbol="ETHUSDT") == []
    done = client.ask("openOrders.cancelAll", symbol="BTCUSDT")
    assert [(one["origClientOrderId"], one["status"]) for one in done] == [(f"a-{n}", "CANCELED") for n in range(3)]
    assert client.ask("openOrders.cancelAll", symbol="BTCUSDT") == -2011
    assert client.ask("openOrders.status", symbol="BTCUSDT") == []


def test_a_tried_order_is_looked_at_and_not_taken(client: Client) -> None:
    assert client.ask("order.test", **PARAMS, **GTC) == {}
    assert client.ask("order.test", **PARAMS, timeInForce="GTX") == -1115
    client.place(**GTC)
    assert client.ask("order.test", **PARAMS, **GTC) == -2010
    assert client.told() == [("a-1", "NEW")]


def test_open_orders_outlive_the_server(path: Path) -> None:
    with OrderLog(path) as log:
        first = Client(log)
        first.place(**GTC)
        first.place(timeInForce="GTC", newClientOrderId="a-2")
        first.ask("order.cancel", symbol="BTCUSDT", orderId=2)
        first.told()
    with OrderLog(path) as log:
        second = Client(log)
        assert [one["orderId"] for one in second.ask("openOrders.status")] == [1]
        assert second.place(**GTC) == -2010
        assert second.ask("order.cancel", symbol="BTCUSDT", origClientOrderId="a-2") == -2011
        assert second.ask("order.cancel", symbol="BTCUSDT", orderId=1)["status"] == "CANCELED"
        second.told()
    assert [line.status for line in read_log(path)] == ["CANCELED", "CANCELED"]


def test_when_an_order_arrived_and_what_was_sent_before_is_in_the_log(path: Path, log: OrderLog) -> None:
    asked: list[tuple[str, int]] = []

    def stamps(order: Order, received_ns: int) -> Stamps | None:
        asked.append((order.client_order_id, received_ns))
        return Stamps(42, 70, 75) if order.symbol == "BTCUSDT" else None

    client = Client(log, stamps=stamps)
    client.place(timeInForce="IOC", newClientOrderId="1-42-B")
    client.ask("order.place", **{**PARAMS, "symbol": "ETHUSDT"}, timeInForce="IOC", newClientOrderId="1-43-B")
    client.told()
    first, second = read_log(path)
    assert asked == [("1-42-B", 77), ("1-43-B", 77)]
    assert (first.received_ns, first.stamps) == (77, Stamps(42, 70, 75))
    assert second.stamps == Stamps(trigger_frame=43), "the id alone names it where no market is known"


def test_a_timestamp_in_microseconds_is_taken_as_one(client: Client, path: Path) -> None:
    client.ask("order.place", **{**PARAMS, "timestamp": 1_790_134_675_605_123}, timeInForce="IOC")
    client.told()
    assert read_log(path)[0].order_ms == 1_790_134_675_605


def test_an_order_that_rests_does_not_expire_by_a_fault(log: OrderLog) -> None:
    assert Client(log, faults=Faults(expire_every=1)).place(**GTC)["status"] == "NEW"


def test_after_the_disk_failed_nothing_is_ever_told(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    client.place(**GTC)
    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        with pytest.raises(OSError, match="No space left"):
            client.told()
    with pytest.raises(OSError, match=r"the log of orders is broken: .*No space left"):
        client.told()
