"""`tickproof claims list | check`: a report's sentences as data."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from harness.claims import catalogue
from harness.claims.catalogue import DEFAULT

app = typer.Typer(no_args_is_help=True, help="Look at claims, and check a claims file of your own.")


@app.command("list", epilog="Example: tickproof claims list")
def list_(
    name: Annotated[str, typer.Argument(help="A shipped claims file by name, or a file.")] = DEFAULT,
    json: Annotated[bool, typer.Option("--json", help="Print the claims as JSON.")] = False,
) -> None:
    """List the claims of a report, what is expected of each, and the scenario that measures it."""
    from harness.claims.contradictions import show_range  # noqa: PLC0415 - it loads scipy

    found = catalogue.find(name)
    if json:
        print(msgspec.json.encode(found).decode())
        return
    table = Table("Claim", "As written", "Expected", "Measured in", box=None, pad_edge=False, header_style="bold")
    for claim in found.claims:
        expected = show_range(claim.expected, claim.kind) if claim.expected else "-"
        scenarios = dict.fromkeys(measure.scenario for measure in claim.measures)
        where = ", ".join(scenarios) or ("all scenarios" if claim.kind == "equality" else "not yet")
        table.add_row(escape(claim.id), escape(claim.sentence), escape(expected), escape(where))
    Console(highlight=False).print(table)


@app.command(epilog="Example: tickproof claims check my-claims.toml")
def check(file: Annotated[Path, typer.Argument(help="A claims file.", metavar="FILE")]) -> None:
    """Check a claims file, and show the claims in it that cannot all be true."""
    from harness.claims.contradictions import contradictions  # noqa: PLC0415 - it loads scipy

    found = catalogue.read(file)
    measured = sum(bool(claim.measures) or claim.kind == "equality" for claim in found.claims)
    print(f"{file}: {len(found.claims)} claims, {measured} of them measured by scenarios of this version")
    for contradiction in contradictions(found):
        claims = " and ".join(contradiction.claims)
        print(f"cannot both be true, {claims}: {contradiction.stated}, but {contradiction.implied}")
