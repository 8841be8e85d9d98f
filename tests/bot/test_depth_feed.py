from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import msgspec
import pytest

from harness.backends.registry import registry
from harness.bot import depth_feed
from harness.bot.depth_feed import DepthFeed
from harness.bot.market import SymbolState
from harness.bot.wire import Wire
from harness.exchange.book_sync import Snapshot
from harness.exchange.events import DepthUpdate

if TYPE_CHECKING:
    from harness.recordings.format import Recording

BIDS, ASKS = [["10", "1"]], [["11", "1"]]


def update(first: int, last: int, previous: int = 0, bid: str = "9") -> DepthUpdate:
    return DepthUpdate(
        event_time=1, symbol="AAA", first_id=first, last_id=last, bids=[[bid, "2"]], asks=[], previous_id=previous
    )


def snapshot(last_update_id: int) -> Snapshot:
    return Snapshot(last_update_id=last_update_id, bids=BIDS, asks=ASKS)


class Watched:
    """A feed with the book on, and what it requested."""

    def __init__(self) -> None:
        self.requested: list[str] = []
        self.feed = DepthFeed(self.requested.append, depth=5)
        self.states: dict[str, SymbolState] = {}

    def sees(self, *events: DepthUpdate, symbol: str = "AAA") -> SymbolState:
        state = self.states.setdefault(symbol, SymbolState(symbol))
        handler = self.feed.handlers()["depth"]
        for event in events:
            assert handler(state, event) is False
        return state


@pytest.fixture
def watched() -> Watched:
    return Watched()


@pytest.mark.parametrize(
    ("ids", "gaps"),
    [
        ([(5, 6, 0), (7, 9, 0), (10, 10, 0)], 0),
        ([(5, 6, 0), (8, 9, 0), (10, 10, 0), (10, 10, 0)], 2),
        ([(50, 60, 40), (80, 90, 60), (95, 99, 90)], 0),
        ([(50, 60, 40), (61, 90, 59)], 1),
    ],
    ids=["spot whole", "spot broken", "USD-M whole", "USD-M broken"],
)
def test_with_the_book_off_only_the_sequence_is_watched(ids: list[tuple[int, int, int]], gaps: int) -> None:
    feed, state = DepthFeed(), SymbolState("AAA")
    for first, last, previous in ids:
        assert feed.handlers()["depth"](state, update(first, last, previous, bid="no number")) is False
    assert (state.depth_gaps, feed.statistics["depth_gaps"], state.depth_id) == (gaps, gaps, ids[-1][1])
    assert feed.books == {}
    assert state.book is None


def test_with_the_book_on_the_first_event_of_a_symbol_requests_a_snapshot_once(watched: Watched) -> None:
    state = watched.sees(update(5, 6), update(7, 8))
    assert watched.requested == ["AAA"]
    assert watched.feed.books == {"AAA": None}
    assert state.book is None


def test_a_snapshot_brings_the_book_and_what_waited_is_in_it(watched: Watched) -> None:
    state = watched.sees(update(5, 6), update(7, 8, bid="9.5"))
    assert watched.feed.on_snapshot("AAA", snapshot(6)) is False
    book = watched.feed.books["AAA"]
    assert book is not None
    assert state.book is book
    assert book.bids(5) == [(10.0, 1.0), (9.5, 2.0)]
    watched.sees(update(9, 9, bid="10.5"))
    assert book.best_bid == 10.5


def test_a_gap_takes_the_book_away_and_requests_a_snapshot(watched: Watched) -> None:
    watched.sees(update(5, 6))
    watched.feed.on_snapshot("AAA", snapshot(6))
    state = watched.sees(update(9, 9), update(10, 10))
    assert watched.requested == ["AAA", "AAA"]
    assert (watched.feed.books, state.book, state.depth_gaps) == ({"AAA": None}, None, 1)
    assert watched.feed.on_snapshot("AAA", snapshot(9)) is False
    assert state.book is not None
    assert watched.feed.statistics == {
        "depth_gaps": 1,
        "depth_resyncs": 1,
        "depth_stale": 0,
        "depth_ignored": 2,
        "depth_malformed": 0,
        "depth_exhausted": 0,
        "depth_crossed": 0,
        "depth_dropped": 0,
        "depth_snapshots": 2,
        "depth_buffered_peak": 2,
        "books": 1,
    }


def test_a_snapshot_that_is_too_old_asks_for_another_by_its_answer(watched: Watched) -> None:
    watched.sees(update(5, 6))
    assert watched.feed.on_snapshot("AAA", snapshot(3)) is True
    assert watched.feed.on_snapshot("AAA", snapshot(5)) is False
    assert watched.requested == ["AAA"]
    assert (watched.feed.statistics["depth_stale"], watched.feed.statistics["depth_snapshots"]) == (1, 2)


def test_symbols_have_books_of_their_own(watched: Watched) -> None:
    watched.sees(update(5, 6))
    watched.sees(update(50, 60, 40), symbol="BBB")
    assert watched.requested == ["AAA", "BBB"]
    watched.feed.on_snapshot("BBB", snapshot(55))
    assert watched.feed.books["AAA"] is None
    assert watched.feed.books["BBB"] is not None


def test_a_snapshot_of_a_symbol_without_depth_events_is_passed_over(watched: Watched) -> None:
    assert watched.feed.on_snapshot("CCC", snapshot(1)) is False
    assert watched.feed.books == {}


def test_symbols_beyond_the_most_that_are_kept_are_watched_only(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(depth_feed, "MAX_BOOKS", 1)
    watched.sees(update(5, 6))
    state = watched.sees(update(5, 6), update(9, 9), symbol="BBB")
    assert watched.requested == ["AAA"]
    assert state.depth_gaps == watched.feed.statistics["depth_gaps"] == 1
    assert list(watched.feed.books) == ["AAA"]


def played(recording: Recording, codec: str, feed: DepthFeed) -> list[object]:
    """All that is seen of the books and of the sequence, on a recording with the snapshots where they were answered."""
    wire, handler = Wire(registry().codec(codec)), feed.handlers()["depth"]
    states: dict[str, SymbolState] = {}
    seen: list[object] = []
    for frame in recording.frames:
        if frame.connection != "market":
            symbol = frame.connection.partition("symbol=")[2].partition("&")[0]
            seen.append(feed.on_snapshot(symbol, msgspec.json.decode(frame.body, type=Snapshot)))
            continue
        message = wire.market_message(frame.body)
        if message is not None and message[0] == "depth":
            state = states.setdefault(message[1], SymbolState(message[1]))
            assert handler(state, message[2]) is False
            book = state.book
            assert feed.books.get(state.symbol) is book
            seen.append((state.depth_id, state.depth_gaps, book and (book.bids(3), book.asks(3), book.imbalance(10))))
    return [*seen, sorted(feed.statistics.items())]


@pytest.mark.shared
@pytest.mark.parametrize(("name", "books"), [("spot-10-symbols-2021-04", 10), ("usdm-5-symbols-2021-04", 5)])
def test_books_of_a_real_recording_are_the_same_on_all_codecs(
    real_recordings: dict[str, Recording], name: str, books: int
) -> None:
    seen = []
    for codec in ("json", "orjson", "msgspec"):
        if registry().is_installed("codec", codec):
            requested: list[str] = []
            feed = DepthFeed(requested.append, depth=1_000)
            seen.append([*played(real_recordings[name], codec, feed), requested])
            assert (feed.statistics["books"], feed.statistics["depth_gaps"], len(requested)) == (books, 0, books)
    assert all(each == seen[0] for each in seen)


@pytest.mark.shared
def test_with_the_book_off_gaps_are_those_of_the_book_on(real_recordings: dict[str, Recording]) -> None:
    for recording in real_recordings.values():
        holed = dataclasses.replace(
            recording, frames=[frame for number, frame in enumerate(recording.frames) if number % 97]
        )
        requested: list[str] = []
        off, on = DepthFeed(), DepthFeed(requested.append, depth=1_000)
        for feed in (off, on):
            played(holed, "msgspec", feed)
        assert off.statistics["depth_gaps"] == on.statistics["depth_gaps"] > 0
