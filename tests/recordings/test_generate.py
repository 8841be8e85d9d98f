from __future__ import annotations

import hashlib
import json
from collections import Counter
from decimal import Decimal
from itertools import islice
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from harness.recordings import generate
from harness.recordings.catalogue import DEFAULT_RECORDING
from harness.recordings.format import Frame, Recording, verify
from harness.recordings.generate import Profile, find_profile
from harness.recordings.generate.book import ASK, BID, Book
from harness.recordings.generate.dice import Dice
from harness.recordings.generate.ids import OwnIds
from harness.recordings.generate.quoting import Quoter
from tests.recordings.traffic import Message, account_events, messages, of_kind

if TYPE_CHECKING:
    from pathlib import Path

#: SHA-256 over the frames of 21 seconds: whoever changes the generator changes these and GENERATOR_VERSION.
SHORT_SHA256 = {
    "spot-30-symbols": "42717bebee6e7b260de05e50918bc26102bfb5a6b8d8c6cd221ef5aa6deb9373",
    "usdm-10-symbols": "4ff63dd8c42132522e77e588187085ccf701e722486b6cdcedf155b6363f5665",
}


@pytest.fixture(scope="session")
def market(shipped: Recording) -> list[Message]:
    return list(messages(shipped))


@pytest.fixture(scope="session")
def account(shipped: Recording) -> list[dict[str, Any]]:
    return account_events(shipped)


def _digest(frames: list[Frame]) -> str:
    return hashlib.sha256(b"".join(b"%d %s %s\n" % (f.at, f.connection.encode(), f.body) for f in frames)).hexdigest()


@pytest.mark.parametrize("name", SHORT_SHA256)
def test_the_same_seed_gives_the_same_bytes(name: str) -> None:
    assert _digest(list(generate.frames(find_profile(name, duration_ms=21_000)))) == SHORT_SHA256[name]


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
    assert len(shipped.frames) >= 80_000
    assert 2_500_000 <= shipped.path.stat().st_size <= 4_000_000
    assert len(shipped.header.filters) == 30
    assert set(shipped.header.streams) >= {
        "btcusdt@kline_1m",
        "wifusdt@depth@100ms",
        "ethusdt@miniTicker",
        "btcusdt@trade",
    }


def test_levels_are_ordered_from_the_touch_outwards(market: list[Message]) -> None:
    for data in of_kind(market, "depth@100ms"):
        bids, asks = [float(level[0]) for level in data["b"]], [float(level[0]) for level in data["a"]]
        assert bids == sorted(set(bids), reverse=True)
        assert asks == sorted(set(asks))


def test_depth_events_share_moments_on_a_grid_of_100_ms(market: list[Message]) -> None:
    """As on one stream of 2025: 92 % on the millisecond, the rest one or two late."""
    phases = Counter(data["E"] % 100 for data in of_kind(market, "depth@100ms"))
    total = phases.total()
    assert set(phases) == {14, 15, 16, 64, 65, 66, 37, 38, 39}
    assert 0.90 <= (phases[14] + phases[37] + phases[64]) / total <= 0.95
    together = Counter(data["E"] for data in of_kind(market, "depth@100ms"))
    assert max(together.values()) >= 8


def test_every_event_has_the_fields_of_the_wire_in_order(market: list[Message], account: list[dict[str, Any]]) -> None:
    shapes = {kind: " ".join(data) for _, kind, data in market}
    assert shapes == {
        "aggTrade": "e E s a p q f l T m M",
        "trade": "e E s t p q T m M",
        "kline_1m": "e E s k",
        "miniTicker": "e E s c o h l v q",
        "bookTicker": "u s b B a A",
        "depth@100ms": "e E s U u b a",
    }
    assert {" ".join(data) for _, _, data in market} == set(shapes.values())
    assert {" ".join(data["k"]) for _, _, data in market if "k" in data} == {"t T s i f L o c h l v n x q V Q B"}
    assert {" ".join(event) for event in account} == {
        "e E u B",
        "e E a d T",
        "e E s c S o f q p P F g C x X r i l z L n N T t I w m M O Z Y Q V",
        "e E s c S o f q p P F g C x X r i l z L n N T t I w m M O Z Y Q W V",
    }


def test_a_ticker_has_the_fields_of_the_wire_in_order(spot_tickers: Recording) -> None:
    shapes = {" ".join(data) for _, kind, data in messages(spot_tickers) if kind == "ticker"}
    assert shapes == {"e E s p P w x c Q b B a A o h l v q O C F L n"}


def test_numbers_have_eight_decimals(market: list[Message]) -> None:
    for data in [*of_kind(market, "aggTrade")[::50], *of_kind(market, "miniTicker")[::20]]:
        texts = [value for key, value in data.items() if isinstance(value, str) and key not in "esP"]
        assert all(len(text.partition(".")[2]) == 8 for text in texts)


def test_account_events_are_in_the_envelope_of_the_websocket_api(shipped: Recording) -> None:
    bodies = [frame.body for frame in shipped.frames if frame.connection == "user"]
    assert len(bodies) > 200
    assert all(body.startswith(b'{"subscriptionId":0,"event":{"e":"') for body in bodies)


def test_an_order_lives_and_the_account_never_owes(account: list[dict[str, Any]]) -> None:
    states = Counter(event["X"] for event in account if event["e"] == "executionReport")
    assert set(states) == {"NEW", "PARTIALLY_FILLED", "FILLED", "CANCELED"}
    assert states["FILLED"] + states["CANCELED"] <= states["NEW"]
    balances = [row for event in account if event["e"] == "outboundAccountPosition" for row in event["B"]]
    assert all(Decimal(row["f"]) >= 0 and Decimal(row["l"]) >= 0 for row in balances)


def test_prices_both_trend_and_revert(market: list[Message]) -> None:
    """No symbol runs away in one direction, and they do not move as one."""
    first: dict[str, float] = {}
    last: dict[str, float] = {}
    for data in of_kind(market, "bookTicker"):
        first.setdefault(data["s"], float(data["b"]))
        last[data["s"]] = float(data["b"])
    moves = [last[symbol] / first[symbol] - 1 for symbol in first]
    assert min(moves) < 0 < max(moves)
    assert all(abs(move) < 0.03 for move in moves)


@pytest.mark.parametrize("seed", range(5))
def test_a_book_never_crosses_whatever_the_fair_value_does(seed: int) -> None:
    dice = Dice(seed)
    book = Book(OwnIds(1))
    quoter = Quoter(book, dice, touch_lots=50, gap_ticks=3, spread_ticks=4, levels=50)
    quoter.open(10_000)
    for _ in range(3_000):
        quoter.quote(10_000 - 40 + dice.below(80))
        if dice.chance(200):
            assert len(quoter.take(ASK if dice.chance(500) else BID, 1 + dice.below(400))) <= 28
        if dice.chance(100):
            quoter.deepen(10)
        assert book.spread > 0
        assert len(book.bids) >= 10
        assert len(book.asks) >= 10


def test_a_touch_is_told_once_for_each_change_and_not_for_none() -> None:
    book = Book(OwnIds(10))
    for sign, tick in ((BID, 99), (ASK, 101), (BID, 90), (BID, 99)):
        book.put(sign, tick, 5)
    assert [touch.update_id for touch in book.take_touches()] == [13]
    book.put(BID, 100, 1)
    book.put(BID, 100, 0)
    book.put(BID, 101, 4)  # would cross
    assert [(touch.update_id, touch.bid.tick) for touch in book.take_touches()] == [(15, 100), (16, 99)]
    assert [level.tick for level in book.take_changes()[0]] == [100, 99, 90]


def test_candles_of_a_second_are_made_when_asked_for(short_profile: Profile) -> None:
    profile = msgspec.structs.replace(short_profile, streams={"kline_1s": 1, "aggTrade": 1, "kline_1m": 1})
    closed = [json.loads(frame.body)["data"] for frame in generate.frames(profile) if b"@kline_1s" in frame.body]
    assert [data["k"]["t"] - profile.start_ms for data in closed] == list(range(0, 20_000, 1_000))
    assert all(data["k"]["x"] and data["k"]["i"] == "1s" for data in closed)
    trades = [json.loads(frame.body)["data"] for frame in generate.frames(profile) if b"@aggTrade" in frame.body]
    for data in closed:
        told = [trade for trade in trades if data["k"]["t"] <= trade["T"] <= data["k"]["T"]]
        assert Decimal(data["k"]["v"]) == sum(Decimal(trade["q"]) for trade in told)
