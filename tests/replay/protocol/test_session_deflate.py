"""Compression as it is agreed upon, and what a compressed request may not do."""

from __future__ import annotations

import zlib
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory

from harness.replay.deflate import deflated_frame
from harness.replay.protocol.rules import SPOT
from harness.replay.protocol.session import Session

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.replay.protocol.conftest import Client

    Connect = Callable[..., Client]

OFFER = [ClientPerMessageDeflateFactory()]
SUBSCRIBE = b'{"method":"SUBSCRIBE","params":["a@trade"],"id":1}'


def answered(offer: str, *, deflate: bool = True) -> str:
    """The extensions that the server accepts, as it says so."""
    session = Session(replace(SPOT, deflate=deflate), now_ns=0)
    request = (
        "GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Extensions: {offer}\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )
    head = b"".join(session.receive(request.encode(), 0)).decode()
    assert head.startswith("HTTP/1.1 101 ")
    lines = dict(line.split(": ", 1) for line in head.split("\r\n") if ": " in line)
    accepted = lines.get("Sec-WebSocket-Extensions", "")
    assert session.selection.deflated is bool(accepted)
    return accepted


@pytest.mark.parametrize(
    ("offer", "answer"),
    [
        (
            "permessage-deflate; client_max_window_bits",
            "permessage-deflate; server_no_context_takeover; client_max_window_bits=15",
        ),
        ("permessage-deflate", "permessage-deflate; server_no_context_takeover"),
        ("permessage-deflate; server_max_window_bits=10", ""),
        (
            "permessage-deflate; server_max_window_bits=9, permessage-deflate",
            "permessage-deflate; server_no_context_takeover",
        ),
        ("permessage-deflate; unknown=1", ""),
        ("x-webkit-deflate-frame", ""),
    ],
)
def test_an_offer_is_answered_as_binance_does(offer: str, answer: str) -> None:
    assert answered(offer) == answer


def test_the_rules_may_refuse_compression() -> None:
    assert answered("permessage-deflate", deflate=False) == ""


def test_without_an_offer_nothing_is_compressed(connect: Connect) -> None:
    assert not connect("/ws/a@trade").session.selection.deflated


def test_compressed_requests_are_read_and_prebuilt_frames_pass_between_answers(connect: Connect) -> None:
    client = connect("/ws", extensions=OFFER)
    assert client.say(SUBSCRIBE) == [b'{"result":null,"id":1}']
    assert client.session.selection.deflated
    client.hear([deflated_frame(b'{"e":"trade"}')])
    assert client.say(SUBSCRIBE) == [b'{"result":null,"id":1}']
    assert client.texts()[1] == b'{"e":"trade"}'


def test_the_account_s_events_are_compressed_too(connect: Connect) -> None:
    client = connect("/private/ws?listenKey=k", extensions=OFFER)
    client.hear(client.session.push(b'{"e":"x"}'))
    assert client.texts() == [b'{"e":"x"}']


def masked(first: int, payload: bytes) -> bytes:
    return bytes((first, 0xFF)) + len(payload).to_bytes(8, "big") + b"\0\0\0\0" + payload


def squeezed(body: bytes) -> bytes:
    squeezer = zlib.compressobj(9, wbits=-15)
    return (squeezer.compress(body) + squeezer.flush(zlib.Z_SYNC_FLUSH))[:-4]


def test_a_request_that_inflates_beyond_the_limit_is_refused_before_it_does(connect: Connect) -> None:
    client = connect("/ws", extensions=OFFER)
    bomb = squeezed(bytes(50_000_000))
    assert len(bomb) < SPOT.max_message_bytes
    client.hear(client.session.receive(masked(0xC1, bomb), 0))
    assert client.close is not None
    assert client.close.code == 1009


@pytest.mark.parametrize("part", [1_000, 20_000, SPOT.max_message_bytes])
def test_a_bomb_in_parts_is_refused_too(connect: Connect, part: int) -> None:
    client = connect("/ws", extensions=OFFER)
    first, *others = (squeezed_part for squeezed_part in parts_of(bytes(1_000_000), part))
    client.hear(client.session.receive(masked(0x41, first), 0))
    for other in others:
        client.hear(client.session.receive(masked(0x00, other), 0))
    client.hear(client.session.receive(masked(0x80, b""), 0))
    assert client.close is not None
    assert client.close.code == 1009


def parts_of(body: bytes, size: int) -> list[bytes]:
    """One compressed message in fragments that inflate to that size each."""
    squeezer = zlib.compressobj(9, wbits=-15)
    return [
        squeezer.compress(body[at : at + size]) + squeezer.flush(zlib.Z_SYNC_FLUSH) for at in range(0, len(body), size)
    ]


def test_what_does_not_inflate_is_a_protocol_error(connect: Connect) -> None:
    client = connect("/ws", extensions=OFFER)
    client.hear(client.session.receive(masked(0xC1, b"\xff" * 20), 0))
    assert client.close is not None
    assert client.close.code == 1002


def test_a_compressed_request_without_agreement_is_a_protocol_error(connect: Connect) -> None:
    client = connect("/ws")
    client.hear(client.session.receive(masked(0xC1, squeezed(SUBSCRIBE)), 0))
    assert client.close is not None
    assert client.close.code == 1002
