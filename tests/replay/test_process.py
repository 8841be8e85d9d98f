"""The process without a process: requests and events through pipes in this one."""

from __future__ import annotations

import io
import json
import os
import threading
from typing import TYPE_CHECKING, Any, BinaryIO

import pytest
from websockets.sync.client import connect

from harness.errors import PortTaken, RecordingError
from harness.replay import messages
from harness.replay.errors import BadRequest, ReplayFailed
from harness.replay.pacing import SendLog
from harness.replay.process import Replay, failure, log_path

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


class Console:
    """A replay in a thread, and the two pipes to it."""

    def __init__(self) -> None:
        self._requests_end, self._requests = pipe()
        self._events, self._events_end = pipe()
        self.thread = threading.Thread(target=self._run)
        self.thread.start()

    def _run(self) -> None:
        with self._events_end:
            Replay(self._events_end).run(self._requests_end)

    def say(self, request: dict[str, Any] | bytes) -> None:
        line = request if isinstance(request, bytes) else json.dumps(request).encode()
        self._requests.write(line + b"\n")
        self._requests.flush()

    def hear(self) -> dict[str, Any]:
        event: dict[str, Any] = json.loads(self._events.readline())
        assert event["v"] == 1
        return event

    def ask(self, request: dict[str, Any] | bytes) -> dict[str, Any]:
        self.say(request)
        return self.hear()

    def end(self) -> None:
        self._requests.close()
        self.thread.join(20)
        self._requests_end.close()
        self._events.close()
        assert not self.thread.is_alive()


def pipe() -> tuple[BinaryIO, BinaryIO]:
    reading, writing = os.pipe()
    return os.fdopen(reading, "rb"), os.fdopen(writing, "wb")


@pytest.fixture
def console() -> Iterator[Console]:
    made = Console()
    yield made
    made.end()


def drained(port: int, path: str) -> int:
    with connect(f"ws://127.0.0.1:{port}{path}", compression=None, proxy=None, max_size=None) as client:
        return sum(1 for _ in client)


ALL = "/stream?streams=btcusdt@trade/ethusdt@bookTicker/bnbusdt@depth@100ms"


def test_a_recording_is_loaded_and_served_again_and_again(
    console: Console, make_recording: Callable[..., Path], tmp_path: Path
) -> None:
    ready = console.ask({"v": 1, "cmd": "load", "recording": str(make_recording())})
    assert (ready["event"], ready["frames"], ready["market_frames"], ready["user_frames"]) == ("ready", 144, 120, 24)
    assert ready["passes"] == 1
    log = tmp_path / "send.npy"
    for mode, extra in (("flood", {}), ("paced", {"speed": 10, "log": str(log)}), ("flood", {"frames": 50})):
        assert console.ask({"v": 1, "cmd": "serve", "mode": mode, **extra}) == {"v": 1, "event": "armed"}
        expected = 50 if "frames" in extra else 120
        assert drained(ready["port"], ALL) == expected
        done = console.hear()
        assert (done["event"], done["market_frames"], done["user_frames"]) == ("done", expected, 0)
        assert done["started_ns"] < done["ended_ns"]
        assert (done["lateness_us"] is None) == (mode == "flood")
    assert len(SendLog.read(log).sent_ns) == 120


def test_a_recording_is_looped_until_it_is_long_enough(console: Console, make_recording: Callable[..., Path]) -> None:
    ready = console.ask({"cmd": "load", "recording": str(make_recording()), "min_frames": 300})
    assert ready["passes"] == 3
    assert ready["market_frames"] == 360
    console.say({"cmd": "serve", "mode": "flood", "frames": 300})
    assert console.hear()["event"] == "armed"
    assert drained(ready["port"], ALL) == 300
    assert console.hear()["event"] == "done"


@pytest.mark.parametrize(
    ("request_line", "words"),
    [
        (b"hello", "malformed"),
        (b"[]", "Expected `object`"),
        (b'{"cmd":"dance"}', "Invalid value 'dance'"),
        (b'{"v":2,"cmd":"stop"}', "Invalid enum value 2"),
        (b'{"cmd":"serve","mode":"flood","colour":1}', "colour"),
        (b'{"cmd":"serve","mode":"walk"}', "walk"),
        (b'{"cmd":"serve","mode":"paced","speed":0}', "> 0"),
        (b'{"cmd":"serve","mode":"flood"}', "load"),
        (b'{"cmd":"ceiling"}', "load"),
        (b"\xff\xfe", "not a request"),
    ],
)
def test_a_request_that_makes_no_sense_is_answered_and_the_process_stays(
    console: Console, request_line: bytes, words: str
) -> None:
    failed = console.ask(request_line)
    assert (failed["event"], failed["kind"]) == ("failed", "request")
    assert words in failed["error"]
    assert console.ask(b"{}")["event"] == "failed"


def test_a_send_log_without_a_schedule_or_a_folder_is_refused(
    console: Console, make_recording: Callable[..., Path], tmp_path: Path
) -> None:
    console.ask({"cmd": "load", "recording": str(make_recording())})
    log = str(tmp_path / "none" / "send.npy")
    assert "folder" in console.ask({"cmd": "serve", "mode": "paced", "log": log})["error"]
    assert "paced" in console.ask({"cmd": "serve", "mode": "flood", "log": log})["error"]


def test_a_bad_recording_is_told_with_its_line(console: Console, make_recording: Callable[..., Path]) -> None:
    path = make_recording()
    path.write_bytes(path.read_bytes()[:-100])
    failed = console.ask({"cmd": "load", "recording": str(path)})
    assert (failed["kind"], failed["path"]) == ("recording", str(path))
    assert failed["line"] > 1
    assert console.ask({"cmd": "load", "recording": "/nowhere.jsonl"})["kind"] == "recording"


def test_a_taken_port_and_a_foreign_host_are_told(console: Console, make_recording: Callable[..., Path]) -> None:
    path = str(make_recording())
    other = Console()
    port = other.ask({"cmd": "load", "recording": path})["port"]
    failed = console.ask({"cmd": "load", "recording": path, "port": port})
    assert (failed["kind"], failed["port"]) == ("port", port)
    assert "loopback" in console.ask({"cmd": "load", "recording": path, "host": "0.0.0.0"})["error"]  # noqa: S104 - refused
    other.end()


def test_a_serve_without_clients_fails_in_its_time(console: Console, make_recording: Callable[..., Path]) -> None:
    console.ask({"cmd": "load", "recording": str(make_recording())})
    assert console.ask({"cmd": "serve", "mode": "flood", "wait_seconds": 0.01})["event"] == "armed"
    failed = console.hear()
    assert (failed["kind"], failed["error"]) == ("session", "0 of 1 clients had subscribed after 0.01 s")


def test_a_serve_can_be_cancelled_and_the_next_one_works(console: Console, make_recording: Callable[..., Path]) -> None:
    ready = console.ask({"cmd": "load", "recording": str(make_recording())})
    assert console.ask({"cmd": "serve", "mode": "flood"})["event"] == "armed"
    console.say({"cmd": "cancel"})
    assert console.hear()["error"] == "the serve was cancelled"
    assert console.ask({"cmd": "serve", "mode": "flood"})["event"] == "armed"
    assert drained(ready["port"], ALL) == 120
    assert console.hear()["event"] == "done"


@pytest.mark.parametrize("how", ["stop", "end"])
def test_the_process_ends_in_the_middle_of_a_serve(make_recording: Callable[..., Path], how: str) -> None:
    console = Console()
    console.ask({"cmd": "load", "recording": str(make_recording())})
    assert console.ask({"cmd": "serve", "mode": "flood"})["event"] == "armed"
    if how == "stop":
        console.say({"cmd": "stop"})
        console.thread.join(20)
        assert not console.thread.is_alive()
    console.end()


def test_every_error_keeps_what_is_needed_to_raise_it_again() -> None:
    assert failure(RecordingError("f", 3, "cut")).line == 3
    assert failure(PortTaken("h", 5)).port == 5
    assert failure(ReplayFailed("lost", after_frames=7)).after_frames == 7
    assert failure(BadRequest("no")).kind == "request"


def test_logs_of_several_market_connections_stand_side_by_side(tmp_path: Path) -> None:
    assert log_path(tmp_path / "send.npy", 0) == tmp_path / "send.npy"
    assert log_path(tmp_path / "send.npy", 2) == tmp_path / "send.2.npy"


def test_a_message_survives_its_line() -> None:
    for message in (messages.Serve(mode="paced", speed=2.5), messages.Stop(), messages.Load(recording="x")):
        assert messages.request_in(messages.line_of(message)) == message
    assert messages.event_in(messages.line_of(messages.Armed())) == messages.Armed()


def test_no_request_at_all_is_an_end() -> None:
    Replay(io.BytesIO()).run(io.BytesIO())
