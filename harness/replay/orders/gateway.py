"""The order gateway: a Binance that takes orders, on loopback, and the witness of what a bot decided.

It is the replay server without a market, so that it can outlive one. What it accepted is what stands in its log, on the
disk before the client is told, and read back at its start: so its memory of client order ids outlives it.
`python -m harness.replay.orders.gateway` is the gateway as a process.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import signal
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from harness.errors import TickproofError
from harness.replay.accounts.desk import AccountDesk
from harness.replay.accounts.keys import Keyring
from harness.replay.accounts.listen_keys import ListenKeys
from harness.replay.conversation import House
from harness.replay.orders.account import Faults, WitnessedAccount
from harness.replay.orders.log import OrderLog
from harness.replay.server import Server

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from harness.replay.protocol.selection import Selection
    from harness.replay.protocol.session import Requests

#: Connections at once; more are answered 503.
MAX_CLIENTS: Final = 64
_API: Final = "/ws-api/"
_LOOK_S: Final = 0.1


class _LateRequests:
    """Requests that are answered so much later: a fault on purpose."""

    def __init__(self, requests: Requests, late_s: float) -> None:
        self._requests = requests
        self._late_s = late_s

    @property
    def selection(self) -> Selection:
        """What the connection wants now."""
        return self._requests.selection

    def answer(self, text: str, now_ns: int) -> str:
        """The answer, after the delay."""
        answer = self._requests.answer(text, now_ns)
        time.sleep(self._late_s)
        return answer

    def pending(self) -> list[str]:
        """What follows the answer."""
        return self._requests.pending()


class _LateDesk(AccountDesk):
    late_s = 0.0

    def api_requests(self) -> Requests:  # type: ignore[override]
        requests = super().api_requests()
        return _LateRequests(requests, self.late_s) if self.late_s else requests


def serve_orders(
    log: Path,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    faults: Faults | None = None,
    ready: Callable[[int], None],
    stop: threading.Event,
) -> int:
    """Take orders until `stop` is set; returns the orders in the log.

    `ready` is called with the port. Raises TickproofError for a log, host or port that cannot be used, and OSError
    when the log cannot be written any more: then nobody was told of an order that is not in it.
    """
    faults = faults or Faults()
    with OrderLog(log) as opened:
        account = WitnessedAccount(opened, faults=faults)
        desk = _LateDesk("spot", keys=Keyring(), orders=account, listen_keys=ListenKeys())
        desk.late_s = faults.late_ms / 1_000
        server = Server(host, port, house=House(desk=desk, paths=(_API,), max_connections=MAX_CLIENTS))
        try:
            ready(server.port)
            while not stop.wait(_LOOK_S) and not server.broken:
                pass
            server.say_goodbye(1001, "")
        finally:
            server.close()
        if server.broken:
            raise OSError(server.broken)
        return len(opened)


def main(arguments: Sequence[str]) -> int:
    """The process: one JSON line with the port when clients may connect; returns its exit status."""
    parser = argparse.ArgumentParser(prog="python -m harness.replay.orders.gateway", description=__doc__)
    parser.add_argument(
        "--log", type=Path, required=True, help="JSON lines of the accepted orders; read back if it is there"
    )
    parser.add_argument("--host", default="127.0.0.1", help="an address of the loopback")
    parser.add_argument("--port", type=int, default=0, help="0 for any free one")
    parser.add_argument("--faults", default="{}", help="JSON, for tests")
    given = parser.parse_args(arguments)
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    threading.Thread(target=_wait_for_end_of_input, args=(stop,), name="order-input", daemon=True).start()
    try:
        faults = msgspec.json.decode(given.faults, type=Faults)
        serve_orders(given.log, host=given.host, port=given.port, faults=faults, ready=_tell_port, stop=stop)
    except (TickproofError, msgspec.MsgspecError, OSError) as error:
        sys.stderr.write(f"order gateway: {error}\n")
        return error.exit_code if isinstance(error, TickproofError) else 4
    return 0


def _tell_port(port: int) -> None:
    sys.stdout.write(json.dumps({"port": port}) + "\n")
    sys.stdout.flush()


def _wait_for_end_of_input(stop: threading.Event) -> None:
    try:
        while os.read(0, 4_096):
            pass
    except OSError:
        pass
    stop.set()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
