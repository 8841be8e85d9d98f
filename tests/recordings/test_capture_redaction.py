from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.recordings.capture.redaction import Redactor, listen_keys_in, secrets_of

KEY = "pqia91ma19a5s61cv6a81va65sdf19v8a65a1a5s61cv6a81va65sdf19v8a65a1"
OTHER = KEY[::-1]


def test_a_listen_key_goes_wherever_it_stands_and_the_size_stays() -> None:
    frame = json.dumps({"stream": KEY, "data": {"e": "listenKeyExpired", "E": 1, "listenKey": KEY}}).encode()
    kept = Redactor().user(frame)
    assert KEY.encode() not in kept
    assert len(kept) == len(frame)
    document = json.loads(kept)
    assert document["stream"] == document["data"]["listenKey"]
    assert document["data"]["e"] == "listenKeyExpired"


def test_the_same_identifier_always_gets_the_same_stand_in_and_another_one_another() -> None:
    redactor = Redactor()
    first, second, again = (redactor.user(f'{{"listenKey":"{key}"}}'.encode()) for key in (KEY, OTHER, KEY))
    assert first == again != second
    assert redactor.stand_ins == 2
    fresh = Redactor()
    assert fresh.user(f'{{"listenKey":"{KEY}"}}'.encode()) == first


@pytest.mark.parametrize(
    ("event", "gone"),
    [
        ({"uid": 123456789}, "123456789"),
        ({"accountId": "ab12"}, "ab12"),
        ({"o": {"email": "me@example.com"}}, "me@example.com"),
        ({"apiKey": 'quo"ted'}, 'quo\\"ted'),
        ({"signature": "c8db56825ae71d6d79447849e617115f4a920fa2acdcab2b053c4b2838bd6b71"}, "c8db5682"),
    ],
)
def test_what_names_the_account_goes(event: dict[str, object], gone: str) -> None:
    frame = json.dumps(event).encode()
    assert gone.encode() in frame
    kept = Redactor().user(frame)
    assert gone.encode() not in kept
    assert len(kept) == len(frame)
    assert json.loads(kept).keys() == event.keys()


def test_orders_keep_their_ids_unless_they_are_to_go() -> None:
    report = {"e": "executionReport", "s": "BTCUSDT", "c": "mine-1", "C": "", "i": 4242424, "t": 77, "g": -1}
    frame = json.dumps({"subscriptionId": 0, "event": report}).encode()
    assert Redactor().user(frame) == frame
    redactor = Redactor(order_ids=True)
    event = json.loads(redactor.user(frame))["event"]
    assert event["c"] != "mine-1"
    assert event["i"] != 4242424
    assert (event["s"], event["t"], event["g"], event["C"]) == ("BTCUSDT", 77, -1, "")
    cancelled = json.loads(redactor.user(frame.replace(b'"c": "mine-1", "C": ""', b'"c": "web", "C": "mine-1"')))
    assert cancelled["event"]["C"] == event["c"]
    assert cancelled["event"]["i"] == event["i"]


def test_the_exchanges_own_words_in_a_client_order_id_stay() -> None:
    frame = b'{"e":"ORDER_TRADE_UPDATE","o":{"s":"BTCUSDT","c":"autoclose-7","i":8886774}}'
    kept = Redactor(order_ids=True).user(frame)
    assert b'"autoclose-7"' in kept
    assert b"8886774" not in kept


def test_a_market_frame_is_touched_for_known_secrets_only() -> None:
    redactor = Redactor([KEY])
    trade = b'{"stream":"btcusdt@trade","data":{"e":"trade","i":4242424,"c":"x","uid":5}}'
    assert redactor.market(trade) is trade
    assert redactor.market(f'{{"stream":"{KEY}"}}'.encode()) == redactor.user(f'{{"stream":"{KEY}"}}'.encode())


@given(st.lists(st.integers(0, 10**18), min_size=1, max_size=50, unique=True))
def test_numbers_keep_their_length_and_stay_json(numbers: list[int]) -> None:
    redactor = Redactor()
    for number in numbers:
        frame = b'{"uid":%d,"a":1}' % number
        kept = redactor.user(frame)
        assert len(kept) == len(frame)
        assert json.loads(kept)["a"] == 1


@given(st.binary(max_size=200))
def test_any_bytes_keep_their_length(body: bytes) -> None:
    assert len(Redactor(order_ids=True).user(body)) == len(body)


@given(st.text(max_size=60))
def test_any_text_keeps_its_length_under_a_key(text: str) -> None:
    frame = json.dumps({"email": text, "z": 1}, ensure_ascii=False).encode()
    kept = Redactor().user(frame)
    assert len(kept) == len(frame)
    assert json.loads(kept)["z"] == 1


def test_what_a_url_must_not_tell_is_known() -> None:
    assert secrets_of(f"wss://fstream.binance.com/private/ws/{KEY}") == [KEY]
    assert secrets_of(f"wss://h/private/ws?listenKey={KEY}&events=x") == [KEY]
    assert secrets_of("wss://user:pass%20word@h/ws?signature=abcdefghij") == ["abcdefghij", "pass word"]
    assert secrets_of("wss://h/stream?streams=btcusdt@trade") == []
    assert listen_keys_in(["btcusdt@trade", KEY]) == [KEY]
