from __future__ import annotations

import subprocess
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import psutil
import pytest

from harness.spawn import python_environment

if TYPE_CHECKING:
    import signal
    from collections.abc import Callable, Iterator
    from pathlib import Path

#: A shell that hangs must not hang the tests; generous, since nothing here is timed.
PATIENCE_S = 180.0


@dataclass(frozen=True)
class Ended:
    status: int
    out: str
    err: str


class Running:
    """The program, started as a user would; knows every process it ever had."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.seen: dict[int, psutil.Process] = {}

    def look(self) -> list[psutil.Process]:
        """All descendants of now."""
        try:
            found = psutil.Process(self.process.pid).children(recursive=True)
        except psutil.NoSuchProcess:
            return []
        self.seen.update({child.pid: child for child in found})
        return found

    def wait_until(self, condition: Callable[[], bool]) -> None:
        until = time.monotonic() + PATIENCE_S
        while not condition():
            self.look()
            assert self.process.poll() is None, self.process.communicate()
            assert time.monotonic() < until, "it never came to that"
            time.sleep(0.02)
        self.look()

    def end(self, by: signal.Signals | None = None) -> Ended:
        if by is not None:
            self.process.send_signal(by)
        out, err = self.process.communicate(timeout=PATIENCE_S)
        return Ended(self.process.returncode, out, err)

    def left_running(self) -> list[str]:
        """Names of descendants that outlive the program."""
        _, alive = psutil.wait_procs(list(self.seen.values()), timeout=15)
        return [process.name() for process in alive if process.status() != psutil.STATUS_ZOMBIE]


Start = "Callable[..., Running]"


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Running]]:
    """Start `tickproof ARGUMENTS` in an empty folder."""
    started: list[Running] = []

    def begin(*arguments: str, **environment: str) -> Running:
        process = subprocess.Popen(
            [sys.executable, "-m", "harness.cli.main", *arguments],
            cwd=tmp_path,
            env={**python_environment(), "TERM": "dumb", "COLUMNS": "200", **environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(Running(process))
        return started[-1]

    yield begin
    for running in started:
        if running.process.poll() is None:
            running.process.kill()
            running.process.communicate()


@pytest.fixture
def tickproof(start: Callable[..., Running]) -> Callable[..., Ended]:
    """Run `tickproof ARGUMENTS` to its end."""
    return lambda *arguments, **environment: start(*arguments, **environment).end()
