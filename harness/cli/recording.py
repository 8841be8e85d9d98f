"""`tickproof recording info | verify | import | generate`: recordings looked at, checked, made."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from harness.cli.recording_tables import compared, show
from harness.recordings import calibration, catalogue, generate, importers, statistics
from harness.recordings.format import load
from harness.recordings.format import verify as verify_file
from harness.units import NS_PER_MS, NS_PER_S

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from harness.recordings.format import Frame, Summary

app = typer.Typer(no_args_is_help=True, help="Look at, check, import and generate recordings.")

_FILE = Annotated[str, typer.Argument(help="The name of a shipped recording, or a file.", metavar="FILE")]
_PROGRESS_EVERY = 500


@app.command(epilog="Example: tickproof recording info spot-20-symbols")
def info(
    file: _FILE,
    json: Annotated[bool, typer.Option("--json", help="One JSON object, for a machine.")] = False,
    compare: Annotated[bool, typer.Option("--compare", help="Against what was measured on real traffic.")] = False,
) -> None:
    """What a recording holds: kinds, sizes, rates, bursts, symbols, depth, trades, tickers."""
    path = catalogue.find(file)
    if json:
        print(msgspec.json.encode(statistics.describe(load(path))).decode())
        return
    console = Console()
    with console.status(f"reading {path.name}"):
        description = statistics.describe(load(path))
    show(console, path, description)
    if compare:
        console.print(compared(calibration.check(description)))


@app.command(epilog="Example: tickproof recording verify my.jsonl.zst")
def verify(file: _FILE) -> None:
    """Check a recording from its first line to its last; exit code 2, file and line where it is not whole."""
    path = catalogue.find(file)
    console = Console()
    with console.status(f"verifying {path.name}"):
        found = verify_file(path)
    _show_verified(console, found)


@app.command("import", epilog="Example: tickproof recording import spot.raw spot.jsonl.zst")
def import_(
    source: Annotated[Path, typer.Argument(help="A .raw file of cryptofeed.", metavar="SOURCE")],
    target: Annotated[Path, typer.Argument(help="The recording to write, .jsonl or .jsonl.zst.", metavar="TARGET")],
) -> None:
    """Make a recording of another tool's file; exchange filters are not known then, and stated defaults apply."""
    total = 2 * source.stat().st_size if source.is_file() else None
    with _progress(f"importing {source.name}", total) as advance:
        found = importers.import_raw(source, target, advance)
    print(f"{target}: {found.frames:,} frames and {found.rest_bodies:,} REST bodies, market {found.market}")
    if found.held_times:
        print(f"{found.held_times:,} times ran back; each such frame got the time of the one before")


@app.command("generate", epilog="Example: tickproof recording generate --seed 7 mine.jsonl.zst")
def generate_(
    target: Annotated[Path, typer.Argument(help="The recording to write, .jsonl or .jsonl.zst.", metavar="TARGET")],
    profile: Annotated[
        str, typer.Option(help="The name of a shipped profile, or a TOML file.", metavar="NAME-OR-TOML")
    ] = catalogue.DEFAULT_RECORDING,
    seed: Annotated[int | None, typer.Option(help="Instead of the profile's own.", min=0)] = None,
) -> None:
    """Make a recording from a profile; the same profile and seed give the same text everywhere."""
    wanted = generate.find_profile(profile, seed=seed)
    with _progress(f"generating {wanted.name}", wanted.duration_ms) as advance:
        count = generate.generate(wanted, target, _every(_PROGRESS_EVERY, advance))
    print(f"{target}: {count:,} frames, seed {wanted.seed}")


@contextmanager
def _progress(title: str, total: int | None) -> Iterator[Callable[[int], None]]:
    """A bar on a terminal, one plain line elsewhere; yields what takes the amount done so far."""
    console = Console(stderr=True)
    if not console.is_terminal:
        console.print(title, highlight=False)
        yield lambda _done: None
        return
    columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task(title, total=total)
        yield lambda done: progress.update(task, completed=done)


def _every(number: int, advance: Callable[[int], None]) -> Callable[[Frame], None]:
    seen = 0

    def on_frame(frame: Frame) -> None:
        nonlocal seen
        seen += 1
        if seen % number == 0:
            advance(frame.at // NS_PER_MS)

    return on_frame


def _show_verified(console: Console, found: Summary) -> None:
    parts = ", ".join(f"{count:,} {name}" for name, count in sorted(found.frames_by_connection.items()))
    console.print(
        f"[bold]{escape(found.name)}[/] is whole: {found.frames:,} frames ({parts}) in {found.span_ns / NS_PER_S:.1f} s"
    )
    console.print(f"SHA-256 {found.sha256}", highlight=False)
