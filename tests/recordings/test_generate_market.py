"""What a generated market tells in several ways is one and the same: trades, candles, tickers, books. Both markets."""

from __future__ import annotations

import json
from decimal import Decimal
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from harness.recordings.calibration import check
from harness.recordings.statistics import describe
from tests.recordings.traffic import LocalBook, Message, account_events, by_symbol, messages, of_kind

if TYPE_CHECKING:
    from harness.recordings.format import Recording


class Generated(NamedTuple):
    recording: Recording
    market: list[Message]


@pytest.fixture(scope="session", params=["shipped", "usdm"])
def generated(request: pytest.FixtureRequest) -> Generated:
    recording: Recording = request.getfixturevalue(request.param)
    return Generated(recording, list(messages(recording)))


@pytest.fixture(scope="session", params=["spot_tickers", "usdm"])
def with_tickers(request: pytest.FixtureRequest) -> list[Message]:
    return list(messages(request.getfixturevalue(request.param)))


def test_every_figure_is_within_what_was_measured(generated: Generated) -> None:
    findings = check(describe(generated.recording))
    assert len(findings) >= 30
    assert [found for found in findings if not found.ok] == []


def test_the_header_says_that_it_is_generated(generated: Generated) -> None:
    header = generated.recording.header
    assert header.source == "generated"
    assert "generated" in header.title
    assert header.note is not None
    assert header.note.startswith("Generated: no real account, no real prices.")
    assert {symbol for symbol, _, _ in generated.market} == header.filters.keys()
    assert {f"{symbol.lower()}@{kind}" for symbol, kind, _ in generated.market} <= set(header.streams)


def test_the_book_ticker_is_always_the_top_of_the_book(generated: Generated) -> None:
    """At every depth event a book kept from a snapshot and the diffs has the best prices that were told last."""
    books: dict[str, LocalBook] = {}
    touch: dict[str, tuple[str, ...]] = {}
    waiting: dict[str, list[dict[str, Any]]] = {}
    checked = 0
    for frame in generated.recording.frames:
        message = json.loads(frame.body)
        if frame.connection.startswith("rest:"):
            symbol = frame.connection.partition("symbol=")[2].partition("&")[0]
            book = books[symbol] = LocalBook(message)
            for event in waiting.pop(symbol, []):
                book.apply(event)
        elif frame.connection == "market" and message["stream"].endswith("@bookTicker"):
            data = message["data"]
            told = (data["b"], data["B"], data["a"], data["A"])
            assert told != touch.get(data["s"])
            touch[data["s"]] = told
        elif frame.connection == "market" and "@depth" in message["stream"]:
            symbol = message["data"]["s"]
            if symbol not in books:
                waiting.setdefault(symbol, []).append(message["data"])
            elif books[symbol].apply(message["data"]) and symbol in touch:
                assert books[symbol].top == touch[symbol]
                checked += 1
    assert books.keys() == generated.recording.header.filters.keys()
    assert checked > 4_000


def test_a_book_ticker_s_update_is_one_that_the_next_depth_event_covers(generated: Generated) -> None:
    waiting: dict[str, list[int]] = {}
    last: dict[str, int] = {}
    covered = 0
    for symbol, kind, data in generated.market:
        if kind == "bookTicker":
            assert data["u"] > last.get(symbol, 0)
            waiting.setdefault(symbol, []).append(data["u"])
        elif kind == "depth@100ms":
            for update_id in waiting.pop(symbol, []):
                assert data["U"] <= update_id <= data["u"]
                covered += 1
        if "u" in data:
            last[symbol] = data["u"]
    assert covered > 4_000


def test_candles_are_the_sums_of_their_trades(generated: Generated) -> None:
    trades: dict[tuple[str, int], list[dict[str, Any]]] = {}
    for data in of_kind(generated.market, "aggTrade"):
        trades.setdefault((data["s"], data["T"] // 60_000 * 60_000), []).append(data)
    closed = [data["k"] for data in of_kind(generated.market, "kline_1m") if data["k"]["x"]]
    assert len(closed) >= len(generated.recording.header.filters)
    for candle in closed:
        found = trades.get((candle["s"], candle["t"]), [])
        taken = [trade for trade in found if not trade["m"]]
        prices = [Decimal(trade["p"]) for trade in found]
        assert candle["n"] == sum(trade["l"] - trade["f"] + 1 for trade in found)
        assert Decimal(candle["v"]) == sum(Decimal(trade["q"]) for trade in found)
        assert Decimal(candle["V"]) == sum(Decimal(trade["q"]) for trade in taken)
        if found:
            assert (Decimal(candle["o"]), Decimal(candle["c"])) == (prices[0], prices[-1])
            assert (Decimal(candle["h"]), Decimal(candle["l"])) == (max(prices), min(prices))
            assert (candle["f"], candle["L"]) == (found[0]["f"], found[-1]["l"])
        else:
            assert (candle["f"], candle["L"], candle["o"]) == (-1, -1, candle["c"])


def test_tickers_follow_the_trades(with_tickers: list[Message]) -> None:
    """Last price, its trade's id, count and volume; high and low hold every trade since the first ticker."""
    trades = by_symbol(with_tickers, "trade")
    checked = 0
    for symbol, tickers in by_symbol(with_tickers, "ticker").items():
        if symbol not in trades:
            continue
        by_id = {trade["t"]: trade for trade in trades[symbol]}
        for before, after in pairwise(tickers):
            between = [by_id[number] for number in range(before["L"] + 1, after["L"] + 1)]
            prices = [Decimal(trade["p"]) for trade in between]
            assert between
            assert (after["c"], after["Q"]) == (between[-1]["p"], between[-1]["q"])
            assert Decimal(after["v"]) - Decimal(before["v"]) == sum(Decimal(trade["q"]) for trade in between)
            assert Decimal(after["h"]) == max(Decimal(before["h"]), *prices)
            assert Decimal(after["l"]) == min(Decimal(before["l"]), *prices)
            assert after["n"] == after["L"] - after["F"] + 1
            assert Decimal(after["p"]) == Decimal(after["c"]) - Decimal(after["o"])
            assert float(after["P"]) == pytest.approx(100 * float(after["p"]) / float(after["o"]), abs=0.0011)
            checked += 1
    assert checked > 20


def test_both_tickers_of_a_moment_tell_the_same(with_tickers: list[Message]) -> None:
    small = {(data["s"], data["E"]): data for data in of_kind(with_tickers, "miniTicker")}
    large = of_kind(with_tickers, "ticker")
    assert len(large) > 50
    for data in large:
        assert {key: data[key] for key in "cohlvq"} == {key: small[data["s"], data["E"]][key] for key in "cohlvq"}


def test_aggregates_and_trades_are_the_same_trades(generated: Generated) -> None:
    trades = by_symbol(generated.market, "trade")
    aggregates = by_symbol(generated.market, "aggTrade")
    assert trades
    for symbol, found in trades.items():
        by_id = {trade["t"]: trade for trade in found}
        for told in aggregates[symbol]:
            parts = [by_id[number] for number in range(told["f"], told["l"] + 1)]
            assert {(part["p"], part["m"]) for part in parts} == {(told["p"], told["m"])}
            assert sum(Decimal(part["q"]) for part in parts) == Decimal(told["q"])


def test_trade_ids_have_no_hole_and_times_never_run_back(generated: Generated) -> None:
    for found in by_symbol(generated.market, "aggTrade").values():
        for before, after in pairwise(found):
            assert (after["a"], after["f"]) == (before["a"] + 1, before["l"] + 1)
            assert after["T"] >= before["T"]
            assert after["E"] >= after["T"]
    last = 0
    for _, _, data in generated.market:
        assert data.get("E", last) >= last
        last = data.get("E", last)


def test_prices_and_quantities_lie_on_their_grids(generated: Generated) -> None:
    filters = generated.recording.header.filters
    for data in [*of_kind(generated.market, "bookTicker")[::50], *of_kind(generated.market, "ticker")[::10]]:
        known = filters[data["s"]]
        prices = [Decimal(data[key]) for key in ("b", "a", "c", "o", "h", "l") if key in data]
        assert all(price % known.tick_size == 0 and price > 0 for price in prices)
        assert all(Decimal(data[key]) % known.lot_step == 0 for key in ("A", "B", "Q", "v") if key in data)


def test_the_bid_is_always_below_the_ask(generated: Generated) -> None:
    assert all(float(data["b"]) < float(data["a"]) for data in of_kind(generated.market, "bookTicker"))


def test_every_frame_is_compact_json(generated: Generated) -> None:
    for frame in generated.recording.frames[::97]:
        text = frame.body.decode()
        assert json.dumps(json.loads(text), separators=(",", ":")) == text
        assert frame.connection != "market" or text.startswith('{"stream":"')


def test_a_fill_of_the_account_is_a_trade_of_the_market(generated: Generated) -> None:
    aggregates = by_symbol(generated.market, "aggTrade")
    fills = [event.get("o", event) if event["e"] == "ORDER_TRADE_UPDATE" else event
             for event in account_events(generated.recording)]  # fmt: skip
    fills = [fill for fill in fills if fill.get("x") == "TRADE"]
    assert len(fills) >= 10
    for fill in fills:
        (met,) = [told for told in aggregates[fill["s"]] if told["f"] <= fill["t"] <= told["l"]]
        assert met["p"] == fill["L"]
