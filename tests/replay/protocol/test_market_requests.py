from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.replay.protocol.market_requests import MarketRequests
from harness.replay.protocol.refusals import NotARequest
from harness.replay.protocol.selection import Wrapping
from harness.replay.protocol.subscriptions import Subscriptions


class Asked(MarketRequests):
    """Requests at no time in particular: none of them depends on it."""

    def ask(self, text: str) -> str:
        return self.answer(text, 0)


@pytest.fixture
def requests() -> Asked:
    return Asked(Subscriptions(["btcusdt@trade"]), combined=True)


def test_subscribing_is_acknowledged_and_takes_effect(requests: Asked) -> None:
    answer = requests.ask('{"method":"SUBSCRIBE","params":["ethusdt@trade","btcusdt@trade"],"id":1}')
    assert answer == '{"result":null,"id":1}'
    assert requests.selection.streams == {"btcusdt@trade", "ethusdt@trade"}


def test_unsubscribing_takes_effect_and_forgives_a_stream_that_was_not_there(requests: Asked) -> None:
    answer = requests.ask('{"method":"UNSUBSCRIBE","params":["btcusdt@trade","x@trade"],"id":312}')
    assert answer == '{"result":null,"id":312}'
    assert requests.selection.empty


def test_the_list_holds_unknown_streams_too_in_the_order_of_asking(requests: Asked) -> None:
    requests.ask('{"method":"SUBSCRIBE","params":["NoSuch@thing"],"id":1}')
    assert requests.ask('{"method":"LIST_SUBSCRIPTIONS","id":3}') == (
        '{"result":["btcusdt@trade","NoSuch@thing"],"id":3}'
    )


def test_the_combined_property_is_told_and_changed(requests: Asked) -> None:
    assert requests.ask('{"method":"GET_PROPERTY","params":["combined"],"id":2}') == '{"result":true,"id":2}'
    assert requests.ask('{"method":"SET_PROPERTY","params":["combined",false],"id":5}') == '{"result":null,"id":5}'
    assert requests.ask('{"method":"GET_PROPERTY","params":["combined"],"id":2}') == '{"result":false,"id":2}'
    assert requests.selection.wrapping is Wrapping.RAW


@pytest.mark.parametrize("identity", ['"4d3c2b1a-0f9e-8d7c-6b5a-493827161514"', "-9223372036854775808", "null", '"a1"'])
def test_every_documented_kind_of_id_is_echoed(requests: Asked, identity: str) -> None:
    assert requests.ask(f'{{"method":"LIST_SUBSCRIPTIONS","id":{identity}}}') == (
        f'{{"result":["btcusdt@trade"],"id":{identity}}}'
    )


@pytest.mark.parametrize(
    ("request_text", "code", "words"),
    [
        ('{"method":"GET_PROPERTY","params":["x"],"id":1}', 0, "Unknown property"),
        ('{"method":"SET_PROPERTY","params":["combined","yes"],"id":1}', 1, "expected Boolean"),
        ('{"method":"SET_PROPERTY","params":["combined"],"id":1}', 1, "expected Boolean"),
        ('{"method":"SET_PROPERTY","params":[1,true],"id":1}', 2, "property name must be a string"),
        ('{"method":"SET_PROPERTY","id":1}', 2, "property name must be a string"),
        ('{"method":"SET_PROPERTY","params":["combined",true,1],"id":1}', 2, "too many parameters"),
        ('{"method":"LIST_SUBSCRIPTIONS","params":["x"],"id":1}', 2, "too many parameters"),
        ('{"method":"LIST_SUBSCRIPTIONS"}', 2, "request ID must be an unsigned integer"),
        ('{"method":"LIST_SUBSCRIPTIONS","id":true}', 2, "request ID must be an unsigned integer"),
        ('{"method":"LIST_SUBSCRIPTIONS","id":9223372036854775808}', 2, "request ID must be an unsigned integer"),
        ('{"method":"DANCE","id":1}', 2, "unknown variant DANCE, expected one of `SUBSCRIBE`"),
        ('{"method":["SUBSCRIBE"],"id":1}', 2, "unknown variant that is no string, expected one of `SUBSCRIBE`"),
        ('{"method":"LIST_SUBSCRIPTIONS","params":5,"id":1}', 2, "too many parameters"),
        ('{"method":"LIST_SUBSCRIPTIONS","id":"%s"}' % ("x" * 37), 2, "request ID must be an unsigned integer"),
        ('{"method":"LIST_SUBSCRIPTIONS","id":1.0}', 2, "request ID must be an unsigned integer"),
        ('{"method":"SUBSCRIBE","params":["%s"],"id":1}' % ("x" * 257), 2, "256 characters"),
        ('{"params":[],"id":1}', 2, "missing field `method`"),
        ('{"method":"SUBSCRIBE","id":1}', 2, "params"),
        ('{"method":"SUBSCRIBE","params":[1],"id":1}', 2, "params"),
        ('{"method":', 3, "expected value at line 1 column"),
    ],
)
def test_a_bad_request_is_answered_with_its_documented_error(
    requests: Asked, request_text: str, code: int, words: str
) -> None:
    before = requests.selection
    answer = json.loads(requests.ask(request_text))
    assert answer["error"]["code"] == code
    assert words in answer["error"]["msg"]
    assert "id" in answer
    assert requests.selection == before


def test_the_thousand_and_twenty_fifth_stream_is_refused(requests: Asked) -> None:
    names = [f"s{number}@trade" for number in range(1024)]
    answer = json.loads(requests.ask(json.dumps({"method": "SUBSCRIBE", "params": names, "id": 1})))
    assert answer["error"]["code"] == 2
    assert len(requests.selection.streams) == 1


def test_a_method_nested_without_end_is_answered(requests: Asked) -> None:
    for depth in range(900, 1100, 7):
        text = '{"method":' + "[" * depth + "]" * depth + ',"id":1}'
        assert json.loads(requests.ask(text))["error"]["code"] in {2, 3}


def test_many_names_are_left_at_once(requests: Asked) -> None:
    names = json.dumps([f"s{number}@trade" for number in range(1000)])
    requests.ask(f'{{"method":"SUBSCRIBE","params":{names},"id":1}}')
    assert len(requests.selection.streams) == 1001
    requests.ask(f'{{"method":"UNSUBSCRIBE","params":{names},"id":2}}')
    assert requests.selection.streams == {"btcusdt@trade"}


def test_repeating_a_subscription_changes_nothing(requests: Asked) -> None:
    for _ in range(3):
        assert requests.ask('{"method":"SUBSCRIBE","params":["btcusdt@trade"],"id":1}') == '{"result":null,"id":1}'
    assert requests.ask('{"method":"LIST_SUBSCRIPTIONS","id":3}') == '{"result":["btcusdt@trade"],"id":3}'


@pytest.mark.parametrize("text", ["hello", "", "[1]", "null", "[" * 50_000])
def test_a_text_that_is_no_object_closes_the_connection(requests: Asked, text: str) -> None:
    with pytest.raises(NotARequest):
        requests.ask(text)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)
METHODS = st.sampled_from(["SUBSCRIBE", "UNSUBSCRIBE", "LIST_SUBSCRIPTIONS", "SET_PROPERTY", "GET_PROPERTY"])


@given(st.fixed_dictionaries({}, optional={"method": METHODS | JSON, "params": JSON, "id": JSON}))
def test_any_object_is_answered_in_json(fields: dict[str, object]) -> None:
    answer = json.loads(MarketRequests(Subscriptions(), combined=True).answer(json.dumps(fields), 0))
    assert set(answer) in ({"result", "id"}, {"error", "id"})
