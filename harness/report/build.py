"""The report's sections in their order."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.report.context import Report
from harness.report.evidence import Evidence
from harness.report.sections.claims import claims
from harness.report.sections.latency import latency
from harness.report.sections.machinery import ceiling, method
from harness.report.sections.outputs import outputs
from harness.report.sections.provenance import environment, reproduce, trouble
from harness.report.sections.queries import queries
from harness.report.sections.seed import expected_impact, performance_improvements, test_scenarios
from harness.report.sections.stacks import stacks
from harness.report.sections.status import status
from harness.report.sections.upgrades import upgrades

if TYPE_CHECKING:
    from harness.claims.model import Catalogue
    from harness.results.model import Result

#: What a smoke run may show: nothing with a speed in it.
_SMOKE = (outputs, environment, reproduce, trouble)
_MEASURED = (
    performance_improvements,
    expected_impact,
    test_scenarios,
    stacks,
    latency,
    queries,
    claims,
    outputs,
    ceiling,
    environment,
    method,
    reproduce,
    trouble,
)


def build(result: Result, catalogue: Catalogue | None = None) -> Report:
    """The whole report from a result alone; the claims are the shipped ones unless others are given."""
    evidence = Evidence(result, catalogue)
    sections = _MEASURED if result.is_measurement else _SMOKE
    run = result.run
    where = ", ".join(recording.name for recording in result.recordings) or "no recording"
    return Report(
        title="Performance upgrade report",
        subtitle=f"Run {run.id} of {run.started or 'unknown time'}, profile {run.profile}, on {where}",
        status=status(evidence),
        upgrades=upgrades(evidence),
        sections=tuple(section(evidence) for section in sections),
    )
