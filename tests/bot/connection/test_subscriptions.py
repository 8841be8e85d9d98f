from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.bot.connection.subscriptions import MAX_REQUEST_BYTES, AccountStream, MarketStreams, batches
from harness.errors import ConfigError
from harness.replay.protocol.paths import MarketPath, route

if TYPE_CHECKING:
    from collections.abc import Iterable

NAMES = ("btcusdt@trade", "ethusdt@bookTicker", "btcusdt@kline_1m")
MANY = tuple(f"symbol{number}usdt@bookTicker" for number in range(1_000))


def served(url: str) -> tuple[str, ...]:
    """The streams that the replay server, which is strict about it, reads in a URL."""
    path = route(urlsplit(url).path + "?" + urlsplit(url).query)
    assert isinstance(path, MarketPath)
    return path.streams


def asked(requests: Iterable[bytes]) -> list[tuple[str, tuple[str, ...]]]:
    read = [json.loads(request) for request in requests]
    return [(request["method"], tuple(request["params"])) for request in read]


@pytest.mark.parametrize(
    "url",
    [
        "ws://127.0.0.1:1/stream?streams=btcusdt@trade/ethusdt@bookTicker/btcusdt@kline_1m",
        "wss://x:9443/market/stream?timeUnit=MILLISECOND&streams=btcusdt%40trade/ethusdt@bookTicker/btcusdt@kline_1m",
        "ws://127.0.0.1:1/ws/btcusdt@trade/ethusdt@bookTicker/btcusdt@kline_1m",
    ],
)
def test_a_url_that_names_its_streams_is_left_as_it_is(url: str) -> None:
    for streams in ((), NAMES[:1], NAMES):
        market = MarketStreams(url, streams)
        assert market.url == url
        assert market.names == NAMES
        assert market.is_in_url
        assert market.opening() == []


@pytest.mark.parametrize("url", ["ws://127.0.0.1:1", "ws://127.0.0.1:1/", "ws://127.0.0.1:1/stream?streams="])
def test_streams_given_besides_go_into_the_query(url: str) -> None:
    market = MarketStreams(url, NAMES)
    assert market.url == "ws://127.0.0.1:1/stream?streams=btcusdt@trade/ethusdt@bookTicker/btcusdt@kline_1m"
    assert market.is_in_url
    assert market.is_combined


def test_a_query_that_names_some_is_added_to() -> None:
    market = MarketStreams("ws://h/stream?streams=btcusdt@trade&timeUnit=MILLISECOND", NAMES)
    assert market.url == f"ws://h/stream?streams={'/'.join(NAMES)}&timeUnit=MILLISECOND"


@pytest.mark.parametrize("path", ["/stream", "/ws", "/ws/0", "/market/stream", "/public/ws"])
def test_after_a_bare_path_all_are_subscribed_by_request(path: str) -> None:
    market = MarketStreams(f"ws://127.0.0.1:1{path}", NAMES)
    assert market.url == f"ws://127.0.0.1:1{path}"
    assert not market.is_in_url
    assert asked(market.opening()) == [("SUBSCRIBE", NAMES)]
    assert market.is_combined == path.endswith("/stream")


def test_names_in_a_path_are_added_to_by_request() -> None:
    market = MarketStreams("ws://h/ws/btcusdt@trade/btcusdt@trade", NAMES)
    assert asked(market.opening()) == [("SUBSCRIBE", NAMES[1:])]


def test_what_does_not_fit_the_request_line_is_subscribed_by_request() -> None:
    market = MarketStreams("ws://127.0.0.1:1/stream?streams=", MANY)
    in_url = served(market.url)
    parts = urlsplit(market.url)
    assert 8_000 < len(f"GET {parts.path}?{parts.query} HTTP/1.1\r\n") < 8_192
    by_request = tuple(name for _, names in asked(market.opening()) for name in names)
    assert in_url + by_request == MANY


def test_signs_that_mean_something_in_a_query_are_escaped() -> None:
    names = ("btcusdt@kline_1d@+08:00", "币安人生usdt@trade", "!ticker@arr")
    market = MarketStreams("ws://127.0.0.1:1", names)
    assert market.url.isascii()
    assert served(market.url) == names


def test_without_any_stream_nothing_is_changed() -> None:
    for url in ("ws://127.0.0.1:1", "ws://127.0.0.1:1/stream", "ws://127.0.0.1:1/stream?streams="):
        assert MarketStreams(url).url == url
        assert MarketStreams(url).opening() == []


@pytest.mark.parametrize("name", ["", "a b@trade", "a/b", "a?b", "a&b", "a#b", "\x00@trade", "x" * 129, "a=b"])
def test_a_name_that_is_none_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match="is no stream"):
        MarketStreams("ws://127.0.0.1:1/stream", [name])


def test_more_streams_than_a_connection_carries_are_refused_without_telling_secrets() -> None:
    names = [f"x{number}@trade" for number in range(1_025)]
    with pytest.raises(ConfigError, match="1,025 streams; one connection carries 1,024") as refused:
        MarketStreams("ws://me:secret@127.0.0.1:1/stream?token=secret", names)
    assert "secret" not in str(refused.value)
    assert len(MarketStreams("ws://127.0.0.1:1/stream", names[:-1]).names) == 1_024


@given(st.lists(st.text(min_size=1, max_size=128)))
def test_batches_hold_all_in_order_and_none_is_too_large(names: list[str]) -> None:
    names = [name for name in names if name.isprintable()]
    parts = batches(names)
    assert [name for part in parts for name in part] == names
    assert all(parts)
    for part in parts:
        request = json.dumps({"method": "UNSUBSCRIBE", "params": part, "id": 10**18}, separators=(",", ":"))
        assert len(part) == 1 or len(request) <= MAX_REQUEST_BYTES or not request.isascii()
        assert len(json.dumps(json.loads(request), separators=(",", ":"), ensure_ascii=False).encode()) <= 4_096


def test_streams_are_ended_and_begun_anew() -> None:
    market = MarketStreams("ws://127.0.0.1:1/stream", NAMES)
    again = asked(market.again([NAMES[2], "unknown@trade", NAMES[0], NAMES[2]]))
    assert again == [("UNSUBSCRIBE", (NAMES[2], NAMES[0])), ("SUBSCRIBE", (NAMES[2], NAMES[0]))]
    assert market.again([]) == []


def test_answers_are_known_by_their_id() -> None:
    market = MarketStreams("ws://127.0.0.1:1/stream", MANY)
    count = len(market.opening())
    requests = market.requests
    assert len(requests.awaited) == count
    for identity in list(requests.awaited):
        answer = requests.take(json.dumps({"result": None, "id": identity}).encode())
        assert answer is not None
        assert (answer.request, answer.error) == ("SUBSCRIBE", "")
        assert identity not in requests.awaited
    assert not requests.awaited


@pytest.mark.parametrize(
    ("frame", "error"),
    [
        ({"error": {"code": 2, "msg": "Invalid request"}, "id": 1}, "2: 'Invalid request'"),
        ({"code": 2, "msg": "Invalid request"}, "2: 'Invalid request'"),
        ({"code": 2, "msg": "line\nbreak", "id": None}, "2: 'line\\nbreak'"),
        ({"error": "what", "id": 1}, "an error that says nothing"),
        ({"error": {"code": 3, "msg": "x" * 5_000}, "id": 1}, "3: '" + "x" * 296),
    ],
)
def test_errors_are_told(frame: dict[str, Any], error: str) -> None:
    market = MarketStreams("ws://127.0.0.1:1/stream", NAMES)
    market.opening()
    answer = market.requests.take(json.dumps(frame).encode())
    assert answer is not None
    assert answer.error == error
    assert not market.requests.awaited


@pytest.mark.parametrize(
    "frame",
    [
        b'{"stream":"btcusdt@trade","data":{"id":1,"result":null}}',
        b'{"e":"trade","E":1,"s":"BTCUSDT","t":1}',
        b'{"u":1,"s":"BTCUSDT","b":"1","B":"1","a":"2","A":"1"}',
        b'{"lastUpdateId":160,"bids":[],"asks":[]}',
        b'[{"e":"24hrMiniTicker"}]',
        b'{"result":null,"id":99}',
        b'{"result":null,"id":"1"}',
        b'{"id":1}',
        b'{"result":null,"id":{}}',
        b"hello",
        b"\xff\xfe",
        b"",
        b'{"subscriptionId":0,"event":{"e":"serverShutdown"}}',
        b'{"result":null,"id":1,"x":"' + b"x" * 10_000 + b'"}',
    ],
)
def test_whatever_else_comes_is_no_answer(frame: bytes) -> None:
    market = MarketStreams("ws://127.0.0.1:1/stream", NAMES)
    market.opening()
    assert market.requests.take(frame) is None
    assert len(market.requests.awaited) == 1


def test_a_new_connection_awaits_nothing_of_the_last_one_and_takes_new_ids() -> None:
    market = MarketStreams("ws://127.0.0.1:1/stream", NAMES)
    awaited = market.requests.awaited
    market.opening()
    first = set(awaited)
    market.opening()
    assert market.requests.awaited is awaited
    assert len(awaited) == 1
    assert not first & set(awaited)


def test_the_account_is_one_request() -> None:
    account = AccountStream("ws://127.0.0.1:1/ws-api/v3")
    assert [json.loads(request) for request in account.opening()] == [
        {"method": "userDataStream.subscribe", "id": "account"}
    ]
    assert account.again(["account"]) == []
    answer = account.requests.take(b'{"id":"account","status":200,"result":{"subscriptionId":0},"rateLimits":[]}')
    assert answer is not None
    assert answer.error == ""
