"""Shared memory that a killed PostgreSQL leaves behind, outside its data folder.

Killed with SIGKILL it leaves a System V segment of 56 bytes and one or more files of about 1 MB in /dev/shm. The next
start on the same data folder would clear them, but ours has a folder of its own each time.
"""

from __future__ import annotations

import contextlib
import ctypes
import re
import struct
import sys
from pathlib import Path

_SHM_FOLDER = Path("/dev/shm")  # noqa: S108 - where Linux keeps POSIX shared memory; nothing is created there
_SEGMENT = re.compile(r"(?P<path>/dev/shm/PostgreSQL\.\d+)")
#: `dsm_control_header` of PostgreSQL's src/backend/storage/ipc/dsm.c: magic number, items used; the items begin at
#: byte 16 and are 40 bytes long, the handle (the number in the file's name) first. Unchanged from 9.4 to 18.
_CONTROL_HEADER = struct.Struct("=II")
_CONTROL_MAGIC = 0x9A503D32
_FIRST_ITEM, _ITEM_BYTES, _HANDLE = 16, 40, struct.Struct("=I")
_IPC_RMID = 0


def control_segment(postmaster_pid: int) -> str | None:
    """The /dev/shm file in which a running PostgreSQL lists its dynamic segments; None where there is none to see."""
    try:
        maps = Path(f"/proc/{postmaster_pid}/maps").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    found = _SEGMENT.search(maps)
    return found["path"] if found else None


def clear(control: str | None, data_folder: Path) -> None:
    """Remove what a PostgreSQL left in shared memory that has died; does nothing after a proper stop."""
    if control is not None and _SEGMENT.fullmatch(control):
        _clear_posix(Path(control))
    _clear_system_v(data_folder / "postmaster.pid")


def _clear_posix(control: Path) -> None:
    try:
        content = control.read_bytes()
        owner = control.stat().st_uid
    except OSError:
        return
    for handle in _handles(content):
        segment = _SHM_FOLDER / f"PostgreSQL.{handle}"
        with contextlib.suppress(OSError):
            if segment.stat().st_uid == owner:
                segment.unlink()
    with contextlib.suppress(OSError):
        control.unlink()


def _handles(content: bytes) -> list[int]:
    if len(content) < _FIRST_ITEM:
        return []
    magic, items = _CONTROL_HEADER.unpack_from(content)
    if magic != _CONTROL_MAGIC:
        return []
    whole = min(items, (len(content) - _FIRST_ITEM) // _ITEM_BYTES)
    return [_HANDLE.unpack_from(content, _FIRST_ITEM + _ITEM_BYTES * index)[0] for index in range(whole)]


def _clear_system_v(postmaster_file: Path) -> None:
    """Line 1 of postmaster.pid is the pid, line 7 the key and id of the segment (PostgreSQL's miscinit.c)."""
    if sys.platform != "linux":
        return
    try:
        lines = postmaster_file.read_text(encoding="utf-8").splitlines()
        key, identifier = lines[6].split()
        rows = Path("/proc/sysvipc/shm").read_text(encoding="ascii").splitlines()[1:]
    except (OSError, ValueError, IndexError):
        return
    for row in rows:
        # key shmid perms size cpid lpid ...: ours only when key, id and creator agree. Children that have not noticed
        # yet that the postmaster is dead stay attached; the segment goes with the last of them.
        fields = row.split()
        if fields[:2] == [key, identifier] and fields[4] == lines[0].strip():
            ctypes.CDLL(None).shmctl(int(identifier), _IPC_RMID, None)
