"""`tickproof bot cost`: what a message costs the bot, beside the cost of decoding it alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import msgspec
import typer
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from harness.backends.registry import registry
from harness.recordings.catalogue import DEFAULT_RECORDING, find
from harness.run import cost
from harness.run.cost import CostArm, Effort
from harness.run.cost_trial import ALL, DESK, LOADS, PIECES, TYPED
from harness.run.processes import TrialFailed

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from harness.run.cost import Costs
    from harness.stats.estimate import Estimate

CODECS = ("msgspec", "orjson", "json")
#: As many symbols as Binance allows streams on a connection.
SYMBOLS = (10, 30, 100, 300, 1_000)
#: Messages a symbol, at least, so that in the warm-up half every stream is met: a stream's first frame costs more.
_FRAMES_A_SYMBOL = 160
_MILLION = 1_000_000

Recording = Annotated[str, typer.Argument(help="The name of a shipped recording, or a file.")]
Blocks = Annotated[int, typer.Option(help="Blocks; each has a fresh process for every arm.", min=1, max=1_000)]
Frames = Annotated[int, typer.Option(help="Messages of a pass, half of them as warm-up.", min=1_000, max=5_000_000)]
Passes = Annotated[int, typer.Option(help="Passes in a process; the least counts.", min=1, max=100)]
Seed = Annotated[int, typer.Option(help="Of the order.")]
Book = Annotated[bool, typer.Option("--book", help="With whole order books too; the recording must hold snapshots.")]
Symbols = Annotated[bool, typer.Option("--symbols", help="The same messages over 10 to 1,000 symbols.")]
Millions = Annotated[int, typer.Option("--memory", help="Memory over so many million messages.", min=0, max=1_000)]
Json = Annotated[bool, typer.Option("--json", help="One JSON document instead of tables.")]


def cost_command(
    recording: Recording = DEFAULT_RECORDING,
    blocks: Blocks = 10,
    frames: Frames = 60_000,
    passes: Passes = 7,
    seed: Seed = 1,
    book: Book = False,
    symbols: Symbols = False,
    memory: Millions = 0,
    json: Json = False,
) -> None:
    """Microseconds a message of the bot's own work, in process, and how many times a decode alone that is.

    Everything without I/O: bytes to events, market state, strategy, risk, ledger, digest. Processes and passes are
    interleaved in a random order; every figure has a 95 % interval over the blocks. Keep the machine quiet.
    """
    path = find(recording)
    codecs = [name for name in CODECS if registry().is_installed("codec", name)]
    effort = Effort(blocks=blocks, frames=frames, passes=passes, seed=seed)
    tables = [_costs_table(codec, costs) for codec, costs in _mix(path, codecs, effort, book=book).items()]
    if symbols:
        tables.append(_symbols_table(path, effort))
    if memory:
        tables.append(_memory_table(path, memory))
    console = Console(highlight=False)
    if json:
        print(msgspec.json.encode([_plain(table) for table in tables]).decode())
        return
    for table in tables:
        console.print(table)


def _mix(path: Path, codecs: Sequence[str], effort: Effort, *, book: bool) -> dict[str, Costs]:
    arms = {f"{codec}, book off": CostArm(codec=codec) for codec in codecs}
    if book:
        arms |= {f"{codec}, book on": CostArm(codec=codec, book=True) for codec in codecs}
    found = _measured(path, list(arms.values()), effort, "pieces")
    return {name: found[arm] for name, arm in arms.items()}


def _measured(path: Path, arms: Sequence[CostArm], effort: Effort, what: str) -> dict[CostArm, Costs]:
    total = len(arms) * effort.blocks
    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(f"cost: {what}", total=total)
        return cost.measure(path, arms, effort, on_trial=lambda: bar.advance(task))


def _costs_table(name: str, costs: Costs) -> Table:
    table = Table(
        "event", "messages", *(f"{piece}, µs" for piece in PIECES), "desk : typed", "desk : loads", title=name
    )
    for event, count in costs.messages.items():
        levels = (f"{costs.level(piece, event).point:.2f}" for piece in PIECES)
        ratios = (_shown(costs.ratio(DESK, floor, event)) for floor in (TYPED, LOADS))
        table.add_row(event, f"{count:,}", *levels, *ratios)
    return table


def _symbols_table(path: Path, effort: Effort) -> Table:
    arms = [CostArm(codec="msgspec", symbols=number) for number in SYMBOLS]
    found = _measured(path, arms, _only_desk(effort), "symbols")
    table = Table(
        "symbols", "desk, µs", f": {SYMBOLS[0]} symbols", title="msgspec, the same messages over more symbols"
    )
    for arm in arms:
        ratio = found[arm].against(found[arms[0]], DESK)
        table.add_row(f"{arm.symbols:,}", f"{found[arm].level(DESK, ALL).point:.2f}", _shown(ratio))
    return table


def _only_desk(effort: Effort) -> Effort:
    return Effort(
        blocks=effort.blocks,
        frames=max(effort.frames, SYMBOLS[-1] * _FRAMES_A_SYMBOL),
        passes=effort.passes,
        seed=effort.seed,
        pieces=(DESK,),
        by_event=False,
    )


def _memory_table(path: Path, millions: int) -> Table:
    values = cost.soak(path, "msgspec", messages=millions * _MILLION, every=_MILLION)
    if not values:
        raise TrialFailed("the soak left no figure")
    table = Table("million messages", "resident memory, MB", ": the first", title="msgspec, one process")
    for number, value in enumerate(values, 1):
        table.add_row(str(number), f"{value / 1e6:.2f}", f"{value / values[0]:.4f}")
    return table


def _shown(ratio: Estimate) -> str:
    return f"{ratio.point:.2f} [{ratio.low:.2f}, {ratio.high:.2f}]" if ratio.is_known else f"{ratio.point:.2f}"


def _plain(table: Table) -> dict[str, object]:
    """The table as data: what is shown is what is told."""
    columns = [str(column.header) for column in table.columns]
    cells = [list(column.cells) for column in table.columns]
    return {"title": str(table.title), "columns": columns, "rows": [list(row) for row in zip(*cells, strict=True)]}
