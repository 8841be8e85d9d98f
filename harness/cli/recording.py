"""`tickproof recording info | verify | import | generate`: recordings looked at, checked, made."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar, get_args

import msgspec
import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from harness.cli.recording_tables import compared, show
from harness.errors import ConfigError, UnknownName
from harness.recordings import calibration, catalogue, generate, importers, statistics
from harness.recordings.format import Market, load
from harness.recordings.format import verify as verify_file
from harness.units import MS_PER_S, NS_PER_MS, NS_PER_S

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from harness.recordings.format import Frame, Gap, Summary

app = typer.Typer(no_args_is_help=True, help="Look at, check, import and generate recordings.")

_FILE = Annotated[str, typer.Argument(help="The name of a shipped recording, or a file.", metavar="FILE")]
_PROGRESS_EVERY = 500
#: Of a recording with many, the first.
_GAPS_SHOWN = 20
_AUTO = "auto"
_Name = TypeVar("_Name", bound=str)


@app.command(epilog="Example: tickproof recording info spot-30-symbols")
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
    sources: Annotated[
        list[Path], typer.Argument(help="Files of one market, packed (gz, zst, zip) or not.", metavar="SOURCE...")
    ],
    target: Annotated[Path, typer.Argument(help="The recording to write, .jsonl or .jsonl.zst.", metavar="TARGET")],
    form: Annotated[
        str, typer.Option("--format", help=f"{_AUTO} (by content), {', '.join(importers.FORMATS)}.", metavar="FORMAT")
    ] = _AUTO,
    market: Annotated[
        str | None, typer.Option(help="spot or usdm, where the files do not tell.", metavar="MARKET")
    ] = None,
    symbol: Annotated[str | None, typer.Option(help="Where the files do not tell.", metavar="SYMBOL")] = None,
    since: Annotated[
        str | None, typer.Option("--from", help="Only from this UTC time on, as 2026-01-31T12:30.", metavar="TIME")
    ] = None,
    until: Annotated[
        str | None, typer.Option("--until", help="Only what came before this UTC time.", metavar="TIME")
    ] = None,
) -> None:
    """Make one recording of other tools' files; exchange filters are not known then, and stated defaults apply."""
    wanted = importers.Wanted(
        market=_one_of("market", market, get_args(Market)) if market else None,
        symbol=symbol,
        from_ns=_unix_ns("--from", since),
        until_ns=_unix_ns("--until", until),
    )
    chosen = None if form == _AUTO else _one_of("format", form, importers.FORMATS)
    total = sum(source.stat().st_size for source in sources if source.is_file())
    names = sources[0].name + (f" and {len(sources) - 1} more" if len(sources) > 1 else "")
    with _progress(f"importing {names}", total or None) as advance:
        found = importers.import_files(sources, target, form=chosen, wanted=wanted, on_progress=advance)
    print(f"{target}: {found.frames:,} frames and {found.rest_bodies:,} REST bodies, market {found.market}")
    if found.held_times:
        print(f"{found.held_times:,} times ran back; each such frame got the time of the one before")
    if found.gaps:
        print(f"{found.gaps:,} gaps, in which the recorder was disconnected, are marked")
    if found.left_out:
        print(f"{found.left_out:,} lines that are no traffic of the exchange's were left out")


def _one_of(kind: str, name: str, known: tuple[_Name, ...]) -> _Name:
    for each in known:
        if each == name:
            return each
    raise UnknownName(kind, name, known)


def _unix_ns(option: str, text: str | None) -> int | None:
    """The unix time that an option gives; UTC unless it says otherwise."""
    if text is None:
        return None
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise ConfigError("the command line", option, f"{text!r} is no time; give it as 2026-01-31T12:30") from None
    return round((time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp() * NS_PER_S)


@app.command("generate", epilog="Example: tickproof recording generate --seed 7 mine.jsonl.zst")
def generate_(
    target: Annotated[Path, typer.Argument(help="The recording to write, .jsonl or .jsonl.zst.", metavar="TARGET")],
    profile: Annotated[
        str, typer.Option(help="The name of a shipped profile, or a TOML file.", metavar="NAME-OR-TOML")
    ] = catalogue.DEFAULT_RECORDING,
    seed: Annotated[int | None, typer.Option(help="Instead of the profile's own.", min=0)] = None,
    rate: Annotated[float | None, typer.Option(help="Times the profile's rate of messages.", min=0.001)] = None,
    more_symbols: Annotated[
        int | None, typer.Option(help="Made-up symbols beside those that the profile lists.", min=0, max=2_000)
    ] = None,
    seconds: Annotated[float | None, typer.Option(help="How long, instead of the profile's own.", min=1)] = None,
) -> None:
    """Make a recording from a profile; the same profile, seed and options give the same text everywhere."""
    duration_ms = round(seconds * MS_PER_S) if seconds is not None else None
    wanted = generate.find_profile(profile, seed=seed, rate=rate, more_symbols=more_symbols, duration_ms=duration_ms)
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
    for mark in found.gaps[:_GAPS_SHOWN]:
        console.print(_gap(mark.gap), highlight=False, markup=False, soft_wrap=True)
    if len(found.gaps) > _GAPS_SHOWN:
        console.print(f"and {len(found.gaps) - _GAPS_SHOWN:,} more gaps")


def _gap(gap: Gap) -> str:
    """A gap in words."""
    back = "the end" if gap.back_at_ns is None else f"{gap.back_at_ns / NS_PER_S:.1f} s"
    carried = f"{len(gap.streams):,} streams" if gap.streams else "the account"
    return f"gap: {carried} of connection {gap.number} from {gap.lost_at_ns / NS_PER_S:.1f} s to {back}: {gap.reason}"
