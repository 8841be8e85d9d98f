from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from harness.stats import paired

LEVELS = st.lists(st.floats(min_value=1e-3, max_value=1e6), min_size=2, max_size=20)


def test_the_interval_covers_the_true_ratio_as_often_as_it_says() -> None:
    random = np.random.default_rng(20)
    runs, covered = 4_000, 0
    for _ in range(runs):
        block = random.normal(0, 0.3, 6)  # what both arms of a block share cancels out
        arm = np.exp(block + math.log(1.3) + random.normal(0, 0.03, 6))
        reference = np.exp(block + random.normal(0, 0.03, 6))
        found = paired.ratio(arm.tolist(), reference.tolist())
        covered += found.low <= 1.3 <= found.high
    assert 0.94 <= covered / runs <= 0.96


def test_two_equal_arms_are_called_different_no_more_often_than_the_level_allows() -> None:
    random = np.random.default_rng(21)
    runs, alarms = 4_000, 0
    for _ in range(runs):
        found = paired.ratio(np.exp(random.normal(0, 0.1, 9)).tolist(), np.exp(random.normal(0, 0.1, 9)).tolist())
        alarms += not found.low <= 1 <= found.high
    assert alarms / runs <= 0.06


def test_the_interval_is_that_of_a_one_sample_t_test_on_the_logs() -> None:
    arm, reference = [1.2, 1.4, 1.35, 1.3], [1.0, 1.1, 1.05, 0.98]
    found = paired.ratio(arm, reference)
    expected = stats.ttest_rel(np.log(arm), np.log(reference)).confidence_interval(0.95)
    assert math.log(found.low) == pytest.approx(expected.low)
    assert math.log(found.high) == pytest.approx(expected.high)


@given(LEVELS, st.floats(min_value=0.1, max_value=10))
def test_a_constant_factor_is_found_exactly_whatever_the_blocks_do(levels: list[float], factor: float) -> None:
    found = paired.ratio([level * factor for level in levels], levels)
    assert found.point == pytest.approx(factor)
    assert found.low == pytest.approx(factor)
    assert found.high == pytest.approx(factor)


@given(LEVELS, LEVELS)
def test_turning_the_ratio_round_turns_the_interval_round(one: list[float], other: list[float]) -> None:
    n = min(len(one), len(other))
    there, back = paired.ratio(one[:n], other[:n]), paired.ratio(other[:n], one[:n])
    assert there.point == pytest.approx(1 / back.point)
    assert there.low == pytest.approx(1 / back.high)


def test_equal_values_in_every_block_give_an_interval_of_no_width() -> None:
    found = paired.ratio([2.0] * 6, [1.0] * 6)
    assert (found.point, found.low, found.high) == (2.0, 2.0, 2.0)


def test_one_block_has_a_point_and_no_interval() -> None:
    found = paired.ratio([2.0], [1.0])
    assert not found.is_known
    assert (found.low, found.high) == (0.0, math.inf)


@pytest.mark.parametrize("arm", [[], [0.0, 1.0], [-1.0, 1.0], [math.nan, 1.0], [math.inf, 1.0]])
def test_values_that_have_no_logarithm_are_refused(arm: list[float]) -> None:
    with pytest.raises(ValueError, match=r"block|positive"):
        paired.ratio(arm, [1.0] * len(arm))


def test_unequal_numbers_of_blocks_are_refused() -> None:
    with pytest.raises(ValueError, match="3 blocks of the arm against 2"):
        paired.ratio([1.0, 1.0, 1.0], [1.0, 1.0])


def test_a_level_is_the_geometric_mean() -> None:
    assert paired.level_of([1.0, 100.0]).point == pytest.approx(10.0)


def test_the_bootstrap_repeats_itself_and_agrees_with_the_t_interval() -> None:
    random = np.random.default_rng(5)
    reference = [np.exp(random.normal(0, 0.02, 8)).tolist() for _ in range(24)]
    arm = [(1.5 * np.exp(random.normal(0, 0.02, 8) + random.normal(0, 0.02))).tolist() for _ in range(24)]
    first = paired.bootstrap_ratio(arm, reference, seed=3, resamples=500)
    assert first == paired.bootstrap_ratio(arm, reference, seed=3, resamples=500)
    exact = paired.ratio([float(np.median(block)) for block in arm], [float(np.median(block)) for block in reference])
    assert first.point == pytest.approx(exact.point)
    assert first.low == pytest.approx(exact.low, rel=0.01)
    assert first.high == pytest.approx(exact.high, rel=0.01)


def test_the_t_quantile_is_that_of_scipy_stats() -> None:
    for freedom in (1, 5, 59):
        assert paired.quantile_of_t(0.975, freedom) == pytest.approx(float(stats.t.ppf(0.975, freedom)))
