"""Which process is meant: a pid alone is reused, a pid and its start time are not."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import msgspec
import psutil

_ON_LINUX = sys.platform == "linux"


class ProcessIdentity(msgspec.Struct, frozen=True, kw_only=True):
    """A process of this machine; `start_mark` tells it from a later one with the same pid."""

    pid: int
    start_mark: str

    @classmethod
    def of(cls, pid: int) -> ProcessIdentity | None:
        """The identity of a running process; None when there is none."""
        mark = start_mark(pid)
        return None if mark is None else cls(pid=pid, start_mark=mark)

    @classmethod
    def current(cls) -> ProcessIdentity:
        """The identity of this process."""
        return cls(pid=os.getpid(), start_mark=start_mark(os.getpid()) or "")

    def runs(self) -> bool:
        """Whether this very process still runs; a zombie does not."""
        return start_mark(self.pid) == self.start_mark


def start_mark(pid: int) -> str | None:
    """Boot and start time of a running process as text; None for a process that is gone or a zombie.

    On Linux from proc(5): field 22 counts clock ticks since boot, so a step of the wall clock does not change it.
    """
    return _linux_start_mark(pid) if _ON_LINUX else _portable_start_mark(pid)


def _linux_start_mark(pid: int) -> str | None:
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return None
    # The name of the program, in parentheses, may itself hold blanks and parentheses.
    fields = text.rpartition(")")[2].split()
    return None if fields[0] in "ZX" else f"{boot}/{fields[19]}"


def _portable_start_mark(pid: int) -> str | None:
    try:
        process = psutil.Process(pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            return None
        return repr(process.create_time())
    except psutil.Error:
        return None
