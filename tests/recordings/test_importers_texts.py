from __future__ import annotations

import gzip
import io
import zipfile
from typing import TYPE_CHECKING

import pytest
import zstandard

from harness.errors import RecordingError
from harness.recordings.importers import texts
from harness.recordings.text import MAX_LINE_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

TEXT = b"one\ntwo\r\n\nfour"
LINES = [(1, b"one"), (2, b"two"), (3, b""), (4, b"four")]


def _zipped(data: bytes, *names: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as packed:
        for name in names or ("a.csv",):
            packed.writestr(name, data)
    return buffer.getvalue()


def _zstd(data: bytes) -> bytes:
    return zstandard.compress(data)


PACKERS: list[Callable[[bytes], bytes]] = [bytes, gzip.compress, _zstd, _zipped]


@pytest.fixture(params=PACKERS, ids=["plain", "gzip", "zstd", "zip"])
def pack(request: pytest.FixtureRequest) -> Callable[[bytes], bytes]:
    packer: Callable[[bytes], bytes] = request.param
    return packer


def _lines(path: Path, data: bytes, max_bytes: int = 1 << 30) -> list[tuple[int, bytes]]:
    path.write_bytes(data)
    return list(texts.lines(path, max_bytes=max_bytes))


def test_lines_are_the_same_however_packed(tmp_path: Path, pack: Callable[[bytes], bytes]) -> None:
    assert _lines(tmp_path / "x", pack(TEXT)) == LINES


def test_progress_ends_at_the_size_of_the_file(tmp_path: Path, pack: Callable[[bytes], bytes]) -> None:
    path = tmp_path / "x"
    path.write_bytes(pack(TEXT * 1_000))
    seen: list[int] = []
    assert sum(1 for _ in texts.lines(path, seen.append)) == 3_001
    assert max(seen) <= path.stat().st_size


def test_streams_that_were_appended_to_are_read_on(tmp_path: Path) -> None:
    for packer in (gzip.compress, _zstd):
        assert _lines(tmp_path / "x", packer(b"one\ntw") + packer(b"o\n\nfour")) == LINES


def test_members_of_a_zip_are_read_one_after_the_other(tmp_path: Path) -> None:
    assert _lines(tmp_path / "x", _zipped(b"a\n", "1.csv", "2.csv")) == [(1, b"a"), (2, b"a")]


@pytest.mark.parametrize("packer", [gzip.compress, _zstd, _zipped], ids=["gzip", "zstd", "zip"])
def test_cut_packing_is_refused(tmp_path: Path, packer: Callable[[bytes], bytes]) -> None:
    whole = packer(bytes(range(256)) * 400)
    for size in (len(whole) - 1, len(whole) - 6, len(whole) // 2, 12):
        with pytest.raises(RecordingError, match=r"cut|damaged"):
            _lines(tmp_path / "x", whole[:size])


def test_damage_is_refused_with_the_line_reached(tmp_path: Path) -> None:
    damaged = bytearray(_zipped(b"line\n" * 1_000))
    damaged[40] ^= 0xFF
    with pytest.raises(RecordingError, match="damaged"):
        _lines(tmp_path / "x", bytes(damaged))


def test_a_zip_under_a_password_is_refused(tmp_path: Path) -> None:
    packed = bytearray(_zipped(b"x"))
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        packed[packed.index(signature) + offset] |= 1
    with pytest.raises(RecordingError, match="encrypted"):
        _lines(tmp_path / "x", bytes(packed))


def test_a_bomb_is_stopped_at_the_limit(tmp_path: Path, pack: Callable[[bytes], bytes]) -> None:
    with pytest.raises(RecordingError, match="more than the 1,000,000 bytes allowed"):
        _lines(tmp_path / "x", pack(b"0123456789\n" * 1_000_000), max_bytes=1_000_000)


def test_an_endless_line_is_refused_before_it_is_held(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match="line 2: the line is longer") as caught:
        _lines(tmp_path / "x", gzip.compress(b"a\n" + b"x" * (MAX_LINE_BYTES + (4 << 20))))
    assert caught.value.line == 2


def test_a_zip_of_too_many_members_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match="members allowed"):
        _lines(tmp_path / "x", _zipped(b"", *(f"{number}" for number in range(1_001))))


def test_an_empty_file_has_no_lines(tmp_path: Path) -> None:
    assert _lines(tmp_path / "x", b"") == []


def test_the_name_is_that_of_the_only_member(tmp_path: Path) -> None:
    (tmp_path / "x.zip").write_bytes(_zipped(b"", "BTCUSDT-1m-2024-01.csv"))
    assert texts.member_name(tmp_path / "x.zip") == "BTCUSDT-1m-2024-01.csv"
    (tmp_path / "y.zip").write_bytes(_zipped(b"", "a", "b"))
    assert texts.member_name(tmp_path / "y.zip") == "y.zip"
    (tmp_path / "z.zip").write_bytes(_zipped(b"")[:20])
    assert texts.member_name(tmp_path / "z.zip") == "z.zip"
    assert texts.member_name(tmp_path / "none") == "none"
