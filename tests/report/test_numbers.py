from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.report import numbers
from harness.report.context import Absent, Number
from harness.stats.estimate import Estimate


def estimate(point: float, low: float, high: float, n: int = 6) -> Estimate:
    return Estimate(point=point, low=low, high=high, level=0.95, n=n)


@pytest.mark.parametrize(
    ("given_", "text"),
    [
        (estimate(1.312, 1.268, 1.351), "1.31x [1.27, 1.35]"),
        (estimate(12.34, 11.0, 13.06), "12.3x [11.0, 13.1]"),
        (estimate(123.4, 110.2, 130.6), "123x [110, 131]"),
    ],
)
def test_a_ratio_has_sensible_digits_and_its_interval(given_: Estimate, text: str) -> None:
    assert numbers.in_line(numbers.ratio(given_)) == text


@pytest.mark.parametrize(
    ("given_", "text"),
    [
        (estimate(52_341.0, 51_880.0, 52_777.0), "52,300 [51,900, 52,800]"),
        (estimate(0.32649, 0.3211, 0.3302), "0.326 [0.321, 0.330]"),
        (estimate(6.0012, 6.0004, 6.0021), "6.001 [6.000, 6.002]"),
        (estimate(2.0, 2.0, 2.0), "2.00 [2.00, 2.00]"),
        (estimate(1e-7, 0.9e-7, 1.1e-7), "0.000000100 [0.000000090, 0.000000110]"),
    ],
)
def test_a_level_has_three_digits_or_as_many_as_its_interval_needs(given_: Estimate, text: str) -> None:
    assert numbers.in_line(numbers.level(given_)) == text


def test_an_improvement_is_written_as_what_it_takes_away() -> None:
    assert numbers.in_line(numbers.reduction(estimate(20.0, 18.0, 22.0))) == "95.0 % [94.4, 95.5]"
    assert numbers.in_line(numbers.reduction(estimate(0.8, 0.7, 0.9))) == "-25 % [-43, -11]"


@pytest.mark.parametrize("write", [numbers.ratio, numbers.reduction, numbers.level])
def test_without_an_interval_there_is_no_number(write: object) -> None:
    alone = Estimate(point=3.0, low=0.0, high=math.inf, level=0.95, n=1)
    assert callable(write)
    assert write(alone) == Absent(reason="n too small")
    assert write(None) == Absent(reason="not measured")


@given(st.floats(min_value=1e-6, max_value=1e9), st.floats(min_value=1e-4, max_value=2))
def test_the_written_interval_holds_the_written_point(point: float, width: float) -> None:
    one = numbers.level(estimate(point, point / (1 + width), point * (1 + width)))
    assert isinstance(one, Number)
    low, high = (float(part.replace(",", "")) for part in one.interval.strip("[]").split(", "))
    assert low <= float(one.text.replace(",", "")) <= high
