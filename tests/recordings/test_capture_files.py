"""Frames onto the disk: rotation, gaps, what a crash or a full disk leaves."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from harness.errors import RecordingError
from harness.recordings.capture.files import Files, Outage, Rotation
from harness.recordings.capture.names import Hold, Names, is_held
from harness.recordings.format import load
from harness.recordings.salvage import salvage
from harness.units import NS_PER_MS, NS_PER_S, Nanoseconds

if TYPE_CHECKING:
    from collections.abc import Iterable

    from harness.recordings.format import Header

START = 1_791_201_600_000 * NS_PER_MS + 123_456


def _at(seconds: float) -> Nanoseconds:
    return Nanoseconds(START + round(seconds * NS_PER_S))


def _body(number: int) -> bytes:
    return b'{"n":%06d}' % number


def _write(files: Files, numbers: Iterable[int], *, step_s: float = 0.5) -> None:
    for number in numbers:
        files.write(_at(number * step_s), "market", _body(number))


def _outage(number: int, lost_s: float, back_s: float | None) -> Outage:
    return Outage(
        connection="market",
        number=number,
        streams=("btcusdt@trade",),
        lost_ns=_at(lost_s),
        back_ns=None if back_s is None else _at(back_s),
        reason="cut",
    )


@pytest.fixture(params=["cap.jsonl", "cap.jsonl.zst"])
def target(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return tmp_path / str(request.param)


def _whole(files: Files) -> list[tuple[int, bytes]]:
    """Unix times and bodies of all sealed files, in their order."""
    found = []
    for sealed in files.sealed:
        recording = load(sealed.path)
        assert len(recording.frames) == sealed.frames
        start = recording.header.start_ms * NS_PER_MS
        found += [(start + frame.at, frame.body) for frame in recording.frames]
    return found


def test_without_rotation_there_is_the_target_alone(target: Path, header: Header) -> None:
    files = Files(Names(target), header)
    _write(files, range(10))
    files.close()
    assert [sealed.path for sealed in files.sealed] == [target]
    assert list(target.parent.iterdir()) == [target]
    assert load(target).header.version == 2


@pytest.mark.parametrize("rotation", [Rotation(text_bytes=700), Rotation(span_ns=Nanoseconds(3 * NS_PER_S))])
def test_no_frame_is_lost_between_two_files_and_times_go_on_to_the_nanosecond(
    target: Path, header: Header, rotation: Rotation
) -> None:
    files = Files(Names(target, numbered=True), header, rotation=rotation)
    _write(files, range(50))
    files.close()
    assert len(files.sealed) > 5
    assert _whole(files) == [(_at(number * 0.5), _body(number)) for number in range(50)]
    assert files.sealed[0].path.name.startswith("cap-0001.jsonl")
    assert load(files.sealed[1].path).header.note == f"continues {files.sealed[0].path.name}"
    assert all(sealed.text_bytes <= rotation.text_bytes for sealed in files.sealed)
    assert len(list(target.parent.iterdir())) == len(files.sealed)


def test_a_quiet_file_is_sealed_when_its_time_is_over(target: Path, header: Header) -> None:
    files = Files(Names(target), header, rotation=Rotation(span_ns=Nanoseconds(NS_PER_S)))
    _write(files, [0])
    files.tick(_at(0.5))
    assert not files.sealed
    files.tick(_at(1.5))
    assert files.sealed


def test_a_gap_is_marked_where_it_ends(target: Path, header: Header) -> None:
    files = Files(Names(target), header)
    _write(files, [0, 1])
    files.lost(_outage(2, 0.6, None))
    files.back(_outage(2, 0.6, 0.9))
    _write(files, [2])
    files.close()
    (mark,) = load(target).gaps
    zero = START - START % NS_PER_MS
    assert (mark.frames_before, mark.at) == (2, _at(0.9) - zero)
    assert (mark.gap.lost_at_ns, mark.gap.back_at_ns) == (_at(0.6) - zero, _at(0.9) - zero)
    assert (mark.gap.number, mark.gap.streams, mark.gap.reason) == (2, ("btcusdt@trade",), "cut")
    assert files.sealed[0].gaps == 1


def test_a_gap_over_two_files_is_told_in_both(target: Path, header: Header) -> None:
    files = Files(Names(target), header, rotation=Rotation(span_ns=Nanoseconds(NS_PER_S)))
    _write(files, [0])
    files.lost(_outage(1, 0.1, None))
    files.tick(_at(2))
    files.back(_outage(1, 0.1, 2.25))
    _write(files, [5])
    files.close()
    first, second = (load(sealed.path) for sealed in files.sealed)
    assert first.gaps[0].gap.back_at_ns is None
    assert second.gaps[0].frames_before == 0
    assert second.gaps[0].gap.lost_at_ns < 0
    lost = second.header.start_ms * NS_PER_MS + second.gaps[0].gap.lost_at_ns
    assert lost == _at(0.1)
    assert second.gaps[0].at == second.gaps[0].gap.back_at_ns == _at(2.25) - second.header.start_ms * NS_PER_MS


def test_nothing_is_kept_of_a_capture_without_a_frame(target: Path, header: Header) -> None:
    files = Files(Names(target), header)
    files.back(_outage(1, 0.1, 2.25))
    files.close()
    assert (files.sealed, list(target.parent.iterdir())) == ([], [])


def test_what_a_killed_capture_leaves_can_be_made_whole_to_the_last_flush(target: Path, header: Header) -> None:
    files = Files(Names(target), header)
    _write(files, range(40), step_s=0.01)
    files.back(_outage(1, 0.2, 0.4))
    files.tick(_at(2))
    partial = files.partial
    assert partial is not None
    left = target.with_name("left.partial")
    left.write_bytes(partial.read_bytes() + b"123 market {")  # as it is at this moment, and half a line
    files.give_up()
    assert partial.exists()
    saved = salvage(left, target)
    assert saved.frames == 40
    assert saved.problem
    recording = load(target)
    assert [frame.body for frame in recording.frames] == [_body(number) for number in range(40)]
    assert recording.header.note == "cut after 40 frames, and made whole"
    assert len(recording.gaps) == saved.gaps == 1


def test_a_salvage_can_be_cut_anywhere_and_gives_all_whole_lines(tmp_path: Path, header: Header) -> None:
    files = Files(Names(tmp_path / "whole.jsonl"), header)
    _write(files, range(4))
    files.close()
    text = (tmp_path / "whole.jsonl").read_bytes()
    ends = [place + 1 for place, byte in enumerate(text) if byte == 10]
    cut = tmp_path / "cut.partial"
    for length in range(ends[1], len(text)):
        cut.write_bytes(text[:length])
        target = tmp_path / f"saved-{length}.jsonl"
        assert salvage(cut, target).frames == min(4, sum(end <= length for end in ends) - 1)
        load(target)
    cut.write_bytes(text)
    assert salvage(cut, tmp_path / "all.jsonl").problem == ""
    assert load(tmp_path / "all.jsonl").header.note is None


def test_a_salvage_refuses_what_it_cannot_save(tmp_path: Path, header: Header) -> None:
    target, source = tmp_path / "t.jsonl", tmp_path / "s.partial"
    with pytest.raises(RecordingError, match="No such file"):
        salvage(source, target)
    source.write_bytes(b"")
    with pytest.raises(RecordingError, match="not the header"):
        salvage(source, target)
    files = Files(Names(tmp_path / "live.jsonl"), header)
    _write(files, range(3))
    files.tick(_at(5))
    assert files.partial is not None
    with pytest.raises(RecordingError, match="is being written to at this moment"):
        salvage(files.partial, target)
    files.close()
    with pytest.raises(RecordingError, match="is there already"):
        salvage(tmp_path / "live.jsonl", tmp_path / "live.jsonl")
    assert not target.exists()


def test_a_bomb_is_not_salvaged(tmp_path: Path, header: Header) -> None:
    files = Files(Names(tmp_path / "cap.jsonl.zst"), header)
    files.write(_at(0), "market", b"x" * 5_000_000)
    files.close()
    with pytest.raises(RecordingError, match="more than 1,000,000 bytes"):
        salvage(tmp_path / "cap.jsonl.zst", tmp_path / "t.jsonl", max_bytes=1_000_000)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full, a Linux device that is always full")
def test_a_full_disk_keeps_what_is_sealed_and_the_rest_as_it_is(
    target: Path, header: Header, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = Files(Names(target), header, rotation=Rotation(text_bytes=1_000))
    _write(files, range(20))
    kept = list(files.sealed)
    assert kept
    real_open = Path.open

    def full(self: Path, mode: str = "r", buffering: int = -1) -> object:
        return real_open(Path("/dev/full"), "wb", 0) if mode == "xb" else real_open(self, mode, buffering)

    monkeypatch.setattr(Path, "open", full)
    monkeypatch.setattr("harness.recordings.capture.files.Hold", lambda _path: None)

    def go_on() -> None:
        _write(files, range(20, 10_000))
        files.tick(_at(10_000))

    with pytest.raises(RecordingError, match="No space left on device"):
        go_on()
    monkeypatch.undo()
    files.give_up()
    assert len(files.sealed) >= len(kept)
    assert _whole(files) == [(_at(n * 0.5), _body(n)) for n in range(sum(sealed.frames for sealed in files.sealed))]


def test_the_files_of_a_capture_are_found_again(tmp_path: Path) -> None:
    names = Names(tmp_path / "cap.jsonl.zst")
    others = ("cap-12.jsonl.zst", "cap-0004.jsonl", "xcap-0002.jsonl.zst", ".cap.jsonl.zst.1234.partial")
    mine = ("cap.jsonl.zst", "cap-0002.jsonl.zst", "cap-0010.jsonl.zst", ".cap-0011.jsonl.zst.0123abcd.partial")
    for name in (*others, *mine):
        (tmp_path / name).touch()
    assert {number: path.name for number, path in names.taken().items()} == {1: mine[0], 2: mine[1], 10: mine[2]}
    assert names.leftovers() == [(tmp_path / mine[3], tmp_path / "cap-0011.jsonl.zst")]
    assert Names(tmp_path / "none" / "cap.jsonl").taken() == {}


def test_a_file_is_held_by_one_writer(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.touch()
    hold = Hold(path)
    assert is_held(path)
    hold.release()
    assert not is_held(path)
    with pytest.raises(OSError, match=os.strerror(2)):
        is_held(tmp_path / "none")
