from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.errors import RecordingError
from harness.exchange.filters import DEFAULT_FILTERS
from harness.recordings import text
from harness.recordings.format import Frame, Generator, Header, Recording, Writer, load, verify
from harness.units import Nanoseconds

if TYPE_CHECKING:
    from collections.abc import Callable

FRAMES = [
    Frame(Nanoseconds(0), "market", b'{"stream":"btcusdt@trade","data":{"E":1}}'),
    Frame(Nanoseconds(5), "user", '{"subscriptionId":0,"event":{"a":"\u5e01"}}'.encode()),
    Frame(Nanoseconds(5), "rest:/api/v3/depth?symbol=BTCUSDT&limit=1000", b'{"lastUpdateId":1}'),
    Frame(Nanoseconds(7), "market", b'{"stream":"btcusdt@trade", "data":{"E":2}}'),
]


@pytest.fixture(params=["r.jsonl", "r.jsonl.zst"])
def path(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return tmp_path / str(request.param)


@pytest.fixture
def written(path: Path, header: Header) -> Path:
    _write(path, header)
    return path


def _write(path: Path, header: Header) -> None:
    with Writer(path, header) as writer:
        for frame in FRAMES:
            writer.write(frame)


def _text(path: Path) -> bytes:
    data = path.read_bytes()
    return zstandard.ZstdDecompressor().decompressobj().decompress(data) if path.suffix == ".zst" else data


def _rewrite(path: Path, content: bytes) -> None:
    path.write_bytes(zstandard.ZstdCompressor().compress(content) if path.suffix == ".zst" else content)


def _sealed(lines: list[bytes]) -> bytes:
    body = b"".join(line + b"\n" for line in lines)
    seal = {"frames": len(lines) - 1, "sha256": hashlib.sha256(body).hexdigest()}
    return body + msgspec.json.encode(seal) + b"\n"


def _refused(path: Path, **options: int) -> RecordingError:
    with pytest.raises(RecordingError) as of_load:
        load(path, **options)
    with pytest.raises(RecordingError) as of_verify:
        verify(path, **options)
    assert str(of_load.value) == str(of_verify.value)
    return of_load.value


def test_what_is_written_is_read_again(written: Path, header: Header) -> None:
    recording = load(written)
    assert recording.header == header
    assert recording.frames == FRAMES
    assert recording.name == "r"
    assert recording.span_ns == 7


def test_the_text_is_what_the_design_says(written: Path) -> None:
    lines = _text(written).split(b"\n")
    assert lines[0].startswith(
        b'{"format":"tickproof-recording","version":1,"market":"spot","streams":["btcusdt@trade"]'
    )
    assert lines[1] == b'0 market {"stream":"btcusdt@trade","data":{"E":1}}'
    assert lines[3].startswith(b"5 rest:/api/v3/depth?symbol=BTCUSDT&limit=1000 {")
    assert lines[5] == b'{"frames":4,"sha256":"%s"}' % load(written).sha256.encode()
    assert lines[6:] == [b""]


def test_verify_tells_what_load_would_without_the_frames(written: Path) -> None:
    summary = verify(written)
    assert summary.frames == 4
    assert summary.frames_by_connection == {"market": 2, "user": 1, "rest": 1}
    assert summary.span_ns == 7
    assert summary.sha256 == load(written).sha256
    assert summary.text_bytes == len(_text(written))


def test_plain_and_packed_have_the_same_seal(tmp_path: Path, header: Header) -> None:
    _write(tmp_path / "a.jsonl", header)
    _write(tmp_path / "b.jsonl.zst", header)
    assert load(tmp_path / "a.jsonl").sha256 == load(tmp_path / "b.jsonl.zst").sha256


def test_a_full_header_survives(path: Path) -> None:
    header = Header(
        market="usdm",
        streams=("btcusdt@depth@100ms",),
        start_ms=5,
        source="generated",
        title="t",
        generator=Generator(name="g", seed=7, version=1),
        licence="MIT",
        note="n",
        filters={"BTCUSDT": DEFAULT_FILTERS},
    )
    _write(path, header)
    assert load(path).header == header


@given(
    st.lists(
        st.tuples(
            st.integers(0, 10**15),
            st.sampled_from(["market", "user", "rest:/a?b=c"]),
            st.text(st.characters(codec="utf-8", exclude_characters="\n")).map(str.encode),
        ),
        min_size=1,
    )
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
def test_any_frame_without_a_newline_survives(tmp_path: Path, rows: list[tuple[int, str, bytes]]) -> None:
    at = 0
    frames = []
    for gap, connection, body in rows:
        at = min(at + gap, 10**17)
        frames.append(Frame(Nanoseconds(at), connection, body))
    path = tmp_path / "any.jsonl"
    with Writer(path, Header(market="spot", streams=(), start_ms=0, source="captured", title="")) as writer:
        for frame in frames:
            writer.write(frame)
    assert load(path).frames == frames


def test_every_cut_is_refused(written: Path) -> None:
    whole = written.read_bytes()
    for length in range(len(whole)):
        written.write_bytes(whole[:length])
        error = _refused(written)
        assert error.path == str(written)
        assert error.line >= 1


def test_every_flipped_bit_is_refused_or_harmless(written: Path) -> None:
    whole = written.read_bytes()
    good = load(written)
    for place in range(len(whole)):
        written.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        try:
            found = load(written)
        except RecordingError:
            continue
        # A bit that packs the same text, nothing else, may differ.
        assert (found.header, found.frames, found.sha256) == (good.header, good.frames, good.sha256)


def test_an_edited_digit_is_named_by_the_seal(written: Path) -> None:
    _rewrite(written, _text(written).replace(b'"E":2', b'"E":3'))
    error = _refused(written)
    assert error.line == 6
    assert "was changed" in error.problem


def test_a_dropped_line_is_named_by_the_count(written: Path) -> None:
    lines = _text(written).split(b"\n")
    _rewrite(written, b"\n".join(lines[:2] + lines[3:]))
    assert "tells of 4 frames, the file has 3" in _refused(written).problem


def test_an_empty_file_is_refused(path: Path) -> None:
    path.write_bytes(b"")
    error = _refused(path)
    assert (error.line, error.problem) == (1, "the file is empty")


def test_a_missing_file_is_refused(path: Path) -> None:
    assert "No such file" in _refused(path).problem


def test_a_recording_without_frames_is_refused(path: Path, header: Header) -> None:
    _rewrite(path, _sealed([msgspec.json.encode(header)]))
    assert _refused(path).problem == "the recording holds no frame"


def test_another_version_is_named(path: Path, header: Header) -> None:
    _rewrite(path, _sealed([msgspec.json.encode(header).replace(b'"version":1', b'"version":3'), b"0 market {}"]))
    error = _refused(path)
    assert error.line == 1
    assert "version 3" in error.problem


@pytest.mark.parametrize("first", [b"", b"{}", b"hello", b"[1]", b'{"format":"x","version":1}', b"\xff"])
def test_another_kind_of_file_is_refused_at_line_1(path: Path, first: bytes) -> None:
    _rewrite(path, first + b"\n0 market {}\n")
    assert _refused(path).line == 1


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        (b"", "not `<ns since start> <connection> <frame>`"),
        (b"12 market", "not `<ns since start> <connection> <frame>`"),
        (b"x market {}", "no time in nanoseconds"),
        (b"-1 market {}", "no time in nanoseconds"),
        (b"1.5 market {}", "no time in nanoseconds"),
        (b"9" * 5000 + b" market {}", "no time in nanoseconds"),
        (b"9 other {}", "unknown connection 'other'"),
        (b"9 rest:depth {}", "unknown connection"),
        (b"3 market {}", "time runs back, from 5 to 3 ns"),
        (b"9 market \xff", "not UTF-8 at byte 10"),
        (b'{"frames":1}', "neither a frame nor the last line"),
    ],
)
def test_a_bad_line_is_named_by_its_number(path: Path, header: Header, line: bytes, problem: str) -> None:
    _rewrite(path, _sealed([msgspec.json.encode(header), b"5 market {}", line, b"9 market {}"]))
    error = _refused(path)
    assert error.line == 3
    assert problem in error.problem


def test_data_after_the_last_line_is_refused(written: Path) -> None:
    _rewrite(written, _text(written) + b"9 market {}\n")
    error = _refused(written)
    assert (error.line, error.problem) == (7, "data follows the last line")


@pytest.mark.parametrize("extra", [b"x", b"\x28\xb5\x2f\xfd", b"0" * 3000])
def test_data_after_a_zstd_stream_is_refused(tmp_path: Path, header: Header, extra: bytes) -> None:
    path = tmp_path / "r.jsonl.zst"
    _write(path, header)
    path.write_bytes(path.read_bytes() + extra)
    assert "data follows the end of the zstd stream" in _refused(path).problem


def test_more_text_than_allowed_is_refused(written: Path) -> None:
    size = len(_text(written))
    assert load(written, max_bytes=size).frames == FRAMES
    assert f"more than the {size - 1:,}" in _refused(written, max_bytes=size - 1).problem


def test_a_line_beyond_the_limit_is_refused(path: Path, header: Header, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text, "MAX_LINE_BYTES", 1000)
    _rewrite(path, _sealed([msgspec.json.encode(header), b"5 market {}", b"6 market " + b"x" * 1000]))
    error = _refused(path)
    assert error.line == 3
    assert "longer than 1,000 bytes" in error.problem


def test_a_huge_sparse_file_is_refused_unread(tmp_path: Path) -> None:
    path = tmp_path / "huge.jsonl"
    with path.open("wb") as file:
        os.truncate(file.fileno(), 10 * 1024**3)
    assert "10,737,418,240 bytes" in _refused(path).problem


def test_a_bomb_is_stopped_at_the_limit(tmp_path: Path) -> None:
    path = tmp_path / "bomb.jsonl.zst"
    packer = zstandard.ZstdCompressor(level=3).compressobj()
    block = bytes(1 << 20)
    path.write_bytes(b"".join(packer.compress(block) for _ in range(200)) + packer.flush())
    assert path.stat().st_size < 100_000
    error = _refused(path)
    assert error.line == 1
    assert "longer than" in error.problem
    assert "more than the 1,048,576" in _refused(path, max_bytes=1 << 20).problem


@pytest.mark.parametrize("name", ["r.json", "r.raw", "r.zst", "r"])
def test_another_suffix_is_refused(tmp_path: Path, header: Header, name: str) -> None:
    path = tmp_path / name
    with pytest.raises(RecordingError, match=r"ends in \.jsonl or \.jsonl\.zst"):
        _write(path, header)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("frame", "problem"),
    [
        (Frame(Nanoseconds(6), "market", b'{"a":\n1}'), "newline"),
        (Frame(Nanoseconds(6), "market", b"\xff"), "not UTF-8"),
        (Frame(Nanoseconds(4), "market", b"{}"), "time runs back"),
        (Frame(Nanoseconds(10**18), "market", b"{}"), "too far"),
        (Frame(Nanoseconds(6), "market ", b"{}"), "unknown connection"),
        (Frame(Nanoseconds(6), "rest:/a b", b"{}"), "unknown connection"),
    ],
)
def test_a_frame_that_cannot_be_held_is_refused_and_nothing_is_left(
    path: Path, header: Header, frame: Frame, problem: str
) -> None:
    def write() -> None:
        with Writer(path, header) as writer:
            writer.write(Frame(Nanoseconds(5), "market", b"{}"))
            writer.write(frame)

    with pytest.raises(RecordingError, match=problem) as caught:
        write()
    assert caught.value.line == 3
    assert list(path.parent.iterdir()) == []


def test_nothing_is_left_of_a_writing_that_was_interrupted(path: Path, header: Header) -> None:
    def interrupted() -> None:
        with Writer(path, header) as writer:
            writer.write(FRAMES[0])
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert list(path.parent.iterdir()) == []


def test_an_older_file_stays_when_a_new_one_fails(written: Path, header: Header) -> None:
    before = written.read_bytes()
    with pytest.raises(RecordingError, match="no frame"), Writer(written, header):
        pass
    assert written.read_bytes() == before
    assert list(written.parent.iterdir()) == [written]


def test_a_folder_that_is_missing_is_named(tmp_path: Path, header: Header) -> None:
    with pytest.raises(RecordingError, match="cannot be written: No such file"):
        _write(tmp_path / "none" / "r.jsonl", header)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full, a Linux device that is always full")
@pytest.mark.parametrize("name", ["r.jsonl", "r.jsonl.zst"])
@pytest.mark.parametrize("size", [10, 3_000_000])
def test_a_full_disk_is_told_of(
    tmp_path: Path, header: Header, monkeypatch: pytest.MonkeyPatch, name: str, size: int
) -> None:
    real_open = Path.open

    def full(self: Path, mode: str = "r") -> object:
        return real_open(Path("/dev/full"), "wb") if mode == "xb" else real_open(self, mode)

    monkeypatch.setattr(Path, "open", full)
    body = os.urandom(size).hex().encode()
    with pytest.raises(RecordingError, match="No space left on device"), Writer(tmp_path / name, header) as writer:
        writer.write(Frame(Nanoseconds(0), "market", body))
    assert list(tmp_path.iterdir()) == []


def test_the_count_of_written_frames_is_told_as_it_grows(path: Path, header: Header) -> None:
    with Writer(path, header) as writer:
        assert writer.frames == 0
        writer.write(FRAMES[0])
        assert writer.frames == 1


def test_recordings_are_made_for_tests(make: Callable[..., Recording]) -> None:
    assert make([b"{}", b"{}"]).frames[1].at == 1_000_000
