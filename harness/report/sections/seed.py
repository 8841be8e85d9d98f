"""The seed report's tables, with measured values."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.claims.compare import level
from harness.claims.conditions import in_words
from harness.claims.contradictions import show_range
from harness.claims.verdict import fold
from harness.report import numbers
from harness.report.context import Absent, Column, Item, Number, Paragraph, Section, Table, Text
from harness.report.evidence import (
    AFTER,
    AFTER_REDIS,
    BEFORE,
    FLOOD,
    HEADS,
    JSON,
    ONE_KB,
    QUERIES,
    QUERY_NAMES,
    query_cell,
    status_mark,
    verdict_mark,
)
from harness.report.sections.upgrades import DECODE, THROUGHPUT
from harness.results.table import Cell
from harness.stats import paired

if TYPE_CHECKING:
    from harness.claims.model import Claim
    from harness.claims.verdict import Verdict
    from harness.report.evidence import Evidence
    from harness.results.model import Labels

_IMPACT = ("ws.throughput", "json.overhead", "db.reduction", "sys.cpu", "sys.latency", "sys.throughput")

_HEAD_COLUMNS = tuple(Column(title=head.title, is_numeric=True) for head in HEADS)


def performance_improvements(evidence: Evidence) -> Section:
    """Component, before, after, measured improvement, claimed, verdict."""
    columns = (
        Column(title="Component"),
        Column(title="Before", is_numeric=True),
        Column(title="After", is_numeric=True),
        Column(title="Measured improvement", is_numeric=True),
        Column(title="Claimed"),
        Column(title="Verdict"),
    )
    rows = [
        _component(
            evidence, "Event loop", "uvloop alone, messages/s under flood", "loop.ws", THROUGHPUT, "uvloop+json+none"
        ),
        _component(
            evidence,
            "JSON parsing",
            "orjson, µs a message of the recorded mix",
            "json.parse",
            DECODE,
            "asyncio+orjson+none",
        ),
        *_queries(evidence),
    ]
    table = Table(
        id="improvements", caption="Before and after, component by component", columns=columns, rows=tuple(rows)
    )
    return Section(
        id="performance-improvements", title="Performance improvements", parts=(*_corner_note(evidence), table)
    )


def _component(evidence: Evidence, name: str, note: str, claim_id: str, cell: Cell, arm: str) -> tuple[Item, ...]:
    verdict = evidence.verdicts.get(claim_id)
    return (
        Text(text=name, note=note),
        evidence.level(cell, BEFORE),
        evidence.level(cell, arm),
        evidence.ratio((cell, arm), (cell, BEFORE)),
        *_claimed_and_verdict(verdict),
    )


def _claimed_and_verdict(verdict: Verdict | None) -> tuple[Item, Item]:
    if verdict is None:
        return Text(text="not claimed"), Absent(reason="no claim")
    return Text(text=claimed(verdict.claim)), verdict_mark(verdict, note=verdict.reason)


def claimed(claim: Claim) -> str:
    """The claimed range, as written in its claim."""
    return show_range(claim.expected, claim.kind) if claim.expected else "no figure"


def _queries(evidence: Evidence) -> list[tuple[Item, ...]]:
    corner = evidence.main_corner()
    if corner is None:
        return [_query_row(evidence, "Database queries", {}, "")]
    return [_query_row(evidence, query, corner, query) for query in QUERY_NAMES]


def _query_row(evidence: Evidence, title: str, corner: Labels, query: str) -> tuple[Item, ...]:
    hit, off = query_cell(corner, query, "hit"), query_cell(corner, query, "off")
    verdict = evidence.verdicts.get("db.latency")
    cells = tuple(cell for cell in verdict.cells if dict(cell.labels).get("query") == query) if verdict else ()
    held = sum(cell.status == "supported" for cell in cells)
    trusted = evidence.trust.allows_verdicts
    note = f"claim holds in {held} of {len(cells)} measured cells of this query" if cells else ""
    status = fold(cells) if trusted or not cells else type(fold(cells))("inconclusive")
    return (
        Text(text=title, note="PostgreSQL, then a cache hit, ms"),
        evidence.level(off, AFTER),
        evidence.level(hit, AFTER_REDIS),
        evidence.ratio((hit, AFTER_REDIS), (off, AFTER)),
        Text(text=claimed(verdict.claim) if verdict else "not claimed"),
        status_mark(status, note=note),
    )


def _corner_note(evidence: Evidence) -> tuple[Paragraph, ...]:
    corner = evidence.main_corner()
    if corner is None:
        return ()
    others = len(evidence.corners()) - 1
    rest = f"; {others} other corners stand under Database queries" if others else ", the only corner measured"
    text = (
        f"Queries at {in_words(corner.items())}{rest}. Brackets hold the 95 % interval; levels are those of this host."
    )
    return (Paragraph(text=text),)


def expected_impact(evidence: Evidence) -> Section:
    """The seed's "Expected System Impact" and "Expected System Metrics", measured."""
    columns = (
        Column(title="Expected impact"),
        Column(title="Claimed"),
        Column(title="Measured", is_numeric=True),
        Column(title="Verdict"),
        Column(title="Where"),
    )
    found = [evidence.verdicts[name] for name in _IMPACT if name in evidence.verdicts]
    rows = tuple(
        (
            Text(text=verdict.claim.sentence, note=verdict.claim.section),
            Text(text=claimed(verdict.claim)),
            measured(verdict),
            verdict_mark(verdict, note=verdict.reason),
            Text(text=verdict.where or "-", note=verdict.claim.condition),
        )
        for verdict in found
    )
    table = Table(id="impact", caption="What was expected of the system as a whole", columns=columns, rows=rows)
    return Section(id="expected-system-impact", title="Expected system impact", parts=(table,))


def measured(verdict: Verdict, *, note: str = "") -> Item:
    """The verdict's number in the unit of its claim."""
    if verdict.main is None:
        return Absent(reason=str(verdict.status))
    if verdict.claim.kind == "reduction":
        return numbers.reduction(verdict.estimate, note=note)
    if verdict.claim.kind in {"level", "share"}:
        unit = verdict.claim.expected.unit if verdict.claim.expected else ""
        return numbers.level(verdict.estimate, unit, note=note)
    return numbers.ratio(verdict.estimate, note=note)


def test_scenarios(evidence: Evidence) -> Section:
    """Four rows, three columns."""
    corner = evidence.main_corner() or {}
    rows = (
        (
            Text(text="WebSocket message processing", note="messages/s under flood"),
            *(evidence.level(THROUGHPUT, head.stack) for head in HEADS),
        ),
        (
            Text(text="JSON, 1 KB document", note="decode and encode together, µs"),
            *(_one_kb(evidence, f"asyncio+{head.codec}+none") for head in HEADS),
        ),
        *(_query_levels(evidence, corner, query) for query in ("get_trade_count('all')", "get_statistics()")),
    )
    note = f"Queries at {in_words(corner.items())}." if corner else "No query was measured."
    if not any(evidence.scenario(name) for name in (FLOOD, JSON, QUERIES)):
        note = "None of the three scenarios is in this run."
    table = Table(
        id="scenarios",
        caption="Levels on this host, with their 95 % intervals",
        columns=(Column(title="Scenario"), *_HEAD_COLUMNS),
        rows=rows,
        note=f"{note} With Redis: a cache hit; below it the mix of hits and misses of a TTL of 5 s.",
    )
    return Section(id="test-scenarios", title="Test scenarios", parts=(table,))


def _one_kb(evidence: Evidence, arm: str) -> Item:
    """Decode plus encode, added up block by block."""
    if evidence.differs(JSON, arm):
        return Absent(reason="outputs differ")
    labels = {"document": ONE_KB}
    decode, encode = Cell.of(JSON, "decode_us", labels), Cell.of(JSON, "encode_us", labels)
    sums = [sum(pair) for pair in zip(*evidence.table.paired((decode, arm), (encode, arm)), strict=True)]
    return numbers.level(paired.level_of(sums) if sums and min(sums) > 0 else None)


def _query_levels(evidence: Evidence, corner: Labels, query: str) -> tuple[Item, ...]:
    hit = evidence.level(query_cell(corner, query, "hit"), AFTER_REDIS)
    mix = level(evidence.table, query_cell(corner, query, "mix"), AFTER_REDIS)
    if isinstance(hit, Number) and mix is not None:
        hit = evidence.level(
            query_cell(corner, query, "hit"), AFTER_REDIS, note=f"mix {numbers.in_line(numbers.level(mix))}"
        )
    off = query_cell(corner, query, "off")
    return (Text(text=query, note="ms"), evidence.level(off, BEFORE), evidence.level(off, AFTER), hit)
