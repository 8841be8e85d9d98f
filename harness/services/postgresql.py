"""PostgreSQL, started by ourselves on loopback in a folder of its own."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING

from harness.errors import ServiceError
from harness.services import leftovers, probe
from harness.services.account import Account, accounts, dropped
from harness.services.folder import OwnedFolder
from harness.services.program import LOOPBACK, Program, server_environment, with_free_port
from harness.services.server import Server

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from harness.services.binaries import Binaries

#: Words of initdb: trust, since only this machine's loopback reaches the server; no sync, since an empty database need
#: not outlive a power cut. The server's own durability settings (fsync, synchronous_commit ...) stay as shipped.
_LOCALE = "C.UTF-8" if sys.platform == "linux" else "C"
INITDB_FLAGS = ("-A", "trust", "-E", "UTF8", f"--locale={_LOCALE}", "--no-sync", "-U", "postgres")
#: The extension that counts statements, loaded where the programs come with it.
STATEMENTS = "pg_stat_statements"
_START_SECONDS = 30.0
_INITDB_SECONDS = 120.0


def settings_for(binaries: Binaries) -> dict[str, str]:
    """What the server is told beside its port; all else is PostgreSQL's default."""
    settings = {"listen_addresses": LOOPBACK, "unix_socket_directories": "", "timezone": "UTC"}
    if binaries.has_library(STATEMENTS):
        settings["shared_preload_libraries"] = STATEMENTS
    return settings


@contextmanager
def running_postgresql(
    binaries: Binaries, *, environ: Mapping[str, str], cores: Sequence[int]
) -> Iterator[tuple[Server, Callable[[], str | None]]]:
    """A server and a function that tells why it died (None while it runs); stopped and removed on exit.

    Raises ServiceError when it cannot be started.
    """
    environment = server_environment(environ)
    with OwnedFolder() as folder:
        account, binaries = _way_to_run(binaries, folder.path, environment)
        folder.data.mkdir(mode=0o700)
        account.give(folder.data)
        _initialise(account, binaries, folder, environment)
        settings = settings_for(binaries)
        program, port = with_free_port(
            lambda port: (_start(account, binaries, folder, environment, {"port": str(port), **settings}, cores), port)
        )
        try:
            # asyncpg would look for certificates in the home folder and ask for TLS first, a round trip.
            url = f"postgresql://postgres@{LOOPBACK}:{port}/postgres?sslmode=disable"
            product = probe.postgresql_product(url)
            if "shared_preload_libraries" in settings:
                create_statement_counts(url)
            server = Server(
                name="postgresql",
                url=url,
                product=product,
                origin=binaries.origin,
                pid=program.process.pid,
                folder=folder.path,
                settings=settings,
            )
            yield server, program.problem
        finally:
            program.stop(by=signal.SIGINT)  # "fast": open transactions are rolled back


def _way_to_run(binaries: Binaries, folder: Path, environment: Mapping[str, str]) -> tuple[Account, Binaries]:
    problems = []
    for account in accounts():
        problem = account.problem_with(binaries.server, folder, environment)
        if problem is None:
            return account, binaries
        problems.append(f"as {account.name}: {problem}")
    if any(account.user is not None for account in accounts()):  # root: a copy that the other user can enter
        try:
            copied = binaries.copied_to(folder / "programs")
            problem = dropped().problem_with(copied.server, folder, environment)
        except (OSError, ServiceError, shutil.Error) as error:
            problem = str(error)
        else:
            if problem is None:
                return dropped(), copied
        problems.append(f"copied: {problem}")
    raise ServiceError(f"PostgreSQL cannot be run here; run tickproof as an ordinary user ({'; '.join(problems)})")


def _initialise(account: Account, binaries: Binaries, folder: OwnedFolder, environment: Mapping[str, str]) -> None:
    log = folder.path / "initdb.log"
    with log.open("wb") as output:
        process = account.start(
            [binaries.initdb, "-D", folder.data, *INITDB_FLAGS],
            environment,
            stdout=output.fileno(),
            stderr=output.fileno(),
        )
    program = Program(title="initdb", process=process, log=log)
    try:
        process.wait(_INITDB_SECONDS)
    except subprocess.TimeoutExpired:
        raise ServiceError(f"initdb took longer than {_INITDB_SECONDS:g} s in {folder.path}") from None
    finally:
        program.stop()
    if process.returncode != 0:
        raise ServiceError(program.problem() or "initdb failed")


def _start(
    account: Account,
    binaries: Binaries,
    folder: OwnedFolder,
    environment: Mapping[str, str],
    settings: Mapping[str, str],
    cores: Sequence[int],
) -> Program:
    log = folder.path / "postgresql.log"
    flags = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
    with log.open("wb") as output:
        process = account.start(
            [binaries.server, "-D", folder.data, *flags],
            environment,
            stdout=output.fileno(),
            stderr=output.fileno(),
            cores=cores,
        )
    program = Program(title="PostgreSQL", process=process, log=log)
    try:
        folder.record(server_pid=process.pid)
        program.wait_until(lambda: _ready(folder.data) or None, seconds=_START_SECONDS)
        folder.record(server_pid=process.pid, shared_memory=leftovers.control_segment(process.pid))
    except BaseException:
        program.stop(by=signal.SIGINT)
        raise
    return program


def _ready(data: Path) -> bool:
    """Line 8 of postmaster.pid is the status, padded with blanks (PostgreSQL's miscadmin.h)."""
    with contextlib.suppress(OSError, IndexError):
        return (data / "postmaster.pid").read_text(encoding="utf-8").splitlines()[7].strip() == "ready"
    return False


def create_statement_counts(url: str) -> None:
    """Make `pg_stat_statements` readable in the database of a URL; the server must have preloaded it."""
    with ThreadPoolExecutor(max_workers=1) as thread:
        thread.submit(asyncio.run, _execute(url, f"create extension if not exists {STATEMENTS}")).result()


async def _execute(url: str, statement: str) -> None:
    import asyncpg  # noqa: PLC0415 - slow to import

    connection = await asyncpg.connect(url)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()
