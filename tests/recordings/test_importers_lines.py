"""Files of hftbacktest and tardis, in the shapes that their collectors write and their documentation shows."""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING

import pytest
import zstandard

from harness.errors import RecordingError
from harness.recordings.format import Recording, load
from harness.recordings.importers import Imported, Wanted, detect, import_files

if TYPE_CHECKING:
    from pathlib import Path

USDM_TRADE = (
    '{"stream":"btcusdt@trade","data":{"e":"trade","E":2,"T":1,"s":"BTCUSDT","t":1,"p":"1","q":"1","X":"MARKET",'
    '"m":true}}'
)
USDM_DEPTH = (
    '{"stream":"btcusdt@depth@0ms","data":{"e":"depthUpdate","E":2,"T":1,"s":"BTCUSDT","U":1,"u":2,"pu":0,'
    '"b":[],"a":[]}}'
)
SPOT_TICKER = '{"stream":"ethusdt@bookTicker","data":{"u":1,"s":"ETHUSDT","b":"1","B":"1","a":"2","A":"1"}}'
SNAPSHOT = '{"lastUpdateId": 7, "E": 1, "T": 1, "bids": [["1.0", "2"]], "asks": []}'
TARDIS_SNAPSHOT = (
    '{"stream":"btcusdt@depthSnapshot","generated":true,"data":{"lastUpdateId":7,"bids":[["1.0","2"]],"asks":[]}}'
)
COIN_M = '{"stream":"btcusd_perp@trade","data":{"e":"trade","s":"BTCUSD_PERP","T":1,"p":"1","m":true}}'


def _imported(folder: Path, files: dict[str, str | bytes], wanted: Wanted | None = None) -> tuple[Imported, Recording]:
    paths = []
    for name, text in files.items():
        paths.append(folder / name)
        paths[-1].write_bytes(text if isinstance(text, bytes) else text.encode())
    told = import_files(paths, folder / "out.jsonl", wanted=wanted)
    return told, load(folder / "out.jsonl")


def _refused(folder: Path, files: dict[str, str | bytes], wanted: Wanted | None = None) -> RecordingError:
    with pytest.raises(RecordingError) as caught:
        _imported(folder, files, wanted)
    assert not (folder / "out.jsonl").exists()
    return caught.value


@pytest.mark.parametrize(
    ("name", "first", "second"),
    [
        ("btcusdt_20220811.dat", "1660228022484228", "1660228022485453"),
        ("btcusdt_20240811.gz", "1660228022484228000", "1660228022485453000"),
    ],
)
def test_hftbacktest_writes_microseconds_and_later_nanoseconds(
    tmp_path: Path, name: str, first: str, second: str
) -> None:
    text = f"{first} {USDM_TRADE}\n{second} {SNAPSHOT}\n{second} {USDM_DEPTH}\n".encode()
    told, recording = _imported(tmp_path, {name: gzip.compress(text) if name.endswith("gz") else text})
    assert (told.market, told.frames, told.rest_bodies) == ("usdm", 2, 1)
    assert recording.header.start_ms == 1_660_228_022_484
    assert recording.header.streams == ("btcusdt@trade", "btcusdt@depth@0ms")
    assert recording.header.title == name.partition(".")[0]
    assert recording.frames[0] == (228_000, "market", USDM_TRADE.encode())
    assert recording.frames[1] == (1_453_000, "rest:/fapi/v1/depth?symbol=BTCUSDT&limit=1000", SNAPSHOT.encode())


def test_a_snapshot_before_all_frames_is_of_the_market_of_those_after_it(tmp_path: Path) -> None:
    spot, _ = _imported(tmp_path, {"a.dat": f"1660228022484228 {SNAPSHOT}\n1660228022484229 {SPOT_TICKER}\n"})
    assert spot.market == "spot"
    assert load(tmp_path / "out.jsonl").frames[0].connection == "rest:/api/v3/depth?symbol=ETHUSDT&limit=1000"


def test_the_name_tells_the_symbol_where_no_frame_does(tmp_path: Path) -> None:
    text = f'1660228022484228 {SNAPSHOT}\n1660228022484229 {{"stream":"!contractInfo","data":{{}}}}\n'
    _, recording = _imported(tmp_path, {"solusdt_20240811.dat": text}, Wanted(market="usdm"))
    assert recording.frames[0].connection == "rest:/fapi/v1/depth?symbol=SOLUSDT&limit=1000"


@pytest.mark.parametrize(
    ("market", "data"),
    [
        ("spot", '"e":"depthUpdate","s":"A","U":1,"u":2,"b":[],"a":[]'),
        ("usdm", '"e":"depthUpdate","s":"A","U":1,"u":2,"pu":0,"b":[],"a":[]'),
        ("spot", '"e":"aggTrade","s":"A","a":1,"m":true,"M":true'),
        ("usdm", '"e":"aggTrade","a":1,"s":"A","m":true'),
        ("spot", '"e":"trade","s":"A","t":1,"m":true,"M":true'),
        ("usdm", '"e":"trade","s":"A","t":1,"X":"MARKET","m":true'),
        ("spot", '"u":1,"s":"A","b":"1","B":"1","a":"1","A":"1"'),
        ("usdm", '"e":"bookTicker","u":1,"s":"A","b":"1","B":"1","a":"1","A":"1","T":1,"E":1'),
        ("usdm", '"e":"markPriceUpdate","s":"A","p":"1"'),
    ],
)
def test_the_market_is_told_by_the_shape_of_an_event(tmp_path: Path, market: str, data: str) -> None:
    name = "a@bookTicker" if '"B"' in data else "a@x"
    line = f'1660228022484228 {{"stream":"{name}","data":{{{data}}}}}\n'
    kline = '1660228022484227 {"stream":"a@kline_1m","data":{"e":"kline","s":"A","k":{}}}\n'
    told, _ = _imported(tmp_path, {"a.dat": kline + line})
    assert told.market == market


def test_answers_that_are_errors_are_left_out_and_counted(tmp_path: Path) -> None:
    refusal = '{"code":-1003,"msg":"Too many requests."}'
    told, _ = _imported(tmp_path, {"a.dat": f"1660228022484228 {refusal}\n1660228022484229 {USDM_TRADE}\n"})
    assert (told.frames, told.left_out) == (1, 1)


def test_files_of_several_symbols_become_one_recording_in_the_order_of_time(tmp_path: Path) -> None:
    files: dict[str, str | bytes] = {
        "a.dat": f"1660228022000005 {USDM_TRADE}\n1660228022000009 {USDM_TRADE}\n",
        "b.dat": f"1660228022000003 {USDM_DEPTH}\n1660228022000007 {USDM_DEPTH}\n1660228022000006 {USDM_DEPTH}\n",
    }
    told, recording = _imported(tmp_path, files)
    assert [frame.at for frame in recording.frames] == [3_000, 5_000, 7_000, 7_000, 9_000]
    assert told.held_times == 1
    assert recording.header.title == "a and 1 more"
    assert recording.header.streams == ("btcusdt@trade", "btcusdt@depth@0ms")


def test_only_the_wanted_time_is_taken(tmp_path: Path) -> None:
    text = "".join(f"166022802200000{n} {USDM_TRADE}\n" for n in range(5)) + "no line at all\n"
    wanted = Wanted(from_ns=1_660_228_022_000_001_000, until_ns=1_660_228_022_000_003_000)
    told, recording = _imported(tmp_path, {"a.dat": text}, wanted)
    assert told.frames == 2
    assert [frame.at for frame in recording.frames] == [1_000, 2_000]


def test_tardis_lines_bear_a_time_in_100_ns_and_empty_lines_are_gaps(tmp_path: Path) -> None:
    text = (
        f"\n2024-03-01T00:00:00.0324272Z {TARDIS_SNAPSHOT}\n2024-03-01T00:00:00.5000000Z {USDM_DEPTH}\n\n\n"
        f"2024-03-01T00:00:09.0000001Z {USDM_TRADE}\n\n"
    )
    told, recording = _imported(tmp_path, {"00.json.gz": gzip.compress(text.encode())})
    assert (told.market, told.frames, told.rest_bodies, told.gaps) == ("usdm", 2, 1, 1)
    assert recording.header.start_ms == 1_709_251_200_032
    assert recording.frames[0] == (
        427_200,
        "rest:/fapi/v1/depth?symbol=BTCUSDT&limit=1000",
        b'{"lastUpdateId":7,"bids":[["1.0","2"]],"asks":[]}',
    )
    assert recording.frames[2] == (8_968_000_100, "market", USDM_TRADE.encode())
    (mark,) = recording.gaps
    assert (mark.frames_before, mark.gap.lost_at_ns, mark.gap.back_at_ns) == (2, 468_000_000, 8_968_000_100)
    assert "depthSnapshot" not in str(recording.header.streams)


def test_tardis_machine_lines_hold_time_and_message(tmp_path: Path) -> None:
    text = f'{{"localTimestamp":"2024-03-01T00:00:00.0320000Z","message":{SPOT_TICKER}}}\n'
    told, recording = _imported(tmp_path, {"replay.json.zst": zstandard.compress(text.encode())})
    assert told.market == "spot"
    assert recording.frames == [(0, "market", SPOT_TICKER.encode())]


def test_what_tardis_made_itself_is_kept_as_the_request_it_was_or_left_out(tmp_path: Path) -> None:
    interest = '{"stream":"btcusdt@openInterest","generated":true,"data":{"openInterest":"1","symbol":"BTCUSDT"}}'
    other = '{"stream":"btcusdt@topLongShortAccountRatio","generated":true,"data":{"x":1}}'
    lines = "".join(f"2024-03-01T00:00:00.0000000Z {body}\n" for body in (USDM_TRADE, interest, other))
    told, recording = _imported(tmp_path, {"a": lines})
    assert (told.rest_bodies, told.left_out) == (1, 1)
    assert recording.frames[1].connection == "rest:/fapi/v1/openInterest?symbol=BTCUSDT"


@pytest.mark.parametrize(
    ("text", "line", "problem"),
    [
        (f"1660228022484228 {USDM_TRADE}\n166022802248 {{}}\n", 2, "16 or 19 digits"),
        (f"1660228022484228 {USDM_TRADE}\n1660228022484229 {USDM_TRADE[:40]}", 2, "cut or malformed"),
        (f"2024-03-01T00:00:00Z {USDM_TRADE}\n2024-13-01T00:00:00Z {{}}\n", 2, "no time"),
        (f"2024-03-01T00:00:00Z {USDM_TRADE}\nhello\n", 2, "neither"),
        (f'2024-03-01T00:00:00Z {{"generated":true}}\n2024-03-01T00:00:00Z {USDM_TRADE}\n', 1, "generated message"),
        ('{"type":"trade","symbol":"BTCUSDT","exchange":"binance"}\n', 1, "normalized data"),
        ("exchange,symbol,timestamp,local_timestamp,id,side,price,amount\n", 1, "normalized data"),
        (f"1660228022484228 {COIN_M}\n", 1, "COIN-M"),
        (f"1660228022484228 {SNAPSHOT}\n", 1, "no frame of a WebSocket"),
        ('1660228022484228 {"stream":"x@y","data":{}}\n', 1, "give it (--market)"),
        ("", 1, "empty, or of no known format"),
        ("a,b,c\n", 1, "empty, or of no known format"),
        ('{"format":"tickproof-recording","version":1}\n', 1, "is a recording already"),
    ],
)
def test_what_cannot_be_imported_is_refused_with_its_line(tmp_path: Path, text: str, line: int, problem: str) -> None:
    error = _refused(tmp_path, {"a.dat": text})
    assert error.line == line
    assert problem in error.problem


def test_files_of_several_markets_are_refused(tmp_path: Path) -> None:
    spot = f"1660228022484228 {SPOT_TICKER}\n"
    usdm = f"1660228022484228 {USDM_TRADE}\n"
    error = _refused(tmp_path, {"spot.dat": spot, "usdm.dat": usdm})
    assert (error.path, error.problem) == (str(tmp_path / "usdm.dat"), "the file is of usdm, not of spot")
    assert "not of usdm" in _refused(tmp_path, {"spot.dat": spot}, Wanted(market="usdm")).problem


def test_the_format_is_told_by_the_content(tmp_path: Path) -> None:
    texts = {
        "hftbacktest": f"1660228022484228 {USDM_TRADE}\n",
        "tardis": f"\n2024-03-01T00:00:00Z {USDM_TRADE}\n",
        "binance-csv": "1,2.0,3.0,1,1,1704067200000,true\n",
        "cryptofeed": "wss://stream.binance.com:9443/stream?streams=a@trade <-> 1617647602.6\n",
    }
    for form, text in texts.items():
        path = tmp_path / "x"
        path.write_bytes(gzip.compress(text.encode()))
        assert detect(path) == form
