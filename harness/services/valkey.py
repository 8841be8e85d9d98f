"""Valkey or Redis, started by ourselves on loopback in a folder of its own."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from harness.services import probe
from harness.services.account import Account
from harness.services.folder import OwnedFolder
from harness.services.program import LOOPBACK, Program, server_environment, with_free_port
from harness.services.server import Server

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from harness.services.binaries import Binaries

#: A cache: nothing is written to disk. No password, since only this machine's loopback reaches it; protected mode
#: (the default) refuses everybody else besides.
SETTINGS = {"bind": LOOPBACK, "save": "", "appendonly": "no", "daemonize": "no"}
_START_SECONDS = 15.0


@contextmanager
def running_redis(
    binaries: Binaries, *, environ: Mapping[str, str], cores: Sequence[int]
) -> Iterator[tuple[Server, Callable[[], str | None]]]:
    """A server and a function that tells why it died (None while it runs); stopped and removed on exit.

    Raises ServiceError when it cannot be started.
    """
    with OwnedFolder() as folder:
        program, port = with_free_port(lambda port: (_start(binaries, folder, environ, port, cores), port))
        try:
            url = f"redis://{LOOPBACK}:{port}/0"
            server = Server(
                name="redis",
                url=url,
                product=probe.redis_product(url),
                origin=binaries.origin,
                pid=program.process.pid,
                folder=folder.path,
                settings=dict(SETTINGS),
            )
            yield server, program.problem
        finally:
            program.stop()


def _start(
    binaries: Binaries, folder: OwnedFolder, environ: Mapping[str, str], port: int, cores: Sequence[int]
) -> Program:
    log = folder.path / "redis.log"
    flags = [word for name, value in SETTINGS.items() for word in (f"--{name}", value)]
    with log.open("wb") as output:
        process = Account(name="this user").start(
            [binaries.server, "--port", str(port), "--dir", folder.path, *flags],
            server_environment(environ),
            stdout=output.fileno(),
            stderr=output.fileno(),
            cores=cores,
        )
    program = Program(title=f"{binaries.server.name}", process=process, log=log)
    try:
        folder.record(server_pid=process.pid)
        # Asked for its process: on a port that was taken meanwhile, another server may answer.
        program.wait_until(lambda: probe.redis_process(port) == process.pid or None, seconds=_START_SECONDS)
    except BaseException:
        program.stop()
        raise
    return program
