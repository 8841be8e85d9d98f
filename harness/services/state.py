"""What `tickproof services start` left running: a file in a folder that only this user may read."""

from __future__ import annotations

import contextlib
import os
import stat
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from harness.errors import ServiceError
from harness.services.identity import ProcessIdentity
from harness.services.server import Kind, Origin, Server

if TYPE_CHECKING:
    from collections.abc import Mapping

_STATE_FILE = "services.json"


class KeptServer(msgspec.Struct, frozen=True, kw_only=True):
    """A server that runs in the background."""

    name: Kind
    url: str
    product: str
    origin: Origin
    pid: int | None
    folder: str | None

    @classmethod
    def of(cls, server: Server) -> KeptServer:
        """The same server, as it is written down."""
        return cls(
            name=server.name,
            url=server.url,
            product=server.product,
            origin=server.origin,
            pid=server.pid,
            folder=None if server.folder is None else str(server.folder),
        )


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """The keeper and its servers."""

    #: 1 - first
    version: int = 1
    keeper: ProcessIdentity
    servers: tuple[KeptServer, ...]


def state_folder(environ: Mapping[str, str]) -> Path:
    """The folder of the state file, made when it is not there: of this user, closed to all others.

    Raises ServiceError when somebody else has taken its place.
    """
    runtime = environ.get("XDG_RUNTIME_DIR", "")
    if runtime and Path(runtime).is_dir() and os.access(runtime, os.W_OK):
        folder = Path(runtime) / "tickproof"
    else:
        folder = Path(tempfile.gettempdir()) / f"tickproof-state-{os.geteuid()}"
    with contextlib.suppress(FileExistsError):
        folder.mkdir(mode=0o700)
    place = folder.lstat()
    if not stat.S_ISDIR(place.st_mode) or place.st_uid != os.geteuid() or place.st_mode & 0o077:
        raise ServiceError(f"{folder} is not a folder that only you may use; remove it, or set XDG_RUNTIME_DIR")
    return folder


def read_state(folder: Path) -> Kept | None:
    """What runs in the background; None when nothing does, whatever an old file says."""
    try:
        kept = msgspec.json.decode((folder / _STATE_FILE).read_bytes(), type=Kept)
    except (OSError, msgspec.MsgspecError):
        return None
    return kept if kept.keeper.runs() else None


def write_state(folder: Path, kept: Kept) -> None:
    """Put the state in place, whole or not at all."""
    new = folder / f"{_STATE_FILE}.new"
    new.write_bytes(msgspec.json.encode(kept))
    new.replace(folder / _STATE_FILE)


def remove_state(folder: Path) -> None:
    """Nothing runs any more."""
    (folder / _STATE_FILE).unlink(missing_ok=True)
