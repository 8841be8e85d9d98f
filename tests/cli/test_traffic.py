"""A user's own traffic: served, recorded, traded on."""

from __future__ import annotations

import signal
import socket
from typing import TYPE_CHECKING

import pytest

from harness.errors import ExitCode
from harness.recordings import catalogue
from harness.recordings.format import load

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from harness.services.opening import Services
    from tests.cli.conftest import Ended, Running

    Tickproof = Callable[..., Ended]
    Start = Callable[..., Running]


@pytest.fixture
def served(start: Start) -> Iterator[int]:
    """The shipped recording, served as fast as the client reads; yields the port."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    running = start("replay", "serve", catalogue.DEFAULT_RECORDING, "--flood", "--port", str(port))
    running.wait_until(lambda: _answers(port))
    yield port
    ended = running.end(signal.SIGINT)
    assert ended.status == ExitCode.GOOD, ended


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_what_was_served_is_what_was_recorded_byte_for_byte(tickproof: Tickproof, served: int, tmp_path: Path) -> None:
    shipped = load(catalogue.find(catalogue.DEFAULT_RECORDING))
    streams = "/".join(shipped.header.streams)
    ended = tickproof("record", "mine.jsonl.zst", "--url", f"ws://127.0.0.1:{served}/stream?streams={streams}")
    assert ended.status == ExitCode.GOOD, ended
    mine = load(tmp_path / "mine.jsonl.zst")
    assert [frame.body for frame in mine.frames] == [
        frame.body for frame in shipped.frames if frame.connection == "market"
    ]
    assert mine.header.streams == shipped.header.streams
    assert mine.header.source == "captured"
    assert f"{len(mine.frames):,} frames" in ended.out
    assert tickproof("recording", "verify", "mine.jsonl.zst").status == ExitCode.GOOD


def test_only_the_named_streams_are_recorded(tickproof: Tickproof, served: int, tmp_path: Path) -> None:
    name = load(catalogue.find(catalogue.DEFAULT_RECORDING)).header.streams[0]
    ended = tickproof("record", "one.jsonl", "--url", f"ws://127.0.0.1:{served}", "--stream", name)
    assert ended.status == ExitCode.GOOD, ended
    mine = load(tmp_path / "one.jsonl")
    assert mine.frames
    assert all(frame.body.startswith(f'{{"stream":"{name}"'.encode()) for frame in mine.frames)


def test_an_unknown_stream_is_silent_and_leaves_no_file(tickproof: Tickproof, served: int, tmp_path: Path) -> None:
    address = f"ws://127.0.0.1:{served}"
    ended = tickproof("record", "none.jsonl", "--url", address, "--stream", "nousdt@trade", "--seconds", "1")
    assert ended.status == ExitCode.NOTHING_MEASURED, ended
    assert not (tmp_path / "none.jsonl").exists()


def test_a_host_that_does_not_answer_is_told(tickproof: Tickproof) -> None:
    ended = tickproof("record", "none.jsonl", "--url", "ws://127.0.0.1:1", "--stream", "btcusdt@trade")
    assert ended.status == ExitCode.BAD_INPUT
    assert "ws://127.0.0.1:1" in ended.err
    assert "Traceback" not in ended.err


def test_no_stream_or_a_wrong_market_is_bad_usage(tickproof: Tickproof) -> None:
    assert "--stream" in tickproof("record", "none.jsonl").err
    assert "known: spot, usdm" in tickproof("record", "x.jsonl", "--stream", "a@trade", "--market", "coinm").err


def test_the_bot_trades_by_itself_on_a_replay(tickproof: Tickproof, served: int, servers: Services) -> None:
    streams = "/".join(load(catalogue.find(catalogue.DEFAULT_RECORDING)).header.streams)
    ended = tickproof(
        *("bot", "run", "--stack", "asyncio+json+none", "--url", f"ws://127.0.0.1:{served}/stream?streams={streams}"),
        *("--status-port", "-1", "--outbox", "outbox.sqlite3"),
        DATABASE_URL=servers.postgresql.url,
    )
    assert ended.status == ExitCode.GOOD, ended
    assert "trades_closed" in ended.out
    assert "digest" in ended.out


def test_the_bot_without_redis_says_so_once_and_goes_on(tickproof: Tickproof, served: int, servers: Services) -> None:
    pytest.importorskip("redis", reason="the redis package is absent")
    ended = tickproof(
        *("bot", "run", "--stack", "asyncio+json+redis", "--schema", "tickproof_bot_two"),
        *("--status-port", "-1", "--outbox", "outbox.sqlite3"),
        *("--url", f"ws://127.0.0.1:{served}/stream?streams=btcusdt@bookTicker"),
        DATABASE_URL=servers.postgresql.url,
    )
    assert ended.status == ExitCode.GOOD, ended
    assert ended.err.count("REDIS_URL not set (optional): Redis cache disabled") == 1


def test_the_bot_without_a_database_says_how_to_get_one(tickproof: Tickproof) -> None:
    ended = tickproof("bot", "run", "--url", "ws://127.0.0.1:1/stream?streams=a@trade", DATABASE_URL="")
    assert ended.status == ExitCode.BAD_INPUT
    assert "tickproof services start" in ended.err
