"""The terminal form: plain data for whoever prints it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.report.build import build
from harness.report.context import Mark, Number, Table
from harness.report.numbers import in_line

if TYPE_CHECKING:
    from harness.report.context import Item, Report, Shape
    from harness.results.model import Result


@dataclass(frozen=True, slots=True, kw_only=True)
class PlainTable:
    """A table of strings; a cell is its lines, the first the most important."""

    title: str
    columns: tuple[str, ...]
    is_numeric: tuple[bool, ...]
    rows: tuple[tuple[tuple[str, ...], ...], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class VerdictLine:
    """One line of advice."""

    name: str
    word: str
    shape: Shape
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """What a terminal shows at the end of a run."""

    headline: str
    reasons: tuple[str, ...]
    shape: Shape
    tables: tuple[PlainTable, ...]
    """Before and after, and the four scenarios; for a smoke run, equality of outputs."""
    verdicts: tuple[VerdictLine, ...]


_OUTPUT_COLUMNS = 5
_SHOWN = ("improvements", "scenarios")
_SHAPES: dict[str, Shape] = {"adopt": "full", "skip": "cross", "cannot tell": "half"}


def summary(result: Result) -> Summary:
    """The short form of a result's report."""
    return summary_of(build(result))


def summary_of(report: Report) -> Summary:
    """The short form of a report that is built already."""
    tables = [part for section in report.sections for part in section.parts if isinstance(part, Table)]
    shown = [
        table for table in tables if table.id in _SHOWN or (not report.upgrades and table.id.startswith("outputs"))
    ]
    return Summary(
        headline=report.status.headline,
        reasons=report.status.reasons,
        shape=report.status.shape,
        tables=tuple(_plain(table) for table in shown),
        verdicts=tuple(
            VerdictLine(
                name=f"{upgrade.name} ({upgrade.change})",
                word=upgrade.decision,
                shape=_SHAPES[upgrade.decision],
                text=f"{in_line(upgrade.number)} {upgrade.metric}; {upgrade.condition}",
            )
            for upgrade in report.upgrades
        ),
    )


def _plain(table: Table) -> PlainTable:
    # Counters would make a table of outputs too wide for a terminal.
    columns = table.columns[:_OUTPUT_COLUMNS] if table.id.startswith("outputs") else table.columns
    return PlainTable(
        title=table.caption,
        columns=tuple(f"{column.title}, {column.unit}" if column.unit else column.title for column in columns),
        is_numeric=tuple(column.is_numeric for column in columns),
        rows=tuple(tuple(_cell(cell) for cell in row[: len(columns)]) for row in table.rows),
    )


def _cell(item: Item) -> tuple[str, ...]:
    """Its text, interval and note as lines; a verdict without its note, since a terminal is narrow."""
    if isinstance(item, Number):
        return (item.text, item.interval, *([item.note] if item.note else []))
    note = "" if isinstance(item, Mark) else getattr(item, "note", "")
    return (in_line(item), note) if note else (in_line(item),)
