"""What a client may not take: messages, bytes, memory."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from websockets.frames import Close, Frame, Opcode

from harness.replay.protocol.message_limit import MessageLimit
from harness.replay.protocol.rules import SPOT, USDM
from harness.replay.protocol.session import END, Session
from harness.units import NS_PER_S

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.replay.protocol.rules import Rules
    from tests.replay.protocol.conftest import Client

    Connect = Callable[..., Client]

LIST = b'{"method":"LIST_SUBSCRIPTIONS","id":1}'
TOO_MANY = Close(1008, "Too many messages")


@pytest.mark.parametrize(("rules", "allowed"), [(SPOT, 5), (USDM, 10)])
def test_one_message_too_many_in_a_second_ends_the_connection(connect: Connect, rules: Rules, allowed: int) -> None:
    client = connect("/ws", rules)
    for _ in range(allowed):
        client.say(LIST)
    assert len(client.texts()) == allowed
    assert client.session.open
    client.say(LIST)
    assert len(client.texts()) == allowed
    assert client.close == TOO_MANY


def test_pings_pongs_and_requests_count_together(connect: Connect) -> None:
    client = connect("/ws")
    for _ in range(2):
        client.say(LIST)
        client.protocol.send_ping(b"")
        client.protocol.send_pong(b"")
        client.exchange()
    assert client.close == TOO_MANY


def test_five_messages_every_second_are_no_flood(connect: Connect) -> None:
    client = connect("/ws")
    for number in range(50):
        client.now_ns = number // 5 * NS_PER_S
        assert client.say(LIST) == [b'{"result":[],"id":1}']
    assert client.session.open


def test_a_message_in_fragments_counts_once(connect: Connect) -> None:
    client = connect("/ws")
    client.protocol.send_text(b'{"method":', fin=False)
    for _ in range(20):
        client.protocol.send_continuation(b" ", fin=False)
    client.protocol.send_continuation(b'"LIST_SUBSCRIPTIONS","id":1}', fin=True)
    client.exchange()
    assert client.texts() == [b'{"result":[],"id":1}']


def test_the_websocket_api_counts_no_messages(connect: Connect) -> None:
    client = connect("/ws-api/v3")
    for _ in range(30):
        assert client.say(b'{"id":1,"method":"ping"}')
    assert client.session.open


def test_a_flood_of_pings_in_one_read_is_answered_in_small_part(connect: Connect) -> None:
    client = connect("/ws")
    for _ in range(5_000):
        client.protocol.send_ping(b"")
    client.exchange()
    pongs = [event for event in client.received if isinstance(event, Frame) and event.opcode is Opcode.PONG]
    assert 5 < len(pongs) < 30
    assert client.close == TOO_MANY


def test_the_limit_forgets_after_a_second_and_zero_is_none() -> None:
    limit = MessageLimit(2)
    assert [limit.exceeded(at) for at in (0, 1, 2, NS_PER_S, 2 * NS_PER_S)] == [False, False, True, True, False]
    assert not any(MessageLimit(0).exceeded(0) for _ in range(100))


def test_the_rules_name_how_many_streams_there_may_be(connect: Connect) -> None:
    rules = replace(SPOT, max_streams=2)
    client = connect("/ws/a@trade/b@trade", rules)
    answer = client.say(b'{"method":"SUBSCRIBE","params":["c@trade"],"id":1}')
    assert json.loads(answer[0])["error"]["code"] == 2
    assert client.session.selection.streams == {"a@trade", "b@trade"}
    assert connect("/ws/a@trade/b@trade/c@trade", rules).session.over


def test_the_rules_name_how_large_a_message_may_be(connect: Connect) -> None:
    client = connect("/ws", replace(SPOT, max_message_bytes=100))
    assert client.say(LIST) == [b'{"result":[],"id":1}']
    client.say(LIST + b" " * 100)
    assert client.close is not None
    assert client.close.code == 1009


@pytest.mark.parametrize("size", [1, 100, 40_000])
def test_an_endless_head_is_refused_wherever_it_is_cut(size: int) -> None:
    session = Session(now_ns=0)
    said: list[bytes] = []
    line = b"X-Filler: " + b"x" * 88 + b"\r\n"
    head = b"GET /ws HTTP/1.1\r\n" + line * 400
    for at in range(0, len(head), size):
        said += session.receive(head[at : at + size], 0)
    assert said[0].startswith(b"HTTP/1.1 431 ")
    assert said[-1] == END
    assert session.over


def test_a_large_head_that_is_whole_is_refused_too() -> None:
    session = Session(replace(SPOT, max_head_bytes=30), now_ns=0)
    answer = session.receive(b"GET /ws HTTP/1.1\r\nHost: localhost\r\n\r\n", 0)
    assert answer[0].startswith(b"HTTP/1.1 431 ")


def test_a_line_longer_than_the_library_takes_is_refused() -> None:
    session = Session(now_ns=0)
    answer = session.receive(b"GET /ws/" + b"a" * 9_000 + b" HTTP/1.1\r\n\r\n", 0)
    assert answer[0].startswith(b"HTTP/1.1 414 ")
    assert session.over


def test_a_control_frame_of_more_than_125_bytes_is_a_protocol_error(connect: Connect) -> None:
    client = connect("/ws")
    client.hear(client.session.receive(b"\x89\xfe\x00\x7eabcd" + b"x" * 126, 0))
    assert client.close is not None
    assert client.close.code == 1002
