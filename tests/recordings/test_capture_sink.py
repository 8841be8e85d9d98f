"""The thread that writes, and what it counts."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from harness.errors import RecordingError
from harness.recordings.capture import sink as sinks
from harness.recordings.capture.files import Files, Outage
from harness.recordings.capture.names import Names
from harness.recordings.capture.redaction import Redactor
from harness.recordings.capture.sink import Sink
from harness.recordings.capture.tally import Lateness, Tally
from harness.recordings.format import load
from harness.units import NS_PER_MS, Nanoseconds

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from harness.recordings.format import Header

START_MS = 1_791_201_600_000
LISTEN_KEY = "pqia91ma19a5s61cv6a81va65sdf19v8a65a1a5s61cv6a81va65sdf19v8a65a1"


def _at(ms: float) -> Nanoseconds:
    return Nanoseconds(round((START_MS + ms) * NS_PER_MS))


@pytest.fixture
def make(tmp_path: Path, header: Header) -> Callable[..., Sink]:
    def made(on_change: Callable[[], object] = lambda: None) -> Sink:
        files = Files(Names(tmp_path / "cap.jsonl"), header)
        sink = Sink(files, Redactor([LISTEN_KEY]), now=lambda: _at(0), on_change=on_change)
        for number in (0, 1, 2):
            sink.tally(number)
        return sink

    return made


def test_all_connections_have_one_order_and_the_account_its_own_name(make: Callable[..., Sink], tmp_path: Path) -> None:
    sink = make()
    sink.start()
    sink.put(_at(1), 2, b'{"a":1}')
    sink.put(_at(2), 0, b'{"b":2}')
    sink.put(_at(1.5), 1, b'{"c":3}')  # held back by a pause: its place is here
    sink.finish()
    assert sink.failure is None
    frames = load(tmp_path / "cap.jsonl").frames
    assert [(frame.at, frame.connection, frame.body) for frame in frames] == [
        (0, "market", b'{"a":1}'),
        (NS_PER_MS, "user", b'{"b":2}'),
        (NS_PER_MS, "market", b'{"c":3}'),
    ]
    assert [sink.tallies[number].frames for number in (0, 1, 2)] == [1, 1, 1]


def test_no_secret_reaches_the_disk(make: Callable[..., Sink], tmp_path: Path) -> None:
    sink = make()
    sink.start()
    sink.put(_at(1), 0, f'{{"stream":"{LISTEN_KEY}","data":{{"uid":987654321}}}}'.encode())
    sink.put(_at(2), 1, f'{{"stream":"{LISTEN_KEY}","data":{{}}}}'.encode())
    sink.back(
        Outage(
            connection="market",
            number=1,
            streams=(LISTEN_KEY,),
            lost_ns=_at(2),
            back_ns=_at(3),
            reason=f"at /ws/{LISTEN_KEY}",
        )
    )
    sink.finish()
    text = (tmp_path / "cap.jsonl").read_bytes()
    assert LISTEN_KEY.encode() not in text
    assert b"987654321" not in text
    (mark,) = load(tmp_path / "cap.jsonl").gaps
    assert len(mark.gap.streams[0]) == len(LISTEN_KEY)
    assert (sink.tallies[1].gaps, sink.tallies[1].away_ns) == (1, NS_PER_MS)


@pytest.mark.parametrize("body", [b"\xff\x00", b'{"a":\n1}', b"x" * (8 * 1024 * 1024 + 1)])
def test_what_no_recording_holds_is_counted_and_the_capture_goes_on(
    make: Callable[..., Sink], tmp_path: Path, body: bytes
) -> None:
    sink = make()
    sink.start()
    sink.put(_at(1), 1, body)
    sink.put(_at(2), 1, b"{}")
    sink.finish()
    assert (sink.tallies[1].unheld, sink.tallies[1].frames) == (1, 1)
    assert len(load(tmp_path / "cap.jsonl").frames) == 1


def test_a_full_sink_says_so_and_when_it_is_so_no_more(
    make: Callable[..., Sink], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sinks, "HIGH_BYTES", 1_000)
    monkeypatch.setattr(sinks, "LOW_BYTES", 500)
    changed = threading.Event()
    sink = make(changed.set)
    for number in range(10):
        sink.put(_at(number), 1, b"{}")
    assert (sink.is_full, sink.held_back) == (True, 1)
    sink.start()
    assert changed.wait(30)
    assert not sink.is_full
    sink.finish()
    assert sink.tallies[1].frames == 10


def test_a_disk_that_fails_is_told_to_the_one_that_reads(tmp_path: Path, header: Header) -> None:
    changed = threading.Event()
    files = Files(Names(tmp_path / "none" / "cap.jsonl"), header)
    sink = Sink(files, Redactor(), now=lambda: _at(0), on_change=changed.set)
    sink.tally(1)
    sink.start()
    sink.put(_at(1), 1, b"{}")
    assert changed.wait(30)
    sink.finish()
    assert isinstance(sink.failure, RecordingError)


def test_lateness_is_receive_time_less_event_time() -> None:
    tally = Tally()
    for late in range(1, 101):
        tally.seen(_at(late), b'{"stream":"a@trade","data":{"e":"trade","E":%d,"s":"A"}}' % START_MS)
    tally.seen(_at(7), b'{"e":"trade","E":%d000,"s":"A"}' % START_MS)  # microseconds
    tally.seen(_at(0), b'{"e":"trade","E":%d}' % (START_MS - 10**9))  # of another day
    tally.seen(_at(0), b'{"u":1,"s":"A"}')
    assert tally.lateness() == Lateness(p50_ms=50, p99_ms=99, frames=101)
    assert tally.largest == len('{"stream":"a@trade","data":{"e":"trade","E":1791201600000,"s":"A"}}')
    assert Tally().lateness() is None


def test_streams_that_never_spoke_are_told() -> None:
    tally = Tally()
    assert tally.silent(["a@trade"]) == ("a@trade",)
    tally.seen(_at(0), b'{"stream":"a@trade","data":{}}')
    assert tally.silent(["a@trade", "b@trade"]) == ("b@trade",)
    raw = Tally()
    raw.seen(_at(0), b'{"e":"trade"}')
    assert raw.silent(["a@trade"]) == ()
