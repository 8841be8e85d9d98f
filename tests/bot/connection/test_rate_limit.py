from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.bot.connection.rate_limit import RateLimit
from harness.clock import ManualClock
from harness.units import Nanoseconds, seconds


def test_so_many_turns_are_free_and_the_next_waits_for_the_first_to_be_old() -> None:
    clock = ManualClock()
    limit = RateLimit(3, 10.0, clock)
    assert [limit.take() for _ in range(2)] == [0.0, 0.0]
    clock.advance(seconds(4.0))
    assert [limit.take() for _ in range(4)] == [0.0, 6.0, 6.0, 10.0]


def test_old_turns_are_forgotten() -> None:
    clock = ManualClock()
    limit = RateLimit(1, 10.0, clock)
    for _ in range(5):
        assert limit.take() == 0.0
        clock.advance(seconds(10.0))


@given(st.integers(1, 5), st.lists(st.integers(0, 5 * 10**9)))
def test_no_span_ever_holds_more(most: int, pauses: list[int]) -> None:
    clock = ManualClock()
    limit = RateLimit(most, 2.0, clock)
    turns = []
    for pause in pauses:
        clock.advance(Nanoseconds(pause))
        turns.append(clock.now() + seconds(limit.take()))
    assert all(later >= earlier for earlier, later in pairwise(turns))
    # Seconds as floats are exact to a nanosecond here, or one off.
    assert all(later - earlier >= seconds(2.0) - 1 for earlier, later in zip(turns, turns[most:], strict=False))


def test_a_limit_of_none_is_refused() -> None:
    with pytest.raises(ValueError, match="lets nothing happen"):
        RateLimit(0, 1.0, ManualClock())
