from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from harness.stats import unpaired


def test_the_change_is_welchs_on_the_logs() -> None:
    head, base = [1.31, 1.29, 1.36, 1.30, 1.33], [1.2, 1.25, 1.15, 1.22]
    found = unpaired.change(head, base)
    expected = stats.ttest_ind(np.log(head), np.log(base), equal_var=False)
    interval = expected.confidence_interval(0.95)
    assert found.p_value == pytest.approx(expected.pvalue)
    assert np.log(found.ratio.low) == pytest.approx(interval.low)
    assert np.log(found.ratio.high) == pytest.approx(interval.high)
    assert found.ratio.n == 4


def test_the_interval_covers_the_true_change_as_often_as_it_says() -> None:
    random = np.random.default_rng(8)
    runs, covered = 3_000, 0
    for _ in range(runs):
        head = 0.9 * np.exp(random.normal(0, 0.05, 6))
        base = np.exp(random.normal(0, 0.02, 9))
        found = unpaired.change(head.tolist(), base.tolist()).ratio
        covered += found.low <= 0.9 <= found.high
    assert 0.935 <= covered / runs <= 0.965


def test_equal_values_on_both_sides_are_no_change_and_no_surprise() -> None:
    found = unpaired.change([2.0, 2.0, 2.0], [2.0, 2.0])
    assert (found.ratio.low, found.ratio.point, found.ratio.high) == (1.0, 1.0, 1.0)
    assert found.p_value == 1.0


def test_different_constants_are_a_certain_change() -> None:
    found = unpaired.change([2.0, 2.0], [1.0, 1.0])
    assert found.ratio.point == pytest.approx(2.0)
    assert found.p_value == 0.0


def test_one_value_on_a_side_gives_no_interval() -> None:
    found = unpaired.change([1.0], [1.0, 1.1])
    assert not found.ratio.is_known
    assert found.p_value == 1.0


@pytest.mark.parametrize("side", [[], [0.0, 1.0], [float("nan"), 1.0]])
def test_a_side_without_logarithms_is_refused(side: list[float]) -> None:
    with pytest.raises(ValueError, match="positive, finite"):
        unpaired.change(side, [1.0, 2.0])


def test_holm_multiplies_the_smallest_by_the_number_and_never_falls() -> None:
    assert unpaired.holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert unpaired.holm([]) == []


@given(st.lists(st.floats(min_value=0, max_value=1), min_size=1, max_size=12))
def test_holm_only_ever_raises_and_keeps_the_order(p_values: list[float]) -> None:
    adjusted = unpaired.holm(p_values)
    assert all(after >= before or after == 1.0 for after, before in zip(adjusted, p_values, strict=True))
    ranked = [adjusted[index] for index in sorted(range(len(p_values)), key=lambda index: p_values[index])]
    assert ranked == sorted(ranked)
