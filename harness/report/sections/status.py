"""The first line of the report: what must be known before any number."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from harness.claims.verdict import Status as Verdict
from harness.redact import redact
from harness.report import numbers
from harness.report.context import Status

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.claims.trust import SelfCheck, Trust
    from harness.report.context import Shape
    from harness.report.evidence import Evidence
    from harness.results.equality import Equality

SMOKE = "Not a measurement: this run proves equal outputs only"
SMOKE_UNPROVEN = "Not a measurement, and no outputs to compare"


class Finding(NamedTuple):
    """Something wrong, in two words and in a sentence."""

    short: str
    sentence: str


def status(evidence: Evidence) -> Status:
    """All that is wrong stands in the headline, the sentences below it; without findings, the count of verdicts."""
    trust = evidence.trust
    grave = list(_grave(trust))
    findings = [*grave, *_lesser(evidence)]
    if not trust.is_measurement:
        findings = [Finding("Not a measurement", _smoke(trust, is_grave=bool(grave))), *findings]
    elif not findings:
        return Status(shape="full", headline=_tally(evidence), reasons=(_sound(trust),))
    closing = (_tally(evidence),) if trust.is_measurement else ()
    shape: Shape = "cross" if grave else "half" if trust.is_measurement else "open"
    if len(findings) == 1:
        return Status(shape=shape, headline=findings[0].sentence, reasons=closing)
    shorts = dict.fromkeys(finding.short for finding in findings)
    return Status(
        shape=shape,
        headline="; ".join((next(iter(shorts)), *(short[0].lower() + short[1:] for short in list(shorts)[1:]))),
        reasons=(*(finding.sentence for finding in findings), *closing),
    )


def _smoke(trust: Trust, *, is_grave: bool) -> str:
    if not trust.equalities:
        return SMOKE_UNPROVEN
    return "Not a measurement: a smoke run" if is_grave else SMOKE


def _grave(trust: Trust) -> Iterator[Finding]:
    for equality in trust.unequal:
        arms = ", ".join(equality.different)
        yield Finding(
            "Outputs differ", f"Outputs differ in {_place(equality)}: {arms} decided otherwise than the reference"
        )
    for check in trust.failed_checks:
        yield Finding("Not trustworthy", f"Not trustworthy: {_check(check)}")


def _lesser(evidence: Evidence) -> Iterator[Finding]:
    trust = evidence.trust
    if not trust.is_complete:
        why = redact(trust.broken_by) if trust.broken_by else "it did not finish"
        yield Finding("Incomplete run", f"Incomplete run: {why}")
    for equality in trust.too_few:
        yield Finding("Equality not proven", f"Equality not proven in {_place(equality)}: too few decisions")
    for equality in trust.equalities:
        if equality.missing:
            arms = ", ".join(equality.missing)
            yield Finding("Equality not proven", f"Nothing proven of {arms} in {_place(equality)}: no good trial")
    if trust.is_measurement and not trust.equalities:
        yield Finding("Outputs not compared", "Outputs not compared: no trial left a decision digest")
    if trust.is_measurement and not trust.was_checked:
        sentence = "Not checked against itself: no a/a arm with at least two blocks"
        yield Finding("Not checked against itself", sentence)
    if trust.failed_trials:
        failed = f"{trust.failed_trials} of {len(evidence.result.trials)} trials failed"
        yield Finding("Failed trials", f"Failed trials: {failed}")


def _tally(evidence: Evidence) -> str:
    """For example: 4 claims supported, 9 refuted, 3 inconclusive; 23 not tested."""
    statuses = [verdict.status for verdict in evidence.verdicts.values()]
    told = ", ".join(f"{statuses.count(kind)} {kind}" for kind in (Verdict.SUPPORTED, Verdict.REFUTED))
    open_ones = f"{statuses.count(Verdict.INCONCLUSIVE)} inconclusive"
    return f"Of {len(statuses)} claims: {told}, {open_ones}, {statuses.count(Verdict.NOT_TESTED)} not tested"


def _sound(trust: Trust) -> str:
    places = ", ".join(_place(equality) for equality in trust.equalities)
    return f"Complete run; all stacks decided the same in {places}; the reference agrees with itself"


def _place(equality: Equality) -> str:
    labels = ", ".join(f"{key} {value}" for key, value in equality.cell)
    return f"{equality.scenario} ({labels})" if labels else equality.scenario


def _check(check: SelfCheck) -> str:
    written = numbers.in_line(numbers.ratio(check.ratio))
    return f"the reference differs from itself, {check.cell.metric} a/a {written} at {check.ratio.level:.0%}"
