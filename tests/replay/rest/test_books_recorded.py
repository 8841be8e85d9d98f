"""Clients that follow Binance's rule end with the book of one that saw everything."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import msgspec
import pytest

from harness.exchange.book import LocalBook
from harness.exchange.book_sync import BookSync
from harness.exchange.events import DepthUpdate
from harness.recordings.catalogue import DEFAULT_RECORDING
from harness.recordings.format import REST, Frame
from harness.recordings.loop import Loop
from harness.replay.envelope import payload_of
from harness.replay.rest.books import Books, recorded_books
from harness.replay.rest.index import TapeIndex
from harness.replay.tape import Tape, tape_of
from harness.units import Nanoseconds

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from harness.recordings.format import Market, Recording
    from harness.replay.rest.diffs import Snapshot

RECORDINGS = [
    DEFAULT_RECORDING,
    "usdm-10-symbols",
    *(
        pytest.param(name, marks=pytest.mark.shared)
        for name in (
            "spot-10-symbols-2021-04",
            "spot-btc-eth-dot-kline-2021-04",
            "spot-with-snapshots",
            "usdm-5-symbols-2021-04",
        )
    ),
]
LIMIT = 5_000
#: Deeper levels lie behind some snapshot's end, where one client knows more than another.
SAME = 400


class Pass:
    """One pass of a recording, and what it says of each symbol's book."""

    def __init__(self, frames: Iterable[Frame], market: Market) -> None:
        held = list(frames)
        self.tape: Tape = tape_of(held)
        self.bodies = [frame for frame in held if frame.connection.startswith(REST)]
        self.market = market
        self.events: dict[str, list[tuple[int, DepthUpdate]]] = {}
        for place, number in enumerate(self.tape.stream):
            if number >= 0 and "@depth" in self.tape.names[number]:
                event = msgspec.json.decode(payload_of(self.tape.bodies[place]), type=DepthUpdate)
                self.events.setdefault(event.symbol, []).append((place, event))

    def books(self, *, with_bodies: bool = True) -> Books:
        return Books(TapeIndex(self.tape), self.bodies if with_bodies else (), self.market)

    def symbols(self, most: int = 4) -> list[str]:
        """Some of them, the busiest first."""
        return sorted(self.events, key=lambda symbol: -len(self.events[symbol]))[:most]

    @cache  # noqa: B019 - a pass lives as long as its tests
    def known(self, symbol: str, *, with_bodies: bool = True) -> LocalBook:
        """The book of one that saw everything: the recorded snapshot, and every event."""
        books = recorded_books(self.bodies).get(symbol) if with_bodies else None
        book = LocalBook(books[0].bids, books[0].asks) if books else LocalBook([], [])
        for _, event in self.events[symbol]:
            if not books or event.last_id > books[0].lastUpdateId:
                book.apply(event.bids, event.asks)
        return book


class StrictClient:
    """USD-M's rule to the letter: the first event used holds lastUpdateId, then pu is the u before."""

    def __init__(self, snapshot: Snapshot) -> None:
        self.book = LocalBook(snapshot.bids, snapshot.asks)
        self.id = snapshot.lastUpdateId
        self.last: int | None = None

    def on_event(self, event: DepthUpdate) -> None:
        if self.last is None:
            if event.last_id < self.id:
                return
            assert event.first_id <= self.id
        else:
            assert event.previous_id == self.last
        self.last = event.last_id
        self.book.apply(event.bids, event.asks)


def synced(events: Iterable[DepthUpdate], ask: Callable[[], Snapshot], *, first: int = 1) -> BookSync:
    """A client that asks once it holds `first` events, and must not have to ask again."""
    sync = BookSync(depth=LIMIT)
    answers = 0
    for number, event in enumerate(events, start=1):
        sync.on_event(event)
        if number == first:
            snapshot = ask()
            assert not sync.on_snapshot(snapshot.lastUpdateId, snapshot.bids, snapshot.asks)
            answers += 1
    assert answers == 1
    assert sync.statistics.stale == sync.statistics.gaps == sync.statistics.exhausted == 0
    return sync


def same(book: LocalBook | None, other: LocalBook) -> bool:
    assert book is not None
    assert sum(book.sizes) > 0
    return book.bids(SAME) == other.bids(SAME) and book.asks(SAME) == other.asks(SAME)


@pytest.fixture(scope="module")
def first_pass(recorded: Callable[[str], Recording], request: pytest.FixtureRequest) -> Pass:
    recording = recorded(request.param)
    return Pass([*recording.frames, *_beside(request)], recording.header.market)


def _beside(request: pytest.FixtureRequest) -> list[Frame]:
    """The snapshots that belong to this one recording stand in a file of their own: `<url> -> <time>: <body>`."""
    if request.param != "spot-with-snapshots":
        return []
    folder: Path = request.getfixturevalue("shared_recordings")
    frames = []
    for line in (folder / "cryptofeed" / "spot-depth-snapshots.raw").read_text().splitlines():
        url, arrow, rest = line.partition(" -> ")
        if arrow and "/depth?" in url:
            target = "/" + url.partition("://")[2].partition("/")[2]
            frames.append(Frame(Nanoseconds(0), f"{REST}{target}", rest.partition(": ")[2].encode()))
    assert frames
    return frames


@pytest.mark.parametrize("first_pass", RECORDINGS, indirect=True)
@pytest.mark.parametrize("with_bodies", [True, False], ids=["with snapshots", "diffs only"])
@pytest.mark.parametrize("asked", [1, 2, 3])
def test_a_client_from_the_start_joins_each_fixed_book(first_pass: Pass, asked: int, with_bodies: bool) -> None:  # noqa: FBT001
    books = first_pass.books(with_bodies=with_bodies)
    for symbol in first_pass.symbols():
        events = [event for _, event in first_pass.events[symbol]]
        answers = [books.fixed(symbol, LIMIT) for _ in range(asked)]
        sync = synced(events, lambda: answers[-1])  # noqa: B023 - called at once
        assert same(sync.book, first_pass.known(symbol, with_bodies=with_bodies)), symbol


@pytest.mark.parametrize("first_pass", RECORDINGS, indirect=True)
@pytest.mark.parametrize("with_bodies", [True, False], ids=["with snapshots", "diffs only"])
@pytest.mark.parametrize("share", [0.0, 0.01, 0.3, 0.5, 0.93])
def test_a_client_that_comes_late_joins_the_current_book(first_pass: Pass, share: float, with_bodies: bool) -> None:  # noqa: FBT001
    books = first_pass.books(with_bodies=with_bodies)
    joined = int(share * len(first_pass.tape))
    for symbol in first_pass.symbols():
        seen = [(place, event) for place, event in first_pass.events[symbol] if place >= joined]
        if len(seen) < 4:
            continue
        known = first_pass.known(symbol, with_bodies=with_bodies)
        for held in (1, 3):
            position = seen[held - 1][0] + 1
            sync = synced(
                [event for _, event in seen],
                lambda: books.current(symbol, position, LIMIT),  # noqa: B023 - called at once
                first=held,
            )
            assert same(sync.book, known), (symbol, held)


@pytest.mark.parametrize(
    "first_pass",
    ["usdm-10-symbols", pytest.param("usdm-5-symbols-2021-04", marks=pytest.mark.shared)],
    indirect=True,
)
@pytest.mark.parametrize("share", [0.0, 0.2, 0.7])
def test_a_usdm_client_joins_by_the_letter_of_the_rule_also_before_its_first_event(
    first_pass: Pass, share: float
) -> None:
    books = first_pass.books()
    joined = int(share * len(first_pass.tape))
    for symbol in first_pass.symbols():
        client = StrictClient(books.current(symbol, joined, LIMIT))
        for place, event in first_pass.events[symbol]:
            if place >= joined:
                client.on_event(event)
        assert same(client.book, first_pass.known(symbol)), symbol


@pytest.mark.parametrize("first_pass", RECORDINGS, indirect=True)
def test_a_recorded_body_is_answered_byte_for_byte(first_pass: Pass) -> None:
    books = first_pass.books()
    bodies = [frame for frame in first_pass.bodies if "depth?symbol=" in frame.connection]
    for frame in bodies:
        symbol = frame.connection.partition("symbol=")[2].partition("&")[0]
        assert msgspec.json.encode(books.fixed(symbol, 1_000)) == frame.body
    assert bodies


@pytest.mark.parametrize("name", RECORDINGS)
@pytest.mark.parametrize("number", [1])
def test_later_passes_have_books_of_their_own(recorded: Callable[[str], Recording], name: str, number: int) -> None:
    recording = recorded(name)
    later = Pass(Loop(recording).moved(number), recording.header.market)
    fixed, current = later.books(), later.books()
    for symbol in later.symbols(2):
        events = [event for _, event in later.events[symbol]]
        assert same(synced(events, lambda: fixed.fixed(symbol, LIMIT)).book, later.known(symbol))  # noqa: B023
        half = later.events[symbol][len(events) // 2][0] + 1
        sync = synced(events, lambda: current.current(symbol, half, LIMIT), first=len(events) // 2 + 1)  # noqa: B023
        assert same(sync.book, later.known(symbol)), symbol
