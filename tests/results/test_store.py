from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec
import pytest

from harness.errors import ExitCode, NotTrustworthy, ResultError
from harness.results import store
from harness.results.model import Result
from harness.results.store import RESULT, TRIALS, RunFolder, read_result

if TYPE_CHECKING:
    from pathlib import Path


Made = Callable[..., Result]


@pytest.fixture
def result(made: Made) -> Result:
    return made(blocks=2, scenarios=("ws-flood",))


def test_a_result_is_equal_in_memory_and_on_disk(result: Result, tmp_path: Path) -> None:
    folder = RunFolder.create(tmp_path, "run")
    path = folder.save(result)
    assert read_result(path) == result
    assert read_result(folder.path) == result
    assert [file.name for file in folder.path.iterdir()] == [RESULT]


def test_trials_come_back_in_the_order_they_were_appended(result: Result, tmp_path: Path) -> None:
    folder = RunFolder.create(tmp_path, "run")
    for trial in result.trials:
        folder.append(trial)
    assert list(folder.trials()) == result.trials


def test_a_folder_without_trials_has_none(tmp_path: Path) -> None:
    assert list(RunFolder.create(tmp_path, "run").trials()) == []


@pytest.mark.parametrize("kept", [0.1, 0.5, 0.99])
def test_a_last_line_cut_by_a_crash_is_left_out(result: Result, tmp_path: Path, kept: float) -> None:
    folder = RunFolder.create(tmp_path, "run")
    folder.append(result.trials[0])
    whole = (folder.path / TRIALS).read_bytes()
    (folder.path / TRIALS).write_bytes(whole + whole[: int(len(whole) * kept)])
    assert list(folder.trials()) == result.trials[:1]


def test_a_trial_appended_after_a_cut_line_stands_alone(result: Result, tmp_path: Path) -> None:
    folder = RunFolder.create(tmp_path, "run")
    folder.append(result.trials[0])
    whole = (folder.path / TRIALS).read_bytes()
    (folder.path / TRIALS).write_bytes(whole + whole[:-1])
    folder.append(result.trials[1])
    assert list(folder.trials()) == result.trials[:2]


def test_a_first_line_that_was_cut_is_replaced(result: Result, tmp_path: Path) -> None:
    folder = RunFolder.create(tmp_path, "run")
    (folder.path / TRIALS).write_bytes(b'{"scenario":')
    folder.append(result.trials[0])
    assert list(folder.trials()) == result.trials[:1]


def test_a_damaged_line_in_the_middle_is_named(result: Result, tmp_path: Path) -> None:
    folder = RunFolder.create(tmp_path, "run")
    folder.append(result.trials[0])
    with (folder.path / TRIALS).open("ab") as file:
        file.write(b"{damaged}\n")
    folder.append(result.trials[1])
    with pytest.raises(ResultError, match=r"trials\.jsonl, line 2"):
        list(folder.trials())


def test_a_folder_that_is_there_already_is_not_written_into(tmp_path: Path) -> None:
    RunFolder.create(tmp_path, "run")
    with pytest.raises(ResultError, match="is there already"):
        RunFolder.create(tmp_path, "run")


def test_a_disk_that_refuses_is_told_and_the_exit_code_says_so(result: Result, tmp_path: Path) -> None:
    folder = RunFolder.create(tmp_path, "run")
    (folder.path / TRIALS).mkdir()  # nothing can be appended to a folder, not even by root
    with pytest.raises(NotTrustworthy, match="the trials so far are kept") as caught:
        folder.append(result.trials[0])
    assert caught.value.exit_code is ExitCode.NOT_TRUSTWORTHY


def test_a_write_that_fails_leaves_the_old_file_and_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = store.write_whole(tmp_path / "file", b"old")

    def refuse(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.replace", refuse)
    with pytest.raises(NotTrustworthy, match="No space left"):
        store.write_whole(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def changed(result: Result, **values: object) -> bytes:
    return msgspec.json.encode({**msgspec.to_builtins(result), **values})


@pytest.mark.parametrize("version", [0, 2, 99])
def test_another_version_is_refused_with_both_numbers(result: Result, tmp_path: Path, version: int) -> None:
    path = tmp_path / RESULT
    path.write_bytes(changed(result, schema=version))
    with pytest.raises(ResultError, match=f"has version {version}; this tickproof reads version 1"):
        read_result(path)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"schema":"1"}', b"\xff\xfe", b'{"schema":1}'])
def test_what_is_no_result_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / RESULT
    path.write_bytes(content)
    with pytest.raises(ResultError, match="no result file of tickproof"):
        read_result(path)


def test_an_unknown_field_is_an_error_and_no_silent_loss(result: Result, tmp_path: Path) -> None:
    path = tmp_path / RESULT
    path.write_bytes(changed(result, extra=1))
    with pytest.raises(ResultError, match="extra"):
        read_result(path)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ResultError, match=r"nowhere\.json cannot be read"):
        read_result(tmp_path / "nowhere.json")


def test_a_file_that_is_far_too_large_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / RESULT
    path.write_bytes(b"x" * 100)
    monkeypatch.setattr(store, "MAX_RESULT_BYTES", 99)
    with pytest.raises(ResultError, match="larger than 99 bytes"):
        read_result(path)
