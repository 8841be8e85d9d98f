"""The instrument: how fast the replay can send, how the intervals are made, and what the run itself could see."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.claims.compare import level
from harness.report import numbers
from harness.report.context import Absent, Column, Facts, Item, Mark, Paragraph, Section, Table, Text
from harness.report.evidence import FLOOD
from harness.report.sections.upgrades import THROUGHPUT
from harness.stats import paired, unpaired
from harness.stats.power import smallest_change

if TYPE_CHECKING:
    from harness.report.evidence import Evidence
    from harness.results.model import Ceiling

#: The replay must send this many times faster than the fastest stack reads.
WANTED_HEADROOM = 10.0


def ceiling(evidence: Evidence) -> Section:
    """What the replay server can send, against what the fastest stack reads."""
    title = "Replay ceiling"
    found = evidence.result.ceilings
    if not found:
        return Section(
            id="ceiling", title=title, parts=(Paragraph(text="The ceiling was not measured.", is_warning=True),)
        )
    rows = tuple(row for ceiling in found for row in _ceiling_rows(evidence, ceiling))
    columns = (
        Column(title="Client"),
        Column(title="Replay ceiling", unit="frames/s", is_numeric=True),
        Column(title="To the fastest stack", is_numeric=True),
        Column(title="At least ten times"),
    )
    table = Table(id="ceiling-table", caption="How fast the replay server sends", columns=columns, rows=rows)
    return Section(id="ceiling", title=title, parts=(table,))


def _ceiling_rows(evidence: Evidence, ceiling: Ceiling) -> list[tuple[Item, ...]]:
    clients = (
        ("counts bytes only", ceiling.counting_frames_per_s),
        ("parses every frame", ceiling.parsing_frames_per_s),
    )
    fastest = _fastest(evidence, ceiling.recording)
    rows: list[tuple[Item, ...]] = []
    for name, values in clients:
        good = [value for value in values if value > 0]
        headroom = unpaired.change(good, fastest).ratio if good and fastest else None
        rows.append(
            (
                Text(text=name, note=ceiling.recording),
                numbers.level(paired.level_of(good) if good else None),
                numbers.ratio(headroom),
                _headroom_mark(headroom.low, headroom.high) if headroom else Absent(reason="no stack to compare with"),
            )
        )
    return rows


def _headroom_mark(low: float, high: float) -> Mark:
    if low >= WANTED_HEADROOM:
        return Mark(word="yes", shape="full")
    if high < WANTED_HEADROOM:
        return Mark(word="below ten times", shape="cross", note="the replay may hold the fastest stacks back")
    return Mark(word="not shown", shape="half", note="the interval holds ten")


def _fastest(evidence: Evidence, recording: str) -> list[float]:
    scenario = evidence.scenario(FLOOD)
    if scenario is None or (scenario.recording or recording) != recording:
        return []
    levels = {
        arm.name: found.point
        for arm in scenario.arms
        if (found := level(evidence.table, THROUGHPUT, arm.name)) is not None
    }
    if not levels:
        return []
    return list(evidence.table.blocks(THROUGHPUT, max(levels, key=lambda arm: levels[arm])).values())


def method(evidence: Evidence) -> Section:
    """How the numbers were made, in short."""
    lead = Paragraph(
        text="Every arm runs once in each block, in a fresh random order and a fresh process. A trial's passes become "
        "one robust value: their median, or their minimum for decode and encode. Arms are compared within the same "
        "block; the ratio is the mean of the log ratios over blocks, with Student's t interval at 95 %. Passes are "
        "never pooled across processes. A difference inside a metric's margin (3 % time, 5 % p99, 2 % CPU) is "
        "equivalent; an interval that fits nothing is inconclusive, never green."
    )
    blocks = tuple(
        (f"{scenario.name}, version {scenario.version}", f"{scenario.blocks} blocks, {len(scenario.arms)} arms")
        for scenario in evidence.result.scenarios
    )
    return Section(id="method", title="Method", parts=(lead, Facts(items=(*blocks, *_self_checks(evidence)))))


def _self_checks(evidence: Evidence) -> tuple[tuple[str, str], ...]:
    lines = []
    for check in evidence.trust.self_checks:
        written = numbers.in_line(numbers.ratio(check.ratio))
        seen = smallest_change(check.ratio)
        could = f"; smallest change this run could have seen, 80 % power: {seen:.1%}" if seen is not None else ""
        holds = "contains 1" if check.holds else "does not contain 1" if check.ratio.is_known else "n too small"
        lines.append((f"a/a, {check.cell.metric}", f"{written} at {check.ratio.level:.0%}, {holds}{could}"))
    return tuple(lines)
