"""The order gateway as a process of its own, as its owner sees it: start, port, stop, kill."""

from __future__ import annotations

import contextlib
import os
import select
import subprocess
import sys
import tempfile
from typing import TYPE_CHECKING, Final, Self

import msgspec

from harness import spawn
from harness.replay.errors import ReplayFailed

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path
    from types import TracebackType
    from typing import IO

    from harness.replay.orders.account import Faults

START_SECONDS: Final = 60.0
_LAST_WORDS_S: Final = 5.0
_MAX_COMPLAINT: Final = 4_096


class _Ready(msgspec.Struct):
    port: int


class OrderGatewayProcess:
    """A running order gateway; a context manager that stops it.

    Start another on the same log, and on the same port if clients shall find it again, after `stop` or `kill`.
    """

    def __init__(self, process: subprocess.Popen[bytes], log: Path, complaints: IO[bytes]) -> None:
        self._process = process
        self._complaints = complaints
        self.log = log
        self.port = 0

    @classmethod
    def start(
        cls,
        log: Path,
        *,
        port: int = 0,
        faults: Faults | None = None,
        cores: Sequence[int] = (),
        timeout: float = START_SECONDS,
    ) -> Self:
        """Start it and wait until clients may connect; from the main thread only.

        Raises ReplayFailed with what it said when it did not come up; nothing is left running then.
        """
        complaints = tempfile.TemporaryFile()  # noqa: SIM115 - closed by `stop`; a pipe would have to be read
        options = ["--faults", msgspec.json.encode(faults).decode()] if faults else []
        process = spawn.spawn(
            [
                sys.executable,
                "-m",
                "harness.replay.orders.gateway",
                "--log",
                log.absolute(),
                "--port",
                str(port),
                *options,
            ],
            cores=cores,
            env=spawn.python_environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=complaints,
        )
        gateway = cls(process, log, complaints)
        try:
            gateway.port = gateway._await_port(timeout)
        except BaseException:
            gateway.kill()
            raise
        return gateway

    @property
    def pid(self) -> int:
        """For whoever wants to stop or kill it by other means."""
        return self._process.pid

    @property
    def url(self) -> str:
        """Where an order client connects."""
        return f"ws://127.0.0.1:{self.port}/ws-api/v3"

    def stop(self) -> int:
        """End it in order; returns its exit status. May be called again."""
        return self._ended(spawn.let_end(self._process))

    def kill(self) -> int:
        """End it by SIGKILL, as a crash would; returns its exit status. May be called again."""
        self._process.kill()
        return self._ended(self._process.wait())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _ended(self, status: int) -> int:
        for pipe in (self._process.stdin, self._process.stdout, self._complaints):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()
        return status

    def _await_port(self, timeout: float) -> int:
        output = self._process.stdout
        if output is None:
            raise ReplayFailed("the order gateway was started without a pipe")
        if not select.select([output], [], [], timeout)[0]:
            raise ReplayFailed(f"the order gateway was not ready within {timeout:g} s{self._complaint()}")
        try:
            return msgspec.json.decode(output.readline(), type=_Ready).port
        except msgspec.MsgspecError as error:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(_LAST_WORDS_S)
            raise ReplayFailed(f"the order gateway did not start{self._complaint()}") from error

    def _complaint(self) -> str:
        # Not by seek: the process shares the position.
        text = os.pread(self._complaints.fileno(), _MAX_COMPLAINT, 0).decode(errors="replace").strip()
        return f": {text}" if text else ""
