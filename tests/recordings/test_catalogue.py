from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from harness.errors import RecordingError, UnknownName
from harness.recordings.catalogue import DEFAULT_RECORDING, find, names

if TYPE_CHECKING:
    from pathlib import Path


def test_the_default_recording_ships() -> None:
    assert DEFAULT_RECORDING in names()
    assert find(DEFAULT_RECORDING).name == f"{DEFAULT_RECORDING}.jsonl.zst"


def test_a_file_is_found_by_its_path(tmp_path: Path) -> None:
    path = tmp_path / "mine.jsonl"
    path.touch()
    assert find(str(path)) == path


def test_an_unknown_name_tells_the_known_ones() -> None:
    with pytest.raises(UnknownName, match=f"unknown recording 'nope'; known: .*{DEFAULT_RECORDING}"):
        find("nope")


@pytest.mark.parametrize("name", ["nope.jsonl", "nope.jsonl.zst", "some/nope"])
def test_a_missing_file_is_not_an_unknown_name(name: str) -> None:
    with pytest.raises(RecordingError, match="no such file"):
        find(name)


def test_a_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match="is a folder"):
        find(str(tmp_path))


def test_a_raw_file_is_to_be_imported_first(tmp_path: Path) -> None:
    path = tmp_path / "some.raw"
    path.touch()
    with pytest.raises(RecordingError, match=r"tickproof recording import .*some\.raw some\.jsonl\.zst"):
        find(str(path))
