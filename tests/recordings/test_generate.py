from __future__ import annotations

import hashlib
import json
from collections import Counter, defaultdict
from decimal import Decimal
from itertools import islice
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from harness.errors import ConfigError, UnknownName
from harness.recordings import generate
from harness.recordings.catalogue import DEFAULT_RECORDING, find
from harness.recordings.format import Frame, Recording, load, verify
from harness.recordings.generate import Profile, find_profile, profile_names
from harness.recordings.generate.book import ASK, BID, Book
from harness.recordings.generate.dice import Dice
from harness.recordings.generate.quoting import Quoter
from harness.recordings.statistics import describe

if TYPE_CHECKING:
    from pathlib import Path

#: SHA-256 over the frames of `short_profile`: whoever changes the generator changes this and GENERATOR_VERSION.
SHORT_SHA256 = "2b12ef62b8dec6a002d7926149007e2205e6d257f1769b127fb6b9cf70136dec"


@pytest.fixture(scope="session")
def shipped() -> Recording:
    return load(find(DEFAULT_RECORDING))


@pytest.fixture(scope="session")
def market(shipped: Recording) -> list[tuple[str, dict[str, Any]]]:
    """Stream and payload of each market frame of the shipped recording."""
    decode = msgspec.json.decode
    found = [decode(frame.body) for frame in shipped.frames if frame.connection == "market"]
    return [(message["stream"], message["data"]) for message in found]


@pytest.fixture(scope="session")
def account(shipped: Recording) -> list[dict[str, Any]]:
    return [json.loads(frame.body)["event"] for frame in shipped.frames if frame.connection == "user"]


def _digest(frames: list[Frame]) -> str:
    return hashlib.sha256(b"".join(b"%d %s %s\n" % (f.at, f.connection.encode(), f.body) for f in frames)).hexdigest()


def test_the_same_seed_gives_the_same_bytes(short_profile: Profile) -> None:
    assert _digest(list(generate.frames(short_profile))) == SHORT_SHA256


def test_another_seed_gives_others(short_profile: Profile) -> None:
    other = msgspec.structs.replace(short_profile, seed=1)
    assert list(islice(generate.frames(other), 50)) != list(islice(generate.frames(short_profile), 50))


def test_the_shipped_recording_is_what_its_profile_generates(shipped: Recording) -> None:
    profile = find_profile(DEFAULT_RECORDING)
    assert shipped.header == generate.header(profile)
    assert shipped.frames[:10_000] == list(islice(generate.frames(profile), 10_000))


def test_generate_writes_a_recording_that_verifies(short_profile: Profile, tmp_path: Path) -> None:
    seen: list[Frame] = []
    count = generate.generate(short_profile, tmp_path / "g.jsonl.zst", seen.append)
    assert verify(tmp_path / "g.jsonl.zst").frames == count == len(seen)


def test_the_shipped_recording_has_its_promised_size(shipped: Recording) -> None:
    assert len(shipped.frames) >= 60_000
    assert 2_500_000 <= shipped.path.stat().st_size <= 3_600_000
    assert len(shipped.header.filters) == 20
    assert set(shipped.header.streams) >= {"btcusdt@kline_1m", "hbarusdt@depth@100ms", "ethusdt@trade"}


def test_rates_sizes_and_bursts_are_those_that_were_measured(shipped: Recording) -> None:
    found = describe(shipped)
    shares = {kind.kind: kind.share for kind in found.kinds}
    assert 0.40 <= shares["bookTicker"] <= 0.60
    assert 0.25 <= shares["depth"] <= 0.57
    assert 0.05 <= shares["aggTrade"] <= 0.15
    assert 200 <= found.messages_per_second <= 500
    assert 1.5 <= found.peak_in_1_s / found.messages_per_second <= 4.3
    assert 3.7 <= found.peak_in_100_ms / (found.messages_per_second / 10) <= 11
    assert found.sequence_gaps == 0
    rates = list(found.messages_per_second_by_symbol.values())
    assert 0.16 <= rates[0] / sum(rates) <= 0.52
    gaps_below_1_ms = sum(b.at - a.at < 1_000_000 for a, b in zip(shipped.frames, shipped.frames[1:], strict=False))
    assert 0.3 <= gaps_below_1_ms / len(shipped.frames) <= 0.7


def test_prices_and_quantities_lie_on_their_grids(shipped: Recording, market: list[tuple[str, dict[str, Any]]]) -> None:
    filters = shipped.header.filters
    tickers = [data for stream, data in market if stream.endswith("@bookTicker")]
    for data in tickers[::50]:
        known = filters[data["s"]]
        assert Decimal(data["b"]) % known.tick_size == Decimal(data["a"]) % known.tick_size == 0
        assert Decimal(data["B"]) % known.lot_step == Decimal(data["A"]) % known.lot_step == 0
        assert Decimal(data["B"]) > 0
        assert Decimal(data["A"]) > 0


def test_the_bid_is_always_below_the_ask(market: list[tuple[str, dict[str, Any]]]) -> None:
    tickers = [data for stream, data in market if stream.endswith("@bookTicker")]
    assert all(float(data["b"]) < float(data["a"]) for data in tickers)


def test_levels_are_ordered_and_about_a_third_are_deletions(market: list[tuple[str, dict[str, Any]]]) -> None:
    gone = total = 0
    for stream, data in market:
        if "@depth" in stream:
            bids, asks = [float(level[0]) for level in data["b"]], [float(level[0]) for level in data["a"]]
            assert bids == sorted(set(bids), reverse=True)
            assert asks == sorted(set(asks))
            gone += sum(float(level[1]) == 0 for level in data["b"] + data["a"])
            total += len(bids) + len(asks)
    assert 0.24 <= gone / total <= 0.40


def test_a_book_kept_from_snapshot_and_diffs_agrees_with_the_ticker(shipped: Recording) -> None:
    books: dict[str, tuple[dict[float, float], dict[float, float]]] = {}
    ids: dict[str, int] = {}
    waiting: dict[str, list[dict[str, Any]]] = defaultdict(list)
    checked = 0
    for frame in islice(shipped.frames, 30_000):
        message = json.loads(frame.body)
        if frame.connection.startswith("rest:"):
            symbol = frame.connection.partition("symbol=")[2].partition("&")[0]
            books[symbol] = (_levels(message["bids"]), _levels(message["asks"]))
            ids[symbol] = message["lastUpdateId"]
            for event in waiting[symbol]:
                _apply(books[symbol], ids, event)
        elif frame.connection == "market" and "@depth" in message["stream"]:
            symbol = message["data"]["s"]
            if symbol in books:
                _apply(books[symbol], ids, message["data"])
                bids, asks = books[symbol]
                assert max(bids) < min(asks)
                checked += 1
            else:
                waiting[symbol].append(message["data"])
        elif frame.connection == "market" and message["stream"].endswith("@bookTicker"):
            data = message["data"]
            if ids.get(data["s"]) == data["u"]:
                bids, asks = books[data["s"]]
                assert (max(bids), min(asks)) == (float(data["b"]), float(data["a"]))
    assert len(books) == 20
    assert checked > 5_000


def _levels(rows: list[list[str]]) -> dict[float, float]:
    return {float(price): float(quantity) for price, quantity in rows}


def _apply(book: tuple[dict[float, float], dict[float, float]], ids: dict[str, int], event: dict[str, Any]) -> None:
    """Binance's rule for a local book (web-socket-streams.md, 2026)."""
    if event["u"] <= ids[event["s"]]:
        return
    assert event["U"] <= ids[event["s"]] + 1
    ids[event["s"]] = event["u"]
    for side, rows in zip(book, (event["b"], event["a"]), strict=True):
        for price, quantity in rows:
            if float(quantity):
                side[float(price)] = float(quantity)
            else:
                side.pop(float(price), None)


def test_candles_hold_the_trades_of_their_minute(market: list[tuple[str, dict[str, Any]]]) -> None:
    trades: dict[tuple[str, int], list[dict[str, Any]]] = defaultdict(list)
    for stream, data in market:
        if stream.endswith("@aggTrade"):
            trades[data["s"], data["T"] // 60_000 * 60_000].append(data)
    closed = [data["k"] for stream, data in market if "@kline" in stream and data["k"]["x"]]
    assert len(closed) == 4 * 20
    for candle in closed:
        found = trades[candle["s"], candle["t"]]
        prices = [Decimal(trade["p"]) for trade in found]
        assert candle["n"] == sum(trade["l"] - trade["f"] + 1 for trade in found)
        assert Decimal(candle["v"]) == sum(Decimal(trade["q"]) for trade in found)
        if found:
            assert (Decimal(candle["o"]), Decimal(candle["c"])) == (prices[0], prices[-1])
            assert (Decimal(candle["h"]), Decimal(candle["l"])) == (max(prices), min(prices))
            assert (candle["f"], candle["L"]) == (found[0]["f"], found[-1]["l"])
        else:
            assert (candle["f"], candle["L"], candle["o"]) == (-1, -1, candle["c"])


def test_every_event_has_the_fields_of_the_wire_in_order(
    market: list[tuple[str, dict[str, Any]]], account: list[dict[str, Any]]
) -> None:
    shapes = {" ".join(data) for _, data in market}
    assert shapes == {
        "e E s a p q f l T m M",
        "e E s t p q T m M",
        "e E s k",
        "e E s c o h l v q",
        "u s b B a A",
        "e E s U u b a",
    }
    assert {" ".join(data["k"]) for _, data in market if "k" in data} == {"t T s i f L o c h l v n x q V Q B"}
    assert {" ".join(event) for event in account} == {
        "e E u B",
        "e E a d T",
        "e E s c S o f q p P F g C x X r i l z L n N T t I w m M O Z Y Q V",
        "e E s c S o f q p P F g C x X r i l z L n N T t I w m M O Z Y Q W V",
    }


def test_every_frame_is_compact_json_in_its_envelope(shipped: Recording) -> None:
    for frame in shipped.frames[::97]:
        text = frame.body.decode()
        assert json.dumps(json.loads(text), separators=(",", ":")) == text
        if frame.connection == "market":
            assert text.startswith('{"stream":"')
        elif frame.connection == "user":
            assert text.startswith('{"subscriptionId":0,"event":{"e":"')


def test_an_order_lives_and_the_account_never_owes(account: list[dict[str, Any]]) -> None:
    states = Counter(event["X"] for event in account if event["e"] == "executionReport")
    assert set(states) == {"NEW", "PARTIALLY_FILLED", "FILLED", "CANCELED"}
    assert states["FILLED"] + states["CANCELED"] <= states["NEW"]
    balances = [row for event in account if event["e"] == "outboundAccountPosition" for row in event["B"]]
    assert all(Decimal(row["f"]) >= 0 and Decimal(row["l"]) >= 0 for row in balances)


def test_a_fill_of_the_account_is_a_trade_of_the_market(
    market: list[tuple[str, dict[str, Any]]], account: list[dict[str, Any]]
) -> None:
    last_ids = {(data["s"], data["l"]): data["p"] for stream, data in market if stream.endswith("@aggTrade")}
    fills = [event for event in account if event.get("x") == "TRADE"]
    assert len(fills) > 50
    assert all(last_ids[fill["s"], fill["t"]] == fill["L"] for fill in fills)


def test_prices_both_trend_and_revert(market: list[tuple[str, dict[str, Any]]]) -> None:
    """No symbol runs away in one direction, and they do not move as one."""
    first: dict[str, float] = {}
    last: dict[str, float] = {}
    for stream, data in market:
        if stream.endswith("@bookTicker"):
            first.setdefault(data["s"], float(data["b"]))
            last[data["s"]] = float(data["b"])
    moves = [last[symbol] / first[symbol] - 1 for symbol in first]
    assert min(moves) < 0 < max(moves)
    assert all(abs(move) < 0.03 for move in moves)


@pytest.mark.parametrize("seed", range(5))
def test_a_book_never_crosses_whatever_the_fair_value_does(seed: int) -> None:
    dice = Dice(seed)
    book = Book(1)
    quoter = Quoter(book, dice, touch_lots=50, gap_ticks=3, spread_ticks=4)
    quoter.open(10_000, 50)
    for _ in range(3_000):
        quoter.quote(10_000 - 40 + dice.below(80))
        if dice.chance(200):
            quoter.take(ASK if dice.chance(500) else BID, 1 + dice.below(400))
        if dice.chance(100):
            quoter.deepen(10)
        assert book.spread > 0
        assert len(book.bids) >= 10
        assert len(book.asks) >= 10


def test_a_profile_is_found_by_name_or_file_and_its_seed_can_be_another(tmp_path: Path) -> None:
    assert DEFAULT_RECORDING in profile_names()
    assert find_profile(DEFAULT_RECORDING, seed=5).seed == 5
    shipped_text = (find(DEFAULT_RECORDING).parent / f"{DEFAULT_RECORDING}.toml").read_text(encoding="utf-8")
    path = tmp_path / "mine.toml"
    path.write_text(shipped_text.replace(f'name = "{DEFAULT_RECORDING}"', 'name = "mine"'), encoding="utf-8")
    assert find_profile(str(path)).name == "mine"


def test_an_unknown_profile_tells_the_known_ones() -> None:
    with pytest.raises(UnknownName, match=DEFAULT_RECORDING):
        find_profile("nope")


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("seed = 20261005", "seed = 'x'", "seed"),
        ("seed = 20261005", "sead = 1", "unknown key 'sead'"),
        ('tick_size = "0.01"', 'tick_size = "0.000000001"', "at least 0.00000001"),
        ("start_ms = 1_791_201_600_000", "start_ms = 1_791_201_600_001", "a whole minute"),
        ("duration_ms = 299_900", "duration_ms = 0", "above 0"),
        ('symbol = "BTCUSDT"', 'symbol = "BTCEUR"', "quoted in USDT"),
    ],
)
def test_a_wrong_profile_is_named_with_file_and_key(tmp_path: Path, old: str, new: str, problem: str) -> None:
    shipped_text = (find(DEFAULT_RECORDING).parent / f"{DEFAULT_RECORDING}.toml").read_text(encoding="utf-8")
    assert old in shipped_text
    path = tmp_path / "wrong.toml"
    path.write_text(shipped_text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(ConfigError, match=problem) as caught:
        find_profile(str(path))
    assert caught.value.source == str(path)
