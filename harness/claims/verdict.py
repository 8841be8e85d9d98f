"""Verdicts: what the intervals say about a claim."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harness.claims.model import Claim
    from harness.stats.estimate import Estimate


class Status(StrEnum):
    """Not tested and inconclusive are never green."""

    SUPPORTED = "supported"
    REFUTED = "refuted"
    INCONCLUSIVE = "inconclusive"
    NOT_TESTED = "not tested"


@dataclass(frozen=True, slots=True, kw_only=True)
class CellVerdict:
    """The claim in one cell: one metric under one set of labels."""

    scenario: str
    metric: str
    labels: tuple[tuple[str, str], ...]
    """Those that both sides share."""
    status: Status
    exceeded: bool
    estimate: Estimate
    """More than 1 is better; for a level, the level."""
    before: Estimate | None
    after: Estimate | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The claim as a whole: supported in every measured cell, refuted in every one, or something between."""

    claim: Claim
    status: Status
    exceeded: bool = False
    estimate: Estimate | None = None
    """Of the main cell; more than 1 is better; for a level, the level."""
    before: Estimate | None = None
    after: Estimate | None = None
    main: CellVerdict | None = None
    cells: tuple[CellVerdict, ...] = ()
    where: str = ""
    """The cells used."""
    reason: str = ""

    @property
    def holds_in(self) -> tuple[CellVerdict, ...]:
        """The cells in which the claim is supported."""
        return tuple(cell for cell in self.cells if cell.status is Status.SUPPORTED)

    @property
    def depends(self) -> bool:
        """True when the claim is supported in some cells and refuted in others."""
        return bool(self.holds_in) and any(cell.status is Status.REFUTED for cell in self.cells)

    @property
    def word(self) -> str:
        """The verdict in words, with what the four statuses leave out."""
        if self.exceeded:
            return f"{self.status}, exceeded"
        return "inconclusive: depends" if self.depends and self.status is Status.INCONCLUSIVE else str(self.status)


def judge(estimate: Estimate, low: float, high: float | None, *, is_level: bool = False) -> tuple[Status, bool]:
    """The status of an interval against a claimed range, and whether it lies wholly above it.

    Supported: wholly inside or above; refuted: wholly below; else inconclusive. A level is refuted on either side,
    since there more is not better. A claim of more than 1 (no change) is not supported by an interval that touches 1.
    """
    if not estimate.is_known:
        return Status.INCONCLUSIVE, False
    is_above = high is not None and estimate.low > high
    if estimate.high < low or (is_level and is_above):
        return Status.REFUTED, False
    if is_level:
        is_inside = estimate.low >= low and (high is None or estimate.high <= high)
        return (Status.SUPPORTED if is_inside else Status.INCONCLUSIVE), False
    reaches = estimate.low > low if low == 1 else estimate.low >= low
    return (Status.SUPPORTED if reaches else Status.INCONCLUSIVE), reaches and is_above


def fold(cells: tuple[CellVerdict, ...]) -> Status:
    """Supported only if in every cell, refuted only if in every cell, else inconclusive; not tested without cells."""
    statuses = {cell.status for cell in cells}
    if not statuses:
        return Status.NOT_TESTED
    return statuses.pop() if len(statuses) == 1 else Status.INCONCLUSIVE
