"""Claims against a result: each measured cell judged by its interval, then the claim as a whole."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.claims.compare import improvement, level
from harness.claims.conditions import describe, in_words
from harness.claims.corners import main_corner
from harness.claims.trust import Trust, trust_of, unequal_stacks
from harness.claims.verdict import CellVerdict, Status, Verdict, fold, judge
from harness.results.metrics import METRICS
from harness.results.table import Cell, Table

if TYPE_CHECKING:
    from harness.claims.model import Catalogue, Claim, Measure
    from harness.results.model import Result
    from harness.stats.estimate import Estimate


class Judge:
    """Evaluates claims on one result."""

    def __init__(self, result: Result, table: Table | None = None, trust: Trust | None = None) -> None:
        self.table = table or Table(result)
        self.trust = trust or trust_of(result, self.table)
        self.unequal = unequal_stacks(result, self.trust)
        self._arms = {(scenario.name, arm.name): arm.stack for scenario in result.scenarios for arm in scenario.arms}
        self._scenarios = {scenario.name for scenario in result.scenarios}

    def all(self, catalogue: Catalogue) -> list[Verdict]:
        """A verdict on every claim, in the order of the file."""
        return [self.one(claim) for claim in catalogue.claims]

    def one(self, claim: Claim) -> Verdict:
        """The verdict on a claim; never raises for what was not measured: that is "not tested", with the reason."""
        if not self.trust.is_measurement:
            return Verdict(claim=claim, status=Status.NOT_TESTED, reason="a smoke run measures nothing")
        if claim.kind == "equality":
            return self._equality(claim)
        if not claim.measures:
            return Verdict(claim=claim, status=Status.NOT_TESTED, reason=f"would need {claim.needs}")
        differing = self._differing(claim)
        if differing:
            return Verdict(
                claim=claim, status=Status.NOT_TESTED, reason=f"{differing} decides otherwise: no speed counts"
            )
        return self._conclude(claim, tuple(cell for measure in claim.measures for cell in self._cells(claim, measure)))

    def _conclude(self, claim: Claim, cells: tuple[CellVerdict, ...]) -> Verdict:
        if not cells:
            return Verdict(claim=claim, status=Status.NOT_TESTED, reason=self._why_no_cell(claim))
        main = _main_of(claim, cells)
        status = fold(cells)
        reason = _reason(cells)
        if not self.trust.allows_verdicts and status is not Status.NOT_TESTED:
            status, reason = Status.INCONCLUSIVE, "the run found a difference between the reference and itself"
        return Verdict(
            claim=claim,
            status=status,
            exceeded=status is Status.SUPPORTED and all(cell.exceeded for cell in cells),
            estimate=main.estimate,
            before=main.before,
            after=main.after,
            main=main,
            cells=cells,
            where=_where(main, cells),
            reason=reason,
        )

    def _cells(self, claim: Claim, measure: Measure) -> list[CellVerdict]:
        return [
            self._judge(claim, measure, cell, partner)
            for cell in self.table.cells(measure.scenario, measure.metric)
            if _fits(cell, measure) and measure.arm in self.table.arms(cell)
            for partner in [_partner(cell, measure)]
            if not measure.reference or measure.reference in self.table.arms(partner)
            if self._estimate(measure, cell, partner) is not None
        ]

    def _estimate(self, measure: Measure, cell: Cell, partner: Cell) -> Estimate | None:
        if not measure.reference:
            return level(self.table, cell, measure.arm)
        return improvement(self.table, (cell, measure.arm), (partner, measure.reference))

    def _judge(self, claim: Claim, measure: Measure, cell: Cell, partner: Cell) -> CellVerdict:
        estimate = self._estimate(measure, cell, partner)
        assert estimate is not None  # noqa: S101 - the caller has asked already
        low, high = as_ratios(claim)
        status, exceeded = judge(estimate, low, high, is_level=claim.kind == "level")
        return CellVerdict(
            scenario=cell.scenario,
            metric=cell.metric,
            labels=tuple(pair for pair in cell.labels if pair[0] not in measure.arm_labels or not measure.reference),
            status=status,
            exceeded=exceeded,
            estimate=estimate,
            before=level(self.table, partner, measure.reference) if measure.reference else None,
            after=level(self.table, cell, measure.arm),
        )

    def _differing(self, claim: Claim) -> str:
        named = [(measure.scenario, arm) for measure in claim.measures for arm in (measure.arm, measure.reference)]
        stacks = dict.fromkeys(self._arms.get(place, place[1]) for place in named)
        return ", ".join(stack for stack in stacks if stack in self.unequal)

    def _why_no_cell(self, claim: Claim) -> str:
        wanted = dict.fromkeys(measure.scenario for measure in claim.measures)
        absent = [name for name in wanted if name not in self._scenarios]
        if absent:
            return f"scenario {', '.join(absent)} is not in this run"
        return f"no good trials of both arms in {', '.join(wanted)}"

    def _equality(self, claim: Claim) -> Verdict:
        compared = self.trust.equalities
        where = ", ".join(dict.fromkeys(equality.scenario for equality in compared))
        if not compared:
            return Verdict(claim=claim, status=Status.NOT_TESTED, reason="no trial left a decision digest")
        if self.trust.unequal:
            arms = dict.fromkeys(arm for equality in self.trust.unequal for arm in equality.different)
            reason = f"{', '.join(arms)} decided otherwise than the reference"
            return Verdict(claim=claim, status=Status.REFUTED, where=where, reason=reason)
        missing = dict.fromkeys(arm for equality in compared for arm in equality.missing)
        if missing or self.trust.too_few:
            reason = f"no good trial of {', '.join(missing)}" if missing else "too few decisions to prove anything"
            return Verdict(claim=claim, status=Status.INCONCLUSIVE, where=where, reason=reason)
        trials = sum(sum(equality.trials.values()) for equality in compared)
        reason = f"{trials} trials of {max(len(e.digests) for e in compared)} arms left equal decision digests"
        return Verdict(claim=claim, status=Status.SUPPORTED, where=where, reason=reason)


def as_ratios(claim: Claim) -> tuple[float, float | None]:
    """The claimed range on the scale of the estimates: 95-97 % less is 20-33.3 times; a level stays as it is."""
    if claim.expected is None:
        raise ValueError(f"claim {claim.id} states no range")
    low, high = claim.expected.low, claim.expected.high
    if claim.kind != "reduction":
        return low, high
    return 1 / (1 - low), None if high is None else 1 / (1 - high)


def _fits(cell: Cell, measure: Measure) -> bool:
    labels = dict(cell.labels)
    wanted = {**measure.labels, **measure.arm_labels}
    return all(labels.get(key) == value for key, value in wanted.items()) and not any(
        labels.get(key) == value for key, value in measure.excluding.items()
    )


def _partner(cell: Cell, measure: Measure) -> Cell:
    shared = {key: value for key, value in cell.labels if key not in measure.arm_labels}
    return Cell.of(cell.scenario, cell.metric, {**shared, **measure.reference_labels})


def _main_of(claim: Claim, cells: tuple[CellVerdict, ...]) -> CellVerdict:
    """The cell the claim names, else the one nearest the main corner of the grid, else the first."""
    named = [cell for cell in cells if claim.main.items() <= dict(cell.labels).items()] or list(cells)
    nearest = main_corner(dict(cell.labels) for cell in named)
    return next((cell for cell in named if dict(cell.labels) == nearest), named[0])


def _where(main: CellVerdict, cells: tuple[CellVerdict, ...]) -> str:
    scenarios = ", ".join(dict.fromkeys(cell.scenario for cell in cells))
    if len(cells) == 1:
        return scenarios if not main.labels else f"{scenarios}: {in_words(main.labels)}"
    several = len({(cell.scenario, cell.metric) for cell in cells}) > 1
    told = [METRICS[main.metric].title.lower()] if several else []
    told += [in_words(main.labels)] if main.labels else []
    return f"{scenarios}: {len(cells)} cells; shown is {', '.join(told)}"


def _reason(cells: tuple[CellVerdict, ...]) -> str:
    if any(not cell.estimate.is_known for cell in cells):
        return "n too small: an interval wants at least two blocks"
    holds = [cell for cell in cells if cell.status is Status.SUPPORTED]
    if len(cells) == 1:
        return ""
    if not holds:
        refuted = sum(cell.status is Status.REFUTED for cell in cells)
        return f"refuted in {refuted} of {len(cells)} measured cells, supported in none"
    if len(holds) == len(cells):
        return f"holds in all {len(cells)} measured cells"
    told = describe([_keyed(cell) for cell in holds], [_keyed(cell) for cell in cells])
    return f"holds in {len(holds)} of {len(cells)} cells, only under: {told}"


def _keyed(cell: CellVerdict) -> dict[str, str]:
    return {"scenario": cell.scenario, "metric": METRICS[cell.metric].title.lower(), **dict(cell.labels)}
