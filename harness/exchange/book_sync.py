"""Keeps one symbol's local book in step with its diff stream, without I/O (BINANCE.md 5.1 for spot, 6 for USD-M)."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Final

import msgspec
from msgspec import Meta, field

from harness.exchange.book import DEPTH, MAX_LEVELS, LocalBook
from harness.exchange.events import Integer

if TYPE_CHECKING:
    from harness.exchange.events import DepthUpdate

#: Events and levels that wait for a snapshot; beyond either the oldest are forgotten, and a later snapshot is needed.
MAX_BUFFERED: Final = 1_000
MAX_BUFFERED_LEVELS: Final = 100_000
#: So many old events in a row are no repetition but ids that began anew: a gap, else the book would stand still.
MAX_OLD: Final = 100

SnapshotLevels = Annotated[list[Annotated[list[str], Meta(min_length=2, max_length=2)]], Meta(max_length=MAX_LEVELS)]


class Snapshot(msgspec.Struct, frozen=True):
    """The book as REST answers it (`GET .../depth`): levels as received, best first."""

    last_update_id: Integer = field(name="lastUpdateId")
    bids: SnapshotLevels
    asks: SnapshotLevels


@dataclass(slots=True, kw_only=True)
class SyncStatistics:
    """What a book went through so far; of several books, what they went through together."""

    gaps: int = 0
    """Breaks in the sequence of events."""
    synced: int = 0
    """How often a snapshot made a book."""
    resyncs: int = 0
    """How often it made one again, after a book had been given up."""
    stale: int = 0
    """Snapshots too old for the events at hand."""
    ignored: int = 0
    """Events that told nothing new: older than the snapshot, or repeated."""
    malformed: int = 0
    """Events and snapshots with a level that is none."""
    exhausted: int = 0
    """Books given up because the price left the levels that the snapshot had told."""
    crossed: int = 0
    """Events after which the best bid was not below the best ask."""
    dropped: int = 0
    """Events forgotten while too many waited for a snapshot."""
    buffered_peak: int = 0
    """The most events that ever waited for a snapshot (of several books: the most that one had)."""


class _Buffer:
    """Events that wait for a snapshot, bounded in events and levels; the oldest goes first."""

    def __init__(self) -> None:
        self._events: deque[DepthUpdate] = deque()
        self._levels = 0

    def __len__(self) -> int:
        return len(self._events)

    def put(self, event: DepthUpdate) -> int:
        """Keep the event; returns how many older ones had to go."""
        self._events.append(event)
        self._levels += _levels(event)
        dropped = 0
        while len(self._events) > MAX_BUFFERED or (self._levels > MAX_BUFFERED_LEVELS and len(self._events) > 1):
            self._levels -= _levels(self._events.popleft())
            dropped += 1
        return dropped

    def take(self) -> list[DepthUpdate]:
        """All of them; none stays."""
        events = list(self._events)
        self._events.clear()
        self._levels = 0
        return events


class BookSync:
    """Waits for a snapshot, then applies; a break in the sequence, and it waits again.

    Whether an event follows the rules of USD-M is told by its `pu`, which spot does not have. `on_event` and
    `on_snapshot` return True when a snapshot is to be fetched now: once for each that is wanted.
    """

    def __init__(self, *, depth: int = DEPTH) -> None:
        """`depth`: the limit that snapshots are asked for with."""
        self.book: LocalBook | None = None
        """None while waiting."""
        self.last_id = 0
        """The update id that the book is at."""
        self.statistics = SyncStatistics()
        self._depth = depth
        self._buffer = _Buffer()
        self._asked = False
        self._joined = False
        """Whether an event was applied to the snapshot; the first one has a rule of its own."""
        self._seen_id: int | None = None
        """Last id of the stream, whether or not there is a book."""
        self._old_in_a_row = 0

    def on_event(self, event: DepthUpdate) -> bool:
        """Take the next event of the stream; True when a snapshot is to be fetched."""
        seen = self._seen_id
        if seen is not None and not _follows(event, seen):
            if _is_old(event, seen) and self._old_in_a_row < MAX_OLD:
                self._old_in_a_row += 1
                self.statistics.ignored += 1
                return False
            self.statistics.gaps += 1
            self._give_up()
        self._old_in_a_row = 0
        self._seen_id = event.last_id
        return self._advance(event)

    def on_snapshot(self, last_update_id: int, bids: list[Any], asks: list[Any]) -> bool:
        """Take what was fetched, and the events that waited for it; True when another is to be fetched.

        While there is a book nobody asked: the snapshot is passed over.
        """
        if self.book is not None:
            return False
        self._asked = True
        try:
            book = LocalBook(bids, asks, depth=self._depth)
        except ValueError:
            self.statistics.malformed += 1
            return True
        events = self._newer(last_update_id)
        if events and not _joins(events[0], last_update_id):
            self.statistics.stale += 1
            self._hold(events)
            return True
        self._start(book, last_update_id)
        wanted = False
        for event in events:  # each is taken, also after one that gave the book up again
            wanted = self._advance(event) or wanted
        return wanted

    def _start(self, book: LocalBook, last_update_id: int) -> None:
        self.book, self.last_id = book, last_update_id
        self._asked = self._joined = False
        self.statistics.resyncs += self.statistics.synced > 0
        self.statistics.synced += 1

    def _newer(self, last_update_id: int) -> list[DepthUpdate]:
        """The events that waited, without those that the snapshot holds already."""
        waited = self._buffer.take()
        newer = [event for event in waited if not _precedes(event, last_update_id)]
        self.statistics.ignored += len(waited) - len(newer)
        return newer

    def _advance(self, event: DepthUpdate) -> bool:
        book = self.book
        if book is None:
            return self._wait(event)
        if not self._joined:
            if _precedes(event, self.last_id):
                self.statistics.ignored += 1
                return False
            if not _joins(event, self.last_id):
                self.statistics.stale += 1
                self._give_up()
                return self._wait(event)
            self._joined = True
        return self._apply(book, event)

    def _apply(self, book: LocalBook, event: DepthUpdate) -> bool:
        try:
            book.apply(event.bids, event.asks)
        except ValueError:
            # The event is not kept: with it no snapshot that is older would ever do.
            self.statistics.malformed += 1
            self._give_up()
            return self._ask()
        self.last_id = event.last_id
        if book.is_exhausted:
            self.statistics.exhausted += 1
            self._give_up()
            return self._wait(event)
        if book.is_crossed:
            self.statistics.crossed += 1
        return False

    def _give_up(self) -> None:
        """Without book, and what waited before a break can join no snapshot."""
        self.book = None
        self._buffer.take()

    def _wait(self, event: DepthUpdate) -> bool:
        self._hold([event])
        return self._ask()

    def _hold(self, events: list[DepthUpdate]) -> None:
        for event in events:
            self.statistics.dropped += self._buffer.put(event)
        self.statistics.buffered_peak = max(self.statistics.buffered_peak, len(self._buffer))

    def _ask(self) -> bool:
        """True the first time."""
        asked, self._asked = self._asked, True
        return not asked


def _levels(event: DepthUpdate) -> int:
    return len(event.bids) + len(event.asks)


def _follows(event: DepthUpdate, last_id: int) -> bool:
    """Whether nothing is missing between `last_id` and the event. Ids of USD-M are sparse: only pu tells."""
    if event.previous_id:
        return event.previous_id == last_id
    return event.first_id <= last_id + 1 and event.last_id > last_id


def _is_old(event: DepthUpdate, last_id: int) -> bool:
    """Spot: an event that ends at or before the book's id is passed over. USD-M knows no such rule: a gap."""
    return not event.previous_id and event.last_id <= last_id


def _precedes(event: DepthUpdate, snapshot_id: int) -> bool:
    """Whether a snapshot holds the event already: u <= lastUpdateId on spot, u < lastUpdateId on USD-M."""
    return event.last_id < snapshot_id if event.previous_id else event.last_id <= snapshot_id


def _joins(event: DepthUpdate, snapshot_id: int) -> bool:
    """Whether the event may be the first on a snapshot, of those that do not precede it.

    Spot: it holds lastUpdateId + 1. USD-M: U <= lastUpdateId <= u, or it follows the snapshot's id by its pu.
    """
    if event.previous_id:
        return event.first_id <= snapshot_id or event.previous_id == snapshot_id
    return event.first_id <= snapshot_id + 1
