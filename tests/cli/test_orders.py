"""`tickproof replay orders`: a witness for a user's own bot."""

from __future__ import annotations

import json
import signal
import socket
from typing import TYPE_CHECKING

import pytest
from websockets.sync.client import connect

from harness.errors import ExitCode
from harness.replay.orders.log import read_log

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.cli.conftest import Ended, Running

    Tickproof = Callable[..., Ended]
    Start = Callable[..., Running]

ORDER = {
    "id": 1,
    "method": "order.place",
    "params": {
        "symbol": "BTCUSDT",
        "side": "BUY",
        "type": "LIMIT",
        "timeInForce": "IOC",
        "price": "30000",
        "quantity": "1",
        "newClientOrderId": "mine",
        "timestamp": 5,
    },
}


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM])
def test_orders_are_taken_until_it_is_ended_and_stand_in_the_log(
    start: Start, tmp_path: Path, end: signal.Signals
) -> None:
    running = start("replay", "orders", "--port", "0", "--log", "orders.jsonl")
    assert running.process.stdout is not None
    address = running.process.stdout.readline().split()[1]
    with connect(address, proxy=None) as client:
        client.send(json.dumps(ORDER))
        assert json.loads(client.recv())["result"]["status"] == "FILLED"
    ended = running.end(end)
    assert ended.status == ExitCode.GOOD, ended
    assert "ended; accepted orders in orders.jsonl: 1" in ended.out
    assert [order.client_order_id for order in read_log(tmp_path / "orders.jsonl")] == ["mine"]


def test_what_it_cannot_use_is_said(tickproof: Tickproof, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("hello\n")
    ended = tickproof("replay", "orders", "--port", "0", "--log", "notes.txt")
    assert ended.status == ExitCode.BAD_INPUT
    assert "notes.txt, line 1: no accepted order" in ended.err
    assert (tmp_path / "notes.txt").read_text() == "hello\n"
    with socket.create_server(("127.0.0.1", 0)) as taken:
        ended = tickproof("replay", "orders", "--port", str(taken.getsockname()[1]), "--log", "orders.jsonl")
    assert "is taken; choose another one" in ended.err
    assert "not a loopback address" in tickproof("replay", "orders", "--host", "0.0.0.0", "--log", "o.jsonl").err  # noqa: S104 - refused


def test_help_shows_an_example(tickproof: Tickproof) -> None:
    assert (
        "Example: tickproof replay orders --port 9444 --log orders.jsonl" in tickproof("replay", "orders", "--help").out
    )
