from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.client import ClientProtocol
from websockets.exceptions import InvalidStatus
from websockets.frames import Frame, Opcode
from websockets.uri import parse_uri

from harness.replay.protocol.selection import Selection, Wrapping
from harness.replay.protocol.session import END, MAX_MESSAGE_BYTES, Session

if TYPE_CHECKING:
    from collections.abc import Callable

SUBSCRIBE = b'{"method":"SUBSCRIBE","params":["a@trade"],"id":1}'


class Client:
    """The library's client without I/O, joined to a session by lists of bytes."""

    def __init__(self, path: str) -> None:
        self.session = Session(now_ns=0, wall_ms=lambda: 1790134675605)
        self.protocol = ClientProtocol(parse_uri(f"ws://localhost{path}"))
        self.protocol.send_request(self.protocol.connect())
        self.received: list[object] = []
        self.ended = False
        self.exchange()
        self.received = self.received[1:]  # the handshake's response

    def exchange(self) -> None:
        while said := b"".join(self.protocol.data_to_send()):
            self.hear(self.session.receive(said, 0))

    def hear(self, answers: list[bytes]) -> None:
        for answer in answers:
            if answer == END:
                self.ended = True
                self.protocol.receive_eof()
            else:
                self.protocol.receive_data(answer)
            self.received += self.protocol.events_received()

    def say(self, text: bytes) -> list[bytes]:
        """What the session answers, as texts."""
        before = len(self.received)
        self.protocol.send_text(text)
        self.exchange()
        return [bytes(frame.data) for frame in self.received[before:] if isinstance(frame, Frame)]


def test_the_url_subscribes_and_the_envelope_follows_the_path() -> None:
    streams = frozenset({"a@trade", "b@trade"})
    combined = Client("/stream?streams=a@trade/b@trade").session
    raw = Client("/ws/a@trade/b@trade").session
    assert combined.selection == Selection(wrapping=Wrapping.COMBINED, streams=streams)
    assert raw.selection == Selection(wrapping=Wrapping.RAW, streams=streams)


def test_nothing_is_wanted_before_the_handshake() -> None:
    session = Session(now_ns=0)
    assert session.selection.empty
    assert not session.open
    assert not session.over


def test_a_subscription_is_acknowledged_on_the_connection() -> None:
    client = Client("/ws")
    assert client.session.selection.empty
    assert client.say(SUBSCRIBE) == [b'{"result":null,"id":1}']
    assert client.session.selection.streams == {"a@trade"}


def test_the_account_flows_after_its_subscription_on_the_api() -> None:
    client = Client("/ws-api/v3")
    assert client.session.selection.empty
    answer = client.say(b'{"id":"x","method":"userDataStream.subscribe"}')
    assert answer == [b'{"id":"x","status":200,"result":{"subscriptionId":0}}']
    assert client.session.selection == Selection(wrapping=Wrapping.API, account=True)


def test_a_listen_key_is_the_account_at_once() -> None:
    client = Client("/ws/" + "a1B2" * 16)
    assert client.session.selection == Selection(wrapping=Wrapping.RAW, account=True)


def test_an_unknown_path_is_refused_with_its_text() -> None:
    client = Client("/nowhere")
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


def test_a_ping_is_answered_with_its_payload() -> None:
    client = Client("/ws")
    client.protocol.send_ping(b"1790134675605")
    client.exchange()
    pong = client.received[-1]
    assert isinstance(pong, Frame)
    assert (pong.opcode, bytes(pong.data)) == (Opcode.PONG, b"1790134675605")


def test_a_ping_of_ours_reaches_the_client_and_its_pong_changes_nothing() -> None:
    client = Client("/ws/a@trade")
    client.hear(client.session.tick(20_000_000_000))
    client.exchange()
    ping = client.received[-1]
    assert isinstance(ping, Frame)
    assert (ping.opcode, bytes(ping.data)) == (Opcode.PING, b"1790134675605")
    assert client.session.open


def test_our_close_ends_the_session_once_it_is_answered() -> None:
    client = Client("/ws/a@trade")
    client.hear(client.session.close(1000))
    assert client.session.selection.empty
    assert client.session.closing_words == ""
    client.exchange()
    assert client.ended
    assert client.session.closing_words.startswith("closed with 1000")
    assert client.session.close(1000) == []
    assert client.session.tick(20_000_000_000) == []


def test_the_client_s_close_is_answered() -> None:
    client = Client("/ws/a@trade")
    client.protocol.send_close(1001, "going")
    client.exchange()
    assert client.ended
    assert client.session.over
    assert client.session.closing_words == "closed with 1001 going"


def test_a_text_that_is_no_request_closes_with_1008() -> None:
    client = Client("/ws/a@trade")
    client.say(b"hello")
    close = client.protocol.close_rcvd
    assert close is not None
    assert (close.code, close.reason) == (1008, "Invalid request")
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
    misbehave: Callable[[ClientProtocol], object], code: int
) -> None:
    client = Client("/ws/a@trade")
    misbehave(client.protocol)
    client.exchange()
    close = client.protocol.close_rcvd
    assert close is not None
    assert close.code == code


def test_two_messages_in_one_read_after_a_bad_one_are_not_answered() -> None:
    client = Client("/ws")
    client.protocol.send_text(b"hello")
    client.protocol.send_text(SUBSCRIBE)
    client.exchange()
    texts = [frame for frame in client.received if isinstance(frame, Frame) and frame.opcode is Opcode.TEXT]
    assert texts == []


def test_a_request_in_fragments_is_put_together() -> None:
    client = Client("/ws")
    client.protocol.send_text(SUBSCRIBE[:10], fin=False)
    client.protocol.send_ping(b"between")
    client.protocol.send_continuation(SUBSCRIBE[10:], fin=True)
    client.exchange()
    assert client.session.selection.streams == {"a@trade"}


@given(st.integers(1, 60))
def test_it_does_not_matter_how_the_bytes_are_cut(size: int) -> None:
    protocol = ClientProtocol(parse_uri("ws://localhost/stream"))
    session = Session(now_ns=0)
    protocol.send_request(protocol.connect())
    feed(session, protocol.data_to_send(), size)
    protocol.state = protocol.state.__class__.OPEN
    protocol.send_text(SUBSCRIBE)
    answer = feed(session, protocol.data_to_send(), size)
    assert answer.endswith(b'{"result":null,"id":1}')


def feed(session: Session, said: list[bytes], size: int) -> bytes:
    data = b"".join(said)
    return b"".join(b"".join(session.receive(data[at : at + size], 0)) for at in range(0, len(data), size))


@given(st.lists(st.binary(max_size=200), max_size=5))
def test_any_bytes_before_the_handshake_leave_it_answerable(data: list[bytes]) -> None:
    session = Session(now_ns=0)
    for part in data:
        session.receive(part, 0)
    session.receive_end(0)
    assert session.receive(b"more", 0) == []
    assert session.receive_end(0) == []
    assert session.selection.empty


@given(st.lists(st.binary(max_size=200), max_size=5))
def test_any_bytes_after_the_handshake_leave_it_answerable(data: list[bytes]) -> None:
    session = Client("/ws/a@trade").session
    for part in data:
        session.receive(part, 0)
    session.receive_end(0)
    assert session.over
    assert session.close(1000) == []
