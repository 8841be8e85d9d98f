"""Do all stacks decide the same? The digests of a scenario's trials against the reference's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harness.results.model import Result, Scenario, Trial

#: `Trial.digest_trail` holds the digest after every so many frames.
TRAIL_STEP_FRAMES = 1_000

#: Fewer decisions prove nothing (DESIGN.md).
FEWEST_DECISIONS = 20

NO_DIGEST = "none"

Cell = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """Where a trial leaves the reference's way; frames are counted from 1, None where no trail was kept."""

    arm: str
    block: int
    first_frame: int | None
    last_frame: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Equality:
    """What the good trials of one scenario (and one cell of its grid) decided."""

    scenario: str
    cell: Cell
    reference: str
    digests: dict[str, tuple[str, ...]]
    """By arm, in the planned order: the different digests seen, in the order of the trials; one where all is well."""
    decisions: dict[str, int]
    """By arm, of its first good trial."""
    trials: dict[str, int]
    """By arm, how many good trials were compared."""
    first_difference: Difference | None
    different: tuple[str, ...]
    """Arms of which at least one trial did not decide as the reference."""
    missing: tuple[str, ...]
    """Arms that were planned and have no good trial: nothing is proven of them."""

    @property
    def stacks_equal(self) -> bool:
        """True when every good trial decided as the reference, and there was enough to decide."""
        return not self.different and self.has_enough_decisions

    @property
    def has_enough_decisions(self) -> bool:
        """False when a trial made so few decisions that equal digests prove nothing."""
        return all(count >= FEWEST_DECISIONS for count in self.decisions.values())


def equalities(result: Result) -> list[Equality]:
    """One for every scenario and cell in which a good trial left a digest, in the order of the result."""
    return [
        _compare(scenario, cell, trials)
        for scenario in result.scenarios
        for cell, trials in _by_cell(result, scenario.name).items()
        if any(trial.digest for trial in trials)
    ]


def _by_cell(result: Result, scenario: str) -> dict[Cell, list[Trial]]:
    cells: dict[Cell, list[Trial]] = {}
    for trial in result.trials:
        if trial.scenario == scenario and trial.status == "ok":
            cells.setdefault(tuple(sorted(trial.cell.items())), []).append(trial)
    return cells


def _compare(scenario: Scenario, cell: Cell, trials: list[Trial]) -> Equality:
    reference = _reference_of(scenario, trials)
    measure = next((trial for trial in trials if trial.arm == reference and trial.digest), trials[0])
    others = [trial for trial in trials if trial.digest != measure.digest]
    digests: dict[str, tuple[str, ...]] = {}
    decisions: dict[str, int] = {}
    counts: dict[str, int] = {}
    planned = [arm.name for arm in scenario.arms]
    for trial in sorted(trials, key=lambda trial: planned.index(trial.arm) if trial.arm in planned else len(planned)):
        seen = digests.get(trial.arm, ())
        digest = trial.digest or NO_DIGEST
        digests[trial.arm] = seen if digest in seen else (*seen, digest)
        decisions.setdefault(trial.arm, trial.decisions)
        counts[trial.arm] = counts.get(trial.arm, 0) + 1
    return Equality(
        scenario=scenario.name,
        cell=cell,
        reference=reference,
        digests=digests,
        decisions=decisions,
        trials=counts,
        first_difference=_difference(measure, others[0]) if others else None,
        different=tuple(dict.fromkeys(trial.arm for trial in others)),
        missing=tuple(arm.name for arm in scenario.arms if arm.name not in digests),
    )


def _reference_of(scenario: Scenario, trials: list[Trial]) -> str:
    """The reference if it left a digest, else the first arm that did: the rest are then compared with each other."""
    named = [arm.name for arm in scenario.arms if arm.role == "reference"]
    with_digest = [trial.arm for trial in trials if trial.digest]
    return next((arm for arm in with_digest if arm in named), with_digest[0])


def _difference(reference: Trial, other: Trial) -> Difference:
    first, last = _where_trails_part(reference, other)
    return Difference(arm=other.arm, block=other.block, first_frame=first, last_frame=last)


def _where_trails_part(reference: Trial, other: Trial) -> tuple[int | None, int | None]:
    if not reference.digest_trail or not other.digest_trail:
        return None, None
    pairs = list(zip(reference.digest_trail, other.digest_trail, strict=False))
    for index, (expected, found) in enumerate(pairs):
        if expected != found:
            return index * TRAIL_STEP_FRAMES + 1, (index + 1) * TRAIL_STEP_FRAMES
    return len(pairs) * TRAIL_STEP_FRAMES + 1, max(reference.frames, other.frames) or None
