"""The worker as its owner sees it: start, ask, wait; no wait is without an end, and a dead worker is noticed."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import tempfile
from typing import TYPE_CHECKING

import msgspec

from harness.errors import NotTrustworthy, TickproofError
from harness.redact import redact
from harness.run.messages import Outcome, Reply, Request
from harness.spawn import python_environment, spawn, stop

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_STDERR_TAIL = 2_000


class TrialFailed(NotTrustworthy):
    """A worker that could not do its job; the trial counts as failed, the run goes on."""


class Worker:
    """One process for one trial."""

    def __init__(self, *, cores: Sequence[int], hash_seed: int) -> None:
        # Files rather than pipes: whatever the worker writes, nobody has to read along for it to go on.
        self._stderr = tempfile.TemporaryFile()  # noqa: SIM115 - closed by close()
        self._stdout = tempfile.TemporaryFile()  # noqa: SIM115
        self._process = spawn(
            [sys.executable, "-m", "harness.run.worker"],
            cores=cores,
            env=python_environment(PYTHONHASHSEED=str(hash_seed)),
            stdin=subprocess.PIPE,
            stdout=self._stdout,
            stderr=self._stderr,
        )

    def ask(self, request: Request) -> None:
        """Hand over the request; raises TrialFailed when the worker is gone already."""
        pipe = self._process.stdin
        try:
            if pipe is None:
                raise BrokenPipeError
            pipe.write(msgspec.json.encode(request) + b"\n")
            pipe.close()
        except OSError as error:
            raise self._died() from error

    def wait(self, timeout_s: float, *, watch: Callable[[], None] = lambda: None) -> Outcome:
        """The outcome. `watch` is called now and then and may raise, for example when a server has died.

        Raises TrialFailed for an error inside the worker, a dead worker, or none within the time.
        """
        remaining = timeout_s
        while True:
            try:
                self._process.wait(min(1.0, remaining))
                break
            except subprocess.TimeoutExpired:
                remaining -= 1.0
                if remaining <= 0:
                    raise TrialFailed(f"the worker did not finish within {timeout_s:g} s") from None
                watch()
        return self._outcome()

    def close(self) -> None:
        """End the process if it still runs, and forget what it wrote."""
        if self._process.stdin is not None:
            with contextlib.suppress(OSError):
                self._process.stdin.close()
        stop(self._process, grace=1.0)
        self._stdout.close()
        self._stderr.close()

    def _outcome(self) -> Outcome:
        self._stdout.seek(0)
        line = self._stdout.readline()
        if not line:
            raise self._died()
        try:
            reply = msgspec.json.decode(line, type=Reply)
        except msgspec.MsgspecError as error:
            raise TrialFailed(f"the worker answered nonsense: {error}") from error
        if reply.outcome is None:
            raise TrialFailed(f"{reply.error_kind}: {reply.error}")
        return reply.outcome

    def _died(self) -> TickproofError:
        status = self._process.wait()
        self._stderr.seek(0, 2)
        self._stderr.seek(max(0, self._stderr.tell() - _STDERR_TAIL))
        tail = redact(self._stderr.read().decode(errors="replace").strip())
        return TrialFailed(f"the worker ended with status {status}" + (f": {tail}" if tail else ""))
