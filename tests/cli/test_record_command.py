"""`tickproof record` as a user starts and ends it: signals, a kill, a full disk, going on, and what it tells."""

from __future__ import annotations

import json
import resource
import signal
from typing import TYPE_CHECKING

import pytest

from harness.errors import ExitCode
from harness.recordings.format import Frame, Header, Writer, load
from harness.replay.controller import ReplayProcess
from harness.replay.errors import ReplayFailed
from harness.units import NS_PER_MS, Nanoseconds

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.cli.conftest import Ended, Running

    Tickproof = Callable[..., Ended]
    Start = Callable[..., Running]

STREAM = "btcusdt@trade"
COUNT = 2_000


def _body(number: int) -> bytes:
    # What does not pack well, so that a packed file grows with its frames.
    noise = f"{pow(7, number + 400, 2**2048 - 1942289):x}"
    return f'{{"stream":"{STREAM}","data":{{"e":"trade","E":1,"n":{number},"noise":"{noise}"}}}}'.encode()


@pytest.fixture
def slow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ReplayProcess]:
    """A replay of 100 frames a second."""
    path = tmp_path_factory.mktemp("served") / "served.jsonl"
    header = Header(market="spot", streams=(STREAM,), start_ms=1_791_201_600_000, source="generated", title="a test's")
    with Writer(path, header) as writer:
        for number in range(COUNT):
            writer.write(Frame(Nanoseconds(number * 10 * NS_PER_MS), "market", _body(number)))
    with ReplayProcess.start(path) as replay:
        yield replay


def _partials(folder: Path) -> list[Path]:
    return sorted(folder.glob(".*.partial"))


def _begin(start: Start, replay: ReplayProcess, folder: Path, *options: str) -> Running:
    """A capture that has written something."""
    running = start("record", "cap.jsonl", "--url", f"ws://127.0.0.1:{replay.port}", "--stream", STREAM, *options)
    running.wait_until(lambda: any(path.stat().st_size > 2_000 for path in _partials(folder)))
    return running


def test_a_signal_at_any_moment_leaves_a_whole_recording(start: Start, slow: ReplayProcess, tmp_path: Path) -> None:
    slow.serve(mode="paced")
    ended = _begin(start, slow, tmp_path, "--json").end(signal.SIGTERM)
    assert ended.status == ExitCode.GOOD, ended
    recording = load(tmp_path / "cap.jsonl")
    assert [frame.body for frame in recording.frames] == [_body(number) for number in range(len(recording.frames))]
    assert _partials(tmp_path) == []
    told = json.loads(ended.out)
    assert told["ended_by"] == "a signal"
    assert told["frames"] == told["files"][0]["frames"] == len(recording.frames)
    assert told["connections"][0]["silent_streams"] == []


def test_a_capture_that_was_killed_is_saved_and_gone_on_with_and_the_gap_is_marked(
    start: Start, tickproof: Tickproof, slow: ReplayProcess, tmp_path: Path
) -> None:
    url = f"ws://127.0.0.1:{slow.port}"
    serving = slow.serve(mode="paced")
    killed = _begin(start, slow, tmp_path)
    (left,) = _partials(tmp_path)
    assert "is being written by another" in tickproof("record", "cap.jsonl", "--url", url, "--stream", STREAM).err
    killed.end(signal.SIGKILL)
    assert left.exists()
    with pytest.raises(ReplayFailed):  # its client went away
        serving.wait()
    slow.serve(mode="flood", frames=50)
    ended = tickproof("record", "cap.jsonl", "--url", url, "--stream", STREAM, "--resume")
    assert ended.status == ExitCode.GOOD, ended
    assert "cap.jsonl: saved" in ended.err
    assert _partials(tmp_path) == []
    first, second = load(tmp_path / "cap.jsonl"), load(tmp_path / "cap-0002.jsonl")
    assert [frame.body for frame in first.frames] == [_body(number) for number in range(len(first.frames))]
    assert [frame.body for frame in second.frames] == [_body(number) for number in range(50)]
    assert "made whole" in str(first.header.note)
    (mark,) = second.gaps
    assert (mark.frames_before, mark.gap.reason, mark.gap.streams) == (0, "the capture was ended", (STREAM,))
    assert (
        f"gap: 1 streams of connection 1 from {mark.gap.lost_at_ns / 1e9:.1f} s to"
        in tickproof("recording", "verify", "cap-0002.jsonl").out
    )
    lost = second.header.start_ms * NS_PER_MS + mark.gap.lost_at_ns
    assert lost == first.header.start_ms * NS_PER_MS + first.frames[-1].at


def test_a_disk_that_takes_no_more_keeps_what_came(
    start: Start, tickproof: Tickproof, slow: ReplayProcess, tmp_path: Path
) -> None:
    slow.serve(mode="paced")
    running = _begin(start, slow, tmp_path, "--rotate-mb", "0.02")
    running.wait_until((tmp_path / "cap-0002.jsonl").exists)
    # A limit on the size of files stands in for a disk: writing fails as it would there.
    resource.prlimit(running.process.pid, resource.RLIMIT_FSIZE, (10_000, 10_000))
    ended = running.end()
    assert ended.status == ExitCode.NOT_TRUSTWORTHY, ended
    (left,) = _partials(tmp_path)
    assert "the capture broke off" in ended.err
    assert f"tickproof recording salvage {left.name} TARGET" in ended.err
    saved = tickproof("recording", "salvage", left.name, "saved.jsonl")
    assert saved.status == ExitCode.GOOD, saved
    files = sorted(tmp_path.glob("cap-*.jsonl"))
    assert len(files) >= 2
    bodies = [frame.body for path in (*files, tmp_path / "saved.jsonl") for frame in load(path).frames]
    assert bodies == [_body(number) for number in range(len(bodies))]


def test_a_capture_is_not_written_over(tickproof: Tickproof, tmp_path: Path) -> None:
    (tmp_path / "cap.jsonl").write_text("mine")
    ended = tickproof("record", "cap.jsonl", "--url", "ws://127.0.0.1:1", "--stream", STREAM)
    assert ended.status == ExitCode.BAD_INPUT
    assert "go on with --resume" in ended.err
    assert (tmp_path / "cap.jsonl").read_text() == "mine"


def test_names_come_from_a_file_and_with_commas_and_unknown_ones_are_told(tickproof: Tickproof, tmp_path: Path) -> None:
    (tmp_path / "names.txt").write_text("btcusdt@trade # a remark\n\n# none\nETHUSDT@trade,a@nothing\n")
    ended = tickproof(
        *("record", "cap.jsonl", "--url", "ws://127.0.0.1:1"),
        *("--streams-file", "names.txt", "--stream", "bnbusdt@trade,bnbusdt@depth"),
    )
    assert ended.status == ExitCode.BAD_INPUT
    assert "2 names are none of the streams that Binance tells of, as ETHUSDT@trade, a@nothing" in ended.err
    assert "ws://127.0.0.1:1/stream does not answer" in ended.err
    assert list(tmp_path.iterdir()) == [tmp_path / "names.txt"]
