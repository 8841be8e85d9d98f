"""`tickproof gate`: pass or fail against a baseline."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from harness.config import read_toml
from harness.errors import NothingMeasured, NotTrustworthy, OutputsDiffer, RegressionFound, TickproofError
from harness.results.store import read_result

if TYPE_CHECKING:
    from harness.gate import Decision
    from harness.stats.estimate import Estimate

#: A log does not wrap: a table there may be wider than the 80 columns that a missing terminal stands for.
_LOG_WIDTH = 140

_ERRORS: dict[str, type[TickproofError]] = {
    "regression": RegressionFound,
    "inconclusive": NotTrustworthy,
    "not trustworthy": NotTrustworthy,
    "outputs differ": OutputsDiffer,
    "nothing to compare": NothingMeasured,
}


def gate(
    result: Annotated[Path, typer.Argument(help="A result.json, or the folder of a run.", metavar="RESULT")],
    baseline: Annotated[Path, typer.Option(help="The result to compare with.", metavar="BASE")],
    policy: Annotated[Path | None, typer.Option(help="TOML: metrics, margins, significance.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the decision as one JSON object.")] = False,
) -> None:
    """Pass (0), or fail: 1 a regression, 3 outputs differ, 4 inconclusive or not to be trusted, 5 nothing to compare.

    Compares each stack's ratio to the reference with the same ratio in the baseline, never absolute times.

    Example: tickproof gate reports/20260101-120000 --baseline reports/baseline/result.json
    """
    from harness.gate import Policy, judge  # noqa: PLC0415 - it loads scipy, which other commands need not pay

    rules = read_toml(policy, Policy) if policy else Policy()
    decision = judge(read_result(result), read_result(baseline), rules)
    if json:
        print(msgspec.json.encode(decision).decode())
    else:
        _show(decision, Console(highlight=False))
    if not decision.passed:
        raise _ERRORS[decision.verdict](f"{decision.verdict}: {'; '.join(decision.reasons)}")


def _show(decision: Decision, console: Console) -> None:
    if decision.rows:
        table = Table(box=None, pad_edge=False, header_style="bold")
        for title in ("Stack", "Metric"):
            table.add_column(title)
        for title in ("Baseline, to the reference", "Now", "Change"):
            table.add_column(title, justify="right")
        table.add_column("Outcome")
        for row in decision.rows:
            metric = ", ".join((row.scenario, row.metric, *row.labels.values()))
            ratios = (_written(row.baseline), _written(row.head), _written(row.change))
            table.add_row(escape(row.arm), escape(metric), *ratios, str(row.outcome))
        if not console.is_terminal:
            console.width = max(console.width, _LOG_WIDTH)
        console.print(table)
    if decision.passed:
        console.print(f"pass: {'; '.join(decision.reasons)}", markup=False)


def _written(estimate: Estimate) -> str:
    if not estimate.is_known:
        return "n too small"
    return escape(f"{estimate.point:.3f}x [{estimate.low:.3f}, {estimate.high:.3f}]")
