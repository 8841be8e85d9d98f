"""Folders that belong to one process, and the sweeping of those whose owner was killed."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import signal
import stat
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Self

import msgspec

from harness.services import leftovers
from harness.services.identity import ProcessIdentity

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

PREFIX = "tickproof-"
DATA = "data"
_OWNER_FILE = "owner.json"
_LOCK_FILE = "owner.lock"


class _Owner(msgspec.Struct, frozen=True, kw_only=True):
    """What the owner file says: who owns the folder, and what was started in it."""

    owner: ProcessIdentity
    server: ProcessIdentity | None = None
    shared_memory: str | None = None


class OwnedFolder:
    """A temporary folder with an owner file, removed on exit.

    It says who owns it twice: by pid and start time in the owner file, and by a lock that the system drops when the
    owner ends however it ends, and that is also seen from another container.
    """

    def __init__(self) -> None:
        """Raises OSError when no folder can be made (a full disk)."""
        self.path = Path(tempfile.mkdtemp(prefix=PREFIX, dir=_parent()))
        self.data = self.path / DATA
        # Others may pass through to a folder of theirs in here (a server that refuses to run as root), not look.
        self.path.chmod(0o711)
        self._lock = os.open(self.path / _LOCK_FILE, os.O_CREAT | os.O_RDWR, 0o600)
        _take(self._lock)
        self._owner = _Owner(owner=ProcessIdentity.current())
        try:
            self._write()
        except OSError:
            self.__exit__(None, None, None)
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        leftovers.clear(self._owner.shared_memory, self.data)
        _remove(self.path)
        os.close(self._lock)

    def record(self, *, server_pid: int, shared_memory: str | None = None) -> None:
        """Write down the server that runs in this folder, so that a sweep can end it and what it leaves."""
        self._owner = msgspec.structs.replace(
            self._owner, server=ProcessIdentity.of(server_pid), shared_memory=shared_memory
        )
        self._write()

    def _write(self) -> None:
        new = self.path / f"{_OWNER_FILE}.new"
        new.write_bytes(msgspec.json.encode(self._owner))
        new.replace(self.path / _OWNER_FILE)


def sweep() -> list[Path]:
    """Remove the folders that killed owners left, ending a server that still runs in one; returns what was removed.

    Only folders of this user with our prefix and an owner file, whose lock is free and whose owner is gone.
    """
    return [path for path in _candidates() if _sweep_one(path)]


def _parents() -> list[Path]:
    return list(dict.fromkeys(Path(name) for name in (tempfile.gettempdir(), "/tmp", "/var/tmp")))  # noqa: S108 - mkdtemp makes the names


def _parent() -> Path:
    """The system's temporary folder; for root, one that a server without privileges can enter too, if there is any."""
    if os.geteuid() != 0:
        return Path(tempfile.gettempdir())
    return next((parent for parent in _parents() if parent.is_dir() and others_may_enter(parent)), _parents()[0])


def others_may_enter(folder: Path) -> bool:
    """Whether the permissions of a folder and all above it let any user pass."""
    return all(place.stat().st_mode & stat.S_IXOTH for place in (folder, *folder.resolve().parents))


def _candidates() -> Iterator[Path]:
    for parent in _parents():
        with contextlib.suppress(OSError):
            yield from sorted(parent.glob(f"{PREFIX}*"))


def _sweep_one(path: Path) -> bool:
    try:
        place = path.lstat()
        if not stat.S_ISDIR(place.st_mode) or place.st_uid != os.geteuid():
            return False
        owner = msgspec.json.decode((path / _OWNER_FILE).read_bytes(), type=_Owner)
        lock = os.open(path / _LOCK_FILE, os.O_RDWR | os.O_NOFOLLOW)
    except (OSError, msgspec.MsgspecError):
        return False
    try:
        if not _take(lock) or owner.owner.runs():
            return False
        if owner.server is not None and owner.server.runs():  # a system without parent-death signals
            os.kill(owner.server.pid, signal.SIGKILL)
        leftovers.clear(owner.shared_memory, path / DATA)
        _remove(path)
        return not path.exists()
    finally:
        os.close(lock)


def _take(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # a file system without locks: the start time in the owner file must do
        return True
    return True


def _remove(path: Path) -> None:
    """The owner file last, so that a removal cut short is taken up by the next sweep."""
    with contextlib.suppress(FileNotFoundError):
        for entry in _contents(path):
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry, ignore_errors=True)
            else:
                entry.unlink(missing_ok=True)
        if not _contents(path):
            shutil.rmtree(path, ignore_errors=True)


def _contents(path: Path) -> list[Path]:
    return [entry for entry in path.iterdir() if entry.name not in {_OWNER_FILE, _LOCK_FILE}]
