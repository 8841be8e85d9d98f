"""Recordings by name: those that ship with tickproof; anything else is a file."""

from __future__ import annotations

from pathlib import Path

from harness.config import data_files
from harness.errors import RecordingError, UnknownName
from harness.recordings.format import recording_name

#: What a bench replays unless told otherwise.
DEFAULT_RECORDING = "spot-30-symbols"


def names() -> tuple[str, ...]:
    """Names of the shipped recordings, sorted."""
    return tuple(_shipped())


def find(name_or_path: str) -> Path:
    """The file of a shipped recording by its name, else the path itself.

    Raises UnknownName with the shipped names for what is neither, RecordingError for a file that is missing, a
    folder, a `.raw` file, which has to be imported first, or the name of a profile that nobody has made a recording of
    yet. The file's content is not looked at.
    """
    shipped = _shipped()
    if name_or_path in shipped:
        return shipped[name_or_path]
    path = Path(name_or_path)
    if path.suffix == ".raw":
        target = path.with_suffix(".jsonl.zst").name
        raise RecordingError(path, 1, f"not a recording yet; run `tickproof recording import {path} {target}` first")
    if path.is_dir():
        raise RecordingError(path, 1, "is a folder, not a recording")
    if path.exists():
        return path
    if path.name.endswith((".jsonl", ".jsonl.zst")) or len(path.parts) > 1:
        raise RecordingError(path, 1, "no such file")
    if name_or_path in {profile.stem for profile in data_files("recordings", "*.toml")}:
        made = f"tickproof recording generate --profile {name_or_path} {name_or_path}.jsonl.zst"
        raise RecordingError(path, 1, f"a profile, not a recording yet; run `{made}` and name that file")
    raise UnknownName("recording", name_or_path, shipped)


def _shipped() -> dict[str, Path]:
    found = [*data_files("recordings", "*.jsonl.zst"), *data_files("recordings", "*.jsonl")]
    return {recording_name(path): path for path in sorted(found)}
