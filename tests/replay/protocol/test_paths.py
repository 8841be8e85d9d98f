from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.replay.protocol.paths import ApiPath, BadPath, MarketPath, route
from harness.replay.protocol.routes import Route

KEY = "pqia91ma19a5s61cv6a81va65sdf19v8a65a1a5s61cv6a81va65sdf19v8a65a1"


@pytest.mark.parametrize(
    ("target", "path"),
    [
        ("/stream?streams=a@trade/b@trade", MarketPath(combined=True, streams=("a@trade", "b@trade"))),
        ("/stream?streams=a%40trade%2Fb%40trade", MarketPath(combined=True, streams=("a@trade", "b@trade"))),
        ("/stream?streams=a@trade&timeUnit=MILLISECOND", MarketPath(combined=True, streams=("a@trade",))),
        ("/stream?streams=a@trade/a@trade//", MarketPath(combined=True, streams=("a@trade",))),
        ("/stream", MarketPath(combined=True, streams=())),
        ("/stream/", MarketPath(combined=True, streams=())),
        ("/ws", MarketPath(combined=False, streams=())),
        ("/ws/", MarketPath(combined=False, streams=())),
        ("/ws/0", MarketPath(combined=False, streams=())),
        ("/ws/a@trade", MarketPath(combined=False, streams=("a@trade",))),
        ("/ws/a@trade/!miniTicker@arr", MarketPath(combined=False, streams=("a@trade", "!miniTicker@arr"))),
        ("/ws/btcusdt@kline_1d@+08:00", MarketPath(combined=False, streams=("btcusdt@kline_1d@+08:00",))),
        ("/stream?streams=b@kline_1d@+08:00", MarketPath(combined=True, streams=("b@kline_1d@+08:00",))),
        ("/stream?streams=%E5%B8%81usdt@trade", MarketPath(combined=True, streams=("\u5e01usdt@trade",))),
        ("/public/ws/a@depth", MarketPath(combined=False, streams=("a@depth",), route=Route.PUBLIC)),
        ("/market/stream?streams=a@aggTrade", MarketPath(combined=True, streams=("a@aggTrade",), route=Route.MARKET)),
        ("/private/ws", MarketPath(combined=False, streams=(), route=Route.PRIVATE)),
        ("/ws-api/v3", ApiPath()),
        ("/ws-api/v3?returnRateLimits=false", ApiPath()),
        ("/ws-api/v3?timeUnit=microsecond", ApiPath(microseconds=True)),
        ("/ws-fapi/v1", ApiPath()),
        (f"/ws/{KEY}", MarketPath(combined=False, streams=(KEY,))),
        (f"/private/ws/{KEY}", MarketPath(combined=False, streams=(KEY,), route=Route.PRIVATE)),
    ],
)
def test_each_documented_form_leads_where_it_should(target: str, path: object) -> None:
    assert route(target) == path


@pytest.mark.parametrize(
    "target", ["/", "", "/foo", "/wsx", "/streams", "/public", "/public/market/ws", "/api/v3/depth"]
)
def test_an_unknown_path_is_answered_with_404(target: str) -> None:
    with pytest.raises(BadPath) as caught:
        route(target)
    assert (caught.value.status, caught.value.text) == (404, "Invalid request path")


@pytest.mark.parametrize("form", ["/ws", "/stream"])
@pytest.mark.parametrize(
    ("query", "listen_keys", "streams"),
    [
        ("listenKey=abc", ("abc",), ("abc",)),
        ("listenKey=abc&events=A/B", ("abc",), ("abc@A", "abc@B")),
        ("listenKey=abc&events=A%2FB", ("abc",), ("abc@A", "abc@B")),
        ("listenKey=a&events=A&listenKey=b&events=B", ("a", "b"), ("a@A", "b@B")),
        ("listenKey=", (), ()),
        ("events=A", (), ()),
    ],
)
def test_the_query_names_listen_keys_and_their_events(
    form: str, query: str, listen_keys: tuple[str, ...], streams: tuple[str, ...]
) -> None:
    assert route(f"/private{form}?{query}") == MarketPath(
        combined=form == "/stream", streams=streams, route=Route.PRIVATE, listen_keys=listen_keys
    )


@pytest.mark.parametrize(
    ("unit", "microseconds"),
    [("MICROSECOND", True), ("microsecond", True), ("MILLISECOND", False), ("millisecond", False)],
)
def test_the_unit_of_time_may_be_named_in_any_case(unit: str, *, microseconds: bool) -> None:
    path = route(f"/stream?streams=a@trade&timeUnit={unit}")
    assert path.microseconds is microseconds


def test_an_unknown_unit_of_time_is_refused_rather_than_ignored() -> None:
    with pytest.raises(BadPath, match="timeUnit") as caught:
        route("/ws/a@trade?timeUnit=NANOSECOND")
    assert caught.value.status == 400


@pytest.mark.parametrize("target", ["/ws/%ff", "/stream?streams=%ff", "/stream?" + "a=1&" * 100])
def test_what_is_no_text_or_has_no_end_is_refused(target: str) -> None:
    with pytest.raises(BadPath, match="Invalid request query") as caught:
        route(target)
    assert caught.value.status == 400


def test_more_streams_than_binance_allows_are_refused() -> None:
    names = "/".join(f"s{number}@trade" for number in range(1025))
    with pytest.raises(BadPath, match="1024"):
        route(f"/stream?streams={names}")


@given(st.text())
def test_any_target_leads_somewhere_or_is_a_bad_path(target: str) -> None:
    for candidate in (target, f"/stream?{target}", f"/ws/{target}"):
        with contextlib.suppress(BadPath):
            assert route(candidate) is not None
