from __future__ import annotations

import pytest

from harness.backends.latency import BOUNDS_S, BUCKETS, LatencyTally


def tally_of(*elapsed_ns: int) -> LatencyTally:
    tally = LatencyTally()
    for value in elapsed_ns:
        tally.record(value)
    return tally


def test_nothing_recorded_is_all_zero() -> None:
    tally = LatencyTally()
    assert (tally.mean_ms, tally.max_ms, tally.at_most_ns(0.5), tally.at_most_ns(1.0)) == (0.0, 0.0, 0, 0)


def test_mean_and_largest_are_in_milliseconds() -> None:
    tally = tally_of(1_000_000, 3_000_000)
    assert (tally.count, tally.mean_ms, tally.max_ms) == (2, 2.0, 3.0)


def test_a_bucket_holds_what_is_below_its_bound() -> None:
    tally = tally_of(0, 1, 2, 3, 4, 1 << 20, (1 << 20) - 1)
    assert [(number, count) for number, count in enumerate(tally.buckets) if count] == [
        (0, 1),
        (1, 1),
        (2, 2),
        (3, 1),
        (20, 1),
        (21, 1),
    ]
    assert len(BOUNDS_S) == BUCKETS - 1
    assert BOUNDS_S[20] == pytest.approx(0.001048576)


def test_whatever_is_too_long_is_in_the_last_bucket_and_memory_does_not_grow() -> None:
    tally = tally_of(1 << 34, 1 << 60)
    assert tally.buckets[-1] == 2
    assert len(tally.buckets) == BUCKETS
    assert tally.at_most_ns(0.5) == 1 << 60


def test_a_clock_that_goes_backwards_counts_as_no_time() -> None:
    tally = tally_of(-5)
    assert (tally.count, tally.total_ns, tally.buckets[0]) == (1, 0, 1)


def test_a_share_is_told_to_the_next_power_of_two_but_never_beyond_the_largest() -> None:
    tally = tally_of(*range(1, 101))
    assert tally.at_most_ns(0.5) == 64
    assert tally.at_most_ns(1.0) == 100
    assert tally.at_most_ns(0.0) == 2


def test_all_equal_values_have_that_value_for_every_share() -> None:
    tally = tally_of(*[1_000] * 9)
    assert {tally.at_most_ns(share) for share in (0.0, 0.5, 0.99, 1.0)} == {1_000}


@pytest.mark.parametrize("share", [-0.1, 1.1])
def test_what_is_no_share_is_refused(share: float) -> None:
    with pytest.raises(ValueError, match="from 0 to 1"):
        LatencyTally().at_most_ns(share)
