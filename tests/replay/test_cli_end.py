"""How `tickproof replay serve` ends, and what it says where it cannot begin."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from websockets.sync.client import ClientConnection

    from harness.replay.server import Server

PROGRAM = "from harness.cli.main import main; raise SystemExit(main())"


@contextmanager
def running(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    environment = {**os.environ, "COLUMNS": "200"}
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, "replay", "serve", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def read_on(client: ClientConnection) -> None:
    while True:
        client.recv(timeout=20)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_also_in_a_flood_to_a_slow_client(
    make_recording: Callable[..., Path], number: signal.Signals
) -> None:
    with running(str(make_recording(3_000)), "--flood", "--loop", "--port", "0") as process:
        assert process.stdout is not None
        market = next(line.split()[1] for line in process.stdout if line.startswith("market:"))
        options = {"proxy": None, "compression": None, "max_size": None, "max_queue": 1, "close_timeout": 0.2}
        with connect(market, **options) as slow:  # type: ignore[arg-type]
            slow.recv(timeout=20)
            process.send_signal(number)
            assert process.wait(20) == 0
            with pytest.raises(ConnectionClosed):
                read_on(slow)


def test_what_cannot_be_served_ends_with_2_and_says_what(
    make_recording: Callable[..., Path], server: Server, tmp_path: Path
) -> None:
    path = str(make_recording())
    (tmp_path / "plan.toml").write_text('[[fault]]\nkind = "nonsense"\nat = 1\n')
    for arguments, word in (
        ([path, "--port", str(server.port)], str(server.port)),
        ([path, "--rule", "nosuch=1"], "nosuch"),
        ([path, "--faults", str(tmp_path / "plan.toml")], "plan.toml"),
    ):
        with running(*arguments) as process:
            _, said = process.communicate(timeout=20)
            assert word in said
            assert "Traceback" not in said
            assert process.returncode == 2
