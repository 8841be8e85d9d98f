"""A server program that we started: its log, its end, and the port it listens on."""

from __future__ import annotations

import os
import signal
import socket
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from harness.errors import ServiceError
from harness.spawn import stop

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable, Mapping
    from pathlib import Path

LOOPBACK = "127.0.0.1"
#: A port that was free may be taken by the time the server binds it.
PORT_ATTEMPTS = 5
_POLL_SECONDS = 0.005
_LOG_TAIL_BYTES = 2_000

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """A child process with a log file."""

    title: str
    process: subprocess.Popen[bytes]
    log: Path

    def stop(self, *, by: signal.Signals = signal.SIGTERM) -> None:
        """End it, gently for ten seconds, then not."""
        stop(self.process, by=by, grace=10.0)

    def problem(self) -> str | None:
        """Why it no longer runs, with the tail of its log; None while it does."""
        status = self.process.poll()
        if status is None:
            return None
        how = f"was killed by {signal.Signals(-status).name}" if status < 0 else f"ended with status {status}"
        return f"{self.title} {how}; its log ends:\n{tail(self.log)}"

    def wait_until(self, ready: Callable[[], T | None], *, seconds: float) -> T:
        """What `ready` returns once it is not None; raises ServiceError when the program ends first or takes longer."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            problem = self.problem()
            if problem:
                raise ServiceError(problem)
            answer = ready()
            if answer is not None:
                return answer
            time.sleep(_POLL_SECONDS)
        raise ServiceError(f"{self.title} was not ready within {seconds:g} s; its log ends:\n{tail(self.log)}")


def tail(log: Path) -> str:
    """The last lines of a log, at most about 2,000 bytes."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - _LOG_TAIL_BYTES))
            return file.read().decode(errors="replace").strip() or "(empty)"
    except OSError as error:
        return f"(unreadable: {error})"


def free_port() -> int:
    """A TCP port on loopback that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])


def with_free_port(start: Callable[[int], T]) -> T:
    """What `start(port)` returns; tried with another port when somebody else was quicker to take the first."""
    for attempt in range(PORT_ATTEMPTS):
        try:
            return start(free_port())
        except ServiceError as error:
            if "already in use" not in str(error) or attempt == PORT_ATTEMPTS - 1:
                raise
    raise AssertionError  # the loop returns or raises


def server_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """What a server may know of our environment: no PG* variables, a fixed language and time zone."""
    kept = {key: environ[key] for key in ("LD_LIBRARY_PATH", "TMPDIR") if key in environ}
    return {"PATH": environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC", **kept}
