"""The four outcomes of a comparison against a margin (MEASURING.md, rule 5)."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from harness.stats.estimate import Estimate


class Outcome(StrEnum):
    """What an interval says; inconclusive is never green."""

    IMPROVED = "improved"
    EQUIVALENT = "equivalent"
    REGRESSED = "regressed"
    INCONCLUSIVE = "inconclusive"


def outcome(ratio: Estimate, *, better: Literal["higher", "lower"], margin: float) -> Outcome:
    """Judge arm / reference: wholly inside 1 ± margin is equivalent, else wholly to one side of 1 is a change.

    An interval that is unknown, or that holds 1 and leaves the margin, is inconclusive.
    """
    if not ratio.is_known:
        return Outcome.INCONCLUSIVE
    if 1 - margin <= ratio.low and ratio.high <= 1 + margin:
        return Outcome.EQUIVALENT
    if ratio.low > 1:
        return Outcome.IMPROVED if better == "higher" else Outcome.REGRESSED
    if ratio.high < 1:
        return Outcome.REGRESSED if better == "higher" else Outcome.IMPROVED
    return Outcome.INCONCLUSIVE
