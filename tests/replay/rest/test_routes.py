from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from harness.recordings.format import Frame, Header
from harness.replay.rest.http import HttpRequest
from harness.replay.rest.routes import Rest
from harness.replay.tape import Tape, tape_of
from harness.units import Nanoseconds

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harness.recordings.format import Market
    from harness.replay.rest.books import Choice

WALL_MS = 1_795_000_000_123
MINUTE = 1_791_201_600_000
KEY = {"x-mbx-apikey": "any"}


class Keys:
    def __init__(self) -> None:
        self.valid: dict[str, int] = {}

    def create(self, now_ns: int) -> str:
        self.valid["key"] = now_ns
        return "key"

    def keep_alive(self, key: str, now_ns: int) -> bool:
        known = key in self.valid
        if known:
            self.valid[key] = now_ns
        return known

    def close(self, key: str) -> bool:
        return self.valid.pop(key, None) is not None


def depth(first: int, last: int, price: str = "10.00000000", **more: Any) -> dict[str, Any]:
    return {"e": "depthUpdate", "E": MINUTE, "s": "AAAUSDT", **more, "U": first, "u": last,
            "b": [[price, "1.50000000"]], "a": [["11.00000000", "2.00000000"]]}  # fmt: skip


def trade(number: int, at_ms: int, price: str, *, aggregate: bool = False) -> dict[str, Any]:
    ids = {"a": number, "f": 2 * number, "l": 2 * number + 1} if aggregate else {"t": number}
    return {
        "e": "x",
        "E": at_ms,
        "s": "AAAUSDT",
        **ids,
        "p": price,
        "q": "0.50000000",
        "T": at_ms,
        "m": number % 2 == 1,
    }


def kline(opens: int, close: str) -> dict[str, Any]:
    numbers = dict.fromkeys("ocvqVQ", close) | {"h": "12.0", "l": "9.0"}
    return {"e": "kline", "s": "AAAUSDT", "k": {"t": opens, "T": opens + 59_999, "n": 3, "x": False, **numbers}}


#: Each frame stands at the position of its place in the list.
SPOT: tuple[tuple[str, dict[str, Any]], ...] = (
    ("aaausdt@depth@100ms", depth(11, 12)),
    ("aaausdt@bookTicker", {"u": 12, "s": "AAAUSDT", "b": "10.00", "B": "1.5", "a": "11.00", "A": "2.0"}),
    ("aaausdt@aggTrade", trade(1, MINUTE + 5, "10.50000000", aggregate=True)),
    ("aaausdt@trade", trade(7, MINUTE + 5, "10.50000000")),
    ("aaausdt@kline_1m", kline(MINUTE, "10.4")),
    ("aaausdt@kline_1m", kline(MINUTE, "10.5")),
    ("aaausdt@depth@100ms", depth(13, 13, "10.50000000")),
    ("aaausdt@miniTicker", {"E": MINUTE, "c": "10.6", "o": "10.0", "h": "12", "l": "9", "v": "4", "q": "42"}),
    ("aaausdt@aggTrade", trade(2, MINUTE + 60_005, "10.70000000", aggregate=True)),
    ("aaausdt@kline_1m", kline(MINUTE + 60_000, "10.7")),
    ("bbbbtc@ticker", {"c": "0.001", "o": "0.002", "x": "0.003", "n": 9, "C": 5}),
    ("aaausdt@avgPrice", {"w": "10.55", "T": MINUTE + 9}),
)


class World:
    """A Rest with what it was given."""

    def __init__(self, market: Market = "spot", snapshots: Choice = "current", **header: Any) -> None:
        frames = [
            Frame(Nanoseconds(place), "market", json.dumps({"stream": name, "data": data}).encode())
            for place, (name, data) in enumerate(SPOT)
        ]
        body = json.dumps(
            {"lastUpdateId": 12, "bids": [["10.0", "1"], ["8.0", "7"]], "asks": []}, separators=(",", ":")
        )
        frames.append(Frame(Nanoseconds(99), "rest:/api/v3/depth?symbol=AAAUSDT&limit=2", body.encode()))
        self.tape: Tape = tape_of(frames)
        self.position = len(self.tape)
        self.keys = Keys()
        head = Header(market=market, streams=(), start_ms=0, source="generated", title="a test's own", **header)
        self.rest = Rest(
            head,
            self.tape,
            frames,
            snapshots=snapshots,
            where=lambda: (self.tape, self.position),
            listen_keys=self.keys,
            wall_ms=lambda: WALL_MS,
        )

    def ask(
        self,
        path: str,
        method: str = "GET",
        status: int = 200,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
        **query: str,
    ) -> Any:
        request = HttpRequest(method=method, path=path, query=query, headers=headers or {}, body=body)
        answer = self.rest.answer(request, 17)
        assert answer is not None
        assert answer.status == status, answer.body
        return json.loads(answer.body)

    def refused(self, path: str, status: int = 400, **query: Any) -> int:
        document = self.ask(path, status=status, **query)
        assert set(document) == {"code", "msg"}
        code: int = document["code"]
        return code


@pytest.fixture
def world() -> World:
    return World()


def test_paths_that_are_none_of_the_exchange_are_left_to_others(world: World) -> None:
    for path in ("/", "/metrics", "/apix", "/index.html"):
        assert world.rest.answer(HttpRequest(method="GET", path=path, query={}, headers={}), 1) is None


@pytest.mark.parametrize("prefix", ["/api/v3", "/fapi/v1", "/dapi/v1", "/eapi/v1"])
def test_every_market_answers_ping_time_and_what_it_lists(world: World, prefix: str) -> None:
    assert world.ask(f"{prefix}/ping") == {}
    assert world.ask(f"{prefix}/time") == {"serverTime": WALL_MS}
    info = world.ask(f"{prefix}/exchangeInfo")
    assert info["serverTime"] == WALL_MS
    listed = [one["symbol"] for one in info.get("symbols", info.get("optionSymbols"))]
    assert listed == (["AAAUSDT", "BBBBTC"] if prefix == "/api/v3" else [])


@pytest.mark.parametrize(
    ("path", "query", "code", "status"),
    [
        ("/api/v3/nothing", {}, -5000, 404),
        ("/sapi/v1/capital/config/getall", {}, -5000, 404),
        ("/api/v9/ping", {}, -5000, 404),
        ("/dapi/v1/depth", {"symbol": "AAAUSDT"}, -5000, 404),
        ("/fapi/v1/avgPrice/", {}, -5000, 404),
        ("/fapi/v1/listenKey", {}, -5000, 404),
        ("/api/v3/userDataStream", {}, -1000, 405),
        ("/api/v3/depth", {}, -1102, 400),
        ("/api/v3/depth", {"symbol": ""}, -1102, 400),
        ("/api/v3/depth", {"symbol": "aaausdt"}, -1100, 400),
        ("/api/v3/depth", {"symbol": "CCCUSDT"}, -1121, 400),
        ("/fapi/v1/depth", {"symbol": "AAAUSDT"}, -1121, 400),
        ("/api/v3/depth", {"symbol": "AAAUSDT", "limit": "0"}, -1130, 400),
        ("/api/v3/depth", {"symbol": "AAAUSDT", "limit": "-1"}, -1100, 400),
        ("/api/v3/depth", {"symbol": "AAAUSDT", "limit": "9" * 5_000}, -1100, 400),
        ("/api/v3/klines", {"symbol": "AAAUSDT"}, -1102, 400),
        ("/api/v3/klines", {"symbol": "AAAUSDT", "interval": "7m"}, -1120, 400),
        ("/api/v3/klines", {"symbol": "AAAUSDT", "interval": "1m", "timeZone": "8"}, -1130, 400),
        ("/api/v3/klines", {"symbol": "AAAUSDT", "interval": "1m", "startTime": "x"}, -1100, 400),
        ("/api/v3/exchangeInfo", {"symbol": "CCC"}, -1121, 400),
        ("/api/v3/exchangeInfo", {"symbols": "[]]"}, -1100, 400),
        ("/api/v3/exchangeInfo", {"symbols": json.dumps(["A"] * 501)}, -1130, 400),
        ("/api/v3/exchangeInfo", {"symbols": '["AAAUSDT"]', "symbol": "AAAUSDT"}, -1128, 400),
        ("/api/v3/ticker/price", {"symbols": '["CCC"]'}, -1121, 400),
    ],
)
def test_refusals_are_worded_as_the_exchange_words_them(
    world: World, path: str, query: dict[str, Any], code: int, status: int
) -> None:
    assert world.refused(path, status, **query) == code


def test_a_method_that_a_path_does_not_know_is_refused(world: World) -> None:
    assert world.ask("/api/v3/depth", "POST", 405)["code"] == -1000
    assert world.ask("/api/v3/nothing", "POST", 404)["code"] == -5000


def test_the_current_book_moves_with_the_replay(world: World) -> None:
    """The price of 10 is not in it before its event: it was touched before the snapshot was taken."""
    world.position = 0
    deep = ["8.0", "7"]
    assert world.ask("/api/v3/depth", symbol="AAAUSDT") == {"lastUpdateId": 10, "bids": [deep], "asks": []}
    world.position = 1
    book = world.ask("/api/v3/depth", symbol="AAAUSDT")
    assert (book["lastUpdateId"], book["bids"]) == (12, [["10.00000000", "1.50000000"], deep])
    world.position = len(world.tape)
    book = world.ask("/api/v3/depth", symbol="AAAUSDT", limit="1")
    assert (book["lastUpdateId"], book["bids"]) == (13, [["10.50000000", "1.50000000"]])
    world.position = 3
    assert world.ask("/api/v3/depth", symbol="AAAUSDT", limit="9999")["lastUpdateId"] == 12
    assert world.ask("/api/v3/depth", symbol="BBBBTC") == {"lastUpdateId": 0, "bids": [], "asks": []}


def test_fixed_books_come_by_their_count_wherever_the_replay_stands() -> None:
    world = World(snapshots="fixed")
    for position in (0, len(world.tape)):
        world.position = position
        world.rest.restart()
        ids = [world.ask("/api/v3/depth", symbol="AAAUSDT")["lastUpdateId"] for _ in range(10)]
        assert ids == [12, 12, 12, 12, 13, 13, 13, 13, 13, 13]
        assert world.ask("/api/v3/depth", symbol="AAAUSDT", limit="1")["bids"] == [["10.50000000", "1.50000000"]]


def test_another_tape_is_another_pass_with_bodies_of_its_own(world: World) -> None:
    first = world.tape
    later = tape_of(
        [Frame(Nanoseconds(0), "market", json.dumps({"stream": SPOT[0][0], "data": depth(14, 15)}).encode())]
    )
    world.tape, world.position = later, 1
    assert world.ask("/api/v3/depth", symbol="AAAUSDT")["bids"] == [["10.00000000", "1.50000000"]]
    world.tape = first
    assert ["8.0", "7"] in world.ask("/api/v3/depth", symbol="AAAUSDT")["bids"]
    body = Frame(
        Nanoseconds(0), "rest:/api/v3/depth?symbol=AAAUSDT", b'{"lastUpdateId":15,"bids":[["9","3"]],"asks":[]}'
    )
    asked: list[Tape] = []

    def bodies_of(tape: Tape) -> list[Frame]:
        asked.append(tape)
        return [body]

    world.rest._bodies_of = bodies_of
    world.tape = later
    assert ["9", "3"] in world.ask("/api/v3/depth", symbol="AAAUSDT")["bids"]
    assert ["9", "3"] in world.ask("/api/v3/depth", symbol="AAAUSDT")["bids"]
    assert asked == [later]


def test_recorded_candles_are_told_as_they_were_left(world: World) -> None:
    rows = world.ask("/api/v3/klines", symbol="AAAUSDT", interval="1m")
    assert [(row[0], row[4]) for row in rows] == [(MINUTE, "10.5"), (MINUTE + 60_000, "10.7")]
    assert rows[0] == [MINUTE, "10.5", "12.0", "9.0", "10.5", "10.5", MINUTE + 59_999, "10.5", 3, "10.5", "10.5", "0"]
    world.position = 5
    assert [row[4] for row in world.ask("/api/v3/uiKlines", symbol="AAAUSDT", interval="1m")] == ["10.4"]


@pytest.mark.parametrize(
    ("query", "opens"),
    [
        ({}, [0, 1]),
        ({"limit": "1"}, [1]),
        ({"startTime": "0", "limit": "1"}, [0]),
        ({"startTime": str(MINUTE + 1)}, [1]),
        ({"endTime": str(MINUTE)}, [0]),
        ({"startTime": str(MINUTE + 60_001)}, []),
    ],
)
@pytest.mark.parametrize("interval", ["1m", "1s"], ids=["recorded", "from trades"])
def test_candles_are_chosen_by_time_and_limit(
    world: World, query: dict[str, Any], opens: list[int], interval: str
) -> None:
    rows = world.ask("/api/v3/klines", symbol="AAAUSDT", interval=interval, **query)
    assert [(row[0] - MINUTE) // 60_000 for row in rows] == opens


def test_candles_of_other_intervals_are_made_of_aggregate_trades(world: World) -> None:
    assert world.ask("/api/v3/klines", symbol="AAAUSDT", interval="5m") == [
        [MINUTE, "10.50000000", "10.70000000", "10.50000000", "10.70000000", "1.00000000", MINUTE + 299_999,
         "10.60000000", 4, "0.50000000", "5.35000000", "0"],
    ]  # fmt: skip
    assert world.ask("/api/v3/klines", symbol="BBBBTC", interval="5m") == []


def test_tickers_and_prices_are_the_last_told(world: World) -> None:
    assert world.ask("/api/v3/ticker/bookTicker", symbol="AAAUSDT") == {
        "symbol": "AAAUSDT", "bidPrice": "10.00", "bidQty": "1.5", "askPrice": "11.00", "askQty": "2.0",
    }  # fmt: skip
    assert world.ask("/api/v3/ticker/price") == [
        {"symbol": "AAAUSDT", "price": "10.7"}, {"symbol": "BBBBTC", "price": "0.001"},
    ]  # fmt: skip
    world.position = 1
    assert world.ask("/api/v3/ticker/price", symbols='["AAAUSDT"]') == [{"symbol": "AAAUSDT", "price": "0.00000000"}]
    assert world.ask("/api/v3/avgPrice", symbol="AAAUSDT")["closeTime"] == 0
    world.position = 4
    assert world.ask("/api/v3/avgPrice", symbol="AAAUSDT")["price"] == "10.50000000"
    world.position = len(world.tape)
    assert world.ask("/api/v3/avgPrice", symbol="AAAUSDT") == {"mins": 5, "price": "10.55", "closeTime": MINUTE + 9}


def test_the_days_ticker_is_as_recorded_or_follows_from_the_small_one(world: World) -> None:
    small = world.ask("/api/v3/ticker/24hr", symbol="AAAUSDT")
    assert (small["priceChange"], small["priceChangePercent"], small["weightedAvgPrice"]) == (
        "0.6",
        "6.000",
        "10.50000000",
    )
    assert (small["closeTime"] - small["openTime"], small["bidPrice"]) == (86_400_000, "10.00")
    whole = world.ask("/api/v3/ticker/24hr", symbol="BBBBTC")
    assert (whole["lastPrice"], whole["prevClosePrice"], whole["count"]) == ("0.001", "0.003", 9)
    world.position = 4
    assert world.ask("/api/v3/ticker/24hr", symbol="AAAUSDT")["lastPrice"] == "10.50000000"


def test_recent_trades_are_told_up_to_the_position(world: World) -> None:
    assert [one["a"] for one in world.ask("/api/v3/aggTrades", symbol="AAAUSDT")] == [1, 2]
    assert [one["a"] for one in world.ask("/api/v3/aggTrades", symbol="AAAUSDT", limit="1")] == [2]
    assert [one["a"] for one in world.ask("/api/v3/aggTrades", symbol="AAAUSDT", fromId="1", limit="1")] == [1]
    assert [one["a"] for one in world.ask("/api/v3/aggTrades", symbol="AAAUSDT", startTime=str(MINUTE + 6))] == [2]
    assert world.ask("/api/v3/trades", symbol="AAAUSDT") == [
        {"id": 7, "price": "10.50000000", "qty": "0.50000000", "quoteQty": "5.25000000", "time": MINUTE + 5,
         "isBuyerMaker": True, "isBestMatch": True},
    ]  # fmt: skip
    world.position = 2
    assert world.ask("/api/v3/aggTrades", symbol="AAAUSDT") == world.ask("/api/v3/trades", symbol="BBBBTC") == []


def test_listen_keys_of_spot_are_told_by_the_client(world: World) -> None:
    path = "/api/v3/userDataStream"
    assert world.ask(path, "POST", 401)["code"] == -2014
    assert world.ask(path, "POST", headers=KEY) == {"listenKey": "key"}
    world.keys.valid["key"] = 0
    assert world.ask(path, "PUT", headers=KEY, listenKey="key") == {}
    assert world.keys.valid == {"key": 17}
    assert world.ask(path, "PUT", 400, headers=KEY)["code"] == -1102
    refused = world.ask(path, "PUT", 400, headers=KEY, body=b"listenKey=other")
    assert refused == {"code": -1125, "msg": "This listenKey does not exist."}
    assert world.ask(path, "DELETE", headers=KEY, body=b"listenKey=key") == {}
    assert world.ask(path, "DELETE", 400, headers=KEY, listenKey="key")["code"] == -1125


def test_the_listen_key_of_usdm_is_known_by_the_account() -> None:
    world = World("usdm")
    path = "/fapi/v1/listenKey"
    assert world.ask(path, "PUT", 400, headers=KEY)["code"] == -1125
    assert world.ask(path, "POST", headers=KEY) == {"listenKey": "key"}
    assert world.ask(path, "PUT", headers=KEY) == {"listenKey": "key"}
    assert world.ask(path, "DELETE", headers=KEY) == {}
    assert world.ask(path, "PUT", 400, headers=KEY, listenKey="key")["code"] == -1125


def test_usdm_takes_seven_limits_of_a_snapshot() -> None:
    world = World("usdm")
    assert world.refused("/fapi/v1/depth", symbol="AAAUSDT", limit="7") == -4021
    assert world.ask("/fapi/v1/depth", symbol="AAAUSDT")["bids"]
    assert world.refused("/fapi/v1/klines", symbol="AAAUSDT", interval="1s") == -1120
    assert set(world.ask("/fapi/v1/ticker/price", symbol="AAAUSDT")) == {"symbol", "price", "time"}
