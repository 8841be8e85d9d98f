"""Servers in the background: a process that owns them until it is told to stop, `python -m harness.services.keeper`."""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import IO, TYPE_CHECKING

import msgspec

from harness.errors import ServiceError, TickproofError
from harness.services.identity import ProcessIdentity
from harness.services.opening import open_services
from harness.services.server import URL_VARIABLES
from harness.services.state import Kept, KeptServer, read_state, remove_state, write_state
from harness.spawn import python_environment

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

_START_SECONDS = 180.0
_STOP_SECONDS = 30.0
_CHECK_SECONDS = 1.0
_POLL_SECONDS = 0.02
_LOCK_FILE = "keeper.lock"
_LOG_FILE = "keeper.log"


class _Report(msgspec.Struct, frozen=True, kw_only=True):
    """The one line that a keeper says: an error, or None when its servers are ready."""

    error: str | None = None


def start_keeper(folder: Path, mode: str) -> Kept:
    """Servers that go on running after this process; those of before when they still run.

    `folder` is that of the state. Raises ServiceError when they cannot be started.
    """
    kept = read_state(folder)
    if kept is not None:
        return kept
    environment = python_environment()
    for variable in URL_VARIABLES.values():  # servers of our own are asked for, whatever else there is
        environment.pop(variable, None)
    with (folder / _LOG_FILE).open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "harness.services.keeper", "--folder", folder, "--mode", mode],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            env=environment,
        )
    with process:  # it ends at once, leaving the keeper to the system
        error = _report_of(process.stdout).error
    kept = read_state(folder)
    if error or kept is None:
        raise ServiceError(error or f"the keeper ended at once; see {folder / _LOG_FILE}")
    return kept


def stop_keeper(folder: Path) -> Kept | None:
    """End what runs in the background and return what it was; None when nothing did.

    Only a process that is surely ours is told: pid and start time must agree with the state file.
    """
    kept = read_state(folder)
    if kept is None:
        return None
    for by in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            if kept.keeper.runs():
                os.kill(kept.keeper.pid, by)
        deadline = time.monotonic() + _STOP_SECONDS
        while kept.keeper.runs() and time.monotonic() < deadline:
            time.sleep(_POLL_SECONDS)
    return kept


def _report_of(pipe: IO[bytes] | None) -> _Report:
    if pipe is None:
        raise TypeError("the keeper was started without a pipe")
    readable, _, _ = select.select([pipe], [], [], _START_SECONDS)
    line = pipe.readline() if readable else b""
    return msgspec.json.decode(line, type=_Report) if line else _Report()


def main() -> None:
    """The process: leave the shell, start the servers, say so, and keep them until SIGTERM or until one dies."""
    parser = argparse.ArgumentParser(description="Keeps servers running in the background.")
    parser.add_argument("--folder", required=True, type=Path)
    parser.add_argument("--mode", required=True)
    arguments = parser.parse_args()
    if os.fork():
        os._exit(0)
    os.setsid()
    os.chdir("/")
    try:
        with _alone(arguments.folder), _ended_by_signals():
            _keep(arguments.folder, arguments.mode)
    except TickproofError as error:
        _say(_Report(error=str(error)))
        print(error, file=sys.stderr)  # noqa: T201 - the keeper's log


def _keep(folder: Path, mode: str) -> None:
    with open_services(mode, environ=os.environ) as services:
        servers = tuple(KeptServer.of(server) for server in services.servers)
        write_state(folder, Kept(keeper=ProcessIdentity.current(), servers=servers))
        try:
            _say(_Report())
            while True:
                time.sleep(_CHECK_SECONDS)
                services.check()
        finally:
            remove_state(folder)


def _say(report: _Report) -> None:
    """To whoever started us, once; whoever reads no more has changed his mind, and the servers end."""
    os.write(1, msgspec.json.encode(report) + b"\n")
    with Path(os.devnull).open("wb") as nowhere:
        os.dup2(nowhere.fileno(), 1)


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    with (folder / _LOCK_FILE).open("wb") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ServiceError("another start or stop is under way; try again in a moment") from None
        yield


@contextlib.contextmanager
def _ended_by_signals() -> Iterator[None]:
    """SIGTERM, SIGINT and SIGHUP end the block in order, the first time; later ones must not cut that short."""

    def end(_number: int, _frame: FrameType | None) -> None:
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        raise SystemExit(0)

    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, end)
    yield


if __name__ == "__main__":
    main()
