"""Pass or fail: how each stack's ratio to the reference has changed since a baseline. Pure; never absolute times."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

import msgspec

from harness.claims.trust import Trust, trust_of
from harness.errors import ExitCode, ResultError
from harness.results.metrics import METRICS
from harness.results.table import Cell, Table
from harness.stats import paired, unpaired
from harness.stats.estimate import Estimate
from harness.stats.outcome import Outcome, outcome

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.results.model import Result, Scenario


class Policy(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is gated, and how strictly."""

    metrics: tuple[str, ...] = ("messages_per_second", "cpu_us_per_message")
    margins: dict[str, float] = {}
    """By metric, where not the metric's own."""
    significance: float = 0.05
    """Of the family of all gated comparisons (Holm)."""


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One gated comparison; more than 1 is better throughout."""

    scenario: str
    metric: str
    labels: dict[str, str]
    arm: str
    head: Estimate
    """The improvement over the reference, in the result."""
    baseline: Estimate
    """The same in the baseline."""
    change: Estimate
    """Head over baseline."""
    p_value: float
    """Adjusted for the number of comparisons."""
    outcome: Outcome


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """The gate's answer."""

    passed: bool
    verdict: Literal["pass", "regression", "inconclusive", "not trustworthy", "outputs differ", "nothing to compare"]
    exit_code: int
    reasons: list[str]
    rows: list[Row]


def judge(result: Result, baseline: Result, policy: Policy | None = None) -> Decision:
    """Whether the result may pass, and why.

    Raises ResultError, with what to do, when the two cannot be compared: a smoke run, other recordings, other
    versions of a scenario, another CPU model.
    """
    policy = policy or Policy()
    _check_comparable(result, baseline)
    trust, base_trust = trust_of(result), trust_of(baseline)
    if trust.unequal or base_trust.unequal:
        return _no("outputs differ", ExitCode.OUTPUTS_DIFFER, _differing(trust, base_trust))
    doubts = [*_doubts("the result", trust), *_doubts("the baseline", base_trust)]
    if doubts:
        return _no("not trustworthy", ExitCode.NOT_TRUSTWORTHY, doubts)
    return _decide(_rows(result, baseline, policy))


def _decide(rows: list[Row]) -> Decision:
    if not rows:
        reason = "no stack has gated metrics in both files; name some in a policy, or run the same scenarios"
        return _no("nothing to compare", ExitCode.NOTHING_MEASURED, [reason])
    worse = [row for row in rows if row.outcome is Outcome.REGRESSED]
    unclear = [row for row in rows if row.outcome is Outcome.INCONCLUSIVE]
    if worse:
        return _no("regression", ExitCode.REGRESSION, [_told(row) for row in worse], rows)
    if unclear:
        reasons = [*(_told(row) for row in unclear), "more blocks (--blocks) narrow the intervals"]
        return _no("inconclusive", ExitCode.NOT_TRUSTWORTHY, reasons, rows)
    reasons = [f"{len(rows)} comparisons, none worse"]
    return Decision(passed=True, verdict="pass", exit_code=int(ExitCode.GOOD), reasons=reasons, rows=rows)


def _no(
    verdict: Literal["regression", "inconclusive", "not trustworthy", "outputs differ", "nothing to compare"],
    code: ExitCode,
    reasons: list[str],
    rows: list[Row] | None = None,
) -> Decision:
    return Decision(passed=False, verdict=verdict, exit_code=int(code), reasons=reasons, rows=rows or [])


def _told(row: Row) -> str:
    change = row.change
    where = ", ".join((row.scenario, row.metric, *row.labels.values()))
    interval = f"{change.point:.3f}x [{change.low:.3f}, {change.high:.3f}]" if change.is_known else "n too small"
    return f"{row.arm} in {where}: {row.outcome}, {interval} of its gain in the baseline"


def _check_comparable(result: Result, baseline: Result) -> None:
    for name, given in (("result", result), ("baseline", baseline)):
        if not given.is_measurement:
            raise ResultError(f"the {name} is a smoke run, which measures nothing; run `tickproof bench` without smoke")
    if result.environment.cpu != baseline.environment.cpu:
        raise ResultError(
            f"measured on {result.environment.cpu!r}, the baseline on {baseline.environment.cpu!r}; "
            "make a baseline on this machine with `tickproof baseline update`"
        )
    theirs = {scenario.name: scenario for scenario in baseline.scenarios}
    for mine in result.scenarios:
        if mine.name in theirs:
            _check_same(mine, theirs[mine.name], result, baseline)


def _check_same(mine: Scenario, theirs: Scenario, result: Result, baseline: Result) -> None:
    if mine.version != theirs.version:
        raise ResultError(
            f"scenario {mine.name} has version {mine.version} here and {theirs.version} in the baseline; "
            "make a new baseline with `tickproof baseline update`"
        )
    if _hash_of(result, mine) != _hash_of(baseline, theirs):
        raise ResultError(
            f"scenario {mine.name} replayed {mine.recording!r} here and another recording in the baseline "
            f"({theirs.recording!r}); pass the baseline's with --recording, or make a new baseline"
        )


def _hash_of(result: Result, scenario: Scenario) -> str | None:
    return next((known.sha256 for known in result.recordings if known.name == scenario.recording), scenario.recording)


def _differing(*trusts: Trust) -> list[str]:
    return [
        f"{', '.join(equality.different)} decided otherwise than the reference in {equality.scenario}"
        for trust in trusts
        for equality in trust.unequal
    ]


def _doubts(name: str, trust: Trust) -> Iterator[str]:
    if not trust.is_complete:
        yield f"{name} is of an incomplete run: {trust.broken_by or 'it did not finish'}; run it again"
    for check in trust.failed_checks:
        yield f"{name} finds a difference between the reference and itself in {check.cell.metric}; run it again"
    if not trust.was_checked:
        yield f"{name} has no a/a arm with two blocks, so nothing says that it can be trusted"
    for equality in trust.too_few:
        yield f"{name} holds too few decisions in {equality.scenario} to prove equal outputs"
    for equality in trust.equalities:
        if equality.missing:
            yield f"{name} has no good trial of {', '.join(equality.missing)} in {equality.scenario}"


class _Compared(NamedTuple):
    cell: Cell
    arm: str
    head: list[float]
    base: list[float]
    change: unpaired.Change


def _rows(result: Result, baseline: Result, policy: Policy) -> list[Row]:
    head, base = Table(result), Table(baseline)
    found = []
    for scenario in result.scenarios:
        reference = next((arm.name for arm in scenario.arms if arm.role == "reference"), "")
        for cell, arm in _gated(scenario, head, policy):
            mine, theirs = _gains(head, cell, arm, reference), _gains(base, cell, arm, reference)
            if mine and theirs:
                found.append(_Compared(cell, arm, mine, theirs, unpaired.change(mine, theirs)))
    adjusted = unpaired.holm([compared.change.p_value for compared in found])
    return [_row(compared, p_value, policy) for compared, p_value in zip(found, adjusted, strict=True)]


def _gated(scenario: Scenario, table: Table, policy: Policy) -> Iterator[tuple[Cell, str]]:
    for cell in table.cells(scenario.name):
        if cell.metric in policy.metrics and cell.metric in METRICS:
            yield from ((cell, arm.name) for arm in scenario.arms if arm.role == "arm")


def _gains(table: Table, cell: Cell, arm: str, reference: str) -> list[float]:
    """The improvement over the reference, block by block; empty when there is none to be had."""
    over, under = table.paired((cell, arm), (cell, reference))
    if not over or min(*over, *under) <= 0:
        return []
    pairs = zip(over, under, strict=True)
    higher = METRICS[cell.metric].better == "higher"
    return [mine / theirs if higher else theirs / mine for mine, theirs in pairs]


def _row(compared: _Compared, p_value: float, policy: Policy) -> Row:
    metric = METRICS[compared.cell.metric]
    found = outcome(compared.change.ratio, better="higher", margin=policy.margins.get(metric.name, metric.margin))
    if found in {Outcome.IMPROVED, Outcome.REGRESSED} and p_value > policy.significance:
        found = Outcome.INCONCLUSIVE
    return Row(
        scenario=compared.cell.scenario,
        metric=metric.name,
        labels=dict(compared.cell.labels),
        arm=compared.arm,
        head=paired.level_of(compared.head),
        baseline=paired.level_of(compared.base),
        change=compared.change.ratio,
        p_value=p_value,
        outcome=found,
    )
