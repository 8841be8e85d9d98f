"""The journal's file: made whole, opened by one bot at a time, and never touched when it is not ours to touch."""

from __future__ import annotations

import contextlib
import fcntl
import os
import sqlite3
from typing import TYPE_CHECKING

from harness.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# 1 - first
FORMAT = 1
#: "tpjl", in the file's header, as SQLite offers it to tell one program's files from another's.
APPLICATION_ID = 0x74706A6C
PAGE_BYTES = 4_096

#: After a checkpoint the write-ahead log is cut to this.
WAL_BYTES = 4 * 2**20
#: Pages that change hands between log and file at a checkpoint, SQLite's own figure.
_CHECKPOINT_PAGES = 1_000
_BUSY_S = 1.0

_MAGIC = b"SQLite format 3\x00"
#: Offsets of `user_version` and `application_id` in a file's first 100 bytes (sqlite.org/fileformat2.html, 1.3).
_HEADER_BYTES, _VERSION_AT, _APPLICATION_AT = 100, 60, 68

_TABLES = (
    "create table meta (key text primary key, value text not null) without rowid",
    "create table orders (client_order_id text primary key, document blob not null)",
    "create table writes (seq integer primary key autoincrement, kind text not null, document blob not null)",
    """create table refused (
        seq integer primary key, kind text not null, document blob not null, reason text not null,
        refused_at text not null default current_timestamp
    )""",
)


def lock(path: Path) -> int:
    """A descriptor that holds the journal until it is closed or its process ends; raises ConfigError."""
    try:
        descriptor = os.open(path.with_name(path.name + ".lock"), os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise ConfigError(path, "", f"no journal can be kept there: {error.strerror}; name another place") from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        holder = os.pread(descriptor, 20, 0).decode("ascii", "replace").strip() or "unknown"
        os.close(descriptor)
        raise ConfigError(
            path, "", f"another bot uses this journal (process {holder}); stop that one, or give this one its own"
        ) from error
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, b"%d\n" % os.getpid(), 0)
    return descriptor


def opened(path: Path) -> sqlite3.Connection:
    """A connection to a whole journal of ours, made when there is none yet; hold the lock.

    Raises ConfigError for a file that is damaged, another program's or a newer release's; it is left as it is.
    """
    if _is_missing(path):
        _refuse_orphan(path)
        _make(path)
    else:
        _look_at(path)
    connection = sqlite3.connect(path, isolation_level=None, timeout=_BUSY_S)
    try:
        with _damage_told(path):
            _check(connection, path)
            _set_up(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def _is_missing(path: Path) -> bool:
    try:
        return path.stat().st_size == 0
    except FileNotFoundError:
        return True


def _refuse_orphan(path: Path) -> None:
    """A write-ahead log without its file would be taken for the log of the file that is made now."""
    log = path.with_name(path.name + "-wal")
    if log.exists() and log.stat().st_size:
        raise ConfigError(
            path, "", f"its log {log.name} is there without it; put the journal back, or move the log away"
        )


def _make(path: Path) -> None:
    """Under another name first: a journal is there with all its tables, or it is not there."""
    draft = path.with_name(path.name + ".new")
    for leftover in (draft, path.with_name(draft.name + "-journal")):
        leftover.unlink(missing_ok=True)
    try:
        with contextlib.closing(sqlite3.connect(draft, isolation_level=None)) as connection:
            connection.execute(f"pragma page_size={PAGE_BYTES}")
            connection.execute("pragma auto_vacuum=incremental")
            connection.execute("begin")
            for table in _TABLES:
                connection.execute(table)
            connection.execute(f"pragma application_id={APPLICATION_ID}")
            connection.execute(f"pragma user_version={FORMAT}")
            connection.execute("commit")
        draft.rename(path)
        _sync_folder(path)
    except (OSError, sqlite3.Error) as error:
        raise ConfigError(path, "", f"no journal can be made there: {error}; name another place") from error


def _sync_folder(path: Path) -> None:
    descriptor = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _look_at(path: Path) -> None:
    """By the first bytes alone: SQLite, once it has opened a file, may already write to it."""
    try:
        with path.open("rb") as file:
            header = file.read(_HEADER_BYTES)
    except OSError as error:
        raise ConfigError(path, "", f"the journal cannot be read: {error.strerror}") from error
    if not header.startswith(_MAGIC) or _number(header, _APPLICATION_AT) != APPLICATION_ID:
        raise ConfigError(path, "", "no journal of a bot, or one whose beginning is damaged; name another file")
    version = _number(header, _VERSION_AT)
    if version != FORMAT:
        raise ConfigError(
            path,
            "",
            f"a journal of format {version}, and this program knows {FORMAT}; start the release that wrote it, or name"
            " another file",
        )


def _number(header: bytes, at: int) -> int:
    return int.from_bytes(header[at : at + 4], "big")


def _check(connection: sqlite3.Connection, path: Path) -> None:
    connection.execute("pragma locking_mode=exclusive")
    ((found,),) = connection.execute("pragma quick_check(1)").fetchall()
    if found != "ok":
        raise _damaged(path, found.splitlines()[-1])


def _set_up(connection: sqlite3.Connection) -> None:
    connection.execute("pragma journal_mode=wal")
    connection.execute(f"pragma journal_size_limit={WAL_BYTES}")
    connection.execute(f"pragma wal_autocheckpoint={_CHECKPOINT_PAGES}")


@contextlib.contextmanager
def _damage_told(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.OperationalError as error:
        raise ConfigError(path, "", f"the journal cannot be opened: {error}; does another program use it?") from error
    except sqlite3.DatabaseError as error:
        raise _damaged(path, str(error)) from error


def _damaged(path: Path, how: str) -> ConfigError:
    return ConfigError(
        path,
        "",
        f"the journal is damaged ({how}); keep it, since it may hold trades that PostgreSQL has not"
        " (sqlite3 FILE .recover), and name another file",
    )
