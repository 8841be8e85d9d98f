"""What was served against what was received."""

from __future__ import annotations

import json

import pytest
from conductor.comparison import Difference, Received, canonical, compare, read_received


def _texts(*numbers: int) -> list[str]:
    return [f'{{"u": {number}}}' for number in numbers]


def _difference(served: list[list[str]], received: list[str]) -> Difference:
    return compare(served, Received(tuple(received), parsed=False))


def test_the_same_frames_in_the_same_order_are_equal() -> None:
    assert _difference([_texts(1, 2, 3)], _texts(1, 2, 3)).equal


def test_two_connections_may_be_woven_together() -> None:
    found = _difference([_texts(1, 2), _texts(10, 11)], _texts(10, 1, 11, 2))
    assert found.equal
    assert (found.served, found.received) == (4, 4)


@pytest.mark.parametrize(
    ("received", "expected"),
    [
        pytest.param(_texts(1, 3), (1, 0, 0), id="one is missing"),
        pytest.param(_texts(1, 2, 2, 3), (0, 1, 0), id="one came twice"),
        pytest.param(_texts(1, 2, 3, 4), (0, 1, 0), id="one was never served"),
        pytest.param(_texts(2, 1, 3), (0, 0, 1), id="two changed places"),
        pytest.param([], (3, 0, 0), id="nothing came"),
    ],
)
def test_a_difference_is_told(received: list[str], expected: tuple[int, int, int]) -> None:
    found = _difference([_texts(1, 2, 3)], received)
    assert not found.equal
    assert (found.missing, found.surplus, found.disordered) == expected


def test_a_text_is_compared_byte_for_byte() -> None:
    assert not _difference([['{"u": 1}']], ['{"u":1}']).equal


def test_a_parsed_message_is_compared_by_what_it_says() -> None:
    served = ['{"stream":"a@trade","data":{"p":"1.0","t":12345678901234567}}']
    for number, equal in ((12345678901234567, True), (12345678901234568, False)):
        key = canonical({"data": {"t": number, "p": "1.0"}, "stream": "a@trade"})
        assert compare([served], Received((key,), parsed=True)).equal is equal


def test_answers_to_requests_are_no_data() -> None:
    texts = ['{"result":null,"id":1}', '{"error":{"code":2,"msg":"no"},"id":"x"}', '{"u":1,"s":"A"}']
    found = read_received(json.dumps({"text": text}) for text in texts)
    assert found == Received(('{"u":1,"s":"A"}',), parsed=False)


def test_values_are_brought_into_one_form() -> None:
    found = read_received([json.dumps({"value": {"b": 1, "a": [1, 2]}})])
    assert found == Received(('{"a":[1,2],"b":1}',), parsed=True)


def test_a_mixture_of_texts_and_values_is_refused() -> None:
    with pytest.raises(ValueError, match="some messages as text"):
        read_received([json.dumps({"text": "{}"}), json.dumps({"value": {}})])
