"""`tickproof report`: the report of a result, again or elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer
from rich.markup import escape
from rich.table import Table

from harness import report as reports
from harness.errors import ConfigError
from harness.results.store import read_result

if TYPE_CHECKING:
    from rich.console import Console

    from harness.report.text import PlainTable
    from harness.results.model import Result

#: A log does not wrap: a table there may be wider than the 80 columns that a missing terminal stands for.
_LOG_WIDTH = 120

_SIGNS = {"full": "●", "cross": "✗", "half": "◐", "open": "○"}


def report(
    result: Annotated[Path, typer.Argument(help="A result.json, or the folder of a run.", metavar="RESULT")],
    out: Annotated[Path | None, typer.Option(help="The HTML file; the Markdown stands beside it.")] = None,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print Markdown; write nothing without --out.")] = False,
    json: Annotated[
        bool, typer.Option("--json", help="Print the report as JSON; write nothing without --out.")
    ] = False,
) -> None:
    """Make report.html and report.md of a result, from that file alone, and print the path.

    Example: tickproof report reports/20260101-120000/result.json
    """
    if markdown and json:
        raise ConfigError("report", "--json", "leave out one of --markdown and --json")
    found = read_result(result)
    if out is not None or not (markdown or json):
        page = out or (result if result.is_dir() else result.parent) / reports.HTML
        written = reports.write_as(found, page)
        if not (markdown or json):
            print(written)
    if markdown or json:
        _print(found, as_json=json)


def _print(result: Result, *, as_json: bool) -> None:
    from harness.report.build import build  # noqa: PLC0415 - it loads scipy, which other commands need not pay
    from harness.report.markdown import markdown  # noqa: PLC0415

    made = build(result)
    print(msgspec.json.encode(made).decode() if as_json else markdown(made))


def show(result: Result, console: Console) -> None:
    """The short form on a terminal: status, tables, and a line of advice for each upgrade."""
    from harness.report.text import summary  # noqa: PLC0415 - as above

    short = summary(result)
    if not console.is_terminal:
        console.width = max(console.width, _LOG_WIDTH)
    console.print(f"\n{_SIGNS[short.shape]} {short.headline}", markup=False, style="bold")
    for reason in short.reasons:
        console.print(f"  {reason}", markup=False)
    for table in short.tables:
        console.print()
        console.print(_table(table))
    if short.verdicts:
        console.print()
    for line in short.verdicts:
        console.print(f"{_SIGNS[line.shape]} {line.name}: {line.word}, {line.text}", markup=False)


def _table(plain: PlainTable) -> Table:
    table = Table(title=escape(plain.title), title_justify="left", box=None, pad_edge=False, header_style="bold")
    for title, is_numeric in zip(plain.columns, plain.is_numeric, strict=True):
        table.add_column(escape(title), justify="right" if is_numeric else "left")
    for column, cells in zip(table.columns, zip(*plain.rows, strict=True), strict=False):
        if column.justify == "right":  # a number and its interval do not break
            column.min_width = max(len(line) for lines in cells for line in lines)
    for row in plain.rows:
        table.add_row(*(escape("\n".join(lines)) for lines in row))
    return table
