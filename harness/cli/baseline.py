"""`tickproof baseline update`: the result that later ones are compared with."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, help="Keep the result that the gate compares with.")

BASELINE = Path("reports") / "baseline" / "result.json"


@app.callback()
def _group() -> None:
    """Keep the result that the gate compares with."""


@app.command(epilog='Example: tickproof baseline update reports/20260101-120000 --reason "new CI machine"')
def update(
    result: Annotated[Path, typer.Argument(help="A result.json, or the folder of a run.", metavar="RESULT")],
    reason: Annotated[str, typer.Option(help="Why the baseline moves; kept beside it.")],
    to: Annotated[Path, typer.Option(help="The baseline file.", metavar="FILE")] = BASELINE,
) -> None:
    """Copy a result as the baseline, and record why beside it. A run that cannot be trusted is refused."""
    from harness.history.baseline import update as move  # noqa: PLC0415 - it loads scipy

    kept = move(result, to, reason=reason, when=datetime.now(UTC))
    print(f"{kept.run} is the baseline in {to}; the reason stands in {kept.log}")
