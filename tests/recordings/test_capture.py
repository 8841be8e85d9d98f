from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from harness.clock import ManualClock
from harness.errors import RecordingError
from harness.recordings.capture import Capture
from harness.recordings.format import Frame, Header, Writer, load
from harness.units import Nanoseconds, milliseconds

if TYPE_CHECKING:
    from pathlib import Path


def test_frames_are_stamped_with_the_time_since_the_start(tmp_path: Path, header: Header) -> None:
    clock = ManualClock(Nanoseconds(1_000))
    path = tmp_path / "live.jsonl.zst"
    with Writer(path, header) as writer:
        capture = Capture(writer, clock)
        clock.advance(milliseconds(5))
        capture.on_frame("market", b'{"a":1}')
        capture.on_frame("user", b'{"b":2}')
        clock.advance(milliseconds(995))
        capture.on_frame("market", b'{"a":3}')
        summary = capture.summary()
    assert load(path).frames == [
        Frame(Nanoseconds(5_000_000), "market", b'{"a":1}'),
        Frame(Nanoseconds(5_000_000), "user", b'{"b":2}'),
        Frame(Nanoseconds(1_000_000_000), "market", b'{"a":3}'),
    ]
    assert (summary.frames, summary.body_bytes, summary.span_ns) == (3, 21, 1_000_000_000)
    assert summary.frames_by_connection == {"market": 2, "user": 1}
    assert summary.messages_per_second == 3.0


def test_a_frame_with_a_newline_is_refused_and_nothing_is_kept(tmp_path: Path, header: Header) -> None:
    with pytest.raises(RecordingError, match="newline"), Writer(tmp_path / "live.jsonl", header) as writer:
        Capture(writer, ManualClock()).on_frame("market", b"{\n}")
    assert list(tmp_path.iterdir()) == []


def test_before_the_first_frame_there_is_no_rate(tmp_path: Path, header: Header) -> None:
    with pytest.raises(RecordingError, match="no frame"), Writer(tmp_path / "live.jsonl", header) as writer:
        summary = Capture(writer, ManualClock()).summary()
    assert summary.messages_per_second == 0.0
