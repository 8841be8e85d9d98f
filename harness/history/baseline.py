"""The baseline: a copy of a result that can be trusted, and a log of why it was moved."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from harness.errors import ConfigError, NotTrustworthy, ResultError
from harness.results.equality import equalities
from harness.results.store import RESULT, read_result, write_whole

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from harness.results.model import Result


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A move of the baseline."""

    run: str
    log: Path


class Move(msgspec.Struct, frozen=True, kw_only=True):
    """A line of the log."""

    when: str
    run: str
    sha256: str
    reason: str


def update(source: Path, target: Path, *, reason: str, when: datetime) -> Kept:
    """Copy the result to `target`, and add a line to `<target>.log.jsonl`.

    Raises ConfigError for an empty reason, ResultError for a smoke run, NotTrustworthy for a run that is not whole or
    whose outputs differ, or when the disk refuses.
    """
    if not reason.strip():
        raise ConfigError("baseline", "--reason", "say why the baseline moves")
    result = read_result(source)
    _check(result)
    content = (source / RESULT if source.is_dir() else source).read_bytes()
    log = target.with_name(f"{target.name}.log.jsonl")
    move = Move(
        when=when.isoformat(timespec="seconds"),
        run=result.run.id,
        sha256=hashlib.sha256(content).hexdigest(),
        reason=reason.strip(),
    )
    _make_folder(target.parent)
    write_whole(target, content)
    earlier = log.read_bytes() if log.exists() else b""
    write_whole(log, earlier + msgspec.json.encode(move) + b"\n")
    return Kept(run=result.run.id, log=log)


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ResultError(f"{folder} cannot be made: {error.strerror}; name another file with --to") from error


def _check(result: Result) -> None:
    if not result.is_measurement:
        raise ResultError("a smoke run measures nothing and cannot be a baseline; run `tickproof bench` without smoke")
    if not result.run.complete:
        raise NotTrustworthy("an incomplete run cannot be a baseline; run it again")
    if any(not equality.stacks_equal for equality in equalities(result)):
        raise NotTrustworthy("a run whose outputs are not proven equal cannot be a baseline; see its report")
