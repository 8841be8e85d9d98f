"""One client without I/O, whatever it sends."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from harness.replay.accounts.desk import AccountDesk
from harness.replay.accounts.keys import Keyring
from harness.replay.accounts.listen_keys import ListenKeys
from harness.replay.conversation import Conversation, House
from harness.replay.protocol.rules import SPOT
from harness.replay.protocol.session import END
from harness.replay.rest.http import HttpAnswer, HttpRequest

HANDSHAKE = (
    b"Host: localhost:1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
)
UPGRADE = b"GET /ws/btcusdt@trade HTTP/1.1\r\n" + HANDSHAKE + b"\r\n"
PLAIN = b"GET /api/v3/ping HTTP/1.1\r\nHost: localhost\r\n\r\n"


def answer(_request: HttpRequest, _now_ns: int) -> HttpAnswer:
    return HttpAnswer(body=b"{}")


def house() -> House:
    desk = AccountDesk("spot", keys=Keyring(), listen_keys=ListenKeys())
    return House(rules=replace(SPOT, messages_per_second=0), desk=desk, answer=answer)


def masked(opcode: int, payload: bytes) -> bytes:
    return bytes((0x80 | opcode, 0x80 | len(payload))) + bytes(4) + payload


pieces = st.one_of(
    st.binary(max_size=200),
    st.sampled_from([
        UPGRADE, PLAIN, b"\r\n\r\n", b"GET /ws-api/v3 HTTP/1.1\r\n" + HANDSHAKE + b"\r\n",
        b"POST /x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nab", b"GET " + b"/" * 100_000,
        masked(1, b'{"id":1,"method":"SUBSCRIBE","params":["a@b"]}'), masked(1, b"{"), masked(8, b"\x03\xe8"),
        masked(9, b"x"), masked(1, b'{"id":1,"method":"userDataStream.subscribe"}'), masked(0, b"x"),
        masked(1, b"\xff"), bytes((0x81, 0xFF)) + b"\x7f" * 8,
    ]),
)  # fmt: skip
turns = st.one_of(
    pieces.map(lambda data: ("receive", data)),
    st.sampled_from([("end", b""), ("ping", b""), ("close", b""), ("push", b'{"e":"x"}'), ("key", b"")]),
    st.integers(0, 10**13).map(lambda ns: ("tick", ns.to_bytes(8, "big"))),
)


@given(st.lists(turns, max_size=12), st.sampled_from([None, 429, 503]))
def test_nothing_that_a_client_sends_raises_and_nothing_follows_the_end(
    script: list[tuple[str, bytes]], refusal: int | None
) -> None:
    conversation = Conversation(house(), now_ns=0, refusal=refusal)
    said: list[bytes] = []
    for what, data in script:
        match what:
            case "receive":
                said += conversation.receive(data, 1)
            case "end":
                said += conversation.receive_end(1)
            case "tick":
                said += conversation.tick(int.from_bytes(data, "big"))
            case "push":
                said += conversation.push(data)
            case "ping":
                said += conversation.ping(2)
            case "key":
                said += conversation.end_listening("k" * 64, b"{}")
            case _:
                said += conversation.close(1000)
        assert conversation.selection.empty or not conversation.over
    assert END not in said[:-1]
    assert len(conversation.path) <= 200


def test_a_head_may_come_byte_by_byte() -> None:
    for head, begins in ((UPGRADE, b"HTTP/1.1 101"), (PLAIN, b"HTTP/1.1 200")):
        conversation = Conversation(house(), now_ns=0)
        said = [part for byte in head for part in conversation.receive(bytes((byte,)), 1)]
        assert said[0].startswith(begins)


def test_frames_that_come_with_the_head_are_answered() -> None:
    conversation = Conversation(house(), now_ns=0)
    said = b"".join(conversation.receive(UPGRADE + masked(1, b'{"id":1,"method":"LIST_SUBSCRIPTIONS"}'), 1))
    assert said.endswith(b'{"result":["btcusdt@trade"],"id":1}')
    assert conversation.selection.streams == {"btcusdt@trade"}


def test_a_page_of_another_origin_may_not_trade_but_look() -> None:
    for path, origin, status in (
        (b"/ws-api/v3", b"https://evil.example", b"403"),
        (b"/ws-api/v3", b"null", b"403"),
        (b"/ws-fapi/v1", b"https://evil.example", b"403"),
        (b"/ws-api/v3", b"http://localhost:1", b"101"),
        (b"/ws/btcusdt@trade", b"https://evil.example", b"101"),
    ):
        head = b"GET " + path + b" HTTP/1.1\r\n" + HANDSHAKE + b"Origin: " + origin + b"\r\n\r\n"
        assert b"".join(Conversation(house(), now_ns=0).receive(head, 1)).split()[1] == status


def test_a_name_that_is_not_loopbacks_gets_no_answer() -> None:
    said = Conversation(house(), now_ns=0).receive(PLAIN.replace(b"localhost", b"evil.example"), 1)
    assert b"".join(said).split()[1] == b"403"


def test_whoever_says_nothing_is_not_waited_for() -> None:
    conversation = Conversation(house(), now_ns=0)
    assert conversation.tick(9 * 10**9) == []
    assert conversation.tick(11 * 10**9) == [END]
    assert conversation.over
