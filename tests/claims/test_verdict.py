from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.claims.verdict import CellVerdict, Status, fold, judge
from harness.stats.estimate import Estimate

FINITE = st.floats(min_value=0.01, max_value=100)


def estimate(low: float, high: float, n: int = 6) -> Estimate:
    return Estimate(point=(low + high) / 2, low=low, high=high, level=0.95, n=n)


def cell(status: Status) -> CellVerdict:
    return CellVerdict(
        scenario="s",
        metric="m",
        labels=(),
        status=status,
        exceeded=False,
        estimate=estimate(1, 2),
        before=None,
        after=None,
    )


@pytest.mark.parametrize(
    ("low", "high", "status", "exceeded"),
    [
        (2.0, 4.0, Status.SUPPORTED, False),
        (2.5, 3.0, Status.SUPPORTED, False),
        (2.0, 9.0, Status.SUPPORTED, False),
        (3.9, 4.5, Status.SUPPORTED, False),
        (4.0, 5.0, Status.SUPPORTED, False),
        (4.01, 5.0, Status.SUPPORTED, True),
        (1.99, 4.0, Status.INCONCLUSIVE, False),
        (1.0, 9.0, Status.INCONCLUSIVE, False),
        (1.5, 2.0, Status.INCONCLUSIVE, False),
        (1.5, 1.999, Status.REFUTED, False),
        (0.1, 0.2, Status.REFUTED, False),
    ],
)
def test_a_claim_of_two_to_four_times_at_its_edges(low: float, high: float, status: Status, exceeded: bool) -> None:  # noqa: FBT001 - a table
    assert judge(estimate(low, high), 2.0, 4.0) == (status, exceeded)


def test_a_claim_without_an_upper_end_cannot_be_exceeded() -> None:
    assert judge(estimate(50, 60), 2.0, None) == (Status.SUPPORTED, False)


@pytest.mark.parametrize(
    ("low", "status"),
    [(1.0, Status.INCONCLUSIVE), (1.0001, Status.SUPPORTED), (0.99, Status.INCONCLUSIVE)],
)
def test_a_claim_of_any_gain_is_not_supported_by_an_interval_that_touches_no_change(low: float, status: Status) -> None:
    assert judge(estimate(low, 1.2), 1.0, None)[0] is status


@pytest.mark.parametrize(
    ("low", "high", "status"),
    [
        (30.0, 60.0, Status.SUPPORTED),
        (29.9, 31.0, Status.INCONCLUSIVE),
        (59.0, 60.1, Status.INCONCLUSIVE),
        (60.1, 61.0, Status.REFUTED),
        (0.2, 0.3, Status.REFUTED),
        (10.0, 90.0, Status.INCONCLUSIVE),
    ],
)
def test_a_level_is_refuted_on_either_side(low: float, high: float, status: Status) -> None:
    assert judge(estimate(low, high), 30.0, 60.0, is_level=True) == (status, False)


def test_one_block_is_inconclusive_whatever_it_shows() -> None:
    alone = Estimate(point=3.0, low=0.0, high=math.inf, level=0.95, n=1)
    assert judge(alone, 2.0, 4.0) == (Status.INCONCLUSIVE, False)


@given(FINITE, FINITE, FINITE)
def test_no_interval_is_both_refuted_and_able_to_reach_the_claim(one: float, other: float, claimed: float) -> None:
    low, high = sorted((one, other))
    status, _ = judge(estimate(low, high), claimed, None)
    assert (status is Status.REFUTED) == (high < claimed)


@pytest.mark.parametrize(
    ("statuses", "expected"),
    [
        ([], Status.NOT_TESTED),
        ([Status.SUPPORTED], Status.SUPPORTED),
        ([Status.SUPPORTED, Status.SUPPORTED], Status.SUPPORTED),
        ([Status.REFUTED, Status.REFUTED], Status.REFUTED),
        ([Status.SUPPORTED, Status.REFUTED], Status.INCONCLUSIVE),
        ([Status.SUPPORTED, Status.INCONCLUSIVE], Status.INCONCLUSIVE),
        ([Status.REFUTED, Status.INCONCLUSIVE], Status.INCONCLUSIVE),
    ],
)
def test_a_claim_is_supported_or_refuted_only_if_it_is_so_in_every_cell(
    statuses: list[Status], expected: Status
) -> None:
    assert fold(tuple(cell(status) for status in statuses)) is expected
