"""What the time alone makes a session do; no test waits for it."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from websockets.frames import Close

from harness.replay.protocol.rules import SPOT, USDM
from harness.replay.protocol.session import END, Session
from harness.units import NS_PER_S

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.replay.protocol.conftest import Client

    Connect = Callable[..., Client]

DAY_S = 86_400
#: So that a day of a test has no more than its end.
SHORT = replace(SPOT, lifetime_seconds=30.0, notice_seconds=10.0)


def test_pings_come_every_twenty_seconds_and_carry_the_time(connect: Connect) -> None:
    assert connect("/ws").wait(65) == [b"1790134695605", b"1790134715605", b"1790134735605"]


def test_usdm_pings_every_three_minutes(connect: Connect) -> None:
    assert len(connect("/market/ws", USDM).wait(360)) == 2


def test_a_late_ping_is_sent_once_and_the_next_an_interval_later(connect: Connect) -> None:
    client = connect("/ws")
    client.now_ns = 45 * NS_PER_S
    assert len(client.wait(1)) == 1
    assert client.wait(19) == []
    assert len(client.wait(1)) == 1


def test_answered_pings_keep_the_connection(connect: Connect) -> None:
    client = connect("/ws")
    assert len(client.wait(600)) == 30
    assert client.session.open


def test_a_ping_unanswered_for_a_minute_ends_the_connection(connect: Connect) -> None:
    client = connect("/ws")
    client.wait(79, answer=False)
    assert client.session.open
    client.wait(1, answer=False)
    assert client.close == Close(1008, "Pong timeout")
    assert client.session.over


def test_a_pong_that_answers_no_ping_does_not_count_on_spot(connect: Connect) -> None:
    client = connect("/ws")
    for _ in range(20):
        client.wait(4, answer=False)
        client.protocol.send_pong(b"")
        client.exchange()
    assert client.close == Close(1008, "Pong timeout")


def test_any_pong_keeps_a_usdm_connection(connect: Connect) -> None:
    client = connect("/public/ws", USDM)
    for _ in range(20):
        client.wait(60, answer=False)
        client.protocol.send_pong(b"")
        client.exchange()
    assert client.session.open
    client.wait(800, answer=False)
    assert client.close == Close(1008, "Pong timeout")


def test_the_pong_of_a_later_ping_answers_those_before_it(connect: Connect) -> None:
    client = connect("/ws")
    payloads = client.wait(70, answer=False)
    client.protocol.send_pong(payloads[-1])
    client.exchange()
    client.wait(50, answer=False)
    assert client.session.open


def test_the_pong_of_an_earlier_ping_leaves_the_later_ones_waiting(connect: Connect) -> None:
    client = connect("/ws")
    payloads = client.wait(70, answer=False)
    client.protocol.send_pong(payloads[0])
    client.exchange()
    client.wait(29, answer=False)
    assert client.session.open
    client.wait(1, answer=False)
    assert client.close == Close(1008, "Pong timeout")


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("/ws/a@trade", b'{"e":"serverShutdown","E":1790134695605}'),
        ("/stream", b'{"stream":"!serverShutdown","data":{"e":"serverShutdown","E":1790134695605}}'),
        ("/ws-api/v3", b'{"event":{"e":"serverShutdown","E":1790134695605}}'),
        ("/ws?timeUnit=microsecond", b'{"e":"serverShutdown","E":1790134695605000}'),
    ],
)
def test_the_end_is_told_once_before_it_comes(connect: Connect, path: str, text: bytes) -> None:
    client = connect(path, SHORT)
    client.wait(19)
    assert client.texts() == []
    client.wait(10)
    assert client.texts() == [text]
    assert client.session.open
    client.wait(1)
    assert client.close == Close(1001, "Connection lifetime is over")


def test_usdm_ends_without_a_notice(connect: Connect) -> None:
    client = connect("/ws", replace(USDM, lifetime_seconds=30.0, notice_seconds=10.0))
    client.wait(30)
    assert client.texts() == []
    assert client.close is not None
    assert client.close.code == 1001


def test_the_documented_lifetime_is_a_day_and_the_notice_ten_minutes_before(connect: Connect) -> None:
    client = connect("/ws", replace(SPOT, ping_seconds=2 * DAY_S))
    client.now_ns = (DAY_S - 601) * NS_PER_S
    client.hear(client.session.tick(client.now_ns))
    assert client.texts() == []
    client.wait(1)
    assert [json.loads(text)["e"] for text in client.texts()] == ["serverShutdown"]
    client.now_ns = (DAY_S - 1) * NS_PER_S
    client.wait(1)
    assert client.close is not None


def test_a_handshake_that_never_ends_is_given_up() -> None:
    session = Session(now_ns=5 * NS_PER_S)
    session.receive(b"GET /ws HTTP/1.1\r\nHost: x\r\n", 6 * NS_PER_S)
    assert session.tick(14 * NS_PER_S) == []
    answers = session.tick(15 * NS_PER_S)
    assert answers[0].startswith(b"HTTP/1.1 408 ")
    assert answers[-1] == END
    assert session.over
    assert session.tick(60 * NS_PER_S) == []
    assert session.receive(b"\r\n\r\n", 61 * NS_PER_S) == []


def test_the_times_of_a_connection_begin_with_its_opening(connect: Connect) -> None:
    other = connect("/ws")
    request = other.protocol.connect().serialize()
    session = Session(SHORT, now_ns=0)
    session.receive(request[:-1], 0)
    session.receive(request[-1:], 9 * NS_PER_S)
    assert session.open
    assert session.tick(28 * NS_PER_S) == []
    session.tick(38 * NS_PER_S)
    assert session.open
    session.tick(39 * NS_PER_S)
    assert not session.open


def test_a_client_that_does_not_answer_our_close_is_not_waited_for_long(connect: Connect) -> None:
    client = connect("/ws")
    client.now_ns = 3 * NS_PER_S
    client.session.tick(client.now_ns)
    assert END not in client.session.close(1000)
    assert client.session.tick(12 * NS_PER_S) == []
    assert client.session.tick(13 * NS_PER_S) == [END]
    assert client.session.tick(60 * NS_PER_S) == []
