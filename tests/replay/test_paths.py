from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.replay.protocol.paths import ApiPath, BadPath, ListenKeyPath, MarketPath, route

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
        ("/public/ws/a@depth", MarketPath(combined=False, streams=("a@depth",))),
        ("/market/stream?streams=a@aggTrade", MarketPath(combined=True, streams=("a@aggTrade",))),
        ("/private/ws", MarketPath(combined=False, streams=())),
        ("/ws-api/v3", ApiPath()),
        ("/ws-api/v3?returnRateLimits=false", ApiPath()),
        (f"/ws/{KEY}", ListenKeyPath(KEY)),
        (f"/private/ws/{KEY}", ListenKeyPath(KEY)),
        ("/private/ws?listenKey=abc&events=ORDER_TRADE_UPDATE", ListenKeyPath("abc")),
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


def test_microseconds_are_refused_rather_than_ignored() -> None:
    with pytest.raises(BadPath, match="MILLISECOND") as caught:
        route("/stream?streams=a@trade&timeUnit=microsecond")
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
