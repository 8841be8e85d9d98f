"""Rows in the shapes of data.binance.vision: the README of binance/binance-public-data, and the files' headers."""

from __future__ import annotations

import json
import zipfile
from typing import TYPE_CHECKING, Any

import pytest

from harness.errors import RecordingError
from harness.recordings import importers
from harness.recordings.format import Recording, load
from harness.recordings.importers import Imported, Wanted, files, import_files
from harness.recordings.statistics import describe

if TYPE_CHECKING:
    from pathlib import Path

SPOT_AGG = "0,0.20000000,50.00000000,0,0,1735689600010866,False,True\n"
USDM_AGG_HEADER = "agg_trade_id,price,quantity,first_trade_id,last_trade_id,transact_time,is_buyer_maker\n"
USDM_AGG = "26129,0.01633102,4.70443515,27781,27782,1498793709153,true\n"
SPOT_KLINE = (
    "1735689600000000,4.15070000,4.15870000,4.15060000,4.15540000,539.23000000,1735693199999999,"
    "2240.39860900,13,401.82000000,1669.98121300,0\n"
)
KLINE_HEADER = (
    "open_time,open,high,low,close,volume,close_time,"
    "quote_volume,count,taker_buy_volume,taker_buy_quote_volume,ignore\n"
)
USDM_KLINE = "1704067200000,1,4,0.5,2,10,1704067259999,20,3,5,6,0\n"
TICKER_HEADER = "update_id,best_bid_price,best_bid_qty,best_ask_price,best_ask_qty,transaction_time,event_time\n"
TICKER = "9001,49999.9,1.5,50000.1,2.0,1687392000123,1687392000125\n"


def _imported(folder: Path, texts: dict[str, str], wanted: Wanted | None = None) -> tuple[Imported, Recording]:
    for name, text in texts.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    told = import_files([folder / name for name in texts], folder / "out.jsonl", wanted=wanted)
    return told, load(folder / "out.jsonl")


def _one(folder: Path, name: str, text: str, wanted: Wanted | None = None) -> tuple[Recording, dict[str, Any]]:
    _, recording = _imported(folder, {name: text}, wanted)
    body: dict[str, Any] = json.loads(recording.frames[0].body)
    return recording, body


def test_spot_aggregates_come_in_microseconds(tmp_path: Path) -> None:
    recording, body = _one(tmp_path, "BNBUSDT-aggTrades-2025-01-01.csv", SPOT_AGG)
    header = recording.header
    assert (header.market, header.start_ms, header.streams) == ("spot", 1_735_689_600_010, ("bnbusdt@aggTrade",))
    assert recording.frames[0].at == 866_000
    assert body["stream"] == "bnbusdt@aggTrade"
    assert list(body["data"].items()) == [
        *(("e", "aggTrade"), ("E", 1_735_689_600_010), ("s", "BNBUSDT"), ("a", 0), ("p", "0.20000000")),
        *(("q", "50.00000000"), ("f", 0), ("l", 0), ("T", 1_735_689_600_010), ("m", False), ("M", True)),
    ]


@pytest.mark.parametrize("header", ["", USDM_AGG_HEADER])
def test_usdm_aggregates_bear_the_fields_of_2026(tmp_path: Path, header: str) -> None:
    recording, body = _one(tmp_path, "btcusdt-aggTrades-2017-06.csv", header + USDM_AGG)
    assert (recording.header.market, recording.frames[0].at) == ("usdm", 0)
    assert list(body["data"].items()) == [
        *(("e", "aggTrade"), ("E", 1_498_793_709_153), ("a", 26129), ("s", "BTCUSDT"), ("p", "0.01633102")),
        *(("q", "4.70443515"), ("nq", "4.70443515"), ("f", 27781), ("l", 27782), ("T", 1_498_793_709_153)),
        *(("m", True), ("st", 1)),
    ]


def test_a_row_of_candles_is_a_closed_candle_that_comes_when_it_has_closed(tmp_path: Path) -> None:
    recording, body = _one(tmp_path, "BNBUSDT-1h-2025-01.csv", SPOT_KLINE)
    assert (recording.header.market, recording.header.streams) == ("spot", ("bnbusdt@kline_1h",))
    assert body["data"]["E"] == recording.header.start_ms == 1_735_693_200_000
    assert list(body["data"]["k"].items()) == [
        *(("t", 1_735_689_600_000), ("T", 1_735_693_199_999), ("s", "BNBUSDT"), ("i", "1h"), ("f", -1), ("L", -1)),
        *(("o", "4.15070000"), ("c", "4.15540000"), ("h", "4.15870000"), ("l", "4.15060000"), ("v", "539.23000000")),
        *(("n", 13), ("x", True), ("q", "2240.39860900"), ("V", "401.82000000"), ("Q", "1669.98121300"), ("B", "0")),
    ]


def test_candles_in_milliseconds_may_be_of_either_market_which_the_folder_or_the_caller_tells(tmp_path: Path) -> None:
    name = "BTCUSDT-1m-2024-01-01.csv"
    with pytest.raises(RecordingError, match=r"neither folder nor columns .* give it \(--market\)"):
        _imported(tmp_path, {name: KLINE_HEADER + USDM_KLINE})
    recording, _ = _one(tmp_path, name, KLINE_HEADER + USDM_KLINE, Wanted(market="usdm"))
    assert recording.header.market == "usdm"
    recording, _ = _one(tmp_path, f"futures/um/daily/{name}", KLINE_HEADER + USDM_KLINE)
    assert recording.header.market == "usdm"
    recording, body = _one(tmp_path, f"spot/daily/{name}", USDM_KLINE)
    assert (recording.header.market, body["data"]["k"]["i"]) == ("spot", "1m")


def test_a_book_ticker_of_usdm_bears_pair_and_times(tmp_path: Path) -> None:
    recording, body = _one(tmp_path, "BTCUSDT_240628-bookTicker-2024-02-15.csv", TICKER_HEADER + TICKER)
    assert recording.header.streams == ("btcusdt_240628@bookTicker",)
    assert list(body["data"].items()) == [
        *(("e", "bookTicker"), ("u", 9001), ("s", "BTCUSDT_240628"), ("ps", "BTCUSDT"), ("b", "49999.9")),
        *(("B", "1.5"), ("a", "50000.1"), ("A", "2.0"), ("T", 1_687_392_000_123), ("E", 1_687_392_000_125), ("st", 1)),
    ]


def test_a_book_ticker_of_spot_bears_no_time(tmp_path: Path) -> None:
    _, body = _one(tmp_path, "x.csv", TICKER, Wanted(market="spot", symbol="ethbtc"))
    assert list(body["data"]) == ["u", "s", "b", "B", "a", "A"]
    assert body["data"]["s"] == "ETHBTC"


def test_files_are_merged_by_time(tmp_path: Path) -> None:
    rows = {
        "AUSDT-aggTrades-2024-01-01.csv": "1,1,1,1,1,1704067200500,true\n2,1,1,2,2,1704067261000,true\n",
        "AUSDT-bookTicker-2024-01-01.csv": "9,1,1,2,1,1704067200100,1704067200200\n",
        "AUSDT-1m-2024-01-01.csv": USDM_KLINE,
    }
    told, recording = _imported(tmp_path, rows, Wanted(market="usdm"))
    assert told.frames == 4
    assert [frame.at for frame in recording.frames] == [0, 300_000_000, 59_800_000_000, 60_800_000_000]
    assert [kind.kind for kind in describe(recording).kinds] == ["aggTrade", "bookTicker", "kline"]
    assert describe(recording).unreadable == 0


def test_a_zip_is_read_as_it_was_loaded(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "day.zip", "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("BNBUSDT-aggTrades-2025-01-01.csv", SPOT_AGG * 3)
    told = import_files([tmp_path / "day.zip"], tmp_path / "out.jsonl.zst")
    assert (told.market, told.frames) == ("spot", 3)


def test_rows_a_little_out_of_order_are_held(tmp_path: Path) -> None:
    rows = "1,1,1,1,1,1704067201000,true\n2,1,1,2,2,1704067200000,true\n"
    told, recording = _imported(tmp_path, {"A-aggTrades-2024-01-01.csv": rows})
    assert told.held_times == 1
    assert [frame.at for frame in recording.frames] == [0, 0]


@pytest.mark.parametrize(
    ("text", "line", "problem"),
    [
        (USDM_AGG + USDM_AGG[:30], 2, "cut or malformed"),
        (USDM_AGG + USDM_AGG.replace("4.70", '4"70'), 2, "cut or malformed"),
        (USDM_AGG + "a,b\n", 2, "cut or malformed"),
        (USDM_AGG + USDM_AGG.replace("1498793709", "1498793600"), 2, "time runs back by 109 s"),
        (USDM_KLINE.replace("1704067259999", "1704067260009"), 1, "no known interval"),
    ],
)
def test_a_malformed_row_is_refused_with_its_line(tmp_path: Path, text: str, line: int, problem: str) -> None:
    with pytest.raises(RecordingError) as caught:
        _imported(tmp_path, {"A-aggTrades-2024-01-01.csv": text}, Wanted(market="usdm"))
    assert caught.value.line == line
    assert problem in caught.value.problem


def test_a_symbol_that_nothing_tells_or_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match=r"does not tell its symbol; give it \(--symbol\)"):
        _imported(tmp_path, {"x.csv": USDM_AGG})
    with pytest.raises(RecordingError, match="is no symbol"):
        _imported(tmp_path, {"x.csv": USDM_AGG}, Wanted(symbol='A"B'))
    with pytest.raises(RecordingError, match="BTCUSD_PERP is of COIN-M"):
        _imported(tmp_path, {"BTCUSD_PERP-aggTrades-2024-01-01.csv": USDM_AGG})


def test_columns_of_one_market_are_not_taken_for_another(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match="the file is of spot, not of usdm"):
        _imported(tmp_path, {"A-aggTrades-2025-01-01.csv": SPOT_AGG}, Wanted(market="usdm"))


def test_more_than_a_recording_may_hold_is_refused_with_the_way_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "DEFAULT_MAX_BYTES", 500)
    with pytest.raises(RecordingError, match=r"more than the 500 bytes .* \(--from, --until\)"):
        _imported(tmp_path, {"A-aggTrades-2025-01-01.csv": SPOT_AGG * 5})
    assert not (tmp_path / "out.jsonl").exists()


def test_the_formats_are_those_of_the_command_line() -> None:
    assert importers.FORMATS == ("cryptofeed", "hftbacktest", "tardis", "binance-csv")
