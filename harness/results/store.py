"""A run's folder: trials appended as they end, and result.json assembled from them."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import msgspec

from harness.errors import NotTrustworthy, ResultError
from harness.results.model import SCHEMA_VERSION, Result, Trial

if TYPE_CHECKING:
    from collections.abc import Iterator

#: No honest result is larger; the bound keeps a hostile file from filling the memory.
MAX_RESULT_BYTES = 256_000_000

TRIALS = "trials.jsonl"
RESULT = "result.json"


class RunFolder:
    """`reports/<run>/`: made at once, written as trials end, so that a crash loses one trial at most."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def create(cls, parent: Path, run_id: str) -> RunFolder:
        """A new folder; raises ResultError when it cannot be made or is there already."""
        path = parent / run_id
        try:
            path.mkdir(parents=True)
        except FileExistsError as error:
            raise ResultError(f"{path} is there already; wait a second, or choose another folder with --out") from error
        except OSError as error:
            raise ResultError(f"{path} cannot be made: {error.strerror}; choose another with --out") from error
        return cls(path)

    def append(self, trial: Trial) -> None:
        """Add a line for the trial and force it to disk; raises NotTrustworthy when the disk refuses."""
        line = msgspec.json.encode(trial) + b"\n"
        try:
            with (self.path / TRIALS).open("a+b") as file:
                _drop_cut_line(file)
                file.write(line)
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise NotTrustworthy(
                f"cannot write {self.path / TRIALS}: {error.strerror}; free some space, the trials so far are kept"
            ) from error

    def trials(self) -> Iterator[Trial]:
        """The trials appended so far; a last line cut by a crash (it has no line end) is left out.

        Raises ResultError, with the line, for any other line that is no trial.
        """
        file = self.path / TRIALS
        if not file.exists():
            return
        whole, _, _ = file.read_bytes().rpartition(b"\n")
        for number, line in enumerate(whole.split(b"\n"), start=1):
            if not line:
                continue
            try:
                yield msgspec.json.decode(line, type=Trial)
            except msgspec.MsgspecError as error:
                raise ResultError(f"{file}, line {number}: {error}") from error

    def save(self, result: Result) -> Path:
        """Write result.json whole or not at all; returns its path."""
        return write_whole(self.path / RESULT, msgspec.json.format(msgspec.json.encode(result), indent=1))


def _drop_cut_line(file: BinaryIO) -> None:
    """Take away what a crash left after the last line end, so that the next line stands alone."""
    size = file.seek(0, os.SEEK_END)
    if size == 0:
        return
    file.seek(-1, os.SEEK_END)
    if file.read(1) != b"\n":
        file.seek(0)
        file.truncate(file.read().rfind(b"\n") + 1)


def write_whole(path: Path, content: bytes) -> Path:
    """Write beside, then rename: a reader never sees half a file. Raises NotTrustworthy when the disk refuses."""
    try:
        descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
            Path(temporary).chmod(0o644)
            Path(temporary).replace(path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise NotTrustworthy(f"cannot write {path}: {error.strerror}; free some space and try again") from error
    return path


def read_result(path: Path) -> Result:
    """A result file, or the one in a run's folder.

    Raises ResultError: no such file, too large, no result, or a version that this program does not know.
    """
    path = path / RESULT if path.is_dir() else path
    try:
        if path.stat().st_size > MAX_RESULT_BYTES:
            raise ResultError(f"{path} is larger than {MAX_RESULT_BYTES:,} bytes; this is no result file")
        content = path.read_bytes()
    except OSError as error:
        raise ResultError(f"{path} cannot be read: {error.strerror}") from error
    _check_version(path, content)
    try:
        return msgspec.json.decode(content, type=Result)
    except msgspec.MsgspecError as error:
        raise ResultError(f"{path} is no result file of tickproof: {error}") from error


class _Version(msgspec.Struct):
    schema: int


def _check_version(path: Path, content: bytes) -> None:
    try:
        version = msgspec.json.decode(content, type=_Version).schema
    except msgspec.MsgspecError as error:
        raise ResultError(f"{path} is no result file of tickproof: {error}") from error
    if version != SCHEMA_VERSION:
        raise ResultError(f"{path} has version {version}; this tickproof reads version {SCHEMA_VERSION}")
