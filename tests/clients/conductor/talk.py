"""A driver's process: asked line by line, never waited for longer than was said."""

from __future__ import annotations

import contextlib
import json
import queue
import subprocess
import threading
import time
from typing import IO, TYPE_CHECKING, Any, Self

from harness.spawn import spawn, stop

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

_END_SECONDS = 10.0


class DriverFailed(Exception):
    """A driver said that it failed, ended, or did not answer in time; says what it printed last."""


class DriverProcess:
    """One driver; a context manager that ends it by its process id, however it behaves."""

    def __init__(self, argv: Sequence[str], *, cwd: Path, env: Mapping[str, str], errors: Path, seconds: float) -> None:
        """`seconds` is what it may live; its standard error goes to the file `errors`."""
        self.notes: list[str] = []
        self._until = time.monotonic() + seconds
        self._errors = errors
        self._lines: queue.Queue[str | None] = queue.Queue()
        with errors.open("wb") as file:
            self._process = spawn(
                argv, cwd=cwd, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=file.fileno()
            )
        assert self._process.stdout is not None
        self._reader = threading.Thread(target=self._read, args=(self._process.stdout,), daemon=True)
        self._reader.start()

    def ready(self, seconds: float) -> dict[str, str]:
        """The versions of what it drives."""
        versions: dict[str, str] = self._next("ready", seconds)["ready"]
        return versions

    def ask(self, what: str, streams: Sequence[str] = (), *, seconds: float) -> int:
        """Let it do something; how many messages it has received by then. Raises DriverFailed."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps({"do": what, "streams": list(streams)}).encode() + b"\n")
            self._process.stdin.flush()
        except OSError as error:
            raise DriverFailed(f"it has ended\n{self._last_words()}") from error
        return int(self._next("done", seconds)["messages"])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        stop(self._process)
        self._reader.join(_END_SECONDS)
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):  # what it was still to be told
                    pipe.close()

    def _next(self, kind: str, seconds: float) -> dict[str, Any]:
        until = min(time.monotonic() + seconds, self._until)
        while True:
            try:
                line = self._lines.get(timeout=max(0.0, until - time.monotonic()))
            except queue.Empty:
                raise DriverFailed(f"no answer in time\n{self._last_words()}") from None
            if line is None:
                raise DriverFailed(f"it has ended\n{self._last_words()}")
            answer: dict[str, Any] = json.loads(line)
            if "failed" in answer:
                raise DriverFailed(answer["failed"])
            if "note" in answer:
                self.notes.append(answer["note"])
            elif kind in answer:
                return answer

    def _read(self, stdout: IO[bytes]) -> None:
        for line in stdout:
            if line.startswith(b'{"'):  # some clients print
                self._lines.put(line.decode())
        self._lines.put(None)

    def _last_words(self) -> str:
        return self._errors.read_bytes()[-2000:].decode(errors="replace").strip()
