"""`tickproof replay`: a recording as a Binance on loopback, for any client, and a Binance that takes orders."""

from __future__ import annotations

import dataclasses
import gc
import signal
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec
import typer

from harness.cli.fitness import measure_command
from harness.errors import NotTrustworthy, TickproofError, UnknownName
from harness.recordings.catalogue import find
from harness.recordings.format import load
from harness.replay.faults.plan import find_plan, read_plan
from harness.replay.opening import Choices, Opened
from harness.replay.orders.gateway import serve_orders
from harness.replay.orders.stamps import FrameNames
from harness.replay.pacing import Pace
from harness.replay.protocol.rules import SPOT, USDM

if TYPE_CHECKING:
    from harness.recordings.format import Recording
    from harness.replay.faults.plan import FaultPlan
    from harness.replay.orders.latency import Delays
    from harness.replay.protocol.rules import Rules

app = typer.Typer(no_args_is_help=True, help="Serve a recording over a real WebSocket, as Binance would.")

#: Named in the printed URL; more would not fit a line.
_NAMES_SHOWN = 3
#: The thread that sends must not wait for those that answer: a fifth of Python's default (0.005).
_SWITCH_S = 0.001

#: Of a count 0 may mean any number; seconds are above 0.
_Count = Annotated[int, msgspec.Meta(ge=0)]
_Above0 = Annotated[float, msgspec.Meta(gt=0)]

_PACE, _MISUSE, _ORDERS, _LINE = "Pace", "Misbehaviour", "Orders and keys", "Addresses"
_Recording = Annotated[str, typer.Argument(help="The name of a shipped recording, or a file.")]
_Speed = Annotated[float, typer.Option(help="Times the recorded pace.", min=0.001, max=1e6, rich_help_panel=_PACE)]
_Rate = Annotated[
    float | None, typer.Option(help="Frames a second, evenly, instead.", min=0.001, max=1e7, rich_help_panel=_PACE)
]
_Flood = Annotated[bool, typer.Option("--flood", help="As fast as each client reads.", rich_help_panel=_PACE)]
_Loop = Annotated[bool, typer.Option("--loop", help="Again and again, ids and times moved on.", rich_help_panel=_PACE)]
_Hold = Annotated[bool, typer.Option("--hold", help="Begin when told to by the page.", rich_help_panel=_PACE)]
_Host = Annotated[str, typer.Option(help="An address of the loopback.", rich_help_panel=_LINE)]
_Port = Annotated[int, typer.Option(help="0 for any free one.", min=0, max=65535, rich_help_panel=_LINE)]
_Tls = Annotated[bool, typer.Option("--tls", help="Speak wss:// too, on --tls-port.", rich_help_panel=_LINE)]
_TlsFolder = Annotated[Path, typer.Option(help="Where certificate and key lie, or are made.", rich_help_panel=_LINE)]
_Plan = Annotated[
    str | None, typer.Option(help="A plan of faults on purpose: a shipped one or TOML.", rich_help_panel=_MISUSE)
]
_Seed = Annotated[int | None, typer.Option(help="Of the faults, not the plan's own.", min=0, rich_help_panel=_MISUSE)]
_Rule = Annotated[
    list[str] | None,
    typer.Option(help="NAME=VALUE: ping_seconds, lifetime_seconds, ...; repeatable.", rich_help_panel=_MISUSE),
]
_Snapshots = Annotated[
    Literal["current", "fixed"] | None,
    typer.Option(help="Depth: where the replay is, or always the same books, as in a flood unless told otherwise."),
]
_Orders = Annotated[
    Path | None, typer.Option(help="Take orders, and log them here; read back if there.", rich_help_panel=_ORDERS)
]
_FrameInId = Annotated[
    str | None,
    typer.Option(help="How an order's id names its frame, with (?P<frame>[0-9]+).", rich_help_panel=_ORDERS),
]
_Keys = Annotated[Path | None, typer.Option(help="TOML with test keys beside ours.", rich_help_panel=_ORDERS)]
_RequireKeys = Annotated[
    bool, typer.Option("--require-keys", help="Turn down what is not signed.", rich_help_panel=_ORDERS)
]


@app.callback()
def replay() -> None:
    """Serve a recording over a real WebSocket, as Binance would."""


@app.command(epilog="Example: tickproof replay serve my.jsonl.zst --speed 4 --port 9443 --faults rough-day")
def serve(
    recording: _Recording,
    speed: _Speed = 1.0,
    rate: _Rate = None,
    flood: _Flood = False,
    loop: _Loop = False,
    hold: _Hold = False,
    host: _Host = "127.0.0.1",
    port: _Port = 9443,
    tls: _Tls = False,
    tls_port: _Port = 9444,
    tls_folder: _TlsFolder = Path(".tickproof-tls"),
    faults: _Plan = None,
    seed: _Seed = None,
    rule: _Rule = None,
    snapshots: _Snapshots = None,
    orders: _Orders = None,
    frame_in_id: _FrameInId = None,
    keys: _Keys = None,
    require_keys: _RequireKeys = False,
) -> None:
    """Serve to any client until Ctrl-C: one timeline for all, from the first client that subscribes.

    Streams, REST, orders and a page that shows it all are on one port.
    """
    found = load(find(recording))
    choices = Choices(
        pace=Pace() if flood else Pace(rate=rate) if rate is not None else Pace(speed=speed),
        loop=loop,
        hold=hold,
        host=host,
        port=port,
        faults=_plan(faults, seed),
        snapshots=snapshots or ("fixed" if flood else "current"),
        keys=keys,
        require_keys=require_keys,
        orders=orders,
        frame_in_id=_checked_pattern(frame_in_id),
        tls=tls_folder if tls else None,
        tls_port=tls_port,
        rules=_rules(found, rule or []),
    )
    _serve(found, choices)


@app.command(epilog="Example: tickproof replay orders --port 9444 --log orders.jsonl")
def orders(
    log: Annotated[Path, typer.Option(help="Where accepted orders are written, a JSON line each; read back if there.")],
    host: _Host = "127.0.0.1",
    port: _Port = 9444,
) -> None:
    """Take orders as Binance's WebSocket API would, without a market, on loopback, until Ctrl-C.

    What was accepted is in the log before the client is told: a witness of what a bot decided, outside the bot.
    """

    def ready(port_taken: int) -> None:
        print(f"orders:  ws://{f'[{host}]' if ':' in host else host}:{port_taken}/ws-api/v3")
        print(f"log:     {log}\nCtrl-C ends it.", flush=True)

    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    count = serve_orders(log, host=host, port=port, ready=ready, stop=stop)
    print(f"ended; accepted orders in {log}: {count:,}")


app.command("measure", epilog="Example: tickproof replay measure spot-30-symbols --rate 20000 --crowd 200")(
    measure_command
)


def _serve(found: Recording, choices: Choices) -> None:
    sys.setswitchinterval(_SWITCH_S)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    with Opened(found, choices, print) as opened:
        tape = opened.tape
        print(f"{found.name}: {tape.market_frames:,} market frames, {tape.user_frames:,} account frames")
        print("\n".join(_addresses(opened, choices)))
        print("Ctrl-C ends it.", flush=True)
        # A collection would visit each of the recording's frames in the middle of the schedule.
        gc.collect()
        gc.freeze()
        broken = opened.wait(stop)
    for line in _delays(opened):
        print(line)
    print("ended")
    if broken:
        raise NotTrustworthy(f"the replay broke off: {broken}")


def _addresses(opened: Opened, choices: Choices) -> list[str]:
    tape = opened.tape
    more = f" (and {len(tape.names) - _NAMES_SHOWN} more streams)" if len(tape.names) > _NAMES_SHOWN else ""
    lines = [f"market:  {opened.url}/stream?streams={'/'.join(tape.names[:_NAMES_SHOWN])}{more}"]
    if tape.user_frames:
        lines.append(f"account: {opened.url}/ws-api/v3, then userDataStream.subscribe; or {opened.url}/ws/<listenKey>")
    if choices.orders is not None:
        lines.append(f"orders:  {opened.url}/ws-api/v3, order.place; the log is {choices.orders}")
    if opened.tls_url is not None and choices.tls is not None:
        lines.append(f"TLS:     {opened.tls_url}, trust {choices.tls / 'replay-certificate.pem'}")
    lines.append(f"page:    {opened.url.replace('ws', 'http', 1)}/tickproof")
    if opened.faults.faults:
        lines.append(f"faults:  {len(opened.faults.faults):,} on purpose, seed {opened.faults.seed}")
    return lines


def _delays(opened: Opened) -> list[str]:
    found = opened.tick_to_order()
    if found is None:
        return []
    told = {"since the frame that its id names": found.named, "since the last frame of its symbol": found.last}
    return [f"tick to order, {words}: {_quantiles(delays)}" for words, delays in told.items() if delays is not None]


def _quantiles(delays: Delays) -> str:
    return (
        f"{delays.p50_us:,.0f} us median, {delays.p90_us:,.0f} us p90, {delays.p99_us:,.0f} us p99,"
        f" {delays.max_us:,.0f} us at most, over {delays.count:,} orders"
    )


def _plan(name: str | None, seed: int | None) -> FaultPlan | None:
    if name is None:
        return None
    plan = read_plan(find_plan(name))
    return plan if seed is None else msgspec.structs.replace(plan, seed=seed)


def _checked_pattern(pattern: str | None) -> str | None:
    if pattern is not None:
        try:
            FrameNames(pattern)
        except ValueError as error:
            raise TickproofError(f"--frame-in-id: {error}") from error
    return pattern


def _rules(found: Recording, settings: list[str]) -> Rules:
    """The rules of the recording's market with some of them set: `name=value`."""
    rules = USDM if found.header.market == "usdm" else SPOT
    known = {field.name: field.type for field in dataclasses.fields(rules)}
    changed: dict[str, object] = {}
    for setting in settings:
        name, _, value = setting.partition("=")
        if name not in known:
            raise UnknownName("rule", name, known)
        kind: Any = {"int": _Count, "float": _Above0, "bool": bool}[str(known[name])]
        try:
            changed[name] = msgspec.convert(value, kind, strict=False)
        except msgspec.ValidationError as error:
            raise TickproofError(f"--rule {setting}: {error}") from error
    return dataclasses.replace(rules, **changed)  # type: ignore[arg-type]
