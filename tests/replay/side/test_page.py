from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import TYPE_CHECKING, get_args

import pytest

from harness.replay.side.page import HEADERS, MOST_ROWS, Page
from harness.replay.stage import State

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from harness.replay.audience import Listing
    from harness.replay.side.showing import Showing

HOSTILE = (
    "<script>alert(1)</script>",
    "\"'><img src=x onerror=alert(1)>",
    "{{ 7 * 7 }}{% raw %}",
    "\u202egnp.exe\u2066",
    "half \ud800 pair",
    "nul \x00 and \x1b[31m",
    "X" * 5_000,
)


class Reader(HTMLParser):
    """The page's tags with their attributes, and its text."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self.text += " "

    def handle_data(self, data: str) -> None:
        self.text += data


def read(shown: Showing, listings: Sequence[Listing] = (), *, still: bool = False) -> Reader:
    reader = Reader()
    reader.feed(Page().render(shown, listings, still=still).decode())
    return reader


def words(shown: Showing, listings: Sequence[Listing] = ()) -> str:
    return " ".join(read(shown, listings).text.split())


def test_the_page_tells_every_figure(showing_of: Callable[..., Showing], listing_of: Callable[..., Listing]) -> None:
    listings = [listing_of(1, end=6_000), listing_of(2), listing_of(3, is_open=False, end=10)]
    told = words(showing_of(), listings)
    for figure in (
        "Playing spot-30-symbols: Thirty symbols, five minutes",
        "Generated: this traffic was made up by a program",
        "6,445 of 88,916 frames due, turn 3",
        "23.2 s of the recording",
        "3 subscribed, 1 lagging",
        "420 µs late, 99th percentile",
        "ws://127.0.0.1:9443/stream?streams=ethusdt@bookTicker/btcusdt@trade",
        "wss://localhost:9444/ws/ethusdt@bookTicker",
        "account and orders ws://127.0.0.1:9443/ws-api/v3",
        "REST http://127.0.0.1:9443/api/v3",
        "REST https://localhost:9444/api/v3",
        "pace 4 times the recorded pace",
        "begins again, ids and times moved on",
        "last market frame due 6,400",
        "market frames 1,234,567",
        "open connections 4 HTTP among them",
        "refused on purpose 2",
        "median 33.5 µs",
        "most 5.45 ms",
        "2 /ws/btcusdt@trade 1 1,234 open 1 /ws/btcusdt@trade 1 1,234 445 behind 3 /ws/btcusdt@trade 1 1,234 ended",
        "after the frame that the order names 812 61.4 µs 88.0 µs 240 µs 1.50 ms",
        "812 accepted",
        "20,000 cut on market, how reset",
        "25,000 gap",
        "2 planned; of those on the line 1 happened",
        "Streams, 2 in all btcusdt@trade ethusdt@bookTicker",
    ):
        assert figure in told, figure


@pytest.mark.parametrize("state", get_args(State))
def test_the_state_stands_first(showing_of: Callable[..., Showing], state: State) -> None:
    reader = read(showing_of(state=state))
    assert ("header", {"class": state}) in reader.tags
    headline = reader.text.partition("spot-30-symbols")[0]
    assert {"waiting": "Waiting", "held": "Held", "playing": "Playing", "paused": "Paused", "ended": "At the end"}[
        state
    ] in headline


def test_what_there_is_not_is_not_shown(showing_of: Callable[..., Showing]) -> None:
    told = words(
        showing_of(
            market="usdm", source="captured", orders=None, tick_to_order=None, faults=(), tls_url=None, streams=(),
            loops=False, turn=0, accepted_connections=None, refused_connections=None,
        )
    )  # fmt: skip
    assert "None has subscribed yet." in told
    assert "Captured from live streams." in told
    assert "account ws://127.0.0.1:9443/ws-api/v3 REST http://127.0.0.1:9443/fapi/v1" in told
    for absent in ("wss:", "Orders", "Faults", "turn", "accepted", "refused", "never was", "/stream?"):
        assert absent not in told, absent


def test_the_page_stands_still_when_asked_to(showing_of: Callable[..., Showing]) -> None:
    refresh = ("meta", {"http-equiv": "refresh", "content": "5"})
    assert refresh in read(showing_of()).tags
    assert refresh not in read(showing_of(), still=True).tags


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_names_are_text_and_nothing_else(
    showing_of: Callable[..., Showing], listing_of: Callable[..., Listing], text: str
) -> None:
    shown = showing_of(recording=text, title=text, pace=text, streams=(text,), faults=({"kind": text, "frame": text},))
    reader, plain = read(shown, [listing_of(1, text)]), read(showing_of(), [listing_of(1)])
    assert {tag for tag, _ in reader.tags} <= {tag for tag, _ in plain.tags}
    assert not {"script", "img", "iframe"} & {tag for tag, _ in reader.tags}
    assert not [name for _, attributes in reader.tags for name in attributes if name.startswith("on")]
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f\u200e\u200f\u202a-\u202e\u2066-\u2069]", reader.text)
    assert "49" not in reader.text.partition("Connections")[0].partition("Where clients")[0]
    assert "X" * 301 not in reader.text


def test_the_page_stays_small_however_much_there_is_to_tell(
    showing_of: Callable[..., Showing], listing_of: Callable[..., Listing]
) -> None:
    shown = showing_of(
        streams=tuple(f"symbol{number}@trade" for number in range(5_000)),
        faults=tuple({"kind": "gap", "frame": number, "why": "x" * 9_000} for number in range(5_000)),
    )
    listings = [listing_of(number, "/ws/" + "x@" * 5_000, is_open=number < 20) for number in range(1_200)]
    page = Page().render(shown, listings).decode()
    assert len(page) < 250_000
    assert page.count("<tr>") < 2 * MOST_ROWS + 10
    assert "and 1,100 more" in page
    assert "and 4,900 more" in page
    assert "5,000 planned, the first 100 shown" in page
    order = re.findall(r'<th scope="row">(\d+)</th>', page)
    assert order[:21] == [*(str(number) for number in range(19, -1, -1)), "1199"], "those that are open stand first"


def test_the_policy_allows_the_pages_own_style_and_forms_and_nothing_else() -> None:
    policy = dict(HEADERS)["Content-Security-Policy"]
    assert "script" not in policy
    assert "unsafe" not in policy
    assert "default-src 'none'" in policy
    assert "form-action 'self'" in policy
    assert "frame-ancestors 'none'" in policy
