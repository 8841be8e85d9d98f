from __future__ import annotations

import os
import struct
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from harness.services import leftovers

if TYPE_CHECKING:
    from pathlib import Path


def control(handles: list[int], *, magic: int = 0x9A503D32) -> bytes:
    items = b"".join(struct.pack("=I36x", handle) for handle in handles)
    return struct.pack("=IIII", magic, len(handles), 744, 0) + items


@given(st.lists(st.integers(0, 2**32 - 1), max_size=20))
def test_handles_are_read_from_the_control_segment(handles: list[int]) -> None:
    assert leftovers._handles(control(handles)) == handles


@given(st.binary(max_size=200))
def test_a_file_that_is_no_control_segment_names_nothing(content: bytes) -> None:
    if content[:4] != struct.pack("=I", 0x9A503D32):
        assert leftovers._handles(content) == []


def test_a_cut_control_segment_names_what_is_whole() -> None:
    assert leftovers._handles(control([1, 2, 3])[:-1]) == [1, 2]


def test_another_path_than_a_segment_is_never_removed(tmp_path: Path) -> None:
    file = tmp_path / "PostgreSQL.1"
    file.write_bytes(control([]))
    leftovers.clear(str(file), tmp_path)
    assert file.exists()


def test_a_process_that_is_no_postgresql_has_no_control_segment() -> None:
    assert leftovers.control_segment(os.getpid()) is None
    assert leftovers.control_segment(2**22 + 1) is None
