"""A capture from peers that do what an exchange does seldom: end, fall silent, announce, and tell account names."""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.server import ServerConnection, serve

from harness.cli.record_live import Limits, Live, Wanted
from harness.recordings.capture import plan
from harness.recordings.capture.files import Files
from harness.recordings.capture.names import Names
from harness.recordings.capture.redaction import Redactor, secrets_of
from harness.recordings.format import Header, load

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from harness.recordings.capture.tally import CaptureSummary

LISTEN_KEY = "pqia91ma19a5s61cv6a81va65sdf19v8a65a1a5s61cv6a81va65sdf19v8a65a1"
TRADE = '{"stream":"btcusdt@trade","data":{"e":"trade","E":1,"n":%d}}'


@contextlib.contextmanager
def serving(*handlers: Callable[[ServerConnection], object]) -> Iterator[str]:
    """A server whose n-th connection is for the n-th handler, and all further ones for the last."""
    turn = iter(range(1_000_000))

    def handle(connection: ServerConnection) -> None:
        with contextlib.suppress(ConnectionClosed):
            handlers[min(next(turn), len(handlers) - 1)](connection)

    with serve(handle, "127.0.0.1", 0, ping_interval=None, close_timeout=1) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"ws://127.0.0.1:{server.socket.getsockname()[1]}"
        server.shutdown()
        thread.join()


def _capture(
    target: Path, url: str, *, frames: int, user_url: str | None = None, silent_s: float = 0.0
) -> CaptureSummary:
    links = plan.links(url, ["btcusdt@trade"])
    header = Header(market="spot", streams=("btcusdt@trade",), start_ms=0, source="captured", title="a test's")
    wanted = Wanted(
        links=links, user_url=user_url, limits=Limits(seconds=60, frames=frames), silent_s=silent_s, reconnect=True
    )
    live = Live(wanted, Files(Names(target), header), Redactor(secrets_of(user_url or "")))
    live.run()
    assert live.sink.failure is None
    return live.summary()


def _numbers(first: int, last: int) -> Callable[[ServerConnection], object]:
    def handle(connection: ServerConnection) -> None:
        for number in range(first, last):
            connection.send(TRADE % number)

    return handle


def _kept_open(handle: Callable[[ServerConnection], object]) -> Callable[[ServerConnection], object]:
    def handled(connection: ServerConnection) -> None:
        handle(connection)
        connection.recv()  # until the client closes

    return handled


def _texts(path: Path) -> list[str]:
    return [frame.body.decode() for frame in load(path).frames]


def test_an_exchange_that_closes_in_order_is_connected_to_again(tmp_path: Path) -> None:
    with serving(_numbers(0, 5), _kept_open(_numbers(5, 10))) as url:
        found = _capture(tmp_path / "cap.jsonl", url, frames=10)
    assert _texts(tmp_path / "cap.jsonl") == [TRADE % number for number in range(10)]
    (mark,) = load(tmp_path / "cap.jsonl").gaps
    assert mark.frames_before == 5
    assert found.connections[0].reconnects == {"closed": 1}


def test_an_announced_shutdown_is_recorded_and_left_before_it_comes(tmp_path: Path) -> None:
    shutdown = '{"stream":"!serverShutdown","data":{"e":"serverShutdown","E":1}}'

    def announcing(connection: ServerConnection) -> None:
        connection.send(TRADE % 0)
        connection.send(shutdown)

    with serving(_kept_open(announcing), _kept_open(_numbers(1, 3))) as url:
        found = _capture(tmp_path / "cap.jsonl", url, frames=4)
    assert _texts(tmp_path / "cap.jsonl") == [TRADE % 0, shutdown, TRADE % 1, TRADE % 2]
    assert [mark.gap.reason for mark in load(tmp_path / "cap.jsonl").gaps] == ["serverShutdown"]
    assert found.connections[0].reconnects == {"serverShutdown": 1}


def test_a_connection_that_falls_silent_is_made_anew(tmp_path: Path) -> None:
    with serving(_kept_open(_numbers(0, 2)), _kept_open(_numbers(2, 4))) as url:
        _capture(tmp_path / "cap.jsonl", url, frames=4, silent_s=0.2)
    assert _texts(tmp_path / "cap.jsonl") == [TRADE % number for number in range(4)]
    (mark,) = load(tmp_path / "cap.jsonl").gaps
    assert "nothing came for 0.2 s, not even a ping" in mark.gap.reason


def test_binary_frames_are_counted_and_do_not_end_the_capture(tmp_path: Path) -> None:
    def odd(connection: ServerConnection) -> None:
        connection.send(b"\x00\xff")
        connection.send(TRADE % 1)

    with serving(_kept_open(odd)) as url:
        found = _capture(tmp_path / "cap.jsonl", url, frames=2)
    assert _texts(tmp_path / "cap.jsonl") == [TRADE % 1]
    assert (found.frames, found.connections[0].unheld) == (1, 1)


@pytest.mark.parametrize("name", ["cap.jsonl", "cap.jsonl.zst"])
def test_no_listen_key_and_no_account_number_is_in_any_byte_that_is_left(tmp_path: Path, name: str) -> None:
    def account(connection: ServerConnection) -> None:
        assert connection.request is not None
        if not connection.request.path.startswith("/private"):
            connection.recv()  # the market has nothing to say, until the client closes
        connection.send(
            f'{{"stream":"{LISTEN_KEY}","data":{{"e":"ACCOUNT_UPDATE","accountId":123456789,"wb":"12.5"}}}}'
        )
        connection.send(f'{{"e":"listenKeyExpired","E":1,"listenKey":"{LISTEN_KEY}"}}')
        connection.recv()

    with serving(account) as url:
        found = _capture(tmp_path / name, url, frames=2, user_url=f"{url}/private/ws/{LISTEN_KEY}")
    recording = load(tmp_path / name)
    text = "\n".join([repr(recording.header), *(frame.body.decode() for frame in recording.frames), repr(found)])
    assert LISTEN_KEY not in text
    assert "123456789" not in text
    assert '"wb":"12.5"' in text
    assert {frame.connection for frame in recording.frames} == {"user"}
    assert found.redacted == 2
    if name.endswith(".jsonl"):
        left = b"".join(path.read_bytes() for path in tmp_path.iterdir())
        assert LISTEN_KEY.encode() not in left
