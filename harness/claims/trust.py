"""May this run be believed? What it says of itself (MEASURING.md, rules 8 and 9)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.claims.compare import improvement
from harness.results.equality import Equality, equalities
from harness.results.metrics import METRICS
from harness.results.table import Cell, Table

if TYPE_CHECKING:
    from harness.results.model import Arm, Result
    from harness.stats.estimate import Estimate

SELF_CHECK_LEVEL = 0.99


@dataclass(frozen=True, slots=True, kw_only=True)
class SelfCheck:
    """The reference against itself, in the same blocks as all other arms."""

    cell: Cell
    ratio: Estimate

    @property
    def holds(self) -> bool:
        """True when the interval is known and contains 1."""
        return self.ratio.is_known and self.ratio.low <= 1 <= self.ratio.high


@dataclass(frozen=True, slots=True, kw_only=True)
class Trust:
    """What a reader must know before any number."""

    is_measurement: bool
    is_complete: bool
    broken_by: str | None
    failed_trials: int
    equalities: tuple[Equality, ...]
    self_checks: tuple[SelfCheck, ...]

    @property
    def unequal(self) -> tuple[Equality, ...]:
        """Scenarios in which some stack decided otherwise than the reference."""
        return tuple(equality for equality in self.equalities if equality.different)

    @property
    def too_few(self) -> tuple[Equality, ...]:
        """Scenarios with so few decisions that equality proves nothing."""
        return tuple(equality for equality in self.equalities if not equality.has_enough_decisions)

    @property
    def failed_checks(self) -> tuple[SelfCheck, ...]:
        """Comparisons of the reference with itself that found a difference."""
        return tuple(check for check in self.self_checks if check.ratio.is_known and not check.holds)

    @property
    def was_checked(self) -> bool:
        """True when the reference ran against itself in enough blocks to say anything."""
        return any(check.ratio.is_known for check in self.self_checks)

    @property
    def allows_verdicts(self) -> bool:
        """False for a smoke run, and for one that found a difference between the reference and itself."""
        return self.is_measurement and not self.failed_checks


def trust_of(result: Result, table: Table | None = None) -> Trust:
    """All that the result says about itself."""
    return Trust(
        is_measurement=result.is_measurement,
        is_complete=result.run.complete,
        broken_by=result.run.broken_by,
        failed_trials=sum(trial.status == "failed" for trial in result.trials),
        equalities=tuple(equalities(result)),
        self_checks=tuple(_self_checks(result, table or Table(result))),
    )


def unequal_stacks(result: Result, trust: Trust) -> frozenset[str]:
    """Stacks that decided otherwise anywhere: no speed of theirs counts (rule 9)."""
    stacks = {(scenario.name, arm.name): arm.stack for scenario in result.scenarios for arm in scenario.arms}
    return frozenset(
        stacks.get((equality.scenario, arm), arm) for equality in trust.unequal for arm in equality.different
    )


def _self_checks(result: Result, table: Table) -> list[SelfCheck]:
    checks = []
    for scenario in result.scenarios:
        twin, reference = _arm(scenario.arms, "a/a"), _arm(scenario.arms, "reference")
        for cell in table.cells(scenario.name) if twin and reference else []:
            if cell.metric not in METRICS:
                continue
            ratio = improvement(table, (cell, twin), (cell, reference), level=SELF_CHECK_LEVEL)
            if ratio is not None:
                checks.append(SelfCheck(cell=cell, ratio=ratio))
    return checks


def _arm(arms: list[Arm], role: str) -> str:
    return next((arm.name for arm in arms if arm.role == role), "")
