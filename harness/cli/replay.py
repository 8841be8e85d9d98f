"""`tickproof replay`: a recording as a Binance on loopback, for any client, and a Binance that takes orders."""

from __future__ import annotations

import asyncio
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.errors import ConfigError
from harness.recordings.catalogue import find
from harness.recordings.format import load
from harness.replay.orders.gateway import serve_orders
from harness.replay.pacing import Pace
from harness.replay.reel import Reel
from harness.replay.standing import Standing
from harness.replay.tape import tape_of

if TYPE_CHECKING:
    from harness.replay.tape import Tape

app = typer.Typer(no_args_is_help=True, help="Serve a recording over a real WebSocket, as Binance would.")

#: Named in the printed URL; more would not fit a line.
_NAMES_SHOWN = 3
#: The thread that sends must not wait for those that answer: a fifth of Python's default (0.005).
_SWITCH_S = 0.001


@app.callback()
def replay() -> None:
    """Serve a recording over a real WebSocket, as Binance would."""


@app.command(epilog="Example: tickproof replay serve my.jsonl.zst --speed 4 --port 9443")
def serve(
    recording: Annotated[str, typer.Argument(help="The name of a shipped recording, or a file.")],
    speed: Annotated[float, typer.Option(help="Times the recorded pace.", min=0.001, max=1e6)] = 1.0,
    rate: Annotated[float | None, typer.Option(help="Frames per second, evenly, instead.", min=0.001, max=1e7)] = None,
    flood: Annotated[bool, typer.Option("--flood", help="As fast as each client reads, instead.")] = False,
    loop: Annotated[bool, typer.Option("--loop", help="Again and again, with ids and times moved on.")] = False,
    hold: Annotated[bool, typer.Option("--hold", help="Begin when told to, not with the first client.")] = False,
    host: Annotated[str, typer.Option(help="An address of the loopback.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="0 for any free one.", min=0, max=65535)] = 9443,
) -> None:
    """Serve to any client until Ctrl-C: one timeline for all, from the first client that subscribes."""
    found = load(find(recording))
    tape = tape_of(found.frames)
    if not len(tape):
        raise ConfigError(recording, "", "the recording holds REST bodies only: there is no frame to serve")
    pace = Pace() if flood else Pace(rate=rate) if rate is not None else Pace(speed=speed)
    reel = Reel(tape, found if loop else None)
    sys.setswitchinterval(_SWITCH_S)
    with Standing(reel, pace, host=host, port=port, notice=print, hold=hold) as standing:
        print(f"{found.name}: {tape.market_frames:,} market frames, {tape.user_frames:,} account frames")
        print("\n".join(_urls(standing.url, tape)))
        print(f"state:   {standing.url.replace('ws', 'http', 1)}/tickproof/state")
        print("Ctrl-C ends it.", flush=True)
        try:
            signal.pause()
        except KeyboardInterrupt:
            print("ended")


@app.command(epilog="Example: tickproof replay orders --port 9444 --log orders.jsonl")
def orders(
    log: Annotated[Path, typer.Option(help="Where accepted orders are written, a JSON line each; read back if there.")],
    host: Annotated[str, typer.Option(help="An address of the loopback.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="0 for any free one.", min=0, max=65535)] = 9444,
) -> None:
    """Take orders as Binance's WebSocket API would, on loopback, until Ctrl-C; every order is filled at its limit.

    What was accepted is in the log before the client is told: a witness of what a bot decided, outside the bot.
    """

    def ready(port_taken: int) -> None:
        print(f"orders:  ws://{f'[{host}]' if ':' in host else host}:{port_taken}/ws-api/v3")
        print(f"log:     {log}\nCtrl-C ends it.", flush=True)

    count = asyncio.run(serve_orders(log, host=host, port=port, ready=ready))
    print(f"ended; accepted orders in {log}: {count:,}")


def _urls(root: str, tape: Tape) -> list[str]:
    lines = []
    if tape.names:
        more = f" (and {len(tape.names) - _NAMES_SHOWN} more streams)" if len(tape.names) > _NAMES_SHOWN else ""
        lines.append(f"market:  {root}/stream?streams={'/'.join(tape.names[:_NAMES_SHOWN])}{more}")
    if tape.user_frames:
        lines.append(f"account: {root}/ws-api/v3, then userDataStream.subscribe; or {root}/ws/<listenKey>")
    return lines
