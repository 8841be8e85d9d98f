"""The files of one capture: their names, and what an earlier run of it left."""

from __future__ import annotations

import fcntl
import os
import re
from typing import TYPE_CHECKING, Final

from harness.recordings.format import is_compressed, recording_name

if TYPE_CHECKING:
    from pathlib import Path

_PARTIAL: Final = re.compile(r"\.(?P<final>.+\.jsonl(?:\.zst)?)\.[0-9a-f]{8}\.partial")


class Names:
    """`btc.jsonl.zst`, then `btc-0002.jsonl.zst` and so on; where `numbered`, the first is `btc-0001.jsonl.zst`."""

    def __init__(self, target: Path, *, numbered: bool = False) -> None:
        """Raises RecordingError for a target whose suffix is no recording's."""
        self.target = target
        self._numbered = numbered
        self._stem = recording_name(target)
        self._suffix = ".jsonl.zst" if is_compressed(target) else ".jsonl"
        self._form = re.compile(rf"{re.escape(self._stem)}-(\d{{4,9}}){re.escape(self._suffix)}")

    def path(self, number: int) -> Path:
        """Of the n-th file, from 1."""
        if number == 1 and not self._numbered:
            return self.target
        return self.target.with_name(f"{self._stem}-{number:04d}{self._suffix}")

    def taken(self) -> dict[int, Path]:
        """Files of this capture that are there, by number; the target itself is the first."""
        found = {}
        for path in self._folder():
            match = self._form.fullmatch(path.name)
            if match:
                found[int(match[1])] = path
        if self.target.exists():
            found[1] = self.target
        return dict(sorted(found.items()))

    def leftovers(self) -> list[tuple[Path, Path]]:
        """Unsealed files of this capture that a run left which did not end, each with the name it was to have."""
        found = []
        for path in self._folder():
            match = _PARTIAL.fullmatch(path.name)
            if match and (match["final"] == self.target.name or self._form.fullmatch(match["final"])):
                found.append((path, path.with_name(match["final"])))
        return sorted(found)

    def _folder(self) -> list[Path]:
        folder = self.target.parent
        return list(folder.iterdir()) if folder.is_dir() else []


class Hold:
    """A file held as long as this process lives or until `release`, so that nobody takes it for a leftover."""

    def __init__(self, path: Path) -> None:
        """Raises OSError when it cannot be opened, BlockingIOError when another process holds it."""
        self._descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(self._descriptor)
            raise

    def release(self) -> None:
        """Let others have it."""
        os.close(self._descriptor)


def is_held(path: Path) -> bool:
    """Whether another writer, in this process or another one, still holds the file."""
    try:
        Hold(path).release()
    except BlockingIOError:
        return True
    return False
