from __future__ import annotations

import sqlite3
from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec
import pytest

from harness.errors import ResultError
from harness.history.store import History
from harness.results.model import Result
from harness.results.store import RESULT

if TYPE_CHECKING:
    from pathlib import Path

Made = Callable[..., Result]


def saved(folder: Path, result: Result) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / RESULT).write_bytes(msgspec.json.encode(result))
    return folder


@pytest.fixture
def history(tmp_path: Path) -> History:
    return History(tmp_path / "kept" / "history.sqlite")


def test_a_run_is_added_once_however_often_it_is_named(made: Made, history: History, tmp_path: Path) -> None:
    folder = saved(tmp_path / "run", made(scenarios=("ws-flood",)))
    first = history.add(folder)
    assert history.add(folder / RESULT) == first
    assert history.entries() == [first]
    assert (first.profile, first.trials, first.failed, first.complete) == ("quick", 54, 0, True)


def test_gains_come_back_with_their_intervals_oldest_first(made: Made, history: History, tmp_path: Path) -> None:
    for day, gain in ((2, 1.3), (1, 1.1)):
        result = made(scenarios=("ws-flood",), loop_gain=gain)
        run = msgspec.structs.replace(result.run, id=f"run-{day}", started=f"2026-01-0{day}T00:00:00Z")
        history.add(saved(tmp_path / str(day), msgspec.structs.replace(result, run=run)))
    found = history.gains(scenario="ws-flood", metric="messages_per_second", arm="uvloop+json+none")
    assert [gain.run for gain in found] == ["run-1", "run-2"]
    assert found[0].ratio.low < 1.1 < found[0].ratio.high
    assert found[0].ratio.n == 6


def test_a_smoke_run_is_kept_without_any_gain(made: Made, history: History, tmp_path: Path) -> None:
    history.add(saved(tmp_path / "run", made(profile="smoke")))
    assert len(history.entries()) == 1
    assert history.gains(scenario="ws-flood", metric="messages_per_second", arm="uvloop+json+none") == []


def test_one_block_leaves_no_gain_since_it_has_no_interval(made: Made, history: History, tmp_path: Path) -> None:
    history.add(saved(tmp_path / "run", made(blocks=1, scenarios=("ws-flood",))))
    assert history.gains(scenario="ws-flood", metric="messages_per_second", arm="uvloop+json+none") == []


def test_a_store_that_is_not_there_is_empty_and_is_not_made_by_looking(history: History) -> None:
    assert history.entries() == []
    assert history.gains(scenario="s", metric="m", arm="a") == []
    assert not history.path.exists()


def test_a_file_that_is_no_store_is_refused_and_left_alone(made: Made, tmp_path: Path) -> None:
    other = tmp_path / "notes.txt"
    other.write_text("not a database, and long enough to be taken for one" * 10, encoding="utf-8")
    with pytest.raises(ResultError, match="is no history of tickproof"):
        History(other).add(saved(tmp_path / "run", made(blocks=1, scenarios=("json",))))
    assert other.read_text(encoding="utf-8").startswith("not a database")


def test_a_store_of_a_later_version_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "history.sqlite"
    store = sqlite3.connect(path)
    store.execute("PRAGMA user_version = 9")
    store.close()
    with pytest.raises(ResultError, match="has version 9; this tickproof reads version 1"):
        History(path).entries()


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path, made: Made) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(ResultError, match="name another file with --store"):
        History(tmp_path / "file" / "history.sqlite").add(saved(tmp_path / "run", made(blocks=1, scenarios=("json",))))
