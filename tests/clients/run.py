"""Real client libraries against the replay server: each must receive every frame that it subscribed to.

Started by `nox -s clients`, which installs the wheel; docs/clients.md says how it goes. Exit 1 when a client misses
a frame, receives one that was not sent, or cannot be tried.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path

from conductor.environments import NotInstalled, environment
from conductor.plan import CLIENTS, Client
from conductor.recordings import NotMade, recording_of
from conductor.replay import ReplayFailed
from conductor.table import show
from conductor.trial import Outcome, try_client


def main() -> int:
    """The status to exit with."""
    given = _arguments()
    given.folder = given.folder.resolve()  # drivers have a working folder of their own
    given.folder.mkdir(parents=True, exist_ok=True)
    outcomes = []
    with tempfile.TemporaryDirectory(prefix="tickproof-clients-") as scratch:
        for client in _chosen(given.names):
            _say(f"{client.name} ...")
            outcomes.append(_outcome(client, given, Path(scratch)))
    show(outcomes, details=given.details)
    return 0 if all(outcome.good for outcome in outcomes) else 1


def _outcome(client: Client, given: argparse.Namespace, scratch: Path) -> Outcome:
    try:
        python = environment(client.requirements, given.python, given.folder, _say)
        return try_client(client, python, recording_of(client.market, given.folder, _say), scratch)
    except (NotInstalled, NotMade, ReplayFailed) as error:
        return Outcome(client=client, failure=str(error))


def _arguments() -> argparse.Namespace:
    names = ", ".join(client.name for client in CLIENTS)
    parser = argparse.ArgumentParser(description=__doc__, epilog=f"Clients: {names}")
    parser.add_argument("names", nargs="*", metavar="NAME", help="a client; all without any")
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()) / "tickproof-clients")
    parser.add_argument("--python", default=sys.executable, help="the interpreter for the clients' environments")
    parser.add_argument("--details", action="store_true", help="rounds, addresses and what clients reported")
    given = parser.parse_args()
    unknown = set(given.names) - {client.name for client in CLIENTS}
    if unknown:
        parser.error(f"no such client: {', '.join(sorted(unknown))}. Clients: {names}")
    return given


def _chosen(names: list[str]) -> list[Client]:
    return [client for client in CLIENTS if not names or client.name in names]


def _say(words: str) -> None:
    sys.stdout.write(f"{words}{os.linesep}")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
