from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import msgspec
import pytest

from harness.errors import ConfigError, NotTrustworthy, ResultError
from harness.history.baseline import Move, update
from harness.results.model import Result
from harness.results.store import RESULT

if TYPE_CHECKING:
    from pathlib import Path

Made = Callable[..., Result]
WHEN = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def saved(folder: Path, result: Result) -> Path:
    folder.mkdir()
    (folder / RESULT).write_bytes(msgspec.json.encode(result))
    return folder


def test_the_file_is_copied_byte_for_byte_and_each_reason_kept(made: Made, tmp_path: Path) -> None:
    folder = saved(tmp_path / "run", made(blocks=2, scenarios=("ws-flood",)))
    target = tmp_path / "baseline" / "result.json"
    update(folder, target, reason=" first ", when=WHEN)
    kept = update(folder / RESULT, target, reason="again", when=WHEN)
    content = (folder / RESULT).read_bytes()
    assert target.read_bytes() == content
    moves = [msgspec.json.decode(line, type=Move) for line in kept.log.read_bytes().splitlines()]
    assert [move.reason for move in moves] == ["first", "again"]
    assert moves[0].sha256 == hashlib.sha256(content).hexdigest()
    assert moves[0].when == "2026-01-02T03:04:05+00:00"


def test_a_baseline_without_a_reason_is_refused(made: Made, tmp_path: Path) -> None:
    folder = saved(tmp_path / "run", made(blocks=1, scenarios=("ws-flood",)))
    with pytest.raises(ConfigError, match="say why"):
        update(folder, tmp_path / "b.json", reason="  ", when=WHEN)


@pytest.mark.parametrize(
    ("changes", "error", "told"),
    [
        ({"profile": "smoke"}, ResultError, "smoke run"),
        ({"complete": False}, NotTrustworthy, "incomplete run"),
        ({"digests": {"a/a": "00" * 32}}, NotTrustworthy, "not proven equal"),
    ],
)
def test_a_run_that_cannot_be_trusted_is_no_baseline(
    made: Made, tmp_path: Path, changes: dict[str, object], error: type[Exception], told: str
) -> None:
    folder = saved(tmp_path / "run", made(blocks=1, scenarios=("ws-flood",), **changes))
    target = tmp_path / "b.json"
    with pytest.raises(error, match=told):
        update(folder, target, reason="why", when=WHEN)
    assert not target.exists()
