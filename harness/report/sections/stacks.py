"""All stacks against the reference, as a matrix and as a picture."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.claims.compare import level
from harness.report.context import Bar, Column, Item, Paragraph, Picture, Ratios, Section, Table, Text
from harness.report.evidence import BEFORE, FLOOD, outcome_mark
from harness.report.sections.upgrades import CPU, THROUGHPUT

if TYPE_CHECKING:
    from harness.report.evidence import Evidence
    from harness.results.model import Arm
    from harness.stats.estimate import Estimate

_COLUMNS = (
    Column(title="Stack"),
    Column(title="Throughput", unit="messages/s", is_numeric=True),
    Column(title="CPU", unit="µs/message", is_numeric=True),
    Column(title="Throughput to the reference", is_numeric=True),
    Column(title="CPU to the reference", is_numeric=True),
    Column(title="Outcome"),
)


def stacks(evidence: Evidence) -> Section:
    """The stack matrix of the flood."""
    scenario = evidence.scenario(FLOOD)
    title = "All stacks"
    if scenario is None:
        return Section(id="stacks", title=title, parts=(missing(FLOOD),))
    rows = tuple(_row(evidence, arm) for arm in scenario.arms)
    table = Table(
        id="matrix",
        caption=f"{scenario.title}: every stack in the same {scenario.blocks} blocks",
        columns=_COLUMNS,
        rows=rows,
        note="A ratio above 1 is better, for CPU as for throughput. a/a is the reference run twice: it must stay at 1.",
    )
    return Section(id="stacks", title=title, parts=(_picture(evidence, scenario.arms), table))


def missing(scenario: str) -> Paragraph:
    """Says that a scenario is not there."""
    return Paragraph(text=f"Scenario {scenario} is missing from this run: nothing can be said here.", is_warning=True)


def _row(evidence: Evidence, arm: Arm) -> tuple[Item, ...]:
    estimate = evidence.improvement((THROUGHPUT, arm.name), (THROUGHPUT, BEFORE))
    head = Text(text=arm.name, note=_role_note(arm))
    levels = (evidence.level(THROUGHPUT, arm.name), evidence.level(CPU, arm.name))
    if arm.role == "reference":
        return (head, *levels, Text(text="reference"), Text(text="reference"), Text(text="-"))
    return (
        head,
        *levels,
        evidence.ratio((THROUGHPUT, arm.name), (THROUGHPUT, BEFORE)),
        evidence.ratio((CPU, arm.name), (CPU, BEFORE)),
        outcome_mark(estimate, THROUGHPUT.metric),
    )


def _role_note(arm: Arm) -> str:
    return f"the reference again, {arm.stack}" if arm.role == "a/a" else ""


def _picture(evidence: Evidence, arms: list[Arm]) -> Picture:
    bars = tuple(
        Bar(
            label=arm.name,
            ratio=None if arm.role == "reference" else _known_ratio(evidence, arm.name),
            level=None if evidence.differs(FLOOD, arm.name) else level(evidence.table, THROUGHPUT, arm.name),
            stands_out=arm.role == "arm",
        )
        for arm in arms
    )
    return Picture(
        id="throughput",
        title="Throughput to the reference, and in messages/s",
        description="For every stack a point and its 95 % interval; the same numbers stand in the table below.",
        chart=Ratios(bars=bars, ratio_title="Throughput to the reference", level_title="messages/s"),
    )


def _known_ratio(evidence: Evidence, arm: str) -> Estimate | None:
    return evidence.improvement((THROUGHPUT, arm), (THROUGHPUT, BEFORE))
