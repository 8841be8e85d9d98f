from __future__ import annotations

import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner
from websockets.sync.client import connect

from harness.cli.replay import app
from harness.errors import ConfigError, PortTaken, UnknownName
from harness.spawn import python_environment

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from harness.replay.server import Server


def test_a_recording_is_served_until_ctrl_c(make_recording: Callable[..., Path]) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "harness.cli.main", "replay", "serve", make_recording(), "--flood", "--port", "0"],
        stdout=subprocess.PIPE,
        env={**python_environment(), "COLUMNS": "200"},
        text=True,
    )
    try:
        assert process.stdout is not None
        output = process.stdout
        assert output.readline() == "made-120: 120 market frames, 24 account frames\n"
        market = output.readline().split()
        assert market[0] == "market:"
        assert "/ws-api/v3" in output.readline()
        assert output.readline().split()[0] == "page:"
        assert "Ctrl-C" in output.readline()
        for _ in range(2):
            with connect(market[1], proxy=None, max_size=None) as client:
                assert len(list(client)) == 120
        process.send_signal(signal.SIGINT)
        assert process.communicate(timeout=30)[0].endswith("ended\n")
        assert process.returncode == 0
    finally:
        process.kill()
        process.communicate()


def test_what_cannot_be_served_is_said(make_recording: Callable[..., Path], server: Server) -> None:
    path = str(make_recording())
    for arguments, error in (
        (["nosuch"], UnknownName),
        ([path, "--host", "0.0.0.0"], ConfigError),  # noqa: S104 - refused
        ([path, "--port", str(server.port)], PortTaken),
    ):
        with pytest.raises(error):
            CliRunner().invoke(app, ["serve", *arguments], catch_exceptions=False)


def test_help_shows_an_example() -> None:
    assert "Example: tickproof replay serve" in CliRunner().invoke(app, ["serve", "--help"]).output
