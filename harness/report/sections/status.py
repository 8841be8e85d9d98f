"""The first line of the report: what must be known before any number."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.claims.verdict import Status as Verdict
from harness.redact import redact
from harness.report import numbers
from harness.report.context import Status

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.claims.trust import SelfCheck, Trust
    from harness.report.evidence import Evidence
    from harness.results.equality import Equality

SMOKE = "Not a measurement: this run proves equal outputs only"
SMOKE_UNPROVEN = "Not a measurement, and no outputs to compare"


def status(evidence: Evidence) -> Status:
    """The gravest finding as the headline, the rest as reasons; without findings, the count of verdicts."""
    trust = evidence.trust
    grave = list(_grave(trust))
    lesser = list(_lesser(evidence))
    if not trust.is_measurement:
        proven = bool(trust.equalities) and not grave
        smoke = SMOKE if proven else SMOKE_UNPROVEN if not trust.equalities else "Not a measurement: a smoke run"
        lines = [*grave, smoke, *lesser] if grave else [smoke, *lesser]
        return Status(shape="cross" if grave else "open", headline=lines[0], reasons=tuple(lines[1:]))
    lines = [*grave, *lesser]
    if lines:
        reasons = (*lines[1:], _tally(evidence))
        return Status(shape="cross" if grave else "half", headline=lines[0], reasons=reasons)
    return Status(shape="full", headline=_tally(evidence), reasons=(_sound(trust),))


def _grave(trust: Trust) -> Iterator[str]:
    for equality in trust.unequal:
        arms = ", ".join(equality.different)
        yield f"Outputs differ in {_place(equality)}: {arms} decided otherwise than the reference"
    for check in trust.failed_checks:
        yield f"Not trustworthy: {_check(check)}"


def _lesser(evidence: Evidence) -> Iterator[str]:
    trust = evidence.trust
    if not trust.is_complete:
        yield f"Incomplete run: {redact(trust.broken_by) if trust.broken_by else 'it did not finish'}"
    for equality in trust.too_few:
        yield f"Equality not proven in {_place(equality)}: too few decisions"
    for equality in trust.equalities:
        if equality.missing:
            yield f"Nothing proven of {', '.join(equality.missing)} in {_place(equality)}: no good trial"
    if trust.is_measurement and not trust.equalities:
        yield "Outputs not compared: no trial left a decision digest"
    if trust.is_measurement and not trust.was_checked:
        yield "Not checked against itself: no a/a arm with at least two blocks"
    if trust.failed_trials:
        yield f"{trust.failed_trials} of {len(evidence.result.trials)} trials failed"


def _tally(evidence: Evidence) -> str:
    """For example: 4 claims supported, 9 refuted, 3 inconclusive; 23 not tested."""
    statuses = [verdict.status for verdict in evidence.verdicts.values()]
    told = ", ".join(f"{statuses.count(kind)} {kind}" for kind in (Verdict.SUPPORTED, Verdict.REFUTED))
    open_ones = f"{statuses.count(Verdict.INCONCLUSIVE)} inconclusive"
    return f"Of {len(statuses)} claims {told}, {open_ones}, {statuses.count(Verdict.NOT_TESTED)} not tested"


def _sound(trust: Trust) -> str:
    places = ", ".join(_place(equality) for equality in trust.equalities)
    return f"Complete run; all stacks decided the same in {places}; the reference agrees with itself"


def _place(equality: Equality) -> str:
    labels = ", ".join(f"{key} {value}" for key, value in equality.cell)
    return f"{equality.scenario} ({labels})" if labels else equality.scenario


def _check(check: SelfCheck) -> str:
    written = numbers.in_line(numbers.ratio(check.ratio))
    return f"the reference differs from itself, {check.cell.metric} a/a {written} at {check.ratio.level:.0%}"
