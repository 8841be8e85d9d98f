from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.replay.envelope import api_frame, event_of, payload_of, stream_of


@pytest.mark.parametrize(
    ("body", "stream", "payload"),
    [
        (b'{"stream":"a@trade","data":{"e":"trade"}}', "a@trade", b'{"e":"trade"}'),
        (b'{"stream":"!arr","data":[{"e":1},{"e":2}]}', "!arr", b'[{"e":1},{"e":2}]'),
        (b'{ "data": {"e": 1}, "stream": "a@b" }', "a@b", b'{"e": 1}'),
        ('{"stream":"\u5e01usdt@trade","data":{}}'.encode(), "\u5e01usdt@trade", b"{}"),
        (b'{"stream":"a@trade","data":{"e":', "a@trade", b'{"e":'),
        (b'{"e":"trade"}', None, b'{"e":"trade"}'),
        (b"garbage", None, b"garbage"),
        (b"", None, b""),
    ],
)
def test_a_combined_frame_names_its_stream_and_gives_its_payload(
    body: bytes, stream: str | None, payload: bytes
) -> None:
    assert stream_of(body) == stream
    assert payload_of(body) == payload


@pytest.mark.parametrize("event", [b'{"e":"executionReport","n":1.50}', b"{}"])
def test_an_account_frame_loses_and_gets_its_envelope_byte_for_byte(event: bytes) -> None:
    wrapped = b'{"subscriptionId":0,"event":' + event + b"}"
    assert event_of(wrapped) == event
    assert event_of(event) == event
    assert api_frame(event) == wrapped
    assert api_frame(wrapped) == wrapped


def test_an_account_frame_with_its_keys_in_another_order_is_known() -> None:
    odd = b'{"event":{"e":"x"},"subscriptionId":3}'
    assert event_of(odd) == b'{"e":"x"}'
    assert api_frame(odd) == odd


@given(st.text(), st.recursive(st.integers() | st.text(), st.lists))
def test_cutting_is_the_inverse_of_wrapping(name: str, payload: object) -> None:
    inner = json.dumps(payload).encode()
    body = b'{"stream":' + json.dumps(name).encode() + b',"data":' + inner + b"}"
    assert payload_of(body) == inner


@given(st.binary())
def test_no_bytes_break_it(body: bytes) -> None:
    stream_of(body)
    assert payload_of(body) in body
    assert event_of(body) in body
    api_frame(body)
