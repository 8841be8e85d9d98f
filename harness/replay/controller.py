"""The replay process as its owner sees it: start, serve, wait, stop; no wait is without an end."""

from __future__ import annotations

import contextlib
import queue
import subprocess
import sys
import threading
import time
from collections import deque
from typing import IO, TYPE_CHECKING, Final, Literal, Self, TypeVar

import msgspec

from harness import spawn
from harness.errors import PortTaken, RecordingError, TickproofError
from harness.replay import messages
from harness.replay.errors import BadRequest, ReplayFailed

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path
    from types import TracebackType

    from harness.replay.faults.plan import FaultPlan

LOAD_SECONDS: Final = 120.0
ANSWER_SECONDS: Final = 30.0
SERVE_SECONDS: Final = 600.0
_STDERR_LINES: Final = 20

E = TypeVar("E", bound=msgspec.Struct)


class ReplayProcess:
    """A running replay with its recording loaded; a context manager that stops it.

    All methods raise ReplayFailed when the process died (with the end of its stderr) or did not answer in time.
    """

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process
        self._answers: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._stderr: deque[bytes] = deque(maxlen=_STDERR_LINES)
        self._readers = [
            _reader(process.stdout, self._answers.put, lambda: self._answers.put(None)),
            _reader(process.stderr, self._stderr.append, lambda: None),
        ]
        self.ready: messages.Ready
        """What was loaded, and the port to connect to."""

    @classmethod
    def start(
        cls,
        recording_path: Path,
        *,
        min_frames: int = 0,
        cores: Sequence[int] = (),
        host: str = "127.0.0.1",
        port: int = 0,
        stall_seconds: float = 30.0,
        faults: FaultPlan | None = None,
        timeout: float = LOAD_SECONDS,
    ) -> Self:
        """Start the process and load the recording, looped to `min_frames` frames; from the main thread only.

        Raises RecordingError and PortTaken as they came, ReplayFailed otherwise; nothing is left running then.
        """
        process = spawn.spawn(
            [sys.executable, "-m", "harness.replay"],
            cores=cores,
            env=spawn.python_environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        replay = cls(process)
        try:
            replay._tell(
                messages.Load(
                    recording=str(recording_path.absolute()),
                    min_frames=min_frames,
                    host=host,
                    port=port,
                    stall_seconds=stall_seconds,
                    faults=faults,
                )
            )
            replay.ready = replay._await(messages.Ready, timeout)
        except BaseException:
            replay.stop()
            raise
        return replay

    @property
    def pid(self) -> int:
        """For samplers."""
        return self._process.pid

    @property
    def port(self) -> int:
        """Where clients connect."""
        return self.ready.port

    def serve(
        self,
        *,
        mode: Literal["flood", "paced"],
        speed: float = 1.0,
        rate: float | None = None,
        frames: int | None = None,
        connections: int = 1,
        log: Path | None = None,
        wait_seconds: float = 60.0,
    ) -> Serving:
        """Arm one serve; when this returns, clients may connect. The serve must be waited for before the next."""
        self._tell(
            messages.Serve(
                mode=mode,
                speed=speed,
                rate=rate,
                frames=frames,
                connections=connections,
                log=str(log.absolute()) if log is not None else None,
                wait_seconds=wait_seconds,
            )
        )
        self._await(messages.Armed, ANSWER_SECONDS)
        return Serving(self)

    def ceiling(
        self,
        repeats: int = 5,
        *,
        frames: int | None = None,
        cores: Sequence[int] = (),
        timeout: float = SERVE_SECONDS,
    ) -> messages.CeilingFound:
        """How fast clients on `cores` that do nothing else drain this replay."""
        self._tell(messages.Ceiling(repeats=repeats, frames=frames, cores=tuple(cores)))
        return self._await(messages.CeilingFound, timeout)

    def stop(self) -> int:
        """End the process, politely first; returns its exit status. May be called again."""
        with contextlib.suppress(ReplayFailed):
            self._tell(messages.Stop())
        status = spawn.let_end(self._process)
        for reader in self._readers:
            reader.join(2.0)
        for pipe in (self._process.stdout, self._process.stderr):
            if pipe is not None:
                pipe.close()
        return status

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _tell(self, request: messages.Request) -> None:
        try:
            if self._process.stdin is None or self._process.stdin.closed:
                raise BrokenPipeError
            self._process.stdin.write(messages.line_of(request))
            self._process.stdin.flush()
        except OSError as error:
            raise self._died() from error

    def _await(self, kind: type[E], timeout: float) -> E:
        until = time.monotonic() + timeout
        while True:
            try:
                line = self._answers.get(timeout=max(0.0, until - time.monotonic()))
            except queue.Empty:
                raise ReplayFailed(f"the replay process did not answer within {timeout:g} s") from None
            if line is None:
                raise self._died()
            event = _event_in(line)
            if isinstance(event, messages.Failed):
                raise raised(event)
            if isinstance(event, kind):
                return event

    def _died(self) -> ReplayFailed:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(2.0)
        self._readers[1].join(2.0)
        tail = b"".join(self._stderr).decode(errors="replace").strip()
        words = f"the replay process ended with status {self._process.returncode}"
        return ReplayFailed(f"{words}: {tail}" if tail else words)


class Serving:
    """One serve under way."""

    def __init__(self, replay: ReplayProcess) -> None:
        self._replay = replay

    def wait(self, timeout: float = SERVE_SECONDS) -> messages.Done:
        """What was sent, once all clients have read it; raises ReplayFailed when the serve broke, and by when."""
        return self._replay._await(messages.Done, timeout)  # noqa: SLF001 - two halves of one handle

    def cancel(self) -> None:
        """End it early: `wait` then raises."""
        self._replay._tell(messages.Cancel())  # noqa: SLF001


def _event_in(line: bytes) -> messages.Event:
    try:
        return messages.event_in(line)
    except msgspec.MsgspecError as error:
        raise ReplayFailed(f"the replay process said {line[:80]!r}: {error}") from error


def raised(event: messages.Failed) -> TickproofError:
    """The error that an event tells of."""
    if event.kind == "recording" and event.path is not None:
        return RecordingError(event.path, event.line or 1, event.problem or event.error)
    if event.kind == "port" and event.host is not None:
        return PortTaken(event.host, event.port or 0)
    if event.kind == "request":
        return BadRequest(event.error)
    return ReplayFailed(event.error, after_frames=event.after_frames)


def _reader(pipe: IO[bytes] | None, put: Callable[[bytes], None], at_end: Callable[[], None]) -> threading.Thread:
    def read() -> None:
        with contextlib.suppress(OSError, ValueError):  # closed while reading, when the process would not go
            for line in pipe or ():
                put(line)
        at_end()

    thread = threading.Thread(target=read, name="replay-reader", daemon=True)
    thread.start()
    return thread
