from __future__ import annotations

import math
import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.recordings.generate.dice import Dice, exponential, logarithm, power_of


@given(st.floats(-100, 100))
def test_the_exponential_is_one(x: float) -> None:
    assert exponential(x) == pytest.approx(math.exp(x), rel=1e-13)


def test_the_exponential_has_the_same_bits_everywhere() -> None:
    assert [exponential(x).hex() for x in (0.0, 1.0, -1.0, 0.1, 10.5)] == [
        "0x1.0000000000000p+0",
        "0x1.5bf0a8b145763p+1",
        "0x1.78b56362cef2bp-2",
        "0x1.1aec7b35a00d4p+0",
        "0x1.1bb7015e84d3dp+15",
    ]


@given(st.floats(1e-9, 1e9))
def test_the_logarithm_is_one(x: float) -> None:
    assert logarithm(x) == pytest.approx(math.log(x), rel=1e-13, abs=1e-13)


def test_powers_have_the_same_bits_everywhere() -> None:
    assert [power_of(base, exponent).hex() for base, exponent in ((1, -1.2), (2, -1.0), (300, -1.2), (7, 0.5))] == [
        "0x1.0000000000000p+0",
        "0x1.0000000000000p-1",
        "0x1.174034056facap-10",
        "0x1.52a7fa9d2f8e7p+1",
    ]


def test_a_seed_gives_one_stream() -> None:
    def draws(seed: int) -> list[float]:
        dice = Dice(seed)
        return [dice.below(1000), dice.normal(), dice.spread(500, 1.0), dice.chance(500)]

    assert draws(1) == draws(1)
    assert draws(1) != draws(2)


def test_draws_have_their_distributions() -> None:
    dice = Dice(7)
    normals = [dice.normal() for _ in range(20_000)]
    assert statistics.fmean(normals) == pytest.approx(0, abs=0.03)
    assert statistics.pstdev(normals) == pytest.approx(1, abs=0.02)
    spreads = [dice.spread(1_000_000, 1.45) for _ in range(20_000)]
    assert statistics.median(spreads) == pytest.approx(1_000_000, rel=0.05)
    assert statistics.pstdev(map(math.log, spreads)) == pytest.approx(1.45, rel=0.03)
    logs = [math.log(dice.log_normal(9.0, 0.85)) for _ in range(20_000)]
    assert statistics.fmean(logs) == pytest.approx(9.0, abs=0.03)
    assert statistics.pstdev(logs) == pytest.approx(0.85, rel=0.03)
    assert sum(dice.chance(300) for _ in range(20_000)) == pytest.approx(6_000, rel=0.05)
    assert {dice.below(3) for _ in range(100)} == {0, 1, 2}
