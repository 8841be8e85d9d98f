"""What was served is what is captured: `tickproof record` against a real replay server, over real sockets."""

from __future__ import annotations

import socket
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from harness.cli.record_live import Limits, Live, Wanted
from harness.errors import ServiceError
from harness.recordings.capture import plan
from harness.recordings.capture import sink as sinks
from harness.recordings.capture.files import Files, Rotation
from harness.recordings.capture.names import Names
from harness.recordings.capture.redaction import Redactor
from harness.recordings.format import Frame, Header, Writer, load
from harness.replay.controller import ReplayProcess
from harness.units import NS_PER_S, Nanoseconds

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from harness.recordings.capture.tally import CaptureSummary

SYMBOLS = ("btcusdt", "ethusdt", "bnbusdt", "solusdt")
STREAMS = tuple(f"{symbol}@{kind}" for symbol in SYMBOLS for kind in ("aggTrade", "bookTicker"))
COUNT = 3_000


def _frames() -> Iterator[Frame]:
    for number in range(COUNT):
        stream = STREAMS[number * 7 % len(STREAMS)]
        note = "x" * (70_000 if number == 11 else number % 300) + "\u5e01"
        body = f'{{"stream":"{stream}","data":{{"E":{1_791_201_600_000 + number},"n":{number},"note":"{note}"}}}}'
        yield Frame(Nanoseconds(number * 1_000_000), "market", body.encode())
        if number % 100 == 0:
            event = f'{{"subscriptionId":0,"event":{{"e":"executionReport","n":{number},"uid":987654321}}}}'
            yield Frame(Nanoseconds(number * 1_000_000), "user", event.encode())


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The recording that is served."""
    path = tmp_path_factory.mktemp("served") / "served.jsonl"
    header = Header(market="spot", streams=STREAMS, start_ms=1_791_201_600_000, source="generated", title="a test's")
    with Writer(path, header) as writer:
        for frame in _frames():
            writer.write(frame)
    return path


class Capture:
    """One capture into a folder, with all that it was made of."""

    def __init__(self, target: Path, url: str, *, streams: tuple[str, ...] = STREAMS, **options: Any) -> None:
        rotation = options.pop("rotation", None)
        self.names = Names(target, numbered=rotation is not None)
        connections = options.pop("connections", 1)
        links = plan.links(url, streams, connections=connections)
        header = Header(market="spot", streams=streams, start_ms=0, source="captured", title="a test's")
        self.files = Files(self.names, header, rotation=rotation)
        wanted = Wanted(
            links=links,
            user_url=options.pop("user_url", None),
            limits=Limits(seconds=60, frames=options.pop("frames", 0)),
            silent_s=options.pop("silent_s", 60.0),
            reconnect=options.pop("reconnect", False),
        )
        assert not options
        self.live = Live(wanted, self.files, Redactor())

    def run(self) -> CaptureSummary:
        self.live.run()
        assert self.live.sink.failure is None
        return self.live.summary()

    def frames(self, connection: str = "market") -> list[bytes]:
        found = [frame for file in self.files.sealed for frame in load(file.path).frames]
        return [frame.body for frame in found if frame.connection == connection]


def _of(path: Path, connection: str = "market") -> list[bytes]:
    return [frame.body for frame in load(path).frames if frame.connection == connection]


def _stream(body: bytes) -> bytes:
    return body[11 : body.index(b'"', 11)]


@pytest.mark.parametrize("rotation", [None, Rotation(text_bytes=100_000)])
def test_several_connections_bring_all_that_was_served_each_in_its_order(
    served: Path, tmp_path: Path, rotation: Rotation | None
) -> None:
    with ReplayProcess.start(served) as replay:
        url = f"ws://127.0.0.1:{replay.port}"
        serving = replay.serve(mode="flood", connections=4)
        capture = Capture(
            tmp_path / "cap.jsonl.zst", url, connections=3, user_url=f"{url}/ws-api/v3", rotation=rotation
        )
        found = capture.run()
        serving.wait()
    assert len(capture.files.sealed) > (5 if rotation else 0)
    market, captured = _of(served), capture.frames()
    assert sorted(captured) == sorted(market)
    assert len(capture.live.summary().connections) == 4
    for name in STREAMS:
        mine = [body for body in captured if _stream(body) == name.encode()]
        assert mine == [body for body in market if _stream(body) == name.encode()]
    assert len(capture.frames("user")) == len(_of(served, "user"))
    assert b"987654321" not in b"".join(capture.frames("user"))
    assert found.frames == COUNT + COUNT // 100
    assert [one.frames for one in found.connections if not one.number] == [COUNT // 100]
    assert found.ended_by == "the peer"


def test_one_connection_brings_all_in_the_order_of_the_wire(served: Path, tmp_path: Path) -> None:
    with ReplayProcess.start(served) as replay:
        serving = replay.serve(mode="flood")
        capture = Capture(tmp_path / "cap.jsonl", f"ws://127.0.0.1:{replay.port}")
        capture.run()
        serving.wait()
    assert capture.frames() == _of(served)


def test_the_routes_of_usd_m_are_connections_of_their_own(served: Path, tmp_path: Path) -> None:
    with ReplayProcess.start(served) as replay:
        serving = replay.serve(mode="flood", connections=2)
        capture = Capture(tmp_path / "cap.jsonl", f"ws://127.0.0.1:{replay.port}/{{route}}")
        found = capture.run()
        serving.wait()
    assert sorted(capture.frames()) == sorted(_of(served))
    assert [(one.streams, one.silent_streams) for one in found.connections] == [(4, ()), (4, ())]


def test_a_disk_slower_than_the_sockets_holds_them_back_and_nothing_is_lost(
    served: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sinks, "HIGH_BYTES", 50_000)
    monkeypatch.setattr(sinks, "LOW_BYTES", 10_000)
    with ReplayProcess.start(served) as replay:
        serving = replay.serve(mode="flood", connections=2)
        capture = Capture(tmp_path / "cap.jsonl.zst", f"ws://127.0.0.1:{replay.port}", connections=2)
        found = capture.run()
        serving.wait()
    assert found.held_back > 0
    assert sorted(capture.frames()) == sorted(_of(served))


def test_paced_frames_have_the_times_of_their_arrival(served: Path, tmp_path: Path) -> None:
    with ReplayProcess.start(served) as replay:
        serving = replay.serve(mode="paced", speed=10.0)
        capture = Capture(tmp_path / "cap.jsonl", f"ws://127.0.0.1:{replay.port}")
        before = time.time_ns()
        capture.run()
        after = time.time_ns()
        serving.wait()
    recording = load(tmp_path / "cap.jsonl")
    times = [recording.header.start_ms * 1_000_000 + frame.at for frame in recording.frames]
    assert times == sorted(times)
    # Clocks may be set while the test runs; a second is more than they are.
    assert before - NS_PER_S <= times[0] <= times[-1] <= after + NS_PER_S
    # Nothing is sent before its time: the last frame comes a tenth of its recorded time after the first, or later.
    assert times[-1] - times[0] >= (COUNT - 2) * 100_000 - NS_PER_S // 10


def test_streams_beyond_a_request_line_are_subscribed_and_answers_are_not_kept(served: Path, tmp_path: Path) -> None:
    streams = (*(f"nosuch{number}usdt@bookTicker" for number in range(400)), *STREAMS)
    with ReplayProcess.start(served) as replay:
        serving = replay.serve(mode="paced", speed=2.0)
        capture = Capture(tmp_path / "cap.jsonl", f"ws://127.0.0.1:{replay.port}", streams=streams)
        found = capture.run()
        serving.wait()
    captured = capture.frames()
    # The last batch is subscribed while the first are already served: a tail of them is there, whole and in order.
    assert captured
    assert captured == [body for body in _of(served) if body in set(captured)]
    assert not any(b'"result"' in body for body in captured)
    assert len(found.connections[0].silent_streams) == 400


def test_a_cut_is_followed_by_a_new_connection_and_the_gap_is_marked(served: Path, tmp_path: Path) -> None:
    with ReplayProcess.start(served) as first, ThreadPoolExecutor(1) as pool:
        port = first.port
        first.serve(mode="paced", speed=0.5, connections=2)
        capture = Capture(tmp_path / "cap.jsonl", f"ws://127.0.0.1:{port}", connections=2)
        running = pool.submit(capture.run)
        _wait_until(lambda: capture.live.frames >= 50)
        first.stop()
        _wait_until(lambda: capture.live.away == 2)
        with ReplayProcess.start(served, port=port) as second:
            serving = second.serve(mode="flood", connections=2)
            found = running.result(60)
            serving.wait()
    recording = load(tmp_path / "cap.jsonl")
    bodies = [frame.body for frame in recording.frames]
    assert sorted(bodies[-COUNT:]) == sorted(_of(served))
    for name in STREAMS:
        before = [body for body in bodies[:-COUNT] if _stream(body) == name.encode()]
        assert before == [body for body in _of(served) if _stream(body) == name.encode()][: len(before)]
    assert sorted(mark.gap.number for mark in recording.gaps) == [1, 2]
    for mark in recording.gaps:
        assert mark.gap.connection == "market"
        assert mark.gap.back_at_ns is not None
        assert mark.gap.lost_at_ns < mark.gap.back_at_ns
        assert set(mark.gap.streams) < set(STREAMS)
        assert mark.frames_before == len(bodies) - COUNT
    assert sum(sum(one.reconnects.values()) for one in found.connections) == 2
    assert all(one.gaps == 1 and one.away_seconds > 0 for one in found.connections)


def _wait_until(condition: Callable[[], bool]) -> None:
    until = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < until, "it never came to that"
        time.sleep(0.005)


def test_the_number_of_frames_ends_a_capture_exactly(served: Path, tmp_path: Path) -> None:
    with ReplayProcess.start(served) as replay:
        replay.serve(mode="flood")
        capture = Capture(tmp_path / "cap.jsonl", f"ws://127.0.0.1:{replay.port}", frames=500)
        assert capture.run().ended_by == "the number of frames"
    assert capture.frames() == _of(served)[:500]


def test_a_connection_that_cannot_be_made_is_told_and_nothing_is_left(tmp_path: Path) -> None:
    with socket.socket() as mute:
        mute.bind(("127.0.0.1", 0))
        port = mute.getsockname()[1]
    capture = Capture(tmp_path / "cap.jsonl", f"ws://127.0.0.1:{port}")
    with pytest.raises(ServiceError, match=f"ws://127.0.0.1:{port}/stream does not answer"):
        capture.run()
    assert list(tmp_path.iterdir()) == []
