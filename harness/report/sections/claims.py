"""Every claim with its verdict, and the claims that cannot all be true."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.claims.contradictions import contradictions, show_range
from harness.report import numbers
from harness.report.context import Column, Item, Paragraph, Section, Table, Text
from harness.report.evidence import verdict_mark
from harness.report.sections.seed import claimed, measured

if TYPE_CHECKING:
    from harness.claims.model import Claim
    from harness.claims.verdict import Verdict
    from harness.report.evidence import Evidence

_COLUMNS = (
    Column(title="Claim"),
    Column(title="Claimed"),
    Column(title="Measured", is_numeric=True),
    Column(title="Verdict"),
    Column(title="Where, and under which condition"),
)


def claims(evidence: Evidence) -> Section:
    """The claims table and the contradictions."""
    lead = Paragraph(
        text=f"Every claim of {evidence.catalogue.source}. Supported: the whole 95 % interval inside or above the "
        "claimed range; refuted: wholly below it; else inconclusive. A claim without a matching measurement is not "
        "tested. Levels before and after describe this host and carry no verdict of their own."
    )
    rows = tuple(_row(verdict) for verdict in evidence.verdicts.values())
    table = Table(id="claims-table", caption="Claims and verdicts", columns=_COLUMNS, rows=rows)
    return Section(id="claims", title="Claims", parts=(lead, table, *_contradictions(evidence)))


def _row(verdict: Verdict) -> tuple[Item, ...]:
    claim = verdict.claim
    condition = "; ".join(part for part in (claim.condition, claim.note) if part)
    return (
        Text(text=claim.sentence, note=f"{claim.id}; {claim.section}"),
        Text(text=claimed(claim), note=_stated(claim)),
        measured(verdict, note=_found(verdict)),
        verdict_mark(verdict, note=verdict.reason),
        Text(text=verdict.where or "-", note=condition),
    )


def _stated(claim: Claim) -> str:
    if claim.before is None or claim.after is None:
        return ""
    return f"{show_range(claim.before, 'level')} to {show_range(claim.after, 'level')}"


def _found(verdict: Verdict) -> str:
    """The levels beside the claim's own, on this host."""
    known = [found for found in (verdict.before, verdict.after) if found is not None and found.is_known]
    if verdict.claim.before is None or len(known) != 2:
        return ""
    before, after = (numbers.in_line(numbers.level(found)) for found in known)
    return f"{before} to {after} {verdict.claim.before.unit}"


def _contradictions(evidence: Evidence) -> tuple[Table | Paragraph, ...]:
    found = contradictions(evidence.catalogue)
    if not found:
        return (Paragraph(text="No two figures of the report contradict each other."),)
    rows = tuple(
        (
            Text(text=" and ".join(contradiction.claims)),
            Text(text=contradiction.stated),
            Text(text=contradiction.implied),
            Text(text=contradiction.because),
        )
        for contradiction in found
    )
    columns = tuple(Column(title=title) for title in ("Claims", "Stated", "But", "Because"))
    caption = "Claims that cannot all be true, computed from their own figures"
    return (Table(id="contradictions", caption=caption, columns=columns, rows=rows),)
