"""The replay as a process of its own."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

import numpy as np
import pytest
from websockets.sync.client import connect

from harness.errors import PortTaken, RecordingError
from harness.replay.controller import ReplayProcess, raised
from harness.replay.errors import BadRequest, ReplayFailed
from harness.replay.messages import Failed
from harness.replay.pacing import SendLog

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@pytest.fixture
def replay(make_recording: Callable[..., Path]) -> Iterator[ReplayProcess]:
    with ReplayProcess.start(make_recording(), min_frames=500) as started:
        yield started


def drained(replay: ReplayProcess) -> list[bytes]:
    url = f"ws://127.0.0.1:{replay.port}/stream?streams={'/'.join(replay.ready.streams)}"
    with connect(url, compression=None, proxy=None, max_size=None) as client:
        return [message.encode() for message in client if isinstance(message, str)]


def test_two_serves_of_one_process_send_the_same_bytes(replay: ReplayProcess, tmp_path: Path) -> None:
    flood = replay.serve(mode="flood")
    first = drained(replay)
    assert flood.wait(20).market_frames == len(first) == replay.ready.market_frames == 600
    paced = replay.serve(mode="paced", speed=20, log=tmp_path / "send.npy")
    assert drained(replay) == first
    done = paced.wait(20)
    log = SendLog.read(tmp_path / "send.npy")
    assert len(log.sent_ns) == 600
    assert log.scheduled_ns[0] == done.started_ns
    assert (np.diff(log.scheduled_ns) >= 0).all()
    assert (log.sent_ns >= log.scheduled_ns).all()
    assert done.lateness_us is not None
    assert 0 <= done.lateness_us.p50 <= done.lateness_us.p99 <= done.lateness_us.max


def test_the_ceiling_is_a_list_of_rates(replay: ReplayProcess) -> None:
    found = replay.ceiling(2, frames=400, timeout=60)
    assert len(found.counting_frames_per_s) == len(found.parsing_frames_per_s) == 2
    assert min(found.counting_frames_per_s + found.parsing_frames_per_s) > 0
    assert found.frames == 400
    assert found.bytes > 400


def test_a_broken_serve_is_an_error_and_the_next_one_works(replay: ReplayProcess) -> None:
    serving = replay.serve(mode="flood", wait_seconds=0.01)
    with pytest.raises(ReplayFailed, match="0 of 1 clients"):
        serving.wait(20)
    serving = replay.serve(mode="flood")
    serving.cancel()
    with pytest.raises(ReplayFailed, match="cancelled"):
        serving.wait(20)
    serving = replay.serve(mode="flood", frames=10)
    assert len(drained(replay)) == 10
    assert serving.wait(20).market_frames == 10


def test_an_answer_that_does_not_come_is_not_waited_for(replay: ReplayProcess) -> None:
    with pytest.raises(ReplayFailed, match=r"did not answer within 0\.01 s"):
        replay.serve(mode="flood").wait(0.01)


def test_a_process_that_is_killed_is_noticed(replay: ReplayProcess) -> None:
    serving = replay.serve(mode="flood")
    os.kill(replay.pid, signal.SIGKILL)
    with pytest.raises(ReplayFailed, match="ended with status -9"):
        serving.wait(20)
    with pytest.raises(ReplayFailed, match="ended with status -9"):
        replay.serve(mode="flood")
    assert replay.stop() == -9


def test_a_process_that_breaks_is_quoted(make_recording: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONHASHSEED", "no number")
    with pytest.raises(ReplayFailed, match="PYTHONHASHSEED"):
        ReplayProcess.start(make_recording())


def test_stopping_is_polite_and_may_be_repeated(replay: ReplayProcess) -> None:
    assert replay.stop() == 0
    assert replay.stop() == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_without_a_trace(replay: ReplayProcess, number: signal.Signals) -> None:
    serving = replay.serve(mode="flood")
    os.kill(replay.pid, number)
    with pytest.raises(ReplayFailed, match=r"ended with status 0$"):
        serving.wait(20)


def test_a_bad_recording_and_a_taken_port_come_as_themselves(
    replay: ReplayProcess, make_recording: Callable[..., Path], tmp_path: Path
) -> None:
    with pytest.raises(RecordingError, match="none"):
        ReplayProcess.start(tmp_path / "none.jsonl")
    with pytest.raises(PortTaken):
        ReplayProcess.start(make_recording(), port=replay.port)


@pytest.mark.parametrize(
    ("event", "kind"),
    [
        (Failed(error="x", kind="recording", path="f", line=3, problem="cut"), RecordingError),
        (Failed(error="x", kind="port", host="h", port=5), PortTaken),
        (Failed(error="x", kind="request"), BadRequest),
        (Failed(error="x", after_frames=3), ReplayFailed),
    ],
)
def test_an_event_is_raised_as_what_it_was(event: Failed, kind: type[Exception]) -> None:
    assert type(raised(event)) is kind
