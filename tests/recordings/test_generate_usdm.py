"""What only USD-M has: its shapes of 2026, ids that leap, mark prices, forced orders, positions."""

from __future__ import annotations

import json
import statistics
from collections import Counter
from decimal import Decimal
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest

from harness.recordings import generate
from harness.recordings.generate import find_profile
from harness.recordings.generate.accounts.usdm import Position
from harness.recordings.loop import looped
from tests.recordings.traffic import Message, account_events, by_symbol, messages, of_kind

if TYPE_CHECKING:
    from harness.recordings.format import Recording

UNIT = 100_000_000


@pytest.fixture(scope="session")
def market(usdm: Recording) -> list[Message]:
    return list(messages(usdm))


def test_every_event_has_the_fields_of_the_wire_in_order(market: list[Message], usdm: Recording) -> None:
    shapes = {kind: " ".join(data) for _, kind, data in market}
    assert shapes == {
        "aggTrade": "e E a s p q nq f l T m st",
        "trade": "e E T s t p q X m",
        "kline_1m": "e E s k",
        "miniTicker": "e E s ps c o h l v q st",
        "ticker": "e E s ps p P w c Q o h l v q O C F L n st",
        "bookTicker": "e u s ps b B a A T E st",
        "depth@100ms": "e E T s ps U u pu b a st",
        "markPrice": "e E s p i P r ap T st",
        "markPrice@1s": "e E s p i P r ap T st",
        "forceOrder": "e E o",
    }
    assert {" ".join(data) for _, _, data in market} == set(shapes.values())
    assert {" ".join(data["k"]) for _, _, data in market if "k" in data} == {"t T s i f L o c h l v n x q V Q B"}
    assert {" ".join(data["o"]) for data in of_kind(market, "forceOrder")} == {"s S o f q p ap X l z T ps st"}
    account = account_events(usdm)
    assert {event["e"]: " ".join(event) for event in account} == {
        "ORDER_TRADE_UPDATE": "e E T o",
        "ACCOUNT_UPDATE": "e E T a",
        "TRADE_LITE": "e E T s q p m c S L l t i",
    }
    assert {" ".join(event["o"]) for event in account if event["e"] == "ORDER_TRADE_UPDATE"} == {
        "s c S o f q p ap sp x X i l z L N n T t b a m R wt ot ps cp pP si ss rp V pm gtd er",
        "s c S o f q p ap sp x X i l z L T t b a m R wt ot ps cp pP si ss rp V pm gtd er",
    }
    updates = [event["a"] for event in account if event["e"] == "ACCOUNT_UPDATE"]
    assert {" ".join(row) for update in updates for row in update["B"]} == {"a wb cw bc"}
    assert {" ".join(row) for update in updates for row in update["P"]} == {"s pa ep bep cr up mt iw ps"}


def test_prices_have_the_decimals_of_the_tick_and_quantities_those_of_the_lot(market: list[Message]) -> None:
    decimals = {"BTCUSDT": (2, 3), "DOGEUSDT": (5, 0), "SUIUSDT": (6, 1)}
    for symbol, (price, quantity) in decimals.items():
        for data in by_symbol(market, "depth@100ms")[symbol]:
            for level in data["b"] + data["a"]:
                assert [len(text.partition(".")[2]) for text in level] == [price, quantity]
    assert all(len(data["p"].partition(".")[2]) == 8 for data in of_kind(market, "markPrice"))


def test_update_ids_are_of_one_count_for_all_symbols_and_leap(market: list[Message], usdm: Recording) -> None:
    ids = [data["u"] for data in of_kind(market, "depth@100ms")]
    assert len(set(ids)) == len(ids)
    covered = [data["u"] - data["U"] for data in of_kind(market, "depth@100ms")]
    assert 1_500 <= statistics.median(covered) <= 2_800
    for found in by_symbol(market, "depth@100ms").values():
        assert all(after["pu"] == before["u"] for before, after in pairwise(found))
        assert all(data["pu"] < data["U"] <= data["u"] for data in found)
        assert sum(data["U"] == data["pu"] + 1 for data in found) < len(found) / 2
    snapshots = [json.loads(frame.body) for frame in usdm.frames if frame.connection.startswith("rest:/fapi/v1/depth?")]
    assert len(snapshots) == 10
    assert {" ".join(body) for body in snapshots} == {"lastUpdateId E T bids asks"}


def test_a_second_pass_follows_the_first_without_a_gap(usdm: Recording) -> None:
    frames = list(looped(usdm, len(usdm.frames)))
    assert len(frames) == 2 * len(usdm.frames)
    last: dict[str, int] = {}
    for frame in frames:
        if frame.connection == "market" and b'"e":"depthUpdate"' in frame.body:
            data = json.loads(frame.body)["data"]
            assert data["pu"] == last.get(data["s"], data["pu"])
            last[data["s"]] = data["u"]


def test_streams_speak_at_the_speeds_of_the_market(market: list[Message]) -> None:
    marks = {kind: {data["E"] % period for data in of_kind(market, kind)}
             for kind, period in (("markPrice", 3_000), ("markPrice@1s", 1_000))}  # fmt: skip
    assert marks == {"markPrice": {0}, "markPrice@1s": {0}}
    for kind, least_ms in (("kline_1m", 250), ("ticker", 2_000), ("miniTicker", 2_000), ("depth@100ms", 100)):
        for found in by_symbol(market, kind).values():
            open_only = [data["E"] for data in found if not data.get("k", {}).get("x")]
            assert min(after - before for before, after in pairwise(open_only)) >= least_ms
    trades = of_kind(market, "aggTrade")
    assert all(100 <= data["E"] - data["T"] <= 300 for data in trades)
    assert any(data["l"] > data["f"] for data in trades)
    assert any(Decimal(data["nq"]) < Decimal(data["q"]) for data in trades)


def test_a_mark_price_stays_near_its_book_and_names_the_next_funding(market: list[Message]) -> None:
    touch: dict[str, tuple[float, float]] = {}
    for symbol, kind, data in market:
        if kind == "bookTicker":
            touch[symbol] = float(data["b"]), float(data["a"])
        elif kind == "markPrice" and symbol in touch:
            bid, ask = touch[symbol]
            assert float(data["p"]) == pytest.approx((bid + ask) / 2, rel=0.002)
            assert float(data["i"]) == pytest.approx(float(data["p"]), rel=0.001)
            assert float(data["ap"]) == pytest.approx(float(data["p"]), rel=0.003)
            assert abs(float(data["r"])) < 0.001
            assert 0 < data["T"] - data["E"] <= 8 * 3_600_000
            assert data["T"] % (8 * 3_600_000) == 0


def test_forced_orders_are_trades_and_at_most_one_a_second_is_told_of() -> None:
    profile = find_profile("usdm-10-symbols", duration_ms=30_000)
    often = generate.frames(_with(profile, liquidations_per_minute=600))
    market = [json.loads(frame.body)["data"] for frame in often if frame.connection == "market"]
    forced = [data for data in market if data.get("e") == "forceOrder"]
    # Its first trade may be told of with others at that price, under the time of the first of them.
    trades = {(data["s"], data["T"] + late) for data in market if data.get("e") == "aggTrade" for late in range(101)}
    assert len(forced) > 50
    told: dict[str, int] = {}
    for data in forced:
        order = data["o"]
        assert data["E"] - told.get(order["s"], 0) >= 1_000
        told[order["s"]] = data["E"]
        assert (order["s"], order["T"]) in trades
        assert Decimal(order["z"]) == Decimal(order["q"]) >= Decimal(order["l"]) > 0
        limit, average = Decimal(order["p"]), Decimal(order["ap"])
        assert limit < average if order["S"] == "SELL" else limit > average


def _with(profile: generate.Profile, **changes: Any) -> generate.Profile:
    return generate.Profile(**{**{name: getattr(profile, name) for name in profile.__struct_fields__}, **changes})


def test_an_order_is_told_of_from_its_acceptance_to_its_end(usdm: Recording) -> None:
    events = account_events(usdm)
    states = Counter(event["o"]["X"] for event in events if event["e"] == "ORDER_TRADE_UPDATE")
    assert {"NEW", "FILLED", "CANCELED"} <= set(states) <= {"NEW", "FILLED", "CANCELED", "PARTIALLY_FILLED"}
    notices = [(event["s"], event["t"]) for event in events if event["e"] == "TRADE_LITE"]
    fills = [event["o"] for event in events if event["e"] == "ORDER_TRADE_UPDATE" and event["o"]["x"] == "TRADE"]
    assert notices == [(fill["s"], fill["t"]) for fill in fills]
    bodies = [frame.body for frame in usdm.frames if frame.connection == "user"]
    assert all(body.startswith(b'{"e":"') for body in bodies)  # as on /private/ws/<listenKey>


def test_the_wallet_moves_by_profit_commission_and_deposits_only(usdm: Recording) -> None:
    wallet = Decimal(250_000)
    checked = 0
    for event in account_events(usdm):
        if event["e"] == "ORDER_TRADE_UPDATE" and event["o"]["x"] == "TRADE":
            wallet += Decimal(event["o"]["rp"]) - Decimal(event["o"]["n"])
        elif event["e"] == "ACCOUNT_UPDATE":
            wallet += Decimal(event["a"]["B"][0]["bc"])
            assert Decimal(event["a"]["B"][0]["wb"]) == wallet
            checked += 1
    assert checked >= 10


def test_a_position_is_opened_closed_and_turned() -> None:
    position = Position()
    assert position.trade(2 * UNIT, 100 * UNIT) == 0
    assert position.trade(2 * UNIT, 110 * UNIT) == 0
    assert (position.quantity, position.entry) == (4 * UNIT, 105 * UNIT)
    assert position.trade(-1 * UNIT, 115 * UNIT) == 10 * UNIT
    assert (position.quantity, position.entry) == (3 * UNIT, 105 * UNIT)
    assert position.trade(-5 * UNIT, 100 * UNIT) == -15 * UNIT
    assert (position.quantity, position.entry) == (-2 * UNIT, 100 * UNIT)
    assert position.trade(2 * UNIT, 90 * UNIT) == 20 * UNIT
    assert (position.quantity, position.entry, position.realised) == (0, 0, 15 * UNIT)
