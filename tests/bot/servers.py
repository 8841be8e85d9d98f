"""A PostgreSQL server that a test may kill, stop, freeze and start again on the same data folder and port."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import time
from typing import TYPE_CHECKING

import asyncpg
import psutil

from harness.spawn import spawn, stop

if TYPE_CHECKING:
    from harness.services.server import Server

_PATIENCE_S = 60.0


class Mortal:
    """Linux only: how the server was started is read from /proc."""

    def __init__(self, server: Server) -> None:
        assert server.pid is not None
        process = psutil.Process(server.pid)
        self.url = server.url
        self._argv = process.cmdline()
        self._environ = process.environ()
        self._user = process.uids().real
        self._pid = server.pid
        self._started: subprocess.Popen[bytes] | None = None

    def kill(self) -> None:
        """All its processes, as a power cut would: the postmaster first, so that none is started again."""
        family = self._family()
        for process in family:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        self._reap()
        for process in family:
            _wait_gone(process)

    def stop(self) -> None:
        """In order, but without waiting for those that are connected."""
        os.kill(self._pid, signal.SIGINT)
        self._reap()

    def start(self) -> None:
        """Again, on the same data and port; returns at once."""
        user = self._user if os.geteuid() == 0 else None
        self._started = spawn(self._argv, env=self._environ, cwd="/", user=user, stderr=subprocess.DEVNULL)
        self._pid = self._started.pid

    async def ready(self) -> None:
        """Return when it answers."""
        deadline = time.monotonic() + _PATIENCE_S
        while True:
            try:
                connection = await asyncpg.connect(self.url, timeout=5)
            except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
                assert time.monotonic() < deadline, "the server does not come back"
                if self._started and self._started.poll() is not None:
                    self.start()  # what the killed one left was not cleared away yet
                await asyncio.sleep(0.05)
            else:
                await connection.close()
                return

    def freeze(self) -> None:
        """Every process of it stands still; its sockets stay open."""
        for _ in range(2):  # what the first process forked while the others were looked up would go on answering
            for process in self._family():
                with contextlib.suppress(psutil.NoSuchProcess):  # one of those that come and go
                    process.suspend()

    def thaw(self) -> None:
        """And goes on."""
        for process in self._family():
            with contextlib.suppress(psutil.NoSuchProcess):
                process.resume()

    def close(self) -> None:
        """End what was started here; the first server is its owner's."""
        self.thaw()
        if self._started:
            stop(self._started, by=signal.SIGINT, grace=20.0)

    def _reap(self) -> None:
        """While it is a zombie the next one takes it for a server that runs; its owner is content with its absence."""
        if self._started:
            self._started.wait()
        else:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(self._pid, 0)

    def _family(self) -> list[psutil.Process]:
        try:
            postmaster = psutil.Process(self._pid)
            return [postmaster, *postmaster.children(recursive=True)]
        except psutil.NoSuchProcess:
            return []


def _wait_gone(process: psutil.Process) -> None:
    """A zombie is gone too: whoever adopted it reaps it when it likes."""
    deadline = time.monotonic() + _PATIENCE_S
    while time.monotonic() < deadline:
        with contextlib.suppress(psutil.NoSuchProcess):
            if process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
                time.sleep(0.01)
                continue
        return
    raise AssertionError(f"{process} does not end")
