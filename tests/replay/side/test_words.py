from __future__ import annotations

import pytest

from harness.replay.rest.http import HttpRequest
from harness.replay.side.requests import prefers_html
from harness.replay.side.words import count, duration, masked, plain

KEY = "pqia91ma19a5s61cv6a81va65sdf19v8a65a1a5s61cv6a81va65sdf19v8a65a1"


@pytest.mark.parametrize(
    ("path", "told"),
    [
        (f"/ws/{KEY}", "/ws/***"),
        (f"/ws/{KEY[:30]}", "/ws/***"),
        (f"/stream?streams=btcusdt@trade/{KEY}@ACCOUNT_UPDATE", "/stream?streams=btcusdt@trade/***@ACCOUNT_UPDATE"),
        (f"/private/ws?listenKey={KEY}&events=ACCOUNT_UPDATE", "/private/ws?listenKey=***&events=ACCOUNT_UPDATE"),
        ("/private/ws?listenKey=short", "/private/ws?listenKey=***"),
        (
            "/stream?streams=1000000babydogeusdt@aggTrade/btcusdt_261225@depth20@100ms/!miniTicker@arr",
            "/stream?streams=1000000babydogeusdt@aggTrade/btcusdt_261225@depth20@100ms/!miniTicker@arr",
        ),
    ],
)
def test_listen_keys_are_masked_and_streams_are_not(path: str, told: str) -> None:
    assert masked(path) == told


def test_text_of_others_stays_on_one_line_and_short() -> None:
    assert plain("a\nb\u202ec\ud800\x00", most=50) == "a\\nb\\u202ec\\ud800\\x00"
    assert plain("عربي USDT", most=50) == "عربي USDT"
    assert plain("x" * 60, most=50) == "x" * 49 + "…"


@pytest.mark.parametrize(
    ("seconds", "told"),
    [(0.0, "0 s"), (3e-9, "0.00 µs"), (2.1e-5, "21.0 µs"), (1e-3, "1.00 ms"), (0.0123, "12.3 ms"), (750, "750 s")],
)
def test_a_duration_has_three_digits_in_the_unit_that_suits(seconds: float, told: str) -> None:
    assert duration(seconds).replace("\u00a0", " ") == told


def test_numbers_are_grouped() -> None:
    assert (count(12_345_678), count(1_234.56)) == ("12,345,678", "1,234.6")


@pytest.mark.parametrize(
    ("accept", "html"),
    [
        ("", False),
        ("*/*", False),
        ("application/json", False),
        ("text/html", True),
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", True),
        ("application/json, text/html;q=0.9", False),
        ("application/json;q=0.1, TEXT/HTML;level=1;q=0.9", True),
        ("text/html;q=0", False),
        ("text/html;q=much", False),
    ],
)
def test_browsers_want_a_page_and_programs_json(accept: str, html: bool) -> None:  # noqa: FBT001
    request = HttpRequest(method="POST", path="/tickproof/start", query={}, headers={"accept": accept})
    assert prefers_html(request) is html
