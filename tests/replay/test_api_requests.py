from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.replay.protocol.api_requests import ApiRequests
from harness.replay.protocol.refusals import NotARequest


@pytest.mark.parametrize("method", ["userDataStream.subscribe", "userDataStream.subscribe.signature"])
def test_subscribing_gives_a_subscription_and_the_account(method: str) -> None:
    requests = ApiRequests()
    assert requests.selection.empty
    assert (
        requests.answer(f'{{"id":"a","method":"{method}"}}') == '{"id":"a","status":200,"result":{"subscriptionId":0}}'
    )
    assert requests.selection.account


def test_a_second_subscription_of_the_account_is_refused() -> None:
    requests = ApiRequests()
    requests.answer('{"id":1,"method":"userDataStream.subscribe"}')
    answer = json.loads(requests.answer('{"id":2,"method":"userDataStream.subscribe"}'))
    assert (answer["status"], answer["error"]["code"]) == (400, -2035)


@pytest.mark.parametrize("params", ["", ',"params":{}', ',"params":{"subscriptionId":0}'])
def test_unsubscribing_ends_the_account_events(params: str) -> None:
    requests = ApiRequests()
    requests.answer('{"id":1,"method":"userDataStream.subscribe"}')
    answer = requests.answer(f'{{"id":2,"method":"userDataStream.unsubscribe"{params}}}')
    assert answer == '{"id":2,"status":200,"result":{}}'
    assert requests.selection.empty
    assert json.loads(requests.answer('{"id":3,"method":"userDataStream.unsubscribe"}'))["error"]["code"] == -2036


def test_the_session_tells_its_subscriptions() -> None:
    requests = ApiRequests()
    assert json.loads(requests.answer('{"id":1,"method":"session.logon"}'))["status"] == 200
    assert json.loads(requests.answer('{"id":1,"method":"session.subscriptions"}'))["result"] == []
    requests.answer('{"id":1,"method":"userDataStream.subscribe"}')
    assert json.loads(requests.answer('{"id":1,"method":"session.subscriptions"}'))["result"] == [{"subscriptionId": 0}]
    assert json.loads(requests.answer('{"id":1,"method":"session.status"}'))["result"]["userDataStream"] is True


def test_an_unknown_method_is_an_answer_and_no_text_of_json_is_not() -> None:
    requests = ApiRequests()
    assert json.loads(requests.answer('{"id":1,"method":"order.place"}'))["status"] == 400
    for text in ("hello", "[]", "[" * 50_000):
        with pytest.raises(NotARequest):
            requests.answer(text)


@given(
    st.dictionaries(
        st.sampled_from(["id", "method", "params"]), st.none() | st.integers() | st.text() | st.lists(st.none())
    )
)
def test_any_object_is_answered_in_json(fields: dict[str, object]) -> None:
    assert json.loads(ApiRequests().answer(json.dumps(fields)))["status"] in {200, 400}
