"""No request and no recording, however wrong, makes the server raise."""

from __future__ import annotations

import json

from hypothesis import given, settings
from hypothesis import strategies as st

from harness.recordings.format import Frame, Header
from harness.replay.rest.http import HttpRequest
from harness.replay.rest.routes import Rest
from harness.replay.tape import tape_of
from harness.units import Nanoseconds

NAMES_OF_PATHS = (
    *("ping", "time", "exchangeInfo", "depth", "klines", "uiKlines", "aggTrades", "trades", "avgPrice"),
    *("ticker/24hr", "ticker/price", "ticker/bookTicker", "userDataStream", "listenKey", "nothing"),
)
PATHS = st.one_of(
    st.builds(
        "/{}/{}".format,
        st.sampled_from(["api/v3", "api/v1", "fapi/v1", "dapi/v1", "eapi/v1", "sapi/v1"]),
        st.sampled_from(NAMES_OF_PATHS),
    ),
    st.text(max_size=20).map("/api/".__add__),
)
NAMES = st.sampled_from(
    ["AAAUSDT", "BBBUSDT", "aaausdt", '["AAAUSDT"]', "[]", "", "1m", "5m", "1M", "1w", "0", "5", "-1"]
)
PARAMETERS = ("symbol", "symbols", "limit", "interval", "startTime", "endTime", "fromId", "timeZone", "listenKey")
QUERIES = st.dictionaries(
    st.sampled_from(PARAMETERS), st.one_of(NAMES, st.text(max_size=12), st.integers(0, 10**20).map(str)), max_size=4
)
NUMBERS = st.one_of(st.integers(-5, 40), st.just(1_791_201_600_000), st.integers(0, 2**70))
TEXTS = st.sampled_from(["1", "2.50", "0.00000000", "99999999999999999999.9999", "x", "", "-1", "NaN", "1e400"])
VALUES = st.recursive(
    st.one_of(NUMBERS, TEXTS, st.none(), st.booleans()),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.lists(st.lists(TEXTS, min_size=2, max_size=2), max_size=3)),
    max_leaves=6,
)
SMALL = st.integers(0, 20)
LEVELS = st.lists(st.lists(TEXTS, min_size=2, max_size=2), max_size=3)
FIELDS = ("E", "T", "U", "u", "pu", "b", "a", "p", "q", "m", "t", "f", "l", "c", "o", "v", "w", "x", "B", "A")
PAYLOADS = st.one_of(
    st.fixed_dictionaries({"E": SMALL, "U": SMALL, "u": SMALL, "b": LEVELS, "a": LEVELS}, optional={"pu": SMALL}),
    st.fixed_dictionaries({"p": TEXTS, "q": TEXTS, "T": NUMBERS, "m": st.booleans()}, optional={"l": SMALL}),
    st.fixed_dictionaries(
        {}, optional=dict.fromkeys(FIELDS, VALUES) | {"k": st.fixed_dictionaries(dict.fromkeys("tTochlvnqVQ", VALUES))}
    ),
    VALUES,
)  # fmt: skip
KINDS = ("depth@100ms", "depth", "aggTrade", "trade", "kline_1m", "bookTicker", "ticker", "miniTicker", "avgPrice")
STREAMS = st.sampled_from([f"{symbol}@{kind}" for symbol in ("aaausdt", "bbbusdt") for kind in KINDS])
FRAMES = st.one_of(
    st.tuples(STREAMS, PAYLOADS).map(lambda pair: json.dumps({"stream": pair[0], "data": pair[1]}).encode()),
    st.tuples(STREAMS, st.binary(max_size=20)).map(lambda pair: f'{{"stream":"{pair[0]}","data":'.encode() + pair[1]),
)  # fmt: skip
BODIES = st.fixed_dictionaries({}, optional={"lastUpdateId": NUMBERS, "bids": VALUES, "asks": VALUES, "E": NUMBERS})


class _Keys:
    def create(self, now_ns: int) -> str:
        return str(now_ns)

    def keep_alive(self, key: str, now_ns: int) -> bool:
        return key == str(now_ns)

    def close(self, key: str) -> bool:
        return bool(key)


@settings(max_examples=300)
@given(
    st.lists(FRAMES, max_size=12),
    st.lists(BODIES, max_size=2),
    st.sampled_from(["spot", "usdm"]),
    st.sampled_from(["fixed", "current"]),
    st.lists(
        st.tuples(st.sampled_from(["GET", "GET", "GET", "POST", "PUT", "DELETE"]), PATHS, QUERIES, st.integers(0, 14)),
        min_size=1,
        max_size=12,
    ),
)
def test_every_request_gets_an_answer_in_json(frames, bodies, market, snapshots, requests):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201 - drawn
    held = [Frame(Nanoseconds(0), "market", body) for body in frames]
    rest_bodies = [
        Frame(Nanoseconds(0), "rest:/api/v3/depth?symbol=AAAUSDT", json.dumps(body).encode()) for body in bodies
    ]
    tape = tape_of(held)
    at = 0
    rest = Rest(
        Header(market=market, streams=("aaausdt@trade",), start_ms=0, source="imported", title="x"),
        tape,
        rest_bodies,
        snapshots=snapshots,
        where=lambda: (tape, at),
        listen_keys=_Keys(),
        wall_ms=lambda: 1,
    )
    for method, path, query, position in requests:
        at = min(position, len(tape))
        headers = {"x-mbx-apikey": "k"}
        answer = rest.answer(HttpRequest(method=method, path=path, query=query, headers=headers), 5)
        assert answer is not None
        assert answer.status in {200, 400, 404, 405}
        document = json.loads(answer.body)
        assert answer.status == 200 or set(document) == {"code", "msg"}
