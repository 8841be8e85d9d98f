from __future__ import annotations

from typing import TYPE_CHECKING, cast

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.replay.connection import Connection, PeerLost
from harness.replay.cursor import Cursor, Stretch
from harness.replay.frames import strip_of
from harness.replay.protocol.selection import Selection, Wrapping
from harness.replay.tape import Tape
from harness.units import Nanoseconds

if TYPE_CHECKING:
    from collections.abc import Callable

NAMES = ("a@trade", "b@trade", "c@trade")
FRAMES = 60
NOW = Nanoseconds(1)


def tape_of_turn(turn: int) -> Tape:
    return Tape(
        at_ns=np.arange(FRAMES, dtype=np.int64),
        stream=np.arange(FRAMES, dtype=np.int32) % 3,
        names=NAMES,
        bodies=tuple(
            f'{{"stream":"{NAMES[n % 3]}","data":"{turn}/{n}{"x" * (n * 7 % 200)}"}}'.encode() for n in range(FRAMES)
        ),
    )


TAPES = tuple(map(tape_of_turn, range(3)))


class Pipe:
    """Takes so many bytes as it is told, and knows where frames end."""

    def __init__(self) -> None:
        self.got = bytearray()
        self.room = 1 << 30
        self.in_frame = False

    def offer(self, data: memoryview, is_boundary: Callable[[int], bool]) -> int:
        taken = min(self.room, len(data))
        self.got += data[:taken]
        if taken:
            self.in_frame = not is_boundary(taken)
        return taken


def selection(*numbers: int) -> Selection:
    return Selection(wrapping=Wrapping.COMBINED, streams=frozenset(NAMES[number] for number in numbers))


def cursor_on(pipe: Pipe, wanted: Selection, position: int = 0) -> Cursor:
    return Cursor(cast("Connection", pipe), wanted, strip_of(TAPES[0], wanted), turn=0, position=position)


def bytes_of(stretches: list[Stretch]) -> bytes:
    """What a list of stretches says was handed over."""
    parts = []
    for stretch in stretches:
        strip = strip_of(TAPES[stretch.turn], stretch.selection)
        first, end = strip.before(stretch.first), strip.before(stretch.end)
        parts.append(bytes(strip.blob[int(strip.offsets[first]) : int(strip.offsets[end])]))
    return b"".join(parts)


def test_a_client_that_takes_all_gets_what_is_due_and_no_more() -> None:
    pipe = Pipe()
    cursor = cursor_on(pipe, selection(0, 2))
    assert cursor.offer(30, NOW) == 20
    assert cursor.offer(30, NOW) == 0
    assert cursor.offer(31, NOW) == 1
    assert (cursor.sent.count, cursor.done(31), cursor.done(33)) == (21, True, False)
    assert pipe.got == bytes_of([Stretch(0, selection(0, 2), 0, 31)])


def test_when_a_frame_was_sent_is_remembered() -> None:
    cursor = cursor_on(Pipe(), selection(0, 1, 2))
    cursor.offer(10, Nanoseconds(100))
    cursor.offer(11, Nanoseconds(200))
    assert [cursor.sent.sent_ns(number) for number in (0, 1, 10, 11, 12)] == [None, 100, 100, 200, None]


def test_since_when_it_takes_nothing_is_known() -> None:
    pipe = Pipe()
    cursor = cursor_on(pipe, selection(0, 1, 2))
    for room, now, since in ((0, 5, 5), (0, 6, 5), (3, 7, 7), (1 << 30, 8, None)):
        pipe.room = room
        cursor.offer(60, Nanoseconds(now))
        assert cursor.blocked_since == since


def test_a_client_more_than_a_turn_behind_is_lost() -> None:
    pipe = Pipe()
    cursor = cursor_on(pipe, selection(0))
    pipe.room = 5
    cursor.offer(60, NOW)
    cursor.follow(strip_of(TAPES[1], selection(0)), 1)
    with pytest.raises(PeerLost, match="more than a whole turn"):
        cursor.follow(strip_of(TAPES[2], selection(0)), 2)


@given(data=st.data())
def test_the_bytes_are_whole_frames_as_listed_whatever_is_wanted_and_taken(data: st.DataObject) -> None:
    """A client that takes bytes in any pieces, changes its mind, is sent elsewhere, and follows the turns."""
    pipe = Pipe()
    wanted = selection(0, 1)
    cursor = cursor_on(pipe, wanted, data.draw(st.integers(0, FRAMES)))
    turn = reached = 0
    for _ in range(data.draw(st.integers(1, 25))):
        pipe.room = data.draw(st.sampled_from([0, 1, 50, 400, 1 << 20]))
        match data.draw(st.sampled_from(["offer", "offer", "offer", "slice", "change", "jump", "follow"])):
            case "offer":
                reached = max(reached, data.draw(st.integers(0, FRAMES)))
                cursor.offer(reached, NOW)
            case "slice":
                cursor.offer(reached, NOW, budget=7)
            case "change":
                wanted = selection(*data.draw(st.sets(st.integers(0, 2))))
                cursor.change(wanted, strip_of(TAPES[turn], wanted), turn, reached)
            case "jump":
                reached = data.draw(st.integers(0, FRAMES))
                cursor.jump(strip_of(TAPES[turn], wanted), turn, reached)
            case "follow" if turn < 2 and cursor.done(reached):
                turn, reached = turn + 1, 0
                cursor.follow(strip_of(TAPES[turn], wanted), turn)
    pipe.room = 1 << 20
    for _ in range(4):
        cursor.offer(reached, NOW)
    assert cursor.done(reached)
    assert not pipe.in_frame
    assert bytes(pipe.got) == bytes_of(cursor.stretches(reached))
