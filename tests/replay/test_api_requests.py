from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.replay.accounts.gate import Gate
from harness.replay.accounts.listen_keys import ListenKeys
from harness.replay.protocol.api_requests import ApiRequests
from harness.replay.protocol.refusals import NotARequest
from harness.units import NS_PER_S

if TYPE_CHECKING:
    from harness.recordings.format import Market

NOW_MS = 1_790_134_675_605


def connection(market: Market = "spot") -> ApiRequests:
    return ApiRequests(Gate(market=market, wall_ms=lambda: NOW_MS), ListenKeys())


def ask(requests: ApiRequests, method: str, now_ns: int = 0, /, **params: Any) -> dict[str, Any]:
    answer: dict[str, Any] = json.loads(
        requests.answer(json.dumps({"id": 1, "method": method, "params": params}), now_ns)
    )
    return answer


def code(answer: dict[str, Any]) -> int:
    return answer["error"]["code"] if "error" in answer else 0


@pytest.mark.parametrize("method", ["userDataStream.subscribe", "userDataStream.subscribe.signature"])
def test_subscribing_gives_a_subscription_and_the_account(method: str) -> None:
    requests = connection()
    assert requests.selection.empty
    answer = requests.answer(f'{{"id":"a","method":"{method}"}}', 0)
    assert answer.startswith('{"id":"a","status":200,"result":{"subscriptionId":0},"rateLimits":[')
    assert requests.selection.account


def test_a_second_subscription_of_the_account_is_refused() -> None:
    requests = connection()
    ask(requests, "userDataStream.subscribe")
    answer = ask(requests, "userDataStream.subscribe.signature")
    assert (answer["status"], answer["error"]["code"]) == (400, -2035)


@pytest.mark.parametrize("params", [{}, {"subscriptionId": 0}, {"subscriptionId": None}])
def test_unsubscribing_ends_the_account_events_and_says_so(params: dict[str, int | None]) -> None:
    requests = connection()
    ask(requests, "userDataStream.subscribe")
    assert requests.pending() == []
    assert ask(requests, "userDataStream.unsubscribe", **params)["result"] == {}
    assert requests.selection.empty
    ended = '{"subscriptionId": 0, "event": {"e": "eventStreamTerminated", "E": 1790134675605}}'
    assert [json.loads(text) for text in requests.pending()] == [json.loads(ended)]
    assert requests.pending() == []
    assert code(ask(requests, "userDataStream.unsubscribe")) == -2036


def test_another_subscription_than_the_own_is_not_ended() -> None:
    requests = connection()
    ask(requests, "userDataStream.subscribe")
    others: list[object] = [1, "0", [], {}]
    for other in others:
        assert code(ask(requests, "userDataStream.unsubscribe", subscriptionId=other)) == -2036
    assert requests.selection.account


def test_the_connection_tells_its_state() -> None:
    requests = connection()
    assert ask(requests, "session.status")["result"] == {
        "apiKey": None,
        "authorizedSince": None,
        "connectedSince": NOW_MS,
        "returnRateLimits": True,
        "serverTime": NOW_MS,
        "userDataStream": False,
    }
    assert ask(requests, "session.logon")["result"]["authorizedSince"] == NOW_MS
    assert ask(requests, "session.subscriptions")["result"] == []
    ask(requests, "userDataStream.subscribe")
    assert ask(requests, "session.subscriptions")["result"] == [{"subscriptionId": 0}]
    assert ask(requests, "session.status")["result"]["userDataStream"] is True


@pytest.mark.parametrize(("method", "stays"), [("subscribe", False), ("subscribe.signature", True)])
def test_logging_out_ends_only_what_the_log_on_allowed(method: str, *, stays: bool) -> None:
    requests = connection()
    ask(requests, "session.logon")
    ask(requests, f"userDataStream.{method}")
    assert ask(requests, "session.logout")["result"]["userDataStream"] is stays
    assert requests.selection.account is stays
    assert len(requests.pending()) == (0 if stays else 1)


def test_time_and_ping_are_answered_under_any_version() -> None:
    requests = connection()
    assert ask(requests, "time")["result"] == {"serverTime": NOW_MS}
    assert ask(requests, "v3/ping")["result"] == {}
    assert code(ask(requests, "v3/v3/ping")) == -1020


def test_the_weight_of_all_requests_of_a_minute_is_told_unless_unwanted() -> None:
    requests = connection()
    ask(requests, "session.status", returnRateLimits=False)
    assert ask(requests, "ping")["rateLimits"] == [
        {"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1, "limit": 6000, "count": 3}
    ]
    assert "rateLimits" not in ask(requests, "ping", returnRateLimits=False)
    assert ask(connection("usdm"), "nothing")["rateLimits"][0]["limit"] == 2400


@pytest.mark.parametrize("identity", ["7", '"a-1"', '"\\ud800"', "null", "-3", "9223372036854775807"])
def test_an_id_is_echoed_whatever_it_is(identity: str) -> None:
    answer = connection().answer(f'{{"id":{identity},"method":"ping"}}', 0)
    assert json.loads(answer)["id"] == json.loads(identity)


@pytest.mark.parametrize("identity", ["true", "1.5", "[1]", '{"a":1}'])
def test_what_can_be_no_id_is_answered_with_null(identity: str) -> None:
    assert json.loads(connection().answer(f'{{"id":{identity},"method":"ping"}}', 0))["id"] is None


def test_an_unknown_method_is_an_answer_and_no_text_of_json_is_not() -> None:
    requests = connection()
    assert code(ask(requests, "order.place")) == -1020
    assert ask(connection("usdm"), "x" * 1_000)["error"] == {"code": -5000, "msg": f"Method {'x' * 64} is invalid"}
    assert code(json.loads(requests.answer('{"id":1,"method":"ping","params":[]}', 0))) == -1135
    assert code(json.loads(requests.answer('{"id":1,"method":"ping","params":null}', 0))) == 0
    for text in ("hello", "[]", "[" * 50_000, '{"id":NaN}', '{"id":' + "9" * 5_000 + "}"):
        with pytest.raises(NotARequest):
            requests.answer(text, 0)


def test_a_listen_key_is_made_kept_and_closed_on_the_connection_too() -> None:
    keys = ListenKeys(valid_seconds=60)
    requests = ApiRequests(listen_keys=keys)
    key = ask(requests, "userDataStream.start")["result"]["listenKey"]
    assert ask(requests, "userDataStream.ping", 59 * NS_PER_S, listenKey=key)["result"] == {}
    assert keys.admits(key, 118 * NS_PER_S)
    assert ask(requests, "userDataStream.stop", listenKey=key)["result"] == {}
    assert code(ask(requests, "userDataStream.ping", listenKey=key)) == -1125
    assert code(ask(requests, "userDataStream.stop", listenKey=key)) == -1125
    assert code(ask(requests, "userDataStream.ping")) == -1102


def test_on_usdm_the_account_says_which_listen_key() -> None:
    requests = connection("usdm")
    assert code(ask(requests, "userDataStream.ping")) == -1125
    key = ask(requests, "userDataStream.start")["result"]["listenKey"]
    assert ask(requests, "userDataStream.ping")["result"] == {"listenKey": key}
    assert ask(requests, "userDataStream.stop")["result"] == {}
    assert code(ask(requests, "userDataStream.stop")) == -1125


METHODS = ["ping", "session.logon", "session.logout", "userDataStream.subscribe", "userDataStream.subscribe.signature"]
VALUES: st.SearchStrategy[Any] = st.none() | st.booleans() | st.integers() | st.text() | st.lists(st.none())
PARAMS = st.dictionaries(st.sampled_from(["apiKey", "signature", "timestamp", "recvWindow", "subscriptionId"]), VALUES)


@given(
    st.fixed_dictionaries({}, optional={"id": VALUES, "method": st.sampled_from(METHODS) | VALUES, "params": PARAMS})
)
def test_any_object_is_answered_in_json(fields: dict[str, object]) -> None:
    assert json.loads(connection().answer(json.dumps(fields), 0))["status"] in {200, 400, 401}
