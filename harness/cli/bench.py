"""`tickproof bench`: the main job, from a recording to the report."""

from __future__ import annotations

import json
import os
import secrets
import shlex
import shutil
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer
from rich.console import Console

from harness import report
from harness.cli.progress import progress_of
from harness.cli.report import show
from harness.errors import ConfigError, ExitCode
from harness.recordings import catalogue
from harness.recordings.format import load
from harness.replay.faults.plan import find_plan, read_plan
from harness.results.equality import equalities
from harness.results.store import RESULT, RunFolder
from harness.run.plan import arms_of
from harness.run.runner import Choice, Runner
from harness.run.scenario import choose, shipped, with_faults

if TYPE_CHECKING:
    from harness.results.model import Result
    from harness.run.scenario import Resolved

#: Seconds of one trial (for queries, of one cell of its grid), seen on a two-core virtual machine: for the estimate of
#: --dry-run only, never in a report.
_TRIAL_SECONDS = {"flood": 2.0, "paced": 6.5, "codec": 1.0, "queries": 2.0}


def bench(
    profile: Annotated[str, typer.Option(help="smoke (equality only, no speed), quick, or full.")] = "quick",
    scenario: Annotated[list[str] | None, typer.Option(help="Only this scenario; may be repeated.")] = None,
    stack: Annotated[list[str] | None, typer.Option(help="Only this stack and the reference; repeatable.")] = None,
    recording: Annotated[str, typer.Option(help="A shipped recording, or a file.")] = catalogue.DEFAULT_RECORDING,
    services: Annotated[str, typer.Option(help="auto, url, wheel, path, or docker.")] = "auto",
    blocks: Annotated[
        int | None, typer.Option(min=1, help="Blocks of every scenario, instead of the profile's.")
    ] = None,
    faults: Annotated[str | None, typer.Option(help="A plan of faults: a shipped one, or TOML.")] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Repeats the random order of an earlier run.")] = None,
    out: Annotated[Path, typer.Option(help="Folder in which the run's own folder is made.")] = Path("reports"),
    list_: Annotated[
        bool, typer.Option("--list", help="List scenarios, recordings and profiles; run nothing.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would run and for how long; run nothing.")
    ] = False,
    json_: Annotated[bool, typer.Option("--json", help="Print where the result is and how it ended as JSON.")] = False,
) -> int:
    """Replay a recording through every stack, check that all decide the same, measure, and report.

    Examples:
        tickproof bench --profile smoke

        tickproof bench --scenario ws-flood --stack uvloop+orjson+redis --seed 7

        tickproof bench --recording my-traffic.jsonl.zst
    """
    console = Console(stderr=json_, highlight=False, soft_wrap=True)
    if list_:
        _list(console)
        return ExitCode.GOOD
    if recording.endswith(".toml"):
        raise ConfigError(recording, "", "is a scenario or a profile, no recording")
    path = catalogue.find(recording)
    chosen = choose(scenario or [], profile, path.name.removesuffix(".zst").removesuffix(".jsonl"), stack or [])  # type: ignore[arg-type]  # choose() refuses any other name
    if blocks is not None:
        chosen = [_with_blocks(resolved, blocks) for resolved in chosen]
    if faults is not None:
        chosen = with_faults(chosen, read_plan(find_plan(faults)))
    if dry_run:
        _show_plan(console, chosen)
        return ExitCode.GOOD
    seed = secrets.randbelow(2**31) if seed is None else seed
    started = datetime.now(UTC)
    choice = Choice(
        run_id=f"{started:%Y%m%d-%H%M%S}-{profile}",
        profile=profile,  # type: ignore[arg-type]  # as above
        scenarios=chosen,
        recording=load(path),
        services=services,
        seed=seed,
        command=_command(seed),
    )
    folder = RunFolder.create(out, choice.run_id)
    result = _run(choice, folder, console)
    return _conclude(result, folder, console, as_json=json_)


def _run(choice: Choice, folder: RunFolder, console: Console) -> Result:
    trials = sum(len(arms_of(resolved)) * resolved.effort.blocks for resolved in choice.scenarios)
    try:
        with progress_of(console, trials) as progress:
            return Runner(choice, folder, progress, os.environ).run()
    except BaseException:
        if not any(folder.path.iterdir()):  # it could not begin: leave no empty folder behind
            shutil.rmtree(folder.path)
        raise


def _conclude(result: Result, folder: RunFolder, console: Console, *, as_json: bool) -> int:
    page = report.write(result, folder.path)
    status = _status(result)
    if as_json:
        print(json.dumps({"result": str(folder.path / RESULT), "report": str(page), "exit_code": int(status)}))
        return status
    show(result, console)
    if not result.run.complete:
        console.print(f"The run did not finish: {result.run.broken_by}. The trials so far are kept.", markup=False)
    console.print(f"\n{page}", markup=False)
    return status


def _status(result: Result) -> ExitCode:
    good = sum(trial.status == "ok" for trial in result.trials)
    if not good:
        return ExitCode.NOTHING_MEASURED
    if any(equality.different for equality in equalities(result)):
        return ExitCode.OUTPUTS_DIFFER
    if not result.run.complete or good < len(result.trials):
        return ExitCode.NOT_TRUSTWORTHY
    return ExitCode.GOOD


def _with_blocks(resolved: Resolved, blocks: int) -> Resolved:
    return msgspec.structs.replace(resolved, effort=msgspec.structs.replace(resolved.effort, blocks=blocks))


def _command(seed: int) -> list[str]:
    """The command line as it was given, with the seed that it did not say."""
    arguments = sys.argv[1:]
    if "--seed" not in arguments and not any(argument.startswith("--seed=") for argument in arguments):
        arguments = [*arguments, "--seed", str(seed)]
    return ["tickproof", *arguments]


def _list(console: Console) -> None:
    console.print("scenarios:  " + ", ".join(shipped()))
    console.print("recordings: " + ", ".join(catalogue.names()))
    console.print("profiles:   smoke, quick, full")


def _show_plan(console: Console, chosen: list[Resolved]) -> None:
    seconds = 0.0
    for resolved in chosen:
        arms, blocks = arms_of(resolved), resolved.effort.blocks
        cells = sum(len(list(grid.cells())) for grid in resolved.effort.grids) or 1
        cost = _TRIAL_SECONDS[str(resolved.settings()["kind"])] * cells * len(arms) * blocks
        seconds += cost
        console.print(f"{resolved.name}: {blocks} blocks of {len(arms)} arms, about {cost / 60:.1f} min")
        for arm in arms:
            console.print(f"    {arm.name}" + (f" ({arm.role})" if arm.role != "arm" else ""), markup=False)
    console.print(f"about {seconds / 60:.0f} min in all: {shlex.join(_command(0))}", markup=False)
