from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.replay.protocol.market_requests import MarketRequests
from harness.replay.protocol.refusals import NotARequest
from harness.replay.protocol.selection import Wrapping


@pytest.fixture
def requests() -> MarketRequests:
    return MarketRequests(combined=True, streams=["btcusdt@trade"])


def test_subscribing_is_acknowledged_and_takes_effect(requests: MarketRequests) -> None:
    answer = requests.answer('{"method":"SUBSCRIBE","params":["ethusdt@trade","btcusdt@trade"],"id":1}')
    assert answer == '{"result":null,"id":1}'
    assert requests.selection.streams == {"btcusdt@trade", "ethusdt@trade"}


def test_unsubscribing_takes_effect_and_forgives_a_stream_that_was_not_there(requests: MarketRequests) -> None:
    answer = requests.answer('{"method":"UNSUBSCRIBE","params":["btcusdt@trade","x@trade"],"id":312}')
    assert answer == '{"result":null,"id":312}'
    assert requests.selection.empty


def test_the_list_holds_unknown_streams_too_in_the_order_of_asking(requests: MarketRequests) -> None:
    requests.answer('{"method":"SUBSCRIBE","params":["NoSuch@thing"],"id":1}')
    assert requests.answer('{"method":"LIST_SUBSCRIPTIONS","id":3}') == (
        '{"result":["btcusdt@trade","NoSuch@thing"],"id":3}'
    )


def test_the_combined_property_is_told_and_changed(requests: MarketRequests) -> None:
    assert requests.answer('{"method":"GET_PROPERTY","params":["combined"],"id":2}') == '{"result":true,"id":2}'
    assert requests.answer('{"method":"SET_PROPERTY","params":["combined",false],"id":5}') == '{"result":null,"id":5}'
    assert requests.answer('{"method":"GET_PROPERTY","params":["combined"],"id":2}') == '{"result":false,"id":2}'
    assert requests.selection.wrapping is Wrapping.RAW


@pytest.mark.parametrize("identity", ['"4d3c2b1a-0f9e-8d7c-6b5a-493827161514"', "-9223372036854775808", "null", '"a1"'])
def test_every_documented_kind_of_id_is_echoed(requests: MarketRequests, identity: str) -> None:
    assert requests.answer(f'{{"method":"LIST_SUBSCRIPTIONS","id":{identity}}}') == (
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
        ('{"params":[],"id":1}', 2, "missing field `method`"),
        ('{"method":"SUBSCRIBE","id":1}', 2, "params"),
        ('{"method":"SUBSCRIBE","params":[1],"id":1}', 2, "params"),
        ('{"method":', 3, "expected value at line 1 column"),
    ],
)
def test_a_bad_request_is_answered_with_its_documented_error(
    requests: MarketRequests, request_text: str, code: int, words: str
) -> None:
    before = requests.selection
    answer = json.loads(requests.answer(request_text))
    assert answer["error"]["code"] == code
    assert words in answer["error"]["msg"]
    assert "id" in answer
    assert requests.selection == before


def test_the_thousand_and_twenty_fifth_stream_is_refused(requests: MarketRequests) -> None:
    names = [f"s{number}@trade" for number in range(1024)]
    answer = json.loads(requests.answer(json.dumps({"method": "SUBSCRIBE", "params": names, "id": 1})))
    assert answer["error"]["code"] == 2
    assert len(requests.selection.streams) == 1


@pytest.mark.parametrize("text", ["hello", "", "[1]", "null", "[" * 50_000])
def test_a_text_that_is_no_object_closes_the_connection(requests: MarketRequests, text: str) -> None:
    with pytest.raises(NotARequest):
        requests.answer(text)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)
METHODS = st.sampled_from(["SUBSCRIBE", "UNSUBSCRIBE", "LIST_SUBSCRIPTIONS", "SET_PROPERTY", "GET_PROPERTY"])


@given(st.fixed_dictionaries({}, optional={"method": METHODS | JSON, "params": JSON, "id": JSON}))
def test_any_object_is_answered_in_json(fields: dict[str, object]) -> None:
    answer = json.loads(MarketRequests(combined=True).answer(json.dumps(fields)))
    assert set(answer) in ({"result", "id"}, {"error", "id"})
