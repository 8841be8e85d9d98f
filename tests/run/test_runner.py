from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from harness.errors import ServiceError
from harness.recordings import catalogue
from harness.recordings.format import load
from harness.results.store import TRIALS, RunFolder, read_result
from harness.run.runner import Choice, Runner
from harness.run.scenario import choose

if TYPE_CHECKING:
    from pathlib import Path

    from harness.results.model import Trial


class Heard:
    """Progress that remembers."""

    def __init__(self) -> None:
        self.notes: list[str] = []
        self.trials: list[Trial] = []

    def note(self, text: str) -> None:
        self.notes.append(text)

    def trial_done(self, trial: Trial) -> None:
        self.trials.append(trial)


def choice(scenario: str, *, services: str = "auto") -> Choice:
    path = catalogue.find(catalogue.DEFAULT_RECORDING)
    return Choice(
        run_id="one",
        profile="smoke",
        scenarios=choose([scenario], "smoke", "spot-30-symbols", ["asyncio+msgspec+none"]),
        recording=load(path),
        services=services,
        seed=1,
        command=["tickproof", "bench", "--url", "postgresql://me:hunter2@host/db"],
    )


def test_a_run_leaves_its_trials_and_its_result_in_one_folder(tmp_path: Path) -> None:
    folder, heard = RunFolder.create(tmp_path, "one"), Heard()
    result = Runner(choice("json"), folder, heard, {}).run()
    assert read_result(folder.path) == result
    assert list(folder.trials()) == result.trials == heard.trials
    assert {trial.arm for trial in result.trials} == {"asyncio+json+none", "asyncio+msgspec+none"}
    assert result.recordings[0].frames == len(load(catalogue.find("spot-30-symbols")).frames)
    assert result.environment.packages["msgspec"]


def test_no_secret_of_the_command_line_reaches_the_result(tmp_path: Path) -> None:
    folder = RunFolder.create(tmp_path, "one")
    Runner(choice("json"), folder, Heard(), {}).run()
    for file in folder.path.iterdir():
        assert b"hunter2" not in file.read_bytes()


def test_a_full_disk_breaks_the_run_and_says_so(tmp_path: Path) -> None:
    folder, heard = RunFolder.create(tmp_path, "one"), Heard()
    (folder.path / TRIALS).symlink_to("/dev/full")  # every write to it meets a full disk
    result = Runner(choice("json"), folder, heard, {}).run()
    assert not result.run.complete
    assert "No space left on device" in str(result.run.broken_by)
    assert len(result.trials) == 1
    assert read_result(folder.path) == result


def test_a_run_that_cannot_begin_raises_and_leaves_no_result(tmp_path: Path) -> None:
    folder = RunFolder.create(tmp_path, "one")
    environ = {"DATABASE_URL": "postgresql://me@127.0.0.1:1/x", "REDIS_URL": "redis://127.0.0.1:1"}
    with pytest.raises(ServiceError):
        Runner(choice("ws-flood", services="url"), folder, Heard(), environ).run()
    assert not list(folder.path.iterdir())
