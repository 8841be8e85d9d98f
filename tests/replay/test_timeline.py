from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.replay.pacing import Pace
from harness.replay.tape import ACCOUNT, Tape
from harness.replay.timeline import Timeline
from harness.units import NS_PER_MS, NS_PER_S, Nanoseconds

START = Nanoseconds(7 * NS_PER_S)


def tape_at(times_ms: list[int], account: tuple[int, ...] = ()) -> Tape:
    stream = [ACCOUNT if place in account else 0 for place in range(len(times_ms))]
    return Tape(
        at_ns=np.asarray(times_ms, np.int64) * NS_PER_MS,
        stream=np.asarray(stream, np.int32),
        names=("btcusdt@trade",),
        bodies=(b"{}",) * len(times_ms),
    )


def timeline_of(pace: Pace, times_ms: list[int], account: tuple[int, ...] = ()) -> Timeline:
    timeline = Timeline(pace)
    timeline.load(tape_at(times_ms, account), before=0)
    return timeline


def after(ms: float) -> Nanoseconds:
    return Nanoseconds(START + round(ms * NS_PER_MS))


def test_frames_become_due_at_the_recorded_pace_times_the_speed() -> None:
    timeline = timeline_of(Pace(speed=2.0), [10, 30, 30, 90])
    timeline.start(START)  # the first frame is due at once: what passed before it in the recording is not waited for
    assert [timeline.advance(after(ms), 4) for ms in (0, 9.9, 10, 39, 40)] == [1, 1, 3, 3, 4]
    assert timeline.due(3) == after(40)


def test_a_fixed_rate_is_even_whatever_was_recorded() -> None:
    timeline = timeline_of(Pace(rate=1_000.0), [0, 500, 500, 9_000])
    timeline.start(START)
    assert [timeline.advance(after(ms), 4) for ms in (0, 0.9, 1, 2, 3)] == [1, 1, 2, 3, 4]


def test_the_next_turn_goes_on_at_the_same_pace() -> None:
    timeline = timeline_of(Pace(rate=1_000.0), [0, 1])
    timeline.start(START)
    assert timeline.advance(after(1), 2) == 2
    timeline.load(tape_at([2, 3]), before=2)
    assert [timeline.advance(after(ms), 2) for ms in (1.9, 2, 3)] == [0, 1, 2]


def test_time_stands_while_it_is_stopped() -> None:
    timeline = timeline_of(Pace(speed=1.0), [0, 10, 20])
    timeline.start(START)
    assert timeline.advance(after(10), 3) == 2
    timeline.stop()
    assert timeline.advance(after(5_000), 3) == 2
    timeline.start(after(5_000))  # the next frame is due when it starts again
    assert timeline.due(2) == after(5_000)
    assert timeline.advance(after(5_000), 3) == 3


def test_a_limit_holds_it_up() -> None:
    timeline = timeline_of(Pace(speed=1.0), [0, 1, 2, 3])
    timeline.start(START)
    assert timeline.advance(after(100), 2) == 2
    assert timeline.advance(after(100), 4) == 4


def test_a_flood_is_due_at_once() -> None:
    timeline = timeline_of(Pace(), [0, 1_000, 2_000])
    assert timeline.advance(START, 3) == 0
    timeline.start(START)
    assert timeline.advance(START, 3) == 3


def test_places_are_found_by_frame_and_by_time() -> None:
    timeline = timeline_of(Pace(speed=1.0), [0, 10, 20, 30, 40], account=(1, 3))
    assert [timeline.place_of_frame(number) for number in (0, 1, 2, 3, 4)] == [0, 0, 2, 4, 5]
    assert [timeline.place_at(seconds) for seconds in (0, 0.005, 0.01, 0.041)] == [0, 1, 1, 5]
    timeline.seek(3, START)
    assert (timeline.place, timeline.market_frame, timeline.seconds) == (3, 2, 0.02)


@pytest.mark.parametrize("pace", [Pace(speed=3.0), Pace(rate=123.0)], ids=["speed", "rate"])
@given(steps=st.lists(st.integers(0, 50), min_size=1, max_size=40), data=st.data())
def test_whatever_happens_a_frame_is_never_early_and_never_late_for_long(
    pace: Pace, steps: list[int], data: st.DataObject
) -> None:
    timeline = timeline_of(pace, np.cumsum(steps).tolist())
    timeline.start(START)
    now, place = 0.0, 0
    for _ in range(20):
        now += data.draw(st.floats(0, 20))
        if data.draw(st.booleans()):
            timeline.seek(data.draw(st.integers(0, len(steps))), after(now))
            place = timeline.place
        reached = timeline.advance(after(now), len(steps))
        assert reached >= place
        assert all(timeline.due(earlier) <= after(now) for earlier in range(place, reached))
        assert reached == len(steps) or timeline.due(reached) > after(now)
        place = reached
