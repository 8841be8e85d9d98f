from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from harness.recordings.format import Frame
from harness.replay.tape import ACCOUNT, NO_STREAM, tape_of
from harness.units import Nanoseconds

if TYPE_CHECKING:
    from harness.replay.tape import Tape


def test_rest_bodies_are_left_out_and_the_order_is_kept(frames: list[Frame], tape: Tape) -> None:
    served = [frame for frame in frames if frame.connection in {"market", "user"}]
    assert list(tape.bodies) == [frame.body for frame in served]
    assert tape.at_ns.tolist() == [frame.at for frame in served]
    assert (len(tape), tape.market_frames, tape.user_frames) == (144, 120, 24)
    assert tape.body_bytes == sum(len(frame.body) for frame in served)


def test_every_market_frame_knows_its_stream() -> None:
    bodies = [b'{"stream":"a","data":1}', b'{"stream":"b","data":1}', b"broken", b'{"stream":"a","data":2}']
    tape = tape_of([*(Frame(Nanoseconds(0), "market", body) for body in bodies), Frame(Nanoseconds(0), "user", b"{}")])
    assert tape.names == ("a", "b")
    assert tape.stream.tolist() == [0, 1, NO_STREAM, 0, ACCOUNT]


@pytest.mark.parametrize(("market_frames", "expected"), [(1, 1), (5, 5), (6, 7), (119, 142), (120, 144), (999, 144)])
def test_a_cut_ends_with_its_last_market_frame(tape: Tape, market_frames: int, expected: int) -> None:
    cut = tape.cut(market_frames)
    assert len(cut) == expected
    assert cut.market_frames == min(market_frames, 120)
    assert cut.bodies == tape.bodies[:expected]


def test_no_cut_is_the_tape_itself_and_a_cut_to_nothing_is_empty(tape: Tape) -> None:
    assert tape.cut(None) is tape
    assert len(tape.cut(0)) == 0


def test_a_tape_may_be_empty() -> None:
    assert len(tape_of([])) == 0
    assert tape_of([Frame(Nanoseconds(0), "rest:/x", b"{}")]).market_frames == 0
