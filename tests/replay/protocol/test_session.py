from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from websockets.exceptions import InvalidStatus
from websockets.frames import Close, Frame, Opcode

from harness.replay.protocol.selection import Selection, Wrapping
from harness.replay.protocol.session import MAX_MESSAGE_BYTES, Session

if TYPE_CHECKING:
    from collections.abc import Callable

    from websockets.client import ClientProtocol

    from tests.replay.protocol.conftest import Client

    Connect = Callable[..., Client]

SUBSCRIBE = b'{"method":"SUBSCRIBE","params":["a@trade"],"id":1}'
KEY = "a1B2" * 16


def test_the_url_subscribes_and_the_envelope_follows_the_path(connect: Connect) -> None:
    streams = frozenset({"a@trade", "b@trade"})
    combined = connect("/stream?streams=a@trade/b@trade").session
    raw = connect("/ws/a@trade/b@trade").session
    assert combined.selection == Selection(wrapping=Wrapping.COMBINED, streams=streams)
    assert raw.selection == Selection(wrapping=Wrapping.RAW, streams=streams)


def test_nothing_is_wanted_before_the_handshake() -> None:
    session = Session(now_ns=0)
    assert session.selection.empty
    assert not session.open
    assert not session.over
    assert session.push(b'{"e":"balanceUpdate"}') == []


def test_a_subscription_is_acknowledged_on_the_connection(connect: Connect) -> None:
    client = connect("/ws")
    assert client.session.selection.empty
    assert client.say(SUBSCRIBE) == [b'{"result":null,"id":1}']
    assert client.session.selection.streams == {"a@trade"}


def test_a_stream_of_the_other_route_is_acknowledged_listed_and_silent(connect: Connect) -> None:
    client = connect("/market/ws")
    assert client.say(SUBSCRIBE) == [b'{"result":null,"id":1}']
    assert client.say(b'{"method":"LIST_SUBSCRIPTIONS","id":2}') == [b'{"result":["a@trade"],"id":2}']
    assert client.session.selection.empty


def test_a_request_right_behind_the_handshake_is_answered_after_it(connect: Connect) -> None:
    other = connect("/ws")
    other.protocol.send_text(SUBSCRIBE)
    frame = b"".join(other.protocol.data_to_send())
    session = Session(now_ns=0)
    request = (
        b"GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )
    answer = b"".join(session.receive(request + frame, 0))
    assert answer.startswith(b"HTTP/1.1 101 ")
    assert answer.endswith(b'{"result":null,"id":1}')


def test_a_close_right_behind_a_bad_path_is_not_read() -> None:
    session = Session(now_ns=0)
    answers = session.receive(b"GET /nowhere HTTP/1.1\r\nHost: x\r\n\r\n" + b"\x88\x80abcd", 0)
    assert b"".join(answers).startswith(b"HTTP/1.1 404 ")
    assert session.over
    assert session.closing_words == ""


def test_the_account_flows_after_its_subscription_on_the_api(connect: Connect) -> None:
    client = connect("/ws-api/v3")
    assert client.session.selection.empty
    client.say(b'{"id":"x","method":"userDataStream.subscribe"}')
    assert client.session.selection == Selection(wrapping=Wrapping.API, account=True)


def test_a_listen_key_is_the_account_at_once(connect: Connect) -> None:
    client = connect(f"/ws/{KEY}")
    assert client.session.selection == Selection(wrapping=Wrapping.RAW, account=True)


def test_an_unknown_path_is_refused_with_its_text(connect: Connect) -> None:
    client = connect("/nowhere")
    assert client.session.over
    assert client.ended
    error = client.protocol.handshake_exc
    assert isinstance(error, InvalidStatus)
    assert error.response.status_code == 404
    assert error.response.body == b"Invalid request path"


def test_a_plain_http_request_is_told_to_upgrade() -> None:
    session = Session(now_ns=0)
    answer = b"".join(session.receive(b"GET /ws HTTP/1.1\r\nHost: x\r\n\r\n", 0))
    assert answer.startswith(b"HTTP/1.1 426 ")
    assert session.over


def test_a_ping_is_answered_with_its_payload(connect: Connect) -> None:
    client = connect("/ws")
    client.protocol.send_ping(b"1790134675605")
    client.exchange()
    pong = client.received[-1]
    assert isinstance(pong, Frame)
    assert (pong.opcode, bytes(pong.data)) == (Opcode.PONG, b"1790134675605")


def test_our_close_ends_the_session_once_it_is_answered(connect: Connect) -> None:
    client = connect("/ws/a@trade")
    client.hear(client.session.close(1000))
    assert client.session.selection.empty
    assert client.session.closing_words == ""
    client.exchange()
    assert client.ended
    assert client.session.closing_words.startswith("closed with 1000")
    assert client.session.close(1000) == []
    assert client.session.tick(20_000_000_000) == []


def test_the_client_s_close_is_answered(connect: Connect) -> None:
    client = connect("/ws/a@trade")
    client.protocol.send_close(1001, "going")
    client.exchange()
    assert client.ended
    assert client.session.over
    assert client.session.closing_words == "closed with 1001 going"


def test_a_text_that_is_no_request_closes_with_1008(connect: Connect) -> None:
    client = connect("/ws/a@trade")
    client.say(b"hello")
    assert client.close == Close(1008, "Invalid request")
    assert client.session.over


@pytest.mark.parametrize(
    ("misbehave", "code"),
    [
        (lambda protocol: protocol.send_binary(b"{}"), 1008),
        (lambda protocol: protocol.send_text(b"\xff\xfe"), 1007),
        (lambda protocol: protocol.send_text(b"x" * (MAX_MESSAGE_BYTES + 1)), 1009),
        (
            lambda protocol: (
                protocol.send_text(b"x" * 40_000, fin=False),
                protocol.send_continuation(b"x" * 40_000, fin=True),
            ),
            1009,
        ),
    ],
)
def test_what_no_client_should_send_closes_with_its_code(
    connect: Connect, misbehave: Callable[[ClientProtocol], object], code: int
) -> None:
    client = connect("/ws/a@trade")
    misbehave(client.protocol)
    client.exchange()
    assert client.close is not None
    assert client.close.code == code


def test_two_messages_in_one_read_after_a_bad_one_are_not_answered(connect: Connect) -> None:
    client = connect("/ws")
    client.protocol.send_text(b"hello")
    client.protocol.send_text(SUBSCRIBE)
    client.exchange()
    assert client.texts() == []


def test_a_request_in_fragments_is_put_together(connect: Connect) -> None:
    client = connect("/ws")
    client.protocol.send_text(SUBSCRIBE[:10], fin=False)
    client.protocol.send_ping(b"between")
    client.protocol.send_continuation(SUBSCRIBE[10:], fin=True)
    client.exchange()
    assert client.session.selection.streams == {"a@trade"}
