"""Real recordings at the pace at which they were recorded, and as a flood: every frame, in order, byte for byte.

`nox -s recorded` runs it; it takes as long as the longest recording. They are `.raw` or ours, from the folders and
files that are named, or from those beside the checkout.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import httpx
from rich.console import Console
from rich.table import Table
from websockets.exceptions import ConnectionClosedOK
from websockets.sync.client import connect

from harness import spawn
from harness.errors import RecordingError
from harness.recordings.format import load
from harness.recordings.importers import import_files
from harness.replay.tape import tape_of

if TYPE_CHECKING:
    from collections.abc import Iterator

BESIDE: Final = Path(__file__).parents[3] / "shared" / "recordings" / "cryptofeed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    recording: str
    pace: str
    frames: int
    received: int
    in_order: bool
    seconds: float
    lateness_us: list[float]


def recordings(places: list[Path], folder: Path) -> list[Path]:
    """Those that hold frames; `.raw` ones imported."""
    found = []
    for path in sorted(file for place in places for file in (place.iterdir() if place.is_dir() else [place])):
        target = path if path.suffix != ".raw" else folder / f"{path.stem}.jsonl.zst"
        try:
            if path.suffix == ".raw":
                import_files([path], target)
            if len(tape_of(load(target).frames)):
                found.append(target)
        except RecordingError as error:
            Console(width=140).print(f"left out: {error}", markup=False)
    return found


@contextmanager
def serving(path: Path, *options: str) -> Iterator[str]:
    """The `http://` root of a replay of its own, at whose first client time begins."""
    process = spawn.spawn(
        [sys.executable, "-m", "harness.cli.main", "replay", "serve", path, "--port", "0", *options],
        env=spawn.python_environment(COLUMNS="500"),
        stdout=subprocess.PIPE,
    )
    try:
        for line in process.stdout or ():
            if line.startswith(b"page:"):
                yield line.split()[1].decode().removesuffix("/tickproof")
                return
    finally:
        spawn.stop(process)


def replayed(path: Path, root: str, pace: str) -> Outcome:
    """One recording to one client of all its streams."""
    tape = tape_of(frame for frame in load(path).frames if frame.connection == "market")
    received: list[bytes] = []
    url = f"{root.replace('http', 'ws', 1)}/stream"
    began = time.monotonic()
    with connect(url, proxy=None, compression=None, max_size=None) as client, suppress(ConnectionClosedOK):
        client.send(json.dumps({"method": "SUBSCRIBE", "params": list(tape.names), "id": 1}))
        client.recv()
        while True:
            received.append(client.recv(timeout=120, decode=False))
    return Outcome(
        recording=path.name.partition(".")[0],
        pace=pace,
        frames=len(tape),
        received=len(received),
        in_order=tuple(received) == tape.bodies,
        seconds=time.monotonic() - began,
        lateness_us=httpx.get(f"{root}/tickproof/state").json()["lateness_us"],
    )


def outcomes_of(found: list[Path]) -> Iterator[Outcome]:
    """All at the recorded pace at once, then the floods one after another."""
    with ExitStack() as opened, ThreadPoolExecutor(len(found)) as pool:
        roots = [opened.enter_context(serving(path)) for path in found]
        yield from pool.map(replayed, found, roots, ["recorded"] * len(found))
    for path in found:
        with serving(path, "--flood") as root:
            yield replayed(path, root, "flood")


def table_of(outcomes: list[Outcome]) -> Table:
    table = Table("recording", "pace", "frames", "received", "in order", "s", "late us p50", "p99", "max")
    for one in outcomes:
        late = [f"{value:,.0f}" for value in one.lateness_us] if one.pace == "recorded" else ["-"] * 3
        counts = f"{one.frames:,}", f"{one.received:,}", "yes" if one.in_order else "NO"
        table.add_row(one.recording, one.pace, *counts, f"{one.seconds:.1f}", *late)
    return table


def main(arguments: list[str]) -> int:
    """1 where a frame was missed, altered, or out of order; 2 where there is no recording."""
    places = [Path(argument) for argument in arguments] or [BESIDE]
    with tempfile.TemporaryDirectory() as folder:
        found = recordings([place for place in places if place.exists()], Path(folder))
        outcomes = list(outcomes_of(found)) if found else []
    console = Console(width=140)
    console.print(table_of(outcomes) if outcomes else "no recording there; name a file or a folder")
    if not outcomes:
        return 2
    return 0 if all(one.in_order for one in outcomes) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
