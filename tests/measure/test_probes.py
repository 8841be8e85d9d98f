from __future__ import annotations

import time
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.measure.probes import EdgeProbe, Mark, StampProbe, pass_edges


@given(warm_up=st.integers(1, 1_000), passes=st.integers(1, 50), length=st.integers(1, 1_000), rest=st.integers(0, 49))
def test_edges_are_the_warm_up_and_then_equal_passes(warm_up: int, passes: int, length: int, rest: int) -> None:
    frames = warm_up + passes * length + rest % passes
    edges = pass_edges(frames=frames, warm_up=warm_up, passes=passes)
    assert edges[0] == warm_up
    assert {after - before for before, after in pairwise(edges)} == {length}
    assert len(edges) == passes + 1
    assert frames - passes < edges[-1] <= frames


@pytest.mark.parametrize(
    ("frames", "warm_up", "passes"), [(10, 5, 6), (5, 5, 1), (5, 6, 1), (0, 1, 1), (10, 0, 1), (10, -1, 1), (10, 1, 0)]
)
def test_too_few_frames_for_the_passes_are_refused(frames: int, warm_up: int, passes: int) -> None:
    with pytest.raises(ValueError, match=r"pass|warm-up"):
        pass_edges(frames=frames, warm_up=warm_up, passes=passes)


@pytest.mark.parametrize("probe", [EdgeProbe([2, 5, 9]), StampProbe([2, 5, 9])])
def test_every_frame_reaches_the_bot_once_and_in_order(probe: EdgeProbe | StampProbe) -> None:
    seen: list[bytes] = []
    watched = probe.watch(seen.append)
    frames = [b"%d" % number for number in range(12)]
    for frame in frames:
        watched(frame)
    assert seen == frames


@pytest.mark.parametrize("kind", [EdgeProbe, StampProbe])
def test_the_clocks_are_read_after_the_frames_at_the_edges_and_at_no_other(
    kind: type[EdgeProbe | StampProbe], monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[int] = []
    seen: list[bytes] = []

    def now(cls: type[Mark]) -> Mark:
        del cls
        read.append(len(seen))
        return Mark(wall_ns=len(read), user_us=0.0, system_us=0.0)

    monkeypatch.setattr(Mark, "now", classmethod(now))
    probe = kind([2, 5, 9])
    watched = probe.watch(seen.append)
    for _ in range(12):
        watched(b"")
    assert read == [2, 5, 9]
    assert [mark.wall_ns for mark in probe.marks] == [1, 2, 3]


def test_edges_that_were_never_reached_leave_no_mark() -> None:
    probe = EdgeProbe([2, 5])
    seen: list[bytes] = []
    watched = probe.watch(seen.append)
    for _ in range(4):
        watched(b"")
    assert len(probe.marks) == 1
    assert EdgeProbe([]).marks == []


def test_every_frame_gets_a_stamp_at_the_end_of_its_handling(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(range(0, 1_000, 10))
    inside: list[int] = []
    monkeypatch.setattr(time, "monotonic_ns", lambda: next(clock))
    probe = StampProbe([])
    watched = probe.watch(lambda _: inside.append(time.monotonic_ns()))
    for _ in range(3):
        watched(b"")
    assert inside == [0, 20, 40]
    assert probe.stamps.tolist() == [10, 30, 50]
    assert probe.stamps.typecode == "q"


@pytest.mark.parametrize("probe", [EdgeProbe([1]), StampProbe([1])])
def test_a_bot_s_error_comes_through_and_counts_no_frame(probe: EdgeProbe | StampProbe) -> None:
    def broken(frame: bytes) -> None:
        raise RuntimeError(frame.decode())

    watched = probe.watch(broken)
    with pytest.raises(RuntimeError, match="x"):
        watched(b"x")
    assert probe.marks == []
    if isinstance(probe, StampProbe):
        assert len(probe.stamps) == 0


def test_marks_go_forward_and_count_the_work_of_this_process() -> None:
    before = Mark.now()
    end = time.process_time() + 0.02
    while time.process_time() < end:
        pass
    after = Mark.now()
    assert after.wall_ns > before.wall_ns
    assert after.user_us + after.system_us > before.user_us + before.system_us
