from __future__ import annotations

import math

import numpy as np
import pytest

from harness.stats import paired
from harness.stats.power import smallest_change


def test_a_change_of_that_size_is_found_in_about_four_of_five_runs() -> None:
    random = np.random.default_rng(11)
    noise, blocks, runs = 0.05, 12, 3_000
    typical = []
    for _ in range(400):
        estimate = paired.ratio(np.exp(random.normal(0, noise, blocks)).tolist(), [1.0] * blocks)
        typical.append(smallest_change(estimate) or 0.0)
    change = float(np.median(typical))
    found = 0
    for _ in range(runs):
        logs = math.log1p(change) + random.normal(0, noise, blocks)
        found += paired.ratio(np.exp(logs).tolist(), [1.0] * blocks).low > 1
    assert 0.74 <= found / runs <= 0.86


def test_more_blocks_see_smaller_changes() -> None:
    random = np.random.default_rng(12)
    logs = random.normal(0, 0.05, 60)
    few = smallest_change(paired.ratio(np.exp(logs[:6]).tolist(), [1.0] * 6))
    many = smallest_change(paired.ratio(np.exp(logs).tolist(), [1.0] * 60))
    assert few is not None
    assert many is not None
    assert many < few / 2


def test_without_noise_any_change_is_seen() -> None:
    assert smallest_change(paired.ratio([1.0] * 4, [1.0] * 4)) == pytest.approx(0.0)


def test_one_block_cannot_say_what_it_could_see() -> None:
    assert smallest_change(paired.ratio([1.0], [1.0])) is None
