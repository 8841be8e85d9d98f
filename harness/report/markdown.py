"""The report as Markdown: the same tables, the same words."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from harness.report.context import Absent, Commands, Facts, Mark, Number, Paragraph, Picture, Table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.report.context import Column, Item, Part, Report, Upgrade

#: What would end a cell, open a tag or start a link.
_SPECIAL = re.compile(r"([\\`*<>|~]|(?<![^\W_])_|_(?![^\W_])|\](?=[(\[:]))")
_BREAKS = re.compile(r"\s+")


def markdown(report: Report) -> str:
    """The whole report; pictures are told by their titles, their numbers stand in the tables beside them."""
    return "\n".join(_lines(report)) + "\n"


def _lines(report: Report) -> Iterator[str]:
    yield from (f"# {escaped(report.title)}", "", escaped(report.subtitle), "")
    yield from (f"**{escaped(report.status.headline)}**", "")
    yield from (f"- {escaped(reason)}" for reason in report.status.reasons)
    if report.upgrades:
        yield from ("", "## What to do", "")
        yield from _advice(report.upgrades)
    for section in report.sections:
        yield from ("", f"## {escaped(section.title)}")
        for part in section.parts:
            yield ""
            yield from _part(part)


def _advice(upgrades: tuple[Upgrade, ...]) -> Iterator[str]:
    yield "| Upgrade | Advice | Measured | Of what | Condition |"
    yield "|---|---|---|---|---|"
    for upgrade in upgrades:
        name = f"{upgrade.name}: {upgrade.change}"
        condition = "; ".join((upgrade.condition, *upgrade.details))
        cells = (
            escaped(name),
            f"**{upgrade.decision}**",
            item(upgrade.number),
            escaped(upgrade.metric),
            escaped(condition),
        )
        yield f"| {' | '.join(cells)} |"


def _part(part: Part) -> Iterator[str]:
    if isinstance(part, Table):
        yield from _table(part)
    elif isinstance(part, Picture):
        yield f"*{escaped(part.title)}: see the HTML report. {escaped(part.description)}*"
    elif isinstance(part, Facts):
        yield from (f"- {escaped(term)}: {escaped(fact)}" for term, fact in part.items)
    elif isinstance(part, Commands):
        yield from ("```", *(line.replace("`", "'") for line in part.lines), "```")
    elif isinstance(part, Paragraph):
        yield f"> {escaped(part.text)}" if part.is_warning else escaped(part.text)


def _table(table: Table) -> Iterator[str]:
    yield from (f"**{escaped(table.caption)}**", "")
    yield f"| {' | '.join(_head(column) for column in table.columns)} |"
    yield f"|{'|'.join('---:' if column.is_numeric else '---' for column in table.columns)}|"
    for row in table.rows:
        yield f"| {' | '.join(item(cell) for cell in row)} |"
    if table.note:
        yield from ("", escaped(table.note))


def _head(column: Column) -> str:
    return escaped(f"{column.title}, {column.unit}" if column.unit else column.title)


def item(one: Item) -> str:
    """One cell, its note in brackets."""
    if isinstance(one, Number):
        text = f"{escaped(one.text)} {escaped(one.interval)}"
    elif isinstance(one, Absent):
        return f"*{escaped(one.reason)}*"
    elif isinstance(one, Mark):
        text = f"**{escaped(one.word)}**"
    else:
        text = escaped(one.text)
    return f"{text} ({escaped(one.note)})" if one.note else text


def escaped(text: str) -> str:
    """The text with nothing in it that Markdown or HTML would act upon."""
    return _SPECIAL.sub(r"\\\1", _BREAKS.sub(" ", text)).replace("\\<", "&lt;").replace("\\>", "&gt;")
