"""One symbol's book as its diff stream tells it, as of any of the stream's frames (BINANCE.md 5.1 and 6)."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, Final

import msgspec
from msgspec import UNSET, UnsetType

from harness.exchange.book import checked
from harness.exchange.book_sync import SnapshotLevels
from harness.exchange.events import Integer
from harness.replay.rest.levels import TextBook

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from harness.replay.rest.index import TapeIndex


class Diff(msgspec.Struct, frozen=True, gc=False):
    """A depth event; `pu` and `T` are USD-M's."""

    E: Integer
    U: Integer
    u: Integer
    b: SnapshotLevels
    a: SnapshotLevels
    pu: Integer = 0
    T: Integer = 0

    def follows(self, last_id: int) -> bool:
        """Whether nothing is missing between the event that ended with `last_id` and this one."""
        return self.pu == last_id if self.pu else last_id + 1 >= self.U


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """A book as REST answers it, in the order of the wire; `E` and `T` are USD-M's."""

    lastUpdateId: Integer  # noqa: N815 - Binance's name
    E: Integer | UnsetType = UNSET
    T: Integer | UnsetType = UNSET
    bids: SnapshotLevels
    asks: SnapshotLevels

    def cut(self, limit: int) -> Snapshot:
        """The best `limit` levels a side."""
        return msgspec.structs.replace(self, bids=self.bids[:limit], asks=self.asks[:limit])


#: What is known of a book of which nothing was told.
NOTHING: Final = Snapshot(lastUpdateId=0, bids=[], asks=[])

_decode = msgspec.json.Decoder(Diff).decode


class DiffBook:
    """The book of one symbol on one tape, moved along its diff stream.

    A run of events without a gap begins with an empty book, or, where a recorded snapshot falls into the run, with
    that snapshot's levels so far as no event up to it touched them: they stood there already. What neither the
    snapshot nor an event told is unknown, and not in the book; a gap makes all of it unknown again. Frames that are no
    depth events, and events that are repeated, are passed over. Not thread-safe.
    """

    def __init__(self, index: TapeIndex, stream: str, recorded: Sequence[Snapshot]) -> None:
        self._index = index
        self.stream = stream
        self._recorded = sorted(recorded, key=lambda snapshot: snapshot.lastUpdateId)
        self._restart()

    @property
    def events(self) -> int:
        """Frames of the stream on the tape."""
        return self._index.frames(self.stream)

    def _restart(self) -> None:
        self._taken = 0
        self._last: Diff | None = None
        self._book = TextBook()

    def after(self, count: int, limit: int) -> Snapshot:
        """The book after the stream's first `count` frames, `limit` levels a side.

        On spot its id is the last event's `u` (before any event, the id before the first `U`). On USD-M, where ids are
        sparse and the first event to be used must hold the id, it is the next event's `U`, if that follows: the state
        between two events has every id between them, and this one suits clients that did not see the last event too.
        """
        if count < self._taken:
            self._restart()
        while self._taken < count:
            self._take(self._taken)
            self._taken += 1
        book = self._book
        following = self._next()
        told = self._last or following
        if told is None:
            return NOTHING
        book = self._book if self._last is not None else self._base(self._taken)
        return Snapshot(
            lastUpdateId=_id_between(self._last, following),
            E=told.E if told.pu else UNSET,
            T=told.T if told.pu else UNSET,
            bids=book.bids(limit),
            asks=book.asks(limit),
        )

    def _next(self) -> Diff | None:
        """The event that follows what was taken; None before a gap and at the end."""
        return next(self._run(self._taken, self._last), None)

    def _take(self, number: int) -> None:
        diff = self._diff(number)
        last = self._last
        if diff is None or (last is not None and diff.u <= last.u):
            return
        if last is None or not diff.follows(last.u):
            self._book = self._base(number)
        self._book.apply(diff.b, diff.a)
        self._last = diff

    def _base(self, start: int) -> TextBook:
        """What is known of the book before the event of that number, with which a run begins."""
        run = self._run(start, None)
        first = next(run, None)
        if first is None:
            return TextBook()
        earliest = first.pu or first.U - 1
        snapshot = next((one for one in self._recorded if one.lastUpdateId >= earliest), None)
        if snapshot is None:
            return TextBook()
        touched: list[Diff] = []
        for diff in chain((first,), run):
            if diff is None:
                return TextBook()
            if snapshot.lastUpdateId < diff.U:
                break
            touched.append(diff)
        else:
            if touched[-1].u < snapshot.lastUpdateId and not first.pu:
                return TextBook()
        return _without(snapshot, touched)

    def _run(self, start: int, last: Diff | None) -> Iterator[Diff | None]:
        """Events from that number on, without those that repeat; None, and no more, at a gap."""
        for number in range(start, self.events):
            diff = self._diff(number)
            if diff is None or (last is not None and diff.u <= last.u):
                continue
            if last is not None and not diff.follows(last.u):
                yield None
                return
            yield diff
            last = diff

    def _diff(self, number: int) -> Diff | None:
        """The stream's frame of that number, None for one that is no depth event."""
        try:
            diff = _decode(self._index.payload(self.stream, number))
            checked(diff.b)
            checked(diff.a)
        except (msgspec.MsgspecError, ValueError):
            return None
        return diff


def _id_between(last: Diff | None, following: Diff | None) -> int:
    """The id of the book after the one event and before the other; one of them is there."""
    if following is not None and following.pu:
        return following.U
    if last is not None:
        return last.u
    return following.U - 1 if following is not None else 0


def _without(snapshot: Snapshot, touched: list[Diff]) -> TextBook:
    """The snapshot's book without the levels that these events changed."""
    book = TextBook()
    book.apply(snapshot.bids, snapshot.asks)
    for diff in touched:
        book.apply([[price, "0"] for price, _ in diff.b], [[price, "0"] for price, _ in diff.a])
    return book
