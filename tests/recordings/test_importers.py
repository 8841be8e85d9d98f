from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from harness.errors import RecordingError
from harness.recordings.format import load
from harness.recordings.importers import import_files, import_raw

if TYPE_CHECKING:
    from pathlib import Path

CONNECT = "wss://stream.binance.com:9443/stream?streams=btcusdt@trade/btcusdt@depth@100ms <-> 1617647602.623478\n"
USDM = "wss://fstream.binance.com/stream?streams=btcusdt@bookTicker <-> 1617647602.6\n"
FRAME = '1617647603.4249449: {"stream":"btcusdt@trade","data":{"E":1}}\n'


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    return tmp_path / "some.raw"


def _imported(raw: Path, text: str) -> Path:
    raw.write_text(text, encoding="utf-8")
    import_raw(raw, raw.with_suffix(".jsonl"))
    return raw.with_suffix(".jsonl")


def _refused(raw: Path, text: str) -> RecordingError:
    with pytest.raises(RecordingError) as caught:
        _imported(raw, text)
    assert list(raw.parent.iterdir()) == [raw]
    return caught.value


def test_frames_bodies_and_header_come_over(raw: Path) -> None:
    rest = 'https://api.binance.com/api/v3/depth?symbol=BTCUSDT&limit=5 -> 1617647603.5: {"lastUpdateId":1}\n'
    recording = load(_imported(raw, 'configuration: {"l2_book":["BTC-USDT"]}\n' + CONNECT + FRAME + rest))
    header = recording.header
    assert (header.market, header.source, header.title, header.filters) == ("spot", "imported", "some", {})
    assert header.streams == ("btcusdt@trade", "btcusdt@depth@100ms")
    assert header.start_ms == 1_617_647_603_424
    assert recording.frames[0] == (944_900, "market", b'{"stream":"btcusdt@trade","data":{"E":1}}')
    assert recording.frames[1] == (76_000_000, "rest:/api/v3/depth?symbol=BTCUSDT&limit=5", b'{"lastUpdateId":1}')


def test_a_frame_is_kept_to_the_byte(raw: Path) -> None:
    body = '{"stream": "btcusdt@trade", "data":{"s":"\u5e01 \\n 1.5: {x}"}}'
    assert load(_imported(raw, CONNECT + f"1617647603: {body}\n")).frames[0].body == body.encode()


def test_the_market_is_told_by_the_host(raw: Path) -> None:
    assert load(_imported(raw, USDM + FRAME)).header.market == "usdm"


def test_streams_of_raw_and_routed_connections_are_found(raw: Path) -> None:
    urls = "wss://stream.binance.com:9443/ws/a@trade/b@trade\nwss://data-stream.binance.vision/stream?streams=b@trade/c@trade\n"
    assert load(_imported(raw, urls + FRAME)).header.streams == ("a@trade", "b@trade", "c@trade")
    urls = "wss://fstream.binance.com/public/ws/a@depth\nwss://fstream.binance.com/market/stream?streams=!ticker@arr\n"
    assert load(_imported(raw, urls + FRAME)).header.streams == ("a@depth", "!ticker@arr")


@pytest.mark.parametrize("prefix", ["BINANCE.ws.1 ", "BINANCE.ws.1: ", "1: "])
def test_a_connection_before_the_time_is_read_over(raw: Path, prefix: str) -> None:
    assert load(_imported(raw, CONNECT + prefix + FRAME)).frames[0].at == 944_900


def test_a_time_that_runs_back_is_held(raw: Path) -> None:
    raw.write_text(CONNECT + "1617647603.5: {}\n1617647603.4: {}\n1617647603.6: {}\n", encoding="utf-8")
    result = import_raw(raw, raw.with_suffix(".jsonl"))
    assert [frame.at for frame in load(raw.with_suffix(".jsonl")).frames] == [0, 0, 100_000_000]
    assert (result.frames, result.held_times) == (3, 1)


def test_a_last_line_without_its_newline_is_whole(raw: Path) -> None:
    assert len(load(_imported(raw, CONNECT + FRAME.rstrip())).frames) == 1


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ('1617647603.4: {"stream":"btcusdt@trade","da', "cut or malformed"),
        ("1617647603.4", "neither `<time>: <frame>`"),
        ("hello", "neither `<time>: <frame>`"),
        ('{"stream":"x"}', "neither `<time>: <frame>`"),
        ("https://api.binance.com/api/v3/depth -> 1617647603.5: {", "cut or malformed"),
        ("https://api.binance.com -> 1617647603.5: {}", "REST path"),
    ],
)
def test_a_malformed_line_is_refused_with_its_number(raw: Path, line: str, problem: str) -> None:
    error = _refused(raw, CONNECT + FRAME + line)
    assert error.line == 3
    assert problem in error.problem


def test_bytes_that_are_not_utf8_are_refused_with_their_line(raw: Path) -> None:
    raw.write_bytes(CONNECT.encode() + b'1617647603.4: {"a":"\xff"}\n')
    with pytest.raises(RecordingError, match="line 2: cut or malformed"):
        import_raw(raw, raw.with_suffix(".jsonl"))


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "holds no frame"),
        (CONNECT, "holds no frame"),
        ("https://api.binance.com/api/v3/depth -> 1617647603.5: {}\n", "holds no frame"),
        (FRAME, "connect URL"),
        (CONNECT.replace("stream.", "dstream.") + FRAME, "unknown market 'dstream.binance.com'"),
        (CONNECT + USDM + FRAME, "several markets"),
    ],
)
def test_a_file_that_cannot_be_replayed_is_refused(raw: Path, text: str, problem: str) -> None:
    assert problem in _refused(raw, text).problem


def test_a_missing_file_is_named(raw: Path) -> None:
    with pytest.raises(RecordingError, match=r"some\.raw, line 1: cannot be read: No such file"):
        import_raw(raw, raw.with_suffix(".jsonl"))


def test_progress_ends_at_the_size_of_the_file(raw: Path) -> None:
    raw.write_text(CONNECT + FRAME + FRAME, encoding="utf-8")
    seen: list[int] = []
    import_raw(raw, raw.with_suffix(".jsonl"), seen.append)
    assert seen == sorted(seen)
    assert seen[-1] == raw.stat().st_size


@pytest.mark.shared
@pytest.mark.parametrize(
    ("name", "frames", "rest", "market"),
    [
        ("spot-10-symbols-2021-04", 11_357, 10, "spot"),
        ("spot-btc-eth-dot-kline-2021-04", 4_716, 3, "spot"),
        ("usdm-5-symbols-2021-04", 8_421, 5, "usdm"),
        ("spot-10-symbols-kline-2021", 1_228, 0, "spot"),
        ("spot-with-snapshots", 265, 0, "spot"),
    ],
)
def test_real_files_come_over_whole(
    shared: Path, tmp_path: Path, name: str, frames: int, rest: int, market: str
) -> None:
    target = tmp_path / f"{name}.jsonl.zst"
    result = import_raw(shared / f"{name}.raw", target)
    assert (result.frames, result.rest_bodies, result.market, result.held_times) == (frames, rest, market, 0)
    recording = load(target)
    assert len(recording.frames) == frames + rest
    # Each body stands in the source, byte for byte.
    source = (shared / f"{name}.raw").read_bytes()
    assert all(frame.body in source for frame in recording.frames[:50])


@pytest.mark.shared
def test_a_file_of_rest_bodies_joins_the_frames_that_it_belongs_to(shared: Path, tmp_path: Path) -> None:
    sources = [shared / "spot-depth-snapshots.raw", shared / "spot-with-snapshots.raw"]
    told = import_files(sources, tmp_path / "both.jsonl")
    assert (told.market, told.frames, told.rest_bodies, told.held_times) == ("spot", 265, 4, 0)
    connections = [frame.connection for frame in load(tmp_path / "both.jsonl").frames]
    assert connections[0] == "market"
    assert "rest:/api/v3/depth?symbol=NKNUSDT&limit=1000" in connections


@pytest.mark.shared
def test_a_real_file_with_rest_bodies_only_is_refused(shared: Path, tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match="holds no frame of a WebSocket"):
        import_raw(shared / "spot-depth-snapshots.raw", tmp_path / "x.jsonl")
