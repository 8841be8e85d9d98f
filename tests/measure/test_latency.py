from __future__ import annotations

import numpy as np
import pytest
from hdrh.histogram import HdrHistogram
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.measure.latency import histogram, latencies

TEN_MINUTES_NS = 600_000_000_000


def test_a_latency_is_from_the_schedule_to_the_decision_by_position() -> None:
    scheduled = np.array([100, 200, 300, 400], dtype=np.int64)
    decided = np.array([150, 260, 1_300, 410], dtype=np.int64)
    assert latencies(scheduled, decided, warm_up=0).tolist() == [50, 60, 1_000, 10]
    assert latencies(scheduled, decided, warm_up=3).tolist() == [10]
    assert latencies(scheduled, decided, warm_up=4).tolist() == []


def test_logs_of_different_frames_are_refused_with_both_counts() -> None:
    with pytest.raises(ValueError, match="4 frames were sent and 3 were decided on"):
        latencies(np.zeros(4, dtype=np.int64), np.zeros(3, dtype=np.int64), warm_up=0)


def test_a_decision_before_its_schedule_stays_negative_for_all_to_see() -> None:
    assert latencies(np.array([100]), np.array([90]), warm_up=0).tolist() == [-10]


@given(values=st.lists(st.integers(1, TEN_MINUTES_NS), min_size=1, max_size=50))
@settings(max_examples=25, deadline=None)
def test_a_histogram_read_back_holds_every_value_to_three_digits(values: list[int]) -> None:
    read = HdrHistogram.decode(histogram(np.array(values, dtype=np.int64)))
    assert read.get_total_count() == len(values)
    assert read.get_max_value() == pytest.approx(max(values), rel=1e-3)
    assert read.get_min_value() == pytest.approx(min(values), rel=1e-3)
    recorded = [
        item.value_iterated_to
        for item in read.get_recorded_iterator()
        for _ in range(item.count_added_in_this_iter_step)
    ]
    assert recorded == pytest.approx(sorted(values), rel=1e-3)


def test_what_lies_outside_the_range_counts_at_its_edge() -> None:
    read = HdrHistogram.decode(histogram(np.array([-5, 0, 1, TEN_MINUTES_NS + 1, 2 * TEN_MINUTES_NS], dtype=np.int64)))
    assert read.get_total_count() == 5
    assert read.get_count_at_value(1) == 3
    assert read.get_max_value() == pytest.approx(TEN_MINUTES_NS, rel=1e-3)


def test_a_histogram_of_nothing_is_empty_and_all_equal_values_are_one() -> None:
    assert HdrHistogram.decode(histogram(np.array([], dtype=np.int64))).get_total_count() == 0
    equal = HdrHistogram.decode(histogram(np.full(1_000, 77, dtype=np.int64)))
    assert (equal.get_total_count(), equal.get_min_value(), equal.get_max_value()) == (1_000, 77, 77)


def test_equal_values_make_equal_text() -> None:
    values = np.array([5, 1_000, 250_000], dtype=np.int64)
    assert histogram(values) == histogram(values[::-1].copy())
    assert histogram(values).isascii()
