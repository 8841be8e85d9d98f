from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from harness.replay.frames import Strip, wire
from harness.replay.programme import merged, pieces


def strip(positions: list[int]) -> Strip:
    blob, offsets = wire([b"x" * (place % 200) for place in positions])
    return Strip(position=np.asarray(positions, np.int64), offsets=offsets, blob=blob, account=False, tape_frames=51)


POSITIONS = st.lists(st.integers(0, 50), unique=True).map(sorted)


@given(st.lists(POSITIONS, max_size=4), st.data())
def test_all_frames_come_once_in_the_order_of_the_tape(lists: list[list[int]], data: st.DataObject) -> None:
    firsts = [data.draw(st.integers(0, len(positions))) for positions in lists]
    stop = data.draw(st.integers(0, 51))
    programme = merged([strip(positions) for positions in lists], firsts, stop)
    played = [
        (lists[run.owner][number], run.owner, number) for run in programme.runs for number in range(run.first, run.end)
    ]
    assert played == sorted(
        (place, owner, number)
        for owner, positions in enumerate(lists)
        for number, place in enumerate(positions)
        if number >= firsts[owner] and place < stop
    )
    assert programme.position.tolist() == [place for place, _, _ in played]
    stops = np.cumsum([run.end - run.first for run in programme.runs]).tolist()
    assert [run.stop for run in programme.runs] == stops


def test_consecutive_frames_of_a_connection_are_one_run() -> None:
    programme = merged([strip([0, 1, 2, 5, 6]), strip([3, 4])], [0, 0], 7)
    assert [(run.owner, run.first, run.end) for run in programme.runs] == [(0, 0, 3), (1, 0, 2), (0, 3, 5)]


def test_no_strip_is_no_programme() -> None:
    assert len(merged([], [], 0)) == 0
    assert merged([strip([])], [0], 5).runs == ()


@given(POSITIONS, st.integers(1, 500), st.data())
def test_pieces_cover_all_and_are_no_larger_than_asked_but_for_one_frame(
    positions: list[int], size: int, data: st.DataObject
) -> None:
    one = strip(positions)
    first = data.draw(st.integers(0, len(positions)))
    cuts = pieces(one, first, len(positions), size)
    starts = [first, *cuts[:-1]]
    assert all(start < end for start, end in zip(starts, cuts, strict=False)) or not cuts
    assert (cuts[-1] if cuts else first) == len(positions)
    for start, end in zip(starts, cuts, strict=False):
        assert end - start == 1 or one.offsets[end] - one.offsets[start] <= size
