"""`tickproof history add | list`: many runs in one file, to look at."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

if TYPE_CHECKING:
    from harness.history.store import History

app = typer.Typer(no_args_is_help=True, help="Keep results in one file, and look at them over time.")

STORE = Path("reports") / "history.sqlite"

_Store = Annotated[Path, typer.Option("--store", help="The file that holds the history.")]


@app.command(epilog="Example: tickproof history add reports/20260101-120000")
def add(
    result: Annotated[Path, typer.Argument(help="A result.json, or the folder of a run.", metavar="RESULT")],
    store: _Store = STORE,
) -> None:
    """Take a result in; one that is there already is left as it is."""
    entry = _history(store).add(result)
    print(f"{entry.id} is in {store} ({entry.trials} trials, {entry.failed} failed)")


@app.command("list", epilog="Example: tickproof history list --json")
def list_(
    store: _Store = STORE,
    json: Annotated[bool, typer.Option("--json", help="Print the runs as JSON.")] = False,
) -> None:
    """List the runs, oldest first."""
    entries = _history(store).entries()
    if json:
        print(msgspec.json.encode(entries).decode())
        return
    if not entries:
        print(f"no runs in {store}; add one with: tickproof history add RESULT")
        return
    table = Table("Run", "Started", "Profile", "Whole", "Revision", "CPU", box=None, pad_edge=False)
    for entry in entries:
        whole = "yes" if entry.complete else "no"
        cells = (entry.id, entry.started, entry.profile, whole, entry.revision or "-", entry.cpu)
        table.add_row(*(escape(cell) for cell in cells))
    Console(highlight=False).print(table)


def _history(store: Path) -> History:
    from harness.history.store import History  # noqa: PLC0415 - it loads scipy, which other commands need not pay

    return History(store)
