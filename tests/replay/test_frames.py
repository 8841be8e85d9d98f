from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.client import ClientProtocol
from websockets.frames import Frame as WebSocketFrame
from websockets.frames import Opcode
from websockets.protocol import State
from websockets.uri import parse_uri

from harness.replay.frames import Strip, Strips, header, strip_of, wire
from harness.replay.protocol.selection import Selection, Wrapping
from harness.replay.walk import walk

if TYPE_CHECKING:
    from harness.replay.tape import Tape

COMBINED = Wrapping.COMBINED
TRADES = frozenset({"btcusdt@trade"})


def parsed(data: bytes) -> list[bytes]:
    """What the library's client makes of a server's bytes."""
    client = ClientProtocol(parse_uri("ws://localhost/"), state=State.OPEN, max_size=None)
    client.receive_data(data)
    frames = [event for event in client.events_received() if isinstance(event, WebSocketFrame)]
    assert all(frame.opcode is Opcode.TEXT and frame.fin for frame in frames)
    return [bytes(frame.data) for frame in frames]


def bodies_of(strip: Strip) -> list[bytes]:
    return parsed(bytes(strip.blob))


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        (0, b"\x81\x00"),
        (125, b"\x81\x7d"),
        (126, b"\x81\x7e\x00\x7e"),
        (65535, b"\x81\x7e\xff\xff"),
        (65536, b"\x81\x7f\x00\x00\x00\x00\x00\x01\x00\x00"),
    ],
)
def test_the_header_has_two_four_or_ten_bytes(size: int, expected: bytes) -> None:
    assert header(size) == expected


@given(st.lists(st.one_of(st.binary(max_size=300), st.sampled_from([b"x" * 125, b"x" * 126, b"x" * 65536]))))
def test_the_wire_is_what_a_websocket_client_reads(bodies: list[bytes]) -> None:
    blob, offsets = wire(bodies)
    assert parsed(bytes(blob)) == bodies
    assert len(offsets) == len(bodies) + 1
    cut = [bytes(blob[start:end]) for start, end in pairwise(offsets)]
    assert cut == [header(len(body)) + body for body in bodies]


@given(st.lists(st.one_of(st.binary(max_size=300), st.just(b"x" * 70_000))), st.integers(0, 100))
def test_walking_counts_the_frames_that_are_whole(bodies: list[bytes], missing: int) -> None:
    blob, offsets = wire(bodies)
    buffer = bytearray(blob) + b"\x88\x02\x03\xe8"
    assert walk(buffer, 0, len(buffer)) == (len(buffer), len(bodies), True)
    end = max(0, len(blob) - missing)
    behind, frames, closed = walk(buffer, 0, end)
    assert not closed
    assert behind == offsets[frames]
    assert behind <= end


def test_all_streams_combined_are_the_recorded_bodies(tape: Tape) -> None:
    strip = strip_of(tape, Selection(wrapping=COMBINED, streams=frozenset(tape.names)))
    assert bodies_of(strip) == [body for body in tape.bodies if body.startswith(b'{"stream"')]
    assert len(strip) == 120
    assert not strip.account


def test_a_subset_receives_only_its_streams_and_an_unknown_one_is_silent(tape: Tape) -> None:
    strip = strip_of(tape, Selection(wrapping=COMBINED, streams=TRADES | {"nosuch@trade"}))
    assert bodies_of(strip) == [body for body in tape.bodies if b"btcusdt@trade" in body]
    assert [tape.bodies[place] for place in strip.position] == bodies_of(strip)


def test_a_raw_connection_receives_payloads(tape: Tape) -> None:
    strip = strip_of(tape, Selection(wrapping=Wrapping.RAW, streams=TRADES))
    assert bodies_of(strip)[0] == '{"n":0,"note":"\u00e9"}'.encode()
    assert len(strip) == 40


def test_the_account_comes_wrapped_on_the_api_and_bare_on_a_listen_key(tape: Tape) -> None:
    wrapped = strip_of(tape, Selection(wrapping=Wrapping.API, account=True))
    bare = strip_of(tape, Selection(wrapping=Wrapping.RAW, account=True))
    assert bodies_of(wrapped)[0] == b'{"subscriptionId":0,"event":{"e":"x","n":4}}'
    assert bodies_of(bare)[0] == b'{"e":"x","n":4}'
    assert len(wrapped) == len(bare) == 24
    assert wrapped.account


def test_nothing_wanted_is_nothing_sent(tape: Tape) -> None:
    assert len(strip_of(tape, Selection(wrapping=COMBINED))) == 0
    assert len(strip_of(tape, Selection(wrapping=COMBINED, streams=frozenset({"nosuch"})))) == 0


def test_bytes_are_built_once_for_equal_selections(tape: Tape) -> None:
    strips = Strips(tape)
    first = strips.get(Selection(wrapping=COMBINED, streams=frozenset(["btcusdt@trade"])))
    assert strips.get(Selection(wrapping=COMBINED, streams=frozenset(["btcusdt@trade"]))) is first
    assert len(strips.get(Selection(wrapping=COMBINED, streams=TRADES), 10)) == 4


def test_only_a_few_selections_are_kept(tape: Tape) -> None:
    strips = Strips(tape)
    first = strips.get(Selection(wrapping=COMBINED, streams=TRADES))
    for number in range(1, 20):
        strips.get(Selection(wrapping=COMBINED, streams=TRADES), number)
    assert strips.get(Selection(wrapping=COMBINED, streams=TRADES)) is not first
