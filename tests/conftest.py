"""What tests of several folders share: real servers, and the real recordings where they are."""

from __future__ import annotations

import importlib.util
import os
import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from harness.backends.registry import registry
from harness.services.opening import candidates, open_services
from harness.services.program import LOOPBACK, free_port, server_environment
from harness.spawn import spawn, stop

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable, Iterator

    from harness.results.model import Result
    from harness.services.opening import Services

SHARED_RECORDINGS = Path(__file__).resolve().parents[2] / "shared" / "recordings"


@pytest.fixture(scope="session")
def servers() -> Iterator[Services]:
    """A real PostgreSQL and a real Redis-compatible server, for the whole session."""
    with open_services("auto", environ={}) as services:
        yield services


@pytest.fixture(scope="session")
def shared_recordings() -> Path:
    """The folder of real recorded traffic beside the checkout."""
    if not SHARED_RECORDINGS.is_dir():
        pytest.skip(f"the real recordings are not at {SHARED_RECORDINGS}")
    return SHARED_RECORDINGS


@pytest.fixture(scope="session")
def made() -> Callable[..., Result]:
    """The builder of made-up results, which lives with the tests of the report."""
    name = "tickproof_made_results"
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, Path(__file__).parent / "report" / "made.py")
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)
    builder: Any = sys.modules[name]
    return builder.result  # type: ignore[no-any-return] # loaded by path: tests are no package


class OwnRedis:
    """A Redis-compatible server of one test, which may be started late, ended, frozen and started again."""

    def __init__(self, program: Path, folder: Path) -> None:
        self.port = free_port()
        self.url = f"redis://{LOOPBACK}:{self.port}/0"
        self._argv: list[str | Path] = [
            program,
            "--port",
            str(self.port),
            "--bind",
            LOOPBACK,
            "--save",
            "",
            "--dir",
            folder,
        ]
        self._log = folder / "redis.log"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, *flags: str) -> None:
        """Returns when it answers."""
        with self._log.open("wb") as output:
            self._process = spawn(
                [*self._argv, *flags],
                env=server_environment(os.environ),
                stdout=output.fileno(),
                stderr=output.fileno(),
            )
        # Not asked by a connection, for there may be a password; on a port that was taken it ends.
        while b"Ready to accept connections" not in self._log.read_bytes():
            assert self._process.poll() is None, self._log.read_text(errors="replace")
            time.sleep(0.005)

    def kill(self) -> None:
        """Ends it at once; returns when it is gone."""
        assert self._process is not None
        self.thaw()
        stop(self._process, by=signal.SIGKILL)
        self._process = None

    def freeze(self) -> None:
        """Returns when it stands still: its connections stay open, and nothing is answered."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)
        os.waitpid(self._process.pid, os.WUNTRACED)

    def thaw(self) -> None:
        """It goes on; harmless to one that does not stand still."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def command(self, *words: str | bytes, password: str | None = None) -> Any:
        """What it answers to a command on a connection of its own."""
        import redis  # noqa: PLC0415 - may be absent

        with redis.Redis.from_url(self.url, password=password, protocol=2) as client:
            return client.execute_command(*words)

    def end(self) -> None:
        """Ends it if it runs."""
        if self._process is not None:
            self.kill()


@pytest.fixture
def redis_server(tmp_path: Path) -> Iterator[OwnRedis]:
    """A server of this test only, not yet started; skips where no program or no client library is."""
    if not registry().is_installed("cache", "redis"):
        pytest.skip("redis is not installed")
    program = next((found.server for found in candidates("redis", "auto", os.environ)), None)
    if program is None:
        pytest.skip("no Redis-compatible server program")
    server = OwnRedis(program, tmp_path)
    yield server
    server.end()
