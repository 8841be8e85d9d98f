from __future__ import annotations

import zlib
from collections import deque

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.client import ClientProtocol
from websockets.extensions.permessage_deflate import PerMessageDeflate
from websockets.frames import Frame, Opcode
from websockets.protocol import State
from websockets.uri import parse_uri

from harness.replay.deflate import deflated_frame

BODIES = st.binary(max_size=300) | st.text(max_size=300).map(str.encode) | st.binary(max_size=20).map(lambda b: b * 50)


def payload_of(frame: bytes) -> bytes:
    """What follows the header, whose length field must be the shortest that will do."""
    assert frame[0] == 0xC1
    if frame[1] < 126:
        size, start = frame[1], 2
    elif frame[1] == 126:
        size, start = int.from_bytes(frame[2:4], "big"), 4
        assert size >= 126
    else:
        size, start = int.from_bytes(frame[2:10], "big"), 10
        assert size >= 1 << 16
    assert len(frame) == start + size
    return frame[start:]


@given(BODIES)
def test_zlib_gives_the_body_back_from_each_frame_alone(body: bytes) -> None:
    payload = payload_of(deflated_frame(body))
    assert not payload.endswith(b"\x00\x00\xff\xff")
    assert zlib.decompressobj(wbits=-15).decompress(payload + b"\x00\x00\xff\xff") == body


@given(bodies=st.lists(BODIES, max_size=8), fresh=st.booleans())
def test_the_library_s_client_gives_the_bodies_back_in_any_order(*, bodies: list[bytes], fresh: bool) -> None:
    client = ClientProtocol(parse_uri("ws://localhost/"), state=State.OPEN, max_size=None)
    # With and without `server_no_context_takeover`: frames that need none before are legal for both.
    client.extensions = [PerMessageDeflate(fresh, False, 15, 15)]
    client.receive_data(b"".join(map(deflated_frame, reversed(bodies))))
    received = [event for event in client.events_received() if isinstance(event, Frame)]
    assert [bytes(frame.data) for frame in received] == bodies[::-1]
    assert all(frame.opcode is Opcode.TEXT and frame.fin for frame in received)


@pytest.mark.parametrize("size", [0, 1, 110, 130, 65_500, 65_600, 200_000])
def test_every_size_of_header_is_right(size: int) -> None:
    noise = deque([b"\x5a"], maxlen=1)
    body = bytearray()
    while len(body) < size:  # what does not get smaller
        noise.append(zlib.crc32(noise[0] + len(body).to_bytes(4, "big")).to_bytes(4, "big"))
        body += noise[0]
    frame = deflated_frame(bytes(body[:size]))
    assert zlib.decompressobj(wbits=-15).decompress(payload_of(frame) + b"\x00\x00\xff\xff") == bytes(body[:size])
