"""Marks in a recording: where a connection of the capture was away."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest

from harness.errors import RecordingError
from harness.recordings.format import MARKED_VERSION, Frame, Gap, Header, Mark, Writer, load, verify
from harness.recordings.loop import looped
from harness.units import Nanoseconds

if TYPE_CHECKING:
    from pathlib import Path

GAP = Gap(
    connection="market",
    number=2,
    streams=("btcusdt@trade",),
    lost_at_ns=-5,
    back_at_ns=1_000_000,
    reason="1006",
)
BODY = b'{"stream":"btcusdt@trade","data":{"e":"trade","E":1,"s":"BTCUSDT","t":1}}'


@pytest.fixture
def marked(tmp_path: Path, header: Header) -> Path:
    path = tmp_path / "marked.jsonl.zst"
    with Writer(path, msgspec.structs.replace(header, version=MARKED_VERSION)) as writer:
        writer.write(Frame(Nanoseconds(5), "market", BODY))
        writer.mark(Nanoseconds(1_000_000), GAP)
        writer.write(Frame(Nanoseconds(1_000_000), "market", BODY))
        assert writer.frames == 2
    return path


def test_a_mark_is_read_beside_the_frames_with_its_place(marked: Path) -> None:
    recording = load(marked)
    assert [frame.at for frame in recording.frames] == [5, 1_000_000]
    assert recording.gaps == (Mark(Nanoseconds(1_000_000), 1, GAP),)


def test_marks_are_no_frames_where_they_are_counted(marked: Path) -> None:
    found = verify(marked)
    assert (found.frames, found.frames_by_connection, found.gaps) == (2, {"market": 2}, load(marked).gaps)
    assert [frame.connection for frame in looped(load(marked), 4)] == ["market"] * 4


def test_the_text_is_what_the_docs_say(tmp_path: Path, header: Header) -> None:
    path = tmp_path / "plain.jsonl"
    with Writer(path, msgspec.structs.replace(header, version=MARKED_VERSION)) as writer:
        writer.write(Frame(Nanoseconds(5), "market", BODY))
        writer.mark(Nanoseconds(7), GAP)
    lines = path.read_bytes().split(b"\n")
    assert lines[0].startswith(b'{"format":"tickproof-recording","version":2,')
    assert lines[2] == (
        b'7 mark:gap {"connection":"market","number":2,"streams":["btcusdt@trade"],'
        b'"lost_at_ns":-5,"back_at_ns":1000000,"reason":"1006"}'
    )
    assert lines[3].startswith(b'{"frames":1,')


def test_what_may_hold_no_marks_stays_as_it_was(tmp_path: Path, header: Header) -> None:
    path = tmp_path / "old.jsonl"
    with Writer(path, header) as writer:
        writer.write(Frame(Nanoseconds(5), "market", BODY))
        with pytest.raises(RecordingError, match="marks need format version 2"):
            writer.mark(Nanoseconds(5), GAP)
    assert b'"version":1,' in path.read_bytes().split(b"\n")[0]
    assert load(path).gaps == ()


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        (b'"version":2', b'"version":1', "unknown connection 'mark:gap'"),
        (b"mark:gap", b"mark:gop", "unknown connection 'mark:gop'"),
        (b'"number":2', b'"number":"2"', "not the mark of a gap"),
        (b"7 mark", b"4 mark", "time runs back"),
        (b'"reason":"1006"', b'"reason":"1007"', "the text was changed"),
    ],
)
def test_a_wrong_mark_is_refused(tmp_path: Path, header: Header, old: bytes, new: bytes, problem: str) -> None:
    path = tmp_path / "wrong.jsonl"
    with Writer(path, msgspec.structs.replace(header, version=MARKED_VERSION)) as writer:
        writer.write(Frame(Nanoseconds(5), "market", BODY))
        writer.mark(Nanoseconds(7), GAP)
    text = path.read_bytes()
    assert old in text
    path.write_bytes(text.replace(old, new))
    with pytest.raises(RecordingError, match=problem):
        load(path)


def test_a_recording_of_marks_only_holds_no_frame(tmp_path: Path, header: Header) -> None:
    path = tmp_path / "none.jsonl"
    with (
        pytest.raises(RecordingError, match="no frame"),
        Writer(path, msgspec.structs.replace(header, version=MARKED_VERSION)) as writer,
    ):
        writer.mark(Nanoseconds(7), GAP)
    assert list(tmp_path.iterdir()) == []
