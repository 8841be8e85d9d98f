from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal
from html.parser import HTMLParser

import pytest

from harness.bot.status.html import (
    CONTENT_SECURITY_POLICY,
    MOST_ROWS,
    StatusHtml,
    amount,
    count,
    duration,
    moment,
    share,
    signed,
    span,
)
from harness.bot.status.snapshot import ErrorLine, PositionFigures, Snapshot, State

Make = Callable[..., Snapshot]


class Reader(HTMLParser):
    """The page's tags with their attributes, and its text."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self.text += "" if tag == "wbr" else " "

    def handle_data(self, data: str) -> None:
        self.text += data


def read(snapshot: Snapshot) -> Reader:
    reader = Reader()
    reader.feed(StatusHtml().render(snapshot).decode())
    return reader


def words(snapshot: Snapshot) -> str:
    return " ".join(read(snapshot).text.split())


def test_the_page_tells_every_figure_of_the_snapshot(snapshot_of: Make) -> None:
    told = words(snapshot_of())
    for figure in (
        "tickproof bot 1.2.3",
        "Trading on paper",
        "As of 2026-11-25 16:23:04 UTC, running for 1 d 2 h",
        "wss://stream.binance.com:9443/stream?streams=",
        "frames 12,345,678",
        "rate, last 10 s 1,234.6 /s",
        "rate since start 131.6 /s",
        "event time 2026-11-25 16:23:03",
        "median 15.0 µs",
        "99th percentile 68.0 µs",
        "longest 900 µs",
        "longest 1.50 ms",
        "loop uvloop.Loop",
        "transport websockets.asyncio.client.ClientConnection",
        "hit rate 90.0 %",
        "hits, misses 9,000, 1,000",
        "mean, slowest 250 µs, 12.0 ms",
        "queries 54,321",
        "waiting to be written 3",
        "BTCUSDT momentum 0.016 61,234.56 61,301.1 +0.08 1 min 24 s",
        "DOGEUSDT mean-reversion 4,000 0.25 0.24913 \u22124.48 1 h 3 min",
        "812 trades opened, 810 closed",
        "+128.40 realised, \u22124.40 unrealised",
        "journal 3 1,998 100,000 2 0",
        "conflation 0 20 - 0 31,415",
        "cool-down 311",
        "closed by the peer 3",
        "not JSON 2",
        "unknown_stream 17",
        "WARNING the market is silent; connecting again",
    ):
        assert figure in told


@pytest.mark.parametrize("state", State)
def test_the_state_and_its_reason_stand_first(snapshot_of: Make, state: State) -> None:
    reader = read(snapshot_of(state=state, reason="the journal is full"))
    assert ("header", {"class": state.value}) in reader.tags
    assert "the journal is full" in reader.text.partition("As of")[0]


def test_a_bot_that_has_just_started_says_what_there_is_not(snapshot_of: Make) -> None:
    told = words(
        snapshot_of(
            cache=None,
            database=None,
            positions=(),
            queues={},
            refusals={},
            reconnects={},
            malformed={},
            unknown={},
            errors=(),
            active={},
            event_time_ms=0,
        )
    )
    assert "Cache This stack has none." in told
    assert "Database None is connected." in told
    assert "Open positions None." in told
    assert "event time -" in told
    assert "Last warnings and errors None." in told


def test_a_cache_or_a_database_that_is_away_is_told(snapshot_of: Make) -> None:
    snapshot = snapshot_of()
    assert snapshot.cache
    assert snapshot.database
    fields = {name: getattr(snapshot.cache, name) for name in snapshot.cache.__slots__}
    away = snapshot_of(cache=type(snapshot.cache)(**{**fields, "away": True}))
    assert "server away Valkey 9.1.2" in words(away)


def test_hostile_names_are_text_and_nothing_else(hostile: Snapshot, snapshot_of: Make) -> None:
    reader, plain = read(hostile), read(snapshot_of())
    assert {tag for tag, _ in reader.tags} <= {tag for tag, _ in plain.tags} | {"p"}
    assert not {"script", "img", "iframe", "form"} & {tag for tag, _ in reader.tags}
    assert not [name for _, attributes in reader.tags for name in attributes if name.startswith("on")]
    assert "<script>alert(1)</script>" in reader.text
    assert "{{ 7 * 7 }}{% raw %}" in reader.text
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f\u200e\u200f\u202a-\u202e\u2066-\u2069]", reader.text)
    assert "X" * 301 not in reader.text


def test_the_page_stays_small_however_much_there_is_to_tell(snapshot_of: Make) -> None:
    position = snapshot_of().positions[0]
    assert isinstance(position, PositionFigures)
    many = snapshot_of(
        positions=(position,) * 5_000,
        malformed={f"kind {number}" * 50: number for number in range(5_000)},
        errors=(ErrorLine(time_s=1.0, level="ERROR", message="x" * 9_000),) * 5_000,
    )
    page = StatusHtml().render(many)
    assert len(page) < 250_000
    assert page.count(b"<tr>") < MOST_ROWS + 10
    assert "and 4,900 more" in page.decode()


def test_the_policy_allows_the_pages_own_style_and_nothing_else() -> None:
    assert "script" not in CONTENT_SECURITY_POLICY
    assert "unsafe" not in CONTENT_SECURITY_POLICY
    assert "default-src 'none'" in CONTENT_SECURITY_POLICY
    assert "frame-ancestors 'none'" in CONTENT_SECURITY_POLICY


@pytest.mark.parametrize(
    ("seconds", "told"),
    [
        (0.0, "0 s"),
        (3e-9, "0.00 µs"),
        (1.5e-6, "1.50 µs"),
        (2.1e-5, "21.0 µs"),
        (1e-3, "1.00 ms"),
        (0.0123, "12.3 ms"),
        (2.0, "2.00 s"),
        (750, "750 s"),
    ],
)
def test_a_duration_has_three_digits_in_the_unit_that_suits(seconds: float, told: str) -> None:
    assert duration(seconds).replace("\u00a0", " ") == told


@pytest.mark.parametrize(
    ("seconds", "told"),
    [(-5, "0 s"), (0, "0 s"), (59.6, "1 min 0 s"), (3_600, "1 h 0 min"), (90_061, "1 d 1 h"), (8_640_000, "100 d 0 h")],
)
def test_a_span_is_told_in_its_two_largest_units(seconds: float, told: str) -> None:
    assert span(seconds).replace("\u00a0", " ") == told


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ("0.01600", "0.016"),
        ("4000", "4,000"),
        ("1E+3", "1,000"),
        ("0.00", "0"),
        ("0.00000001", "0.00000001"),
        ("100.0", "100"),
    ],
)
def test_an_amount_keeps_all_digits_that_say_something(value: str, told: str) -> None:
    assert amount(Decimal(value)) == told


@pytest.mark.parametrize(
    ("value", "told"),
    [("0.084", "+0.08"), ("-4.48", "\u22124.48"), ("0", "0.00"), ("-0.001", "0.00"), ("1234.5", "+1,234.50")],
)
def test_money_has_its_sign_and_two_decimals(value: str, told: str) -> None:
    assert signed(Decimal(value)) == told


def test_other_numbers_are_told_as_people_read_them() -> None:
    assert (count(1_234), count(1_234.56), share(0.9)) == ("1,234", "1,234.6", "90.0\u00a0%")
    assert moment(0) == moment(1e18) == "-"
    assert signed(Decimal("1e30")).startswith("+1,000")
