"""Whatever a client sends, a session answers in whole frames, ends at most once, holds little and never raises."""

from __future__ import annotations

import gc
import json
import os
import random
import sys
import types
import zlib
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from websockets.client import ClientProtocol
from websockets.extensions.permessage_deflate import PerMessageDeflate
from websockets.protocol import State
from websockets.uri import parse_uri

from harness.replay.protocol.rules import SPOT, USDM, Rules
from harness.replay.protocol.session import END, Session
from harness.units import NS_PER_S

if TYPE_CHECKING:
    from collections.abc import Iterable

#: What the default run sends; with TICKPROOF_FUZZ_FRAMES=1000000 it is a million, in about a minute.
FRAMES: Final = int(os.environ.get("TICKPROOF_FUZZ_FRAMES", "100000"))
#: A message, the reader's buffer, a head and the names of many streams, and what the library keeps besides.
MAX_HELD_BYTES: Final = 512 * 1024
UNLIMITED: Final = replace(SPOT, messages_per_second=0)

REQUEST: Final = (
    b"GET %s HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n%s\r\n"
)
OFFER: Final = b"Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n"
KEY: Final = "a1B2" * 16
PATHS: Final = (
    *(b"/ws", b"/stream", b"/ws/a@trade", b"/stream?streams=a@trade/b@depth", b"/ws-api/v3", b"/market/ws"),
    *(b"/private/stream?listenKey=k&events=x", b"/ws/" + KEY.encode(), b"/ws?timeUnit=MICROSECOND"),
)
EVENT: Final = b'{"e":"executionReport","E":1790134675605}'


def masked(payload: bytes, *, first: int = 0x81, claimed: int | None = None, mask: bool = True) -> bytes:
    """A frame as a client sends it; its header may claim another length than it has."""
    size = len(payload) if claimed is None else claimed
    bit = 0x80 if mask else 0
    if size < 126:
        head = bytes((first, bit | size))
    elif size < 1 << 16:
        head = bytes((first, bit | 126)) + size.to_bytes(2, "big")
    else:
        head = bytes((first, bit | 127)) + size.to_bytes(8, "big")
    # A mask of zeros changes nothing, and is one like any other to the reader.
    return head + (bytes(4) if mask else b"") + payload


def deflated(body: bytes) -> bytes:
    squeezer = zlib.compressobj(wbits=-15)
    return (squeezer.compress(body) + squeezer.flush(zlib.Z_SYNC_FLUSH))[:-4]


def held(session: Session) -> int:
    """Bytes of everything that only this session reaches."""
    seen: set[int] = set()
    waiting: list[object] = [vars(session)]
    total = 0
    shared = (type, types.ModuleType, types.FunctionType, types.BuiltinFunctionType, types.CodeType, Rules)
    while waiting:
        thing = waiting.pop()
        if id(thing) in seen or isinstance(thing, shared) or "logging" in type(thing).__module__:
            continue
        seen.add(id(thing))
        total += sys.getsizeof(thing)
        if not isinstance(thing, dict) or "__builtins__" not in thing:
            waiting += gc.get_referents(thing)
    return total


class Wire:
    """A session and a client that reads what it says, strictly."""

    def __init__(self, path: bytes, rules: Rules, *, deflate: bool) -> None:
        self.session = Session(rules, now_ns=0, wall_ms=lambda: 1_790_134_675_605)
        self.now_ns = 0
        self.ended = False
        self.reader = ClientProtocol(parse_uri("ws://localhost/"), state=State.OPEN, max_size=None)
        said = b"".join(self.session.receive(REQUEST % (path, OFFER if deflate else b""), 0))
        assert said.startswith(b"HTTP/1.1 101 ")
        if deflate:
            self.reader.extensions = [PerMessageDeflate(True, False, 15, 15)]

    def hear(self, said: list[bytes]) -> None:
        if said:
            assert not self.ended
        for part in said:
            assert not self.ended
            if part == END:
                self.ended = True
            elif not self.reader.eof_sent:
                self.reader.receive_data(part)
                self.reader.events_received()
                self.reader.data_to_send()
        assert self.reader.parser_exc is None
        assert not self.reader.reader.buffer  # whole frames only

    def receive(self, data: bytes) -> None:
        self.hear(self.session.receive(data, self.now_ns))


NAMES = st.sampled_from(
    ["a@trade", "A@TRADE", "!bookTicker", KEY, KEY + "@x", "\u5e01usdt@trade", "", "x" * 300]
) | st.text(max_size=10)
METHODS = st.sampled_from(["SUBSCRIBE", "UNSUBSCRIBE", "LIST_SUBSCRIPTIONS", "SET_PROPERTY", "GET_PROPERTY", "x"])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=8,
)
REQUESTS = st.fixed_dictionaries(
    {},
    optional={
        "method": METHODS | JSON,
        "params": st.lists(NAMES | st.booleans(), max_size=4) | st.just(["combined", True]) | JSON,
        "id": st.integers(-(2**64), 2**64) | st.text(max_size=40) | JSON,
    },
).map(lambda request: json.dumps(request).encode())


@st.composite
def near_misses(draw: st.DrawFn) -> bytes:
    """A request with a few bytes left out, doubled or changed."""
    text = bytearray(draw(REQUESTS))
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, len(text)))
        text[at : at + draw(st.integers(0, 2))] = draw(st.binary(max_size=2))
    return bytes(text)


PAYLOADS = REQUESTS | near_misses() | st.binary(max_size=200) | REQUESTS.map(deflated)
#: Opcodes that exist more often than others, with all bits before them.
FIRSTS = st.sampled_from([0x81, 0x01, 0x80, 0x00, 0x82, 0x88, 0x89, 0x8A, 0xC1, 0x41]) | st.integers(0, 255)
FRAME = st.builds(
    masked,
    PAYLOADS,
    first=FIRSTS,
    claimed=st.none() | st.none() | st.integers(0, 300) | st.integers(0, 2**63 - 1),
    mask=st.sampled_from([True] * 9 + [False]),
)


def cut(data: bytes, places: Iterable[int]) -> list[bytes]:
    """The data in pieces that end at these places."""
    ends = sorted({0, len(data), *(place % (len(data) + 1) for place in places)})
    return [data[start:end] for start, end in pairwise(ends)]


class Talk(RuleBasedStateMachine):
    """A client that says anything, and a shell that ticks, pushes and closes in between."""

    @initialize(path=st.sampled_from(PATHS), rules=st.sampled_from([SPOT, USDM, UNLIMITED]), deflate=st.booleans())
    def connect(self, path: bytes, rules: Rules, *, deflate: bool) -> None:
        self.wire = Wire(path, rules, deflate=deflate)

    @rule(frames=st.lists(FRAME, min_size=1, max_size=6), places=st.lists(st.integers(0, 2_000), max_size=8))
    def frames_come(self, frames: list[bytes], places: list[int]) -> None:
        for piece in cut(b"".join(frames), places):
            self.wire.receive(piece)

    @rule(requests=st.lists(REQUESTS, min_size=1, max_size=3))
    def requests_come(self, requests: list[bytes]) -> None:
        self.wire.receive(b"".join(map(masked, requests)))

    @rule(seconds=st.sampled_from([0.1, 1.0, 20.0, 90.0, 86_000.0]))
    def time_goes_by(self, seconds: float) -> None:
        self.wire.now_ns += round(seconds * NS_PER_S)
        self.wire.hear(self.wire.session.tick(self.wire.now_ns))

    @rule()
    def an_event_is_pushed(self) -> None:
        before = self.wire.session.selection.account
        said = self.wire.session.push(EVENT)
        assert bool(said) <= before
        self.wire.hear(said)

    @rule(code=st.sampled_from([1000, 1008, 4000]))
    def the_shell_closes(self, code: int) -> None:
        self.wire.hear(self.wire.session.close(code))

    @rule()
    def the_client_ends(self) -> None:
        self.wire.hear(self.wire.session.receive_end(self.wire.now_ns))
        assert self.wire.session.over

    @invariant()
    def it_holds_little_and_knows_whether_it_is_open(self) -> None:
        if not hasattr(self, "wire"):
            return
        session = self.wire.session
        assert not (session.open and session.over)
        assert session.open or session.selection.empty
        assert not self.wire.ended or session.over
        assert held(session) < MAX_HELD_BYTES


TestTalk = Talk.TestCase
TestTalk.settings = settings(max_examples=60, stateful_step_count=20, deadline=None)


HEADERS = st.sampled_from(
    [
        *(
            b"Upgrade: websocket",
            b"Upgrade: h2c, websocket",
            b"Connection: Upgrade",
            b"Connection: keep-alive, Upgrade",
        ),
        *(b"Sec-WebSocket-Version: 13", b"Sec-WebSocket-Version: 8", b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="),
        *(b"Sec-WebSocket-Key: x", b"Sec-WebSocket-Key: \xff", OFFER.strip(), b"Sec-WebSocket-Extensions: ;;=,"),
        *(
            b"Content-Length: 5",
            b"Transfer-Encoding: chunked",
            b"Origin: a",
            b": ",
            b"no colon",
            b"X: \x00",
            b"\r",
            b"\n",
        ),
    ]
)
WHOLE = [line for line in (REQUEST % (b"", OFFER)).split(b"\r\n")[1:] if line]


@given(
    line=st.sampled_from([b"GET %s HTTP/1.1", b"GET %s HTTP/1.0", b"POST %s HTTP/1.1", b"%s", b"GET  %s", b""]),
    path=st.sampled_from([*PATHS, b"/nowhere", b"/ws/%ff", b"*", b"/ws?timeUnit=x"]) | st.binary(max_size=30),
    headers=st.permutations(WHOLE) | st.lists(HEADERS, max_size=10),
    after=st.lists(FRAME, max_size=3).map(b"".join),
    places=st.lists(st.integers(0, 500), max_size=10),
)
@settings(max_examples=400)
def test_any_opening_is_answered_or_turned_down(
    line: bytes, path: bytes, headers: list[bytes], after: bytes, places: list[int]
) -> None:
    session = Session(now_ns=0)
    first = line.replace(b"%s", path)
    said: list[bytes] = []
    for piece in cut(b"\r\n".join([first, *headers, b"", b""]) + after, places):
        said += session.receive(piece, 0)
    said += session.tick(11 * NS_PER_S)
    said += session.receive_end(12 * NS_PER_S)
    assert said[0].startswith(b"HTTP/1.1 ") or said == [END]
    assert said.count(END) == 1
    assert said[-1] == END
    assert session.over
    assert session.receive(b"more", 13 * NS_PER_S) == session.receive_end(13 * NS_PER_S) == []


@given(st.lists(st.binary(max_size=200), max_size=5))
def test_any_bytes_before_the_handshake_leave_it_answerable(data: list[bytes]) -> None:
    session = Session(now_ns=0)
    for part in data:
        session.receive(part, 0)
    session.receive_end(0)
    assert session.over
    assert session.selection.empty
    assert session.close(1000) == session.push(EVENT) == session.tick(99 * NS_PER_S) == []


@given(st.lists(REQUESTS, max_size=5), st.lists(st.integers(0, 2_000), max_size=20))
def test_it_does_not_matter_how_the_bytes_are_cut(requests: list[bytes], places: list[int]) -> None:
    data = REQUEST % (b"/stream", b"") + b"".join(map(masked, requests))
    whole, parts = Session(UNLIMITED, now_ns=0), Session(UNLIMITED, now_ns=0)
    said = [b"".join(parts.receive(piece, 0)) for piece in cut(data, places)]
    expected = b"".join(whole.receive(data, 0))
    _, _, frames = b"".join(said).partition(b"\r\n\r\n")
    assert frames == expected.partition(b"\r\n\r\n")[2]
    assert parts.selection == whole.selection


def pool_of(dice: random.Random) -> list[bytes]:
    """Frames of all kinds: most of them harmless, some that end the connection."""
    methods = ["SUBSCRIBE", "UNSUBSCRIBE", "LIST_SUBSCRIPTIONS", "SET_PROPERTY", "GET_PROPERTY", "DANCE", "", 5]
    names = [f"s{number}@trade" for number in range(2_000)]

    def request() -> bytes:
        made: dict[str, Any] = {"method": dice.choice(methods), "id": dice.choice([1, None, "a", -(2**63), 1.5, [1]])}
        if dice.random() < 0.8:
            made["params"] = dice.choice(
                [["combined", dice.choice([True, 1])], dice.sample(names, dice.randrange(5)), 7]
            )
        return json.dumps(made).encode()

    def harmless() -> bytes:
        kind = dice.randrange(6)
        if kind == 0:
            return masked(dice.randbytes(dice.randrange(126)), first=dice.choice([0x89, 0x8A]))
        if kind == 1:
            text = request()
            at = dice.randrange(len(text))
            middle = masked(b"between", first=0x89) + masked(b"", first=0x00)
            return masked(text[:at], first=0x01) + middle + masked(text[at:], first=0x80)
        if kind == 2:
            return masked(deflated(request()), first=0xC1)
        if kind == 3:
            return masked(b"{" + dice.randbytes(30).replace(b"\\", b" ").decode("latin-1").encode())
        return masked(request())

    def harmful() -> bytes:
        claimed = dice.choice([None, None, dice.randrange(2**17), dice.randrange(2**63)])
        first, mask = dice.randrange(256), dice.random() < 0.9
        return masked(dice.randbytes(dice.randrange(300)), first=first, claimed=claimed, mask=mask)

    return [harmless() for _ in range(3_900)] + [harmful() for _ in range(100)]


@pytest.mark.parametrize("seed", [1])
def test_many_random_frames_crash_nothing_and_are_not_kept(seed: int) -> None:
    dice = random.Random(seed)
    pool = pool_of(dice)
    sent = talks = largest = 0
    while sent < FRAMES:
        wire = Wire(dice.choice(PATHS), dice.choice([UNLIMITED, UNLIMITED, SPOT]), deflate=dice.random() < 0.8)
        talks += 1
        while not wire.session.over and sent < FRAMES:
            frames = dice.choices(pool, k=20)
            sent += len(frames)
            data = b"".join(frames)
            for piece in cut(data, (dice.randrange(len(data)), dice.randrange(len(data)))):
                wire.receive(piece)
            wire.now_ns += dice.choice([0, NS_PER_S, 5 * NS_PER_S])
            wire.hear(wire.session.tick(wire.now_ns))
        largest = max(largest, held(wire.session))
    assert sent >= FRAMES
    assert talks > FRAMES // 1_000
    assert largest < MAX_HELD_BYTES


def test_the_most_that_a_client_can_make_a_session_hold_is_bounded() -> None:
    wire = Wire(b"/ws", UNLIMITED, deflate=True)
    for number in range(1_100):
        name = json.dumps(f"{number}@" + "\U0001f600" * 250)
        wire.receive(masked(b'{"method":"SUBSCRIBE","params":[%s],"id":1}' % name.encode()))
    wire.receive(masked(b"x" * 40_000, first=0x01))
    wire.receive(masked(b"x" * 20_000, claimed=25_000, first=0x00))
    assert len(wire.session.selection.streams) == 1024
    assert wire.session.open
    assert held(wire.session) < 2 * 1024 * 1024


def test_endless_empty_fragments_are_not_kept() -> None:
    wire = Wire(b"/ws", UNLIMITED, deflate=False)
    wire.receive(masked(b"", first=0x01))
    before = held(wire.session)
    for _ in range(20):
        wire.receive(masked(b"", first=0x00) * 1_000)
    assert wire.session.open
    assert held(wire.session) < before + 10_000
