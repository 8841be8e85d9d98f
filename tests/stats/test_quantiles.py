from __future__ import annotations

import numpy as np
import pytest

from harness.stats.quantiles import quantile, samples_wanted


@pytest.mark.parametrize(("q", "wanted"), [(0.5, 200), (0.9, 1_000), (0.99, 10_000), (0.999, 100_000)])
def test_a_quantile_wants_a_hundred_values_beyond_it(q: float, wanted: int) -> None:
    assert samples_wanted(q) == wanted


def test_too_few_values_have_no_quantile_and_just_enough_have_one() -> None:
    assert quantile(np.arange(9_999), 0.99) is None
    assert quantile(np.arange(10_000), 0.99) == pytest.approx(9_899.01)


def test_equal_values_have_that_value_at_every_quantile() -> None:
    assert quantile(np.full(1_000, 7), 0.9) == 7.0
