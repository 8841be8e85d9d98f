from __future__ import annotations

from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.stats.estimate import Estimate
from harness.stats.outcome import Outcome, outcome


def estimate(low: float, high: float, n: int = 6) -> Estimate:
    return Estimate(point=(low + high) / 2, low=low, high=high, level=0.95, n=n)


@pytest.mark.parametrize(
    ("low", "high", "better", "expected"),
    [
        (1.05, 1.10, "higher", Outcome.IMPROVED),
        (1.05, 1.10, "lower", Outcome.REGRESSED),
        (0.90, 0.95, "higher", Outcome.REGRESSED),
        (0.90, 0.95, "lower", Outcome.IMPROVED),
        (0.98, 1.02, "higher", Outcome.EQUIVALENT),
        (0.97, 1.03, "higher", Outcome.EQUIVALENT),
        (1.01, 1.02, "higher", Outcome.EQUIVALENT),
        (1.01, 1.04, "higher", Outcome.IMPROVED),
        (0.90, 1.10, "higher", Outcome.INCONCLUSIVE),
        (1.00, 1.10, "higher", Outcome.INCONCLUSIVE),
        (0.90, 1.00, "lower", Outcome.INCONCLUSIVE),
    ],
)
def test_each_interval_has_one_outcome(
    low: float, high: float, better: Literal["higher", "lower"], expected: Outcome
) -> None:
    assert outcome(estimate(low, high), better=better, margin=0.03) is expected


def test_one_block_is_inconclusive_however_good_it_looks() -> None:
    assert outcome(estimate(1.5, 1.6, n=1), better="higher", margin=0.03) is Outcome.INCONCLUSIVE


@given(st.floats(min_value=0.1, max_value=10), st.floats(min_value=1, max_value=3))
def test_an_interval_that_holds_one_and_leaves_the_margin_is_never_a_change(low: float, wider: float) -> None:
    high = low * wider
    if low <= 1 <= high:
        found = outcome(estimate(low, high), better="higher", margin=0.0)
        assert found in {Outcome.INCONCLUSIVE, Outcome.EQUIVALENT}
