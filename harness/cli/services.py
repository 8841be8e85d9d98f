"""`tickproof services start|stop|status`: PostgreSQL and a Redis-compatible server in the background."""

from __future__ import annotations

import os
import shlex
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from harness.errors import UnknownName
from harness.redact import redact
from harness.services.keeper import start_keeper, stop_keeper
from harness.services.opening import MODES
from harness.services.server import URL_VARIABLES
from harness.services.state import read_state, state_folder

if TYPE_CHECKING:
    from harness.services.state import Kept

app = typer.Typer(no_args_is_help=True, help="Keep PostgreSQL and a Redis-compatible server running in the background.")

#: An explicit URL is a server that runs already: there is nothing to start.
_START_MODES = tuple(mode for mode in MODES if mode != "url")
_NOT_RUNNING = "no servers run in the background; start them with: tickproof services start"

JsonOption = Annotated[bool, typer.Option("--json", help="One JSON document instead of text.")]


@app.command(epilog='Example: eval "$(tickproof services start)"')
def start(
    mode: Annotated[str, typer.Option(help=f"Where from: {', '.join(_START_MODES)}.")] = "auto",
    json: JsonOption = False,
) -> None:
    """Start both servers, or find them running, and print the lines that export their URLs."""
    if mode not in _START_MODES:
        raise UnknownName("services mode", mode, _START_MODES)
    kept = start_keeper(state_folder(os.environ), mode)
    if json:
        print(_document(kept))
        return
    for server in kept.servers:
        print(f"export {URL_VARIABLES[server.name]}={shlex.quote(server.url)}")
    for server in kept.servers:
        typer.echo(f"# {server.product} from {server.origin}, pid {server.pid}", err=True)
    typer.echo("# they run until: tickproof services stop", err=True)


@app.command(epilog="Example: tickproof services stop")
def stop(json: JsonOption = False) -> None:
    """End what `start` left running, and remove its files; nothing to end is no error."""
    kept = stop_keeper(state_folder(os.environ))
    if json:
        print(msgspec.json.encode({"stopped": () if kept is None else kept.servers}).decode())
    elif kept is None:
        print(_NOT_RUNNING)
    else:
        print(f"stopped {' and '.join(server.product for server in kept.servers)}")


@app.command(epilog="Example: tickproof services status --json")
def status(json: JsonOption = False) -> None:
    """Say what runs in the background; exit status 0 when both do, 2 when nothing does."""
    kept = read_state(state_folder(os.environ))
    if json:
        print(_document(kept))
    elif kept is None:
        print(_NOT_RUNNING)
    else:
        for server in kept.servers:
            print(f"{server.product} ({server.origin}, pid {server.pid}): {redact(server.url)}")
    if kept is None:
        raise typer.Exit(2)


def _document(kept: Kept | None) -> str:
    servers = () if kept is None else kept.servers
    return msgspec.json.encode({"running": bool(servers), "servers": servers}).decode()
