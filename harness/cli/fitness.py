"""`tickproof replay measure`: whether the replay is fast enough to be believed, measured on this machine.

Its flood, its lateness at a rate, and what a crowd on one timeline costs it. Each replay is a process of its own and so
are its clients, pinned apart where there are two cores.
"""

from __future__ import annotations

import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import urlsplit

import httpx
import msgspec
import numpy as np
import typer
from rich.console import Console
from rich.table import Table

from harness import spawn
from harness.errors import NotTrustworthy
from harness.recordings.catalogue import DEFAULT_RECORDING, find
from harness.replay.ceiling import draining
from harness.replay.controller import ReplayProcess
from harness.replay.drain import Order
from harness.replay.drain_many import Crowd, Emptied
from harness.replay.messages import CeilingFound

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


_RATES = [1_000, 5_000, 20_000]
_CROWDS = [1, 20, 200]

Recording = Annotated[str, typer.Argument(help="The name of a shipped recording, or a file.")]
Rates = Annotated[list[int] | None, typer.Option("--rate", help="Frames a second to one client.", min=1, max=10**6)]
Crowds = Annotated[list[int] | None, typer.Option("--crowd", help="Clients on one timeline.", min=1, max=1_000)]
Speed = Annotated[float, typer.Option(help="Of the crowds, times the recorded pace.", min=0.01, max=1e4)]
Repeats = Annotated[int, typer.Option(help="Floods for each kind of client.", min=1, max=1_000)]
Seconds = Annotated[float, typer.Option(help="Of each rate and each crowd.", min=0.2, max=3_600)]
Json = Annotated[bool, typer.Option("--json", help="One JSON document instead of tables.")]


class Rated(msgspec.Struct, frozen=True, kw_only=True):
    """A serve at a fixed rate to one client; lateness in microseconds: median, 99 %, most."""

    frames_per_s: int
    frames: int
    lateness_us: tuple[float, float, float]


class Crowded(msgspec.Struct, frozen=True, kw_only=True):
    """Some seconds of a recording to so many clients on one timeline."""

    clients: int
    frames_per_s: float
    """To each."""
    frames: int
    """To all together."""
    lateness_us: tuple[float, float, float]
    """Of each frame to each client."""


class Fitness(msgspec.Struct, frozen=True, kw_only=True):
    """What was found."""

    recording: str
    ceiling: CeilingFound
    rates: list[Rated]
    crowds: list[Crowded]


def measure_command(
    recording: Recording = DEFAULT_RECORDING,
    rate: Rates = None,
    crowd: Crowds = None,
    speed: Speed = 1.0,
    repeats: Repeats = 5,
    seconds: Seconds = 10.0,
    json: Json = False,
) -> None:
    """How fast a flood is drained, how late frames are at a rate, and to a crowd. Keep the machine quiet."""
    path = find(recording)
    clients, replays = spawn.split_cores()
    console = Console(stderr=json, highlight=False)
    with console.status("measuring"):
        rates = rate or _RATES
        with ReplayProcess.start(path, min_frames=round(max(rates) * seconds), cores=replays) as replay:
            ceiling = replay.ceiling(repeats, cores=clients)
            rated = [_rated(replay, wanted, seconds, clients) for wanted in rates]
            streams = replay.ready.streams
        chosen = _Choice(path=path, streams=streams, speed=speed, seconds=seconds, clients=clients, replays=replays)
        crowded = [_crowded(chosen, size) for size in crowd or _CROWDS]
    found = Fitness(recording=recording, ceiling=ceiling, rates=rated, crowds=crowded)
    if json:
        print(msgspec.json.encode(found).decode())
    else:
        _show(console, found)


def _rated(replay: ReplayProcess, rate: int, seconds: float, cores: tuple[int, ...]) -> Rated:
    serving = replay.serve(mode="paced", rate=rate, frames=max(1, round(rate * seconds)))
    order = Order(port=replay.port, host="127.0.0.1", streams=replay.ready.streams, passes=("counting",))
    with draining(order, cores):
        done = serving.wait()
    late = done.lateness_us
    if late is None:
        raise NotTrustworthy("a paced serve told no lateness")
    return Rated(frames_per_s=rate, frames=done.market_frames, lateness_us=(late.p50, late.p99, late.max))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Choice:
    path: Path
    streams: tuple[str, ...]
    speed: float
    seconds: float
    clients: tuple[int, ...]
    """Cores of the clients."""
    replays: tuple[int, ...]
    """Cores of the replay."""


def _crowded(choice: _Choice, size: int) -> Crowded:
    with _serving(choice) as (replay, root), _crowd(root, choice, size) as said:
        next(said)
        began = time.monotonic()
        httpx.post(f"{root}/tickproof/start").raise_for_status()
        time.sleep(choice.seconds)
        httpx.post(f"{root}/tickproof/pause").raise_for_status()
        seconds = time.monotonic() - began
        state = _settled(root)
        spawn.stop(replay)
        received = set(msgspec.json.decode(next(said), type=Emptied).bytes)
    frames = state["sent_market_frames"]
    if len(received) != 1 or state["connections"] != size or not frames:
        raise NotTrustworthy(f"{state['connections']} of {size} clients were left, and they received {received} bytes")
    p50, p99, most = state["lateness_us"]
    return Crowded(clients=size, frames_per_s=frames / size / seconds, frames=frames, lateness_us=(p50, p99, most))


def _settled(root: str) -> dict[str, Any]:
    """The state of a replay that is paused, once nobody lags and its lateness is that of all it sent."""
    time.sleep(1.1)
    state: dict[str, Any] = httpx.get(f"{root}/tickproof/state").json()
    if state["state"] != "paused" or state["lagging"]:
        raise NotTrustworthy(f"the replay is {state['state']}, and {state['lagging']} clients lag")
    return state


@contextmanager
def _serving(choice: _Choice) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """A replay that waits to be told, and its `http://` root."""
    options = ["--speed", str(choice.speed), "--hold", "--port", "0"]
    process = spawn.spawn(
        [sys.executable, "-m", "harness.cli.main", "replay", "serve", choice.path, *options],
        cores=choice.replays,
        env=spawn.python_environment(COLUMNS="500"),
        stdout=subprocess.PIPE,
    )
    try:
        pages = (line for line in process.stdout or () if line.startswith(b"page:"))
        yield process, next(pages).split()[1].decode().removesuffix("/tickproof")
    finally:
        spawn.stop(process)
        if process.stdout is not None:
            process.stdout.close()


@contextmanager
def _crowd(root: str, choice: _Choice, size: int) -> Iterator[Iterator[bytes]]:
    """So many clients in one process; yields what it says, a line each."""
    process = spawn.spawn(
        [sys.executable, "-m", "harness.replay.drain_many"],
        cores=choice.clients,
        env=spawn.python_environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    url = urlsplit(root)
    crowd = Crowd(host=url.hostname or "", port=url.port or 0, streams=choice.streams, connections=size)
    try:
        if process.stdin is not None:
            process.stdin.write(msgspec.json.encode(crowd))
            process.stdin.close()
        yield iter(process.stdout or ())
    finally:
        spawn.stop(process)
        if process.stdout is not None:
            process.stdout.close()


def _show(console: Console, found: Fitness) -> None:
    ceiling = found.ceiling
    size = ceiling.bytes / ceiling.frames
    console.print(f"{found.recording}: {ceiling.frames:,} frames of {size:.0f} bytes on the wire in each flood")
    floods = Table("flood, drained by a client that", title="Ceiling, million frames a second")
    for heading in ("median", "least", "most"):
        floods.add_column(heading, justify="right")
    for words, rates in (
        ("counts bytes", ceiling.counting_frames_per_s),
        ("walks from frame to frame", ceiling.parsing_frames_per_s),
    ):
        floods.add_row(words, *(f"{rate / 1e6:.2f}" for rate in (np.median(rates), min(rates), max(rates))))
    console.print(floods)
    late = Table("", "frames", title="Lateness, microseconds")
    for heading in ("median", "99 %", "most"):
        late.add_column(heading, justify="right")
    for rated in found.rates:
        late.add_row(f"{rated.frames_per_s:,} frames/s to 1 client", f"{rated.frames:,}", *_us(rated.lateness_us))
    for crowded in found.crowds:
        words = f"{crowded.frames_per_s:,.0f} frames/s as recorded to each of {crowded.clients:,}"
        late.add_row(words, f"{crowded.frames:,}", *_us(crowded.lateness_us))
    console.print(late)


def _us(values: tuple[float, float, float]) -> list[str]:
    return [f"{value:,.0f}" for value in values]
