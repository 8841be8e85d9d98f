"""The table at the end: a row for each client, and below it what went wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich import box
from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from conductor.trial import Outcome

#: Where there is no terminal whose width could be asked, such as in CI.
_WIDTH = 180


def show(outcomes: Sequence[Outcome], *, details: bool) -> None:
    """Print it; `details` adds rounds, addresses and what clients reported."""
    console = Console(soft_wrap=False, width=None if Console().is_terminal else _WIDTH)
    console.print(_table(outcomes))
    for outcome in outcomes:
        if details or not outcome.good:
            _show_one(console, outcome)
    good = sum(outcome.good for outcome in outcomes)
    console.print(f"{good} of {len(outcomes)} clients received every frame that they had subscribed to.")


def _table(outcomes: Sequence[Outcome]) -> Table:
    table = Table(box=box.SIMPLE_HEAD)
    for name in ("client", "versions", "market"):
        table.add_column(name, no_wrap=True)
    for name in ("streams", "rounds", "served", "received"):
        table.add_column(name, justify="right")
    table.add_column("compared")
    table.add_column("verdict")
    table.add_column("needs besides its URLs")
    for outcome in outcomes:
        client = outcome.client
        table.add_row(
            client.name,
            "\n".join(f"{name} {version}" for name, version in outcome.versions.items()),
            f"{client.market}, TLS" if client.tls else client.market,
            str(outcome.streams),
            str(len(outcome.rounds)),
            f"{sum(one.served for one in outcome.rounds.values()):,}",
            f"{sum(one.received for one in outcome.rounds.values()):,}",
            "parsed" if outcome.parsed else "text",
            "[green]all[/]" if outcome.good else "[red]failed[/]" if outcome.failure else "[red]differs[/]",
            client.needs,
        )
    return table


def _show_one(console: Console, outcome: Outcome) -> None:
    console.print(f"[bold]{outcome.client.name}[/]")
    for name, one in outcome.rounds.items():
        words = f"{one.served:,} served, {one.received:,} received"
        if not one.equal:
            words += f": {one.missing:,} missing, {one.surplus:,} not served, {one.disordered:,} out of order"
        console.print(f"  {name}: {words}", highlight=False)
    for path in outcome.paths:
        console.print(f"  connected to {path}", markup=False, highlight=False)
    for note in outcome.notes:
        console.print(f"  it said: {note}", markup=False, highlight=False)
    if outcome.failure:
        console.print(f"  {outcome.failure}", markup=False, highlight=False)
