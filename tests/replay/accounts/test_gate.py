"""Signed requests through the requests of a connection, as a client sends them."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from harness.replay.accounts import published_test_keys as published
from harness.replay.accounts.gate import Gate
from harness.replay.accounts.payloads import payload_of, written_params
from harness.replay.accounts.weights import Weights
from harness.replay.protocol.api_requests import ApiRequests
from harness.replay.protocol.refusals import NotARequest

NOW_MS = 1_790_134_675_605
SUBSCRIBE = "userDataStream.subscribe.signature"


def sign_hmac(payload: str) -> str:
    return hmac.new(published.HMAC_SECRET.encode(), payload.encode(), hashlib.sha256).hexdigest()


def sign_ed25519(payload: str) -> str:
    key = load_pem_private_key(published.ed25519_private_pem().encode(), None)
    assert isinstance(key, Ed25519PrivateKey)
    return base64.b64encode(key.sign(payload.encode())).decode()


SIGNERS = {published.HMAC_API_KEY: sign_hmac, published.ED25519_API_KEY: sign_ed25519}
BOTH = pytest.mark.parametrize("api_key", list(SIGNERS), ids=["hmac", "ed25519"])


def connection(*, require_keys: bool = True) -> ApiRequests:
    return ApiRequests(Gate(require_keys=require_keys, wall_ms=lambda: NOW_MS))


def ask(requests: ApiRequests, method: str, params: dict[str, Any]) -> dict[str, Any]:
    answer: dict[str, Any] = json.loads(requests.answer(json.dumps({"id": 1, "method": method, "params": params}), 0))
    return answer


def signed(api_key: str, **params: Any) -> dict[str, Any]:
    """As a client does it: sorted, joined, signed, added."""
    whole = {"apiKey": api_key, "timestamp": NOW_MS, **params}
    payload = "&".join(f"{name}={value}" for name, value in sorted(whole.items()))
    return {**whole, "signature": SIGNERS[api_key](payload)}


def outcome(answer: dict[str, Any]) -> tuple[int, int]:
    return answer["status"], answer["error"]["code"] if "error" in answer else 0


@BOTH
def test_a_signed_subscription_is_let_in(api_key: str) -> None:
    requests = connection()
    assert outcome(ask(requests, SUBSCRIBE, signed(api_key))) == (200, 0)
    assert requests.selection.account


@BOTH
@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"signature": "0" * 64}, (400, -1022)),
        ({"signature": ""}, (400, -1102)),
        ({"signature": 7}, (400, -1102)),
        ({"timestamp": NOW_MS - 1}, (400, -1022)),
        ({"more": "x"}, (400, -1022)),
        ({"apiKey": "unheardOf"}, (401, -2015)),
        ({"apiKey": "not a key"}, (401, -2014)),
        ({"apiKey": None}, (401, -2014)),
        ({"apiKey": 5}, (401, -2014)),
    ],
)
@pytest.mark.parametrize("require_keys", [True, False])
def test_a_signature_that_is_given_must_be_right_whether_it_is_wanted_or_not(
    api_key: str, change: dict[str, Any], expected: tuple[int, int], *, require_keys: bool
) -> None:
    requests = connection(require_keys=require_keys)
    assert outcome(ask(requests, SUBSCRIBE, {**signed(api_key), **change})) == expected
    assert not requests.selection.account


@pytest.mark.parametrize("missing", ["apiKey", "timestamp", "signature"])
def test_half_a_signature_is_none(missing: str) -> None:
    params = signed(published.HMAC_API_KEY)
    del params[missing]
    expected = (401, -2014) if missing == "apiKey" else (400, -1102)
    assert outcome(ask(connection(require_keys=False), SUBSCRIBE, params)) == expected


def test_without_a_key_only_those_are_let_in_who_need_none() -> None:
    assert outcome(ask(connection(), SUBSCRIBE, {})) == (401, -2014)
    assert outcome(ask(connection(), "session.logon", {})) == (401, -2014)
    assert outcome(ask(connection(), "userDataStream.start", {})) == (401, -2014)
    assert outcome(ask(connection(), "userDataStream.start", {"apiKey": published.HMAC_API_KEY})) == (200, 0)
    assert outcome(ask(connection(), "userDataStream.subscribe", {})) == (401, -1002)
    assert outcome(ask(connection(), "ping", {})) == (200, 0)
    for method in (SUBSCRIBE, "session.logon", "userDataStream.start", "userDataStream.subscribe"):
        assert outcome(ask(connection(require_keys=False), method, {})) == (200, 0)


def test_a_log_on_opens_the_connection_to_its_account() -> None:
    requests = connection()
    answer = ask(requests, "session.logon", signed(published.ED25519_API_KEY))
    assert answer["result"]["apiKey"] == published.ED25519_API_KEY
    assert outcome(ask(requests, "userDataStream.subscribe", {})) == (200, 0)
    assert ask(requests, "session.logout", {})["result"]["apiKey"] is None
    assert outcome(ask(requests, "userDataStream.subscribe", {})) == (401, -1002)


def test_an_hmac_key_does_not_log_on() -> None:
    requests = connection()
    assert outcome(ask(requests, "session.logon", signed(published.HMAC_API_KEY))) == (400, -4056)
    assert ask(requests, "session.status", {})["result"]["apiKey"] is None


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({"timestamp": NOW_MS + 999}, 0),
        ({"timestamp": NOW_MS + 1_000}, -1021),
        ({"timestamp": NOW_MS - 5_000}, 0),
        ({"timestamp": NOW_MS - 5_001}, -1021),
        ({"timestamp": NOW_MS - 60_000, "recvWindow": 60_000}, 0),
        ({"timestamp": NOW_MS - 11, "recvWindow": 10}, -1021),
        ({"timestamp": NOW_MS * 1_000 - 10_346, "recvWindow": 10.346}, 0),
        ({"timestamp": NOW_MS * 1_000 - 10_347, "recvWindow": 10.346}, -1021),
        ({"recvWindow": "6000.346"}, 0),
        ({"recvWindow": 60_000.001}, -1102),
        ({"recvWindow": 60_001}, -1102),
        ({"recvWindow": 6_000.3461}, -1100),
        ({"recvWindow": -1}, -1100),
        ({"recvWindow": "5\n"}, -1100),
        ({"timestamp": -1}, -1100),
        ({"timestamp": 1.5}, -1100),
        ({"timestamp": ""}, -1102),
    ],
)
def test_a_request_is_good_for_its_window(params: dict[str, Any], expected: int) -> None:
    assert outcome(ask(connection(), SUBSCRIBE, signed(published.HMAC_API_KEY, **params)))[1] == expected


def test_values_are_signed_as_they_were_written() -> None:
    text = '{"id":1,"method":"m","params":{"b":1.50,"a":"1.50","c":10,"d":true,"e":null,"signature":"x","f":["é",1]}}'
    assert payload_of(written_params(text)) == 'a=1.50&b=1.50&c=10&d=true&e=null&f=["é",1]'.encode()
    assert payload_of(written_params('{"params":[]}')) == b""


@pytest.mark.parametrize("depth", [2, 100, 500, 900, 940, 950, 960, 970, 980, 990, 5_000])
def test_what_is_nested_is_no_good_signature_and_no_crash(depth: int) -> None:
    nested = "[" * depth + "]" * depth
    text = '{"id":1,"method":"session.logon","params":{"apiKey":"%s","timestamp":1,"signature":"x","n":%s}}'
    try:
        answer = json.loads(connection().answer(text % (published.HMAC_API_KEY, nested), 0))
    except NotARequest:
        assert depth > 500
    else:
        assert answer["error"]["code"] in {-1022, -1102}


def test_the_documented_example_has_the_documented_signature() -> None:
    """Binance, web-socket-api.md, "SIGNED request example (HMAC)": a symbol that is not ASCII, not percent-encoded."""
    api_key = "vmPUZE6mv9SD5VNHk4HlWFsOr6aKE2zvsw0MuIgwCIPy6utIco14y7Ju91duEh8A"
    secret = "NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP1e3UZjInClVN65XAbvqqM6A7H5fATj0j"  # noqa: S105 - published by Binance
    symbol = "".join(chr(ord("\N{FULLWIDTH DIGIT ONE}") + place) for place in range(6))
    params = (
        f'"symbol":"{symbol}","side":"BUY","type":"LIMIT","timeInForce":"GTC","quantity":"1.00000000",'
        f'"price":"0.10000000","recvWindow":5000,"timestamp":1645423376532,"apiKey":"{api_key}"'
    )
    payload = payload_of(written_params('{"id":1,"params":{' + params + "}}"))
    made = hmac.new(secret.encode(), payload, hashlib.sha256).hexdigest()
    assert made == "b33892ae8e687c939f4468c6268ddd4c40ac1af18ad19a064864c47bae0752cd"


def test_counts_begin_anew_with_their_intervals_and_orders_are_told_where_they_count() -> None:
    weights = Weights()
    assert [limit["count"] for limit in weights.add(5, 59_999)] == [5]
    assert [limit["count"] for limit in weights.add(1, 60_000, orders=1)] == [1, 1, 1]
    told = weights.add(1, 70_000, orders=1)
    assert [(limit["interval"], limit["count"]) for limit in told] == [("SECOND", 1), ("DAY", 2), ("MINUTE", 2)]
