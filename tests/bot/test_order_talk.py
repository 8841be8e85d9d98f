"""The order client without I/O, against the gateway's own requests without I/O."""

from __future__ import annotations

import json
from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from harness.bot.orders.talk import OrderTalk, Reaction
from harness.exchange.matching import Accepted, Exchange
from harness.exchange.orders import Order, Side
from harness.exchange.reports import reports_of, wrapped
from harness.replay.orders.account import WitnessedAccount
from harness.replay.orders.log import OrderLog
from harness.replay.protocol.order_requests import OrderRequests
from harness.units import Nanoseconds, seconds

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

START = Nanoseconds(0)
ORDER = Order(
    client_order_id="1-42-B",
    symbol="BTCUSDT",
    side=Side.BUY,
    quantity=Decimal("0.5"),
    price=Decimal(30000),
    time_ms=1_700_000_000_000,
)
OTHER = replace(ORDER, client_order_id="1-43-B")


class Exchanged:
    """An exchange at the other end of a wire that a test may cut."""

    def __init__(self, log: OrderLog) -> None:
        self.account = WitnessedAccount(log)
        self.requests = OrderRequests(self.account)
        self.events: list[bytes] = []

    def answer(self, request: bytes) -> bytes:
        answer = self.requests.answer(request.decode(), 9).encode()
        self.events += [wrapped(report) for one in self.account.write() for report in reports_of(one)]
        return answer


@pytest.fixture
def exchange(tmp_path: Path) -> Iterator[Exchanged]:
    with OrderLog(tmp_path / "orders.jsonl") as log:
        yield Exchanged(log)


@pytest.fixture
def talk() -> OrderTalk:
    return OrderTalk()


def converse(talk: OrderTalk, exchange: Exchanged, requests: list[bytes]) -> list[dict[str, Any]]:
    """Every request is answered and every answer reacted to; returns the events that were handed on."""
    heard: list[bytes] = []
    waiting = list(requests)
    while waiting:
        reaction = talk.receive(exchange.answer(waiting.pop(0)), START)
        assert not reaction.leave
        waiting += reaction.send
        heard += reaction.hand_on
    return [json.loads(frame)["event"] for frame in heard]


def only(requests: list[bytes]) -> dict[str, Any]:
    (request,) = requests
    asked: dict[str, Any] = json.loads(request)
    return asked


def answer_to(requests: list[bytes], **content: Any) -> bytes:
    return json.dumps({"id": json.loads(requests[-1])["id"], **content}).encode()


def refusal(requests: list[bytes], code: int = -2010, msg: str = "Duplicate order sent.") -> bytes:
    return answer_to(requests, status=400, error={"code": code, "msg": msg})


def filled(order: Order = ORDER) -> tuple[bytes, bytes]:
    accepted = Exchange().place(order, 7)
    assert isinstance(accepted, Accepted)
    first, last = reports_of(accepted)
    return wrapped(first), wrapped(last)


def test_an_order_is_placed_in_words_that_every_exchange_of_this_kind_understands(talk: OrderTalk) -> None:
    asked = only(talk.place(replace(ORDER, price=Decimal("3E+4"), quantity=Decimal("1E-8")), START))
    assert asked["method"] == "order.place"
    assert asked["params"] == {
        "symbol": "BTCUSDT",
        "side": "BUY",
        "type": "LIMIT",
        "timeInForce": "IOC",
        "price": "30000",
        "quantity": "0.00000001",
        "newClientOrderId": "1-42-B",
        "newOrderRespType": "ACK",
        "timestamp": ORDER.time_ms,
    }


def test_an_order_waits_until_its_last_report_not_until_its_answer(talk: OrderTalk, exchange: Exchanged) -> None:
    talk.connected(START)
    assert converse(talk, exchange, talk.place(ORDER, START)) == []
    assert list(talk.waiting) == ["1-42-B"]
    first, last = exchange.events
    assert talk.receive(first, START) == Reaction(hand_on=[first])
    assert list(talk.waiting) == ["1-42-B"]
    assert talk.receive(last, START) == Reaction(hand_on=[last])
    assert talk.waiting == {}


def test_an_order_whose_report_came_before_its_answer_is_done(talk: OrderTalk) -> None:
    requests = talk.place(ORDER, START)
    talk.receive(filled()[1], START)
    assert talk.receive(refusal(requests), START) == Reaction()
    assert talk.statistics(0).refused == 0


def test_a_new_connection_subscribes_and_then_places_all_that_wait_in_their_order(
    talk: OrderTalk, exchange: Exchanged
) -> None:
    for order in (ORDER, OTHER):
        talk.place(order, START)
    requests = talk.connected(START)
    assert [json.loads(request)["method"] for request in requests] == [
        "userDataStream.subscribe",
        "order.place",
        "order.place",
    ]
    converse(talk, exchange, requests)
    assert talk.is_subscribed
    for event in exchange.events:
        talk.receive(event, START)
    statistics = talk.statistics(1)
    assert (statistics.sent, statistics.waiting, statistics.peak, statistics.resent) == (2, 0, 2, 2)
    assert len(talk.connected(START)) == 1


def test_an_order_that_was_taken_before_the_cut_is_asked_for_and_its_report_recovered(
    talk: OrderTalk, exchange: Exchanged
) -> None:
    exchange.answer(talk.place(ORDER, START)[0])  # and the answer and the events are lost
    _, lost = exchange.events
    assert converse(talk, exchange, talk.connected(START)) == [json.loads(lost)["event"]]
    assert talk.waiting == {}


def test_an_order_that_another_life_of_the_bot_sent_is_recovered_and_not_doubled(exchange: Exchanged) -> None:
    first, second = OrderTalk(), OrderTalk()
    exchange.answer(first.place(ORDER, START)[0])
    second.connected(START)
    assert [event["X"] for event in converse(second, exchange, second.place(ORDER, START))] == ["FILLED"]
    assert len(exchange.events) == 2


def test_what_the_exchange_knows_under_the_id_is_what_is_told_not_what_we_asked(exchange: Exchanged) -> None:
    exchange.answer(OrderTalk().place(replace(ORDER, quantity=Decimal(7)), START)[0])
    talk = OrderTalk()
    (event,) = converse(talk, exchange, talk.place(ORDER, START))
    assert (event["q"], event["z"]) == ("7.00000000", "7.00000000")


def test_an_order_is_sent_once_however_often_it_is_given(talk: OrderTalk) -> None:
    assert len(talk.place(ORDER, START)) == 1
    assert talk.place(ORDER, START) == []
    assert talk.statistics(0).sent == 1


def test_a_refusal_is_the_end_of_an_order_and_told_as_a_report(talk: OrderTalk) -> None:
    requests = talk.place(ORDER, START)
    (frame,) = talk.receive(refusal(requests, -1013, "Filter failure: LOT_SIZE"), START).hand_on
    event = json.loads(frame)["event"]
    assert (event["c"], event["X"], event["r"]) == ("1-42-B", "REJECTED", "-1013 Filter failure: LOT_SIZE")
    assert (talk.waiting, talk.statistics(0).refused) == ({}, 1)


def test_a_refusal_without_a_reason_is_a_refusal(talk: OrderTalk) -> None:
    reaction = talk.receive(answer_to(talk.place(ORDER, START), status=400), START)
    assert json.loads(reaction.hand_on[0])["event"]["X"] == "REJECTED"


def test_another_refusal_with_the_number_of_a_duplicate_is_no_duplicate(talk: OrderTalk) -> None:
    words = "Account has insufficient balance for requested action."
    reaction = talk.receive(refusal(talk.place(ORDER, START), msg=words), START)
    assert json.loads(reaction.hand_on[0])["event"]["X"] == "REJECTED"


@pytest.mark.parametrize("status", [418, 429, 500, 503])
def test_an_answer_that_says_nothing_of_the_order_leaves_it_waiting_for_the_next_connection(
    talk: OrderTalk, status: int
) -> None:
    reaction = talk.receive(answer_to(talk.place(ORDER, START), status=status), START)
    assert reaction.leave == f"order.place was answered with status {status}"
    assert list(talk.waiting) == ["1-42-B"]


@pytest.mark.parametrize("kind", ["serverShutdown", "eventStreamTerminated"])
def test_an_announced_end_is_handed_on_and_the_connection_left(talk: OrderTalk, kind: str) -> None:
    frame = json.dumps({"subscriptionId": 0, "event": {"e": kind, "E": 5}}).encode()
    assert talk.receive(frame, START) == Reaction(hand_on=[frame], leave=f"the exchange said {kind}")


def test_a_refused_subscription_is_no_connection_to_trade_on(talk: OrderTalk) -> None:
    requests = talk.connected(START)
    assert "-1020" in talk.receive(refusal(requests, -1020, "no"), START).leave
    requests = talk.connected(START)
    assert talk.receive(refusal(requests, -2035, "already active"), START) == Reaction()
    assert talk.is_subscribed


def test_an_order_that_expired_before_the_cut_is_told_so(talk: OrderTalk) -> None:
    accepted = Exchange().place(ORDER, 7, expires=True)
    assert isinstance(accepted, Accepted)
    asked = talk.receive(refusal(talk.place(ORDER, START)), START).send
    (frame,) = talk.receive(answer_to(asked, status=200, result=status_of(expires=True)), START).hand_on
    assert json.loads(frame)["event"]["X"] == "EXPIRED"
    assert talk.waiting == {}


def status_of(*, expires: bool = False, **changes: Any) -> dict[str, Any]:
    done = "0" if expires else "0.50000000"
    known = {
        "symbol": "BTCUSDT",
        "orderId": 1,
        "clientOrderId": "1-42-B",
        "price": "30000.00000000",
        "origQty": "0.50000000",
        "executedQty": done,
        "cummulativeQuoteQty": "15000.00000000",
        "status": "EXPIRED" if expires else "FILLED",
        "timeInForce": "IOC",
        "type": "LIMIT",
        "side": "BUY",
        "time": 7,
        "updateTime": 7,
    }
    return {**known, **changes}


def trade(**changes: Any) -> dict[str, Any]:
    known = {
        "symbol": "BTCUSDT",
        "id": 1,
        "orderId": 1,
        "price": "30000.00000000",
        "qty": "0.50000000",
        "quoteQty": "15000.00000000",
        "commission": "15.00000000",
        "commissionAsset": "USDT",
        "time": 7,
        "isBuyer": True,
    }
    return {**known, **changes}


def test_an_order_that_is_still_open_is_waited_for(talk: OrderTalk) -> None:
    asked = talk.receive(refusal(talk.place(ORDER, START)), START).send
    assert talk.receive(answer_to(asked, status=200, result=status_of(status="NEW")), START) == Reaction()
    assert list(talk.waiting) == ["1-42-B"]


@pytest.mark.parametrize(
    "status",
    [
        {},
        {"result": None},
        {"result": status_of(clientOrderId="x")},
        {"result": status_of(symbol="ETHUSDT")},
        {"result": status_of(side="HOLD")},
        {"result": status_of(executedQty="NaN")},
        {"result": status_of(executedQty="1e999999999")},
        {"result": status_of(origQty="٣")},
        {"result": status_of(updateTime=10**18)},
    ],
)
def test_a_status_that_makes_no_sense_is_not_believed(talk: OrderTalk, status: dict[str, Any]) -> None:
    asked = talk.receive(refusal(talk.place(ORDER, START)), START).send
    assert talk.receive(answer_to(asked, status=200, **status), START).leave
    assert list(talk.waiting) == ["1-42-B"]


@pytest.mark.parametrize(
    "trades",
    [
        None,
        [],
        [trade(orderId=2)],
        [trade(qty="0.25")],
        [trade(), trade()],
        [trade(qty="0"), trade(qty="0")],
        [trade(price="-1")],
        [trade(commission="Infinity")],
    ],
)
def test_trades_that_do_not_make_up_the_order_are_not_believed(talk: OrderTalk, trades: list[dict[str, Any]]) -> None:
    asked = talk.receive(refusal(talk.place(ORDER, START)), START).send
    asked = talk.receive(answer_to(asked, status=200, result=status_of()), START).send
    assert talk.receive(answer_to(asked, status=200, result=trades), START).leave
    assert list(talk.waiting) == ["1-42-B"]


def test_an_order_that_is_a_duplicate_and_unknown_is_not_believed(talk: OrderTalk) -> None:
    asked = talk.receive(refusal(talk.place(ORDER, START)), START).send
    assert "-2013" in talk.receive(refusal(asked, -2013, "Order does not exist."), START).leave


@pytest.mark.parametrize("frame", [b"hello", b"\xff", b"[]", b'{"status":"x"}', b'{"event":5}', b'{"event":{"c":1}}'])
def test_what_is_malformed_is_handed_on_to_be_counted(talk: OrderTalk, frame: bytes) -> None:
    talk.place(ORDER, START)
    assert talk.receive(frame, START) == Reaction(hand_on=[frame])
    assert list(talk.waiting) == ["1-42-B"]


@pytest.mark.parametrize("number", ["null", "99", '"1"'])
def test_an_answer_that_nobody_asked_for_is_passed_over(talk: OrderTalk, number: str) -> None:
    talk.place(ORDER, START)
    frame = f'{{"id":{number},"status":400,"error":{{"code":-1}}}}'.encode()
    assert talk.receive(frame, START) == Reaction()
    assert list(talk.waiting) == ["1-42-B"]


def test_answers_of_a_connection_before_are_none_of_this_one(talk: OrderTalk) -> None:
    old = talk.place(ORDER, START)
    talk.connected(START)
    assert talk.receive(refusal(old, -1013, "late"), START) == Reaction()


def test_a_cancelled_order_is_known_by_its_original_id(talk: OrderTalk) -> None:
    talk.place(ORDER, START)
    event = {"e": "executionReport", "c": "cancel-1", "C": "1-42-B", "X": "CANCELED"}
    talk.receive(json.dumps({"event": event}).encode(), START)
    assert talk.waiting == {}


def test_an_order_that_nothing_is_heard_of_is_overdue(talk: OrderTalk) -> None:
    patience = seconds(10)
    assert not talk.is_overdue(seconds(1_000), patience)
    talk.place(ORDER, START)
    assert not talk.is_overdue(seconds(10), patience)
    assert talk.is_overdue(seconds(10.1), patience)
    requests = talk.connected(seconds(10.1))
    assert not talk.is_overdue(seconds(20), patience)
    talk.receive(answer_to(requests, status=200, result={}), seconds(19))
    assert not talk.is_overdue(seconds(29), patience)
    assert talk.is_overdue(seconds(29.1), patience)


def test_nothing_is_kept_of_orders_that_ended_whether_answered_or_not(talk: OrderTalk) -> None:
    for number in range(1_000):
        order = replace(ORDER, client_order_id=f"1-{number}-B")
        talk.place(order, START)
        talk.receive(filled(order)[1], START)
    assert talk.waiting == {}
    assert len(talk._asked) == 0
