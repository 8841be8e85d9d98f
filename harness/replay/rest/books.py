"""Depth snapshots that are consistent with the diff stream being replayed."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final, Literal
from urllib.parse import parse_qs

import msgspec

from harness.recordings.format import REST
from harness.replay.rest.diffs import NOTHING, DiffBook, Snapshot

if TYPE_CHECKING:
    from collections.abc import Iterable

    from harness.recordings.format import Frame, Market
    from harness.replay.rest.index import TapeIndex

Choice = Literal["fixed", "current"]

#: Where REST bodies with a book were got; `/api/v1` is in recordings of former years.
_DEPTH_PATHS: Final = ("/api/v1/depth", "/api/v3/depth", "/fapi/v1/depth")
#: Milliseconds between two frames of a diff stream whose name states none (BINANCE.md, sections 5 and 6).
_USUAL_MS: Final[dict[Market, int]] = {"spot": 1_000, "usdm": 250}
#: Where the k-th fixed book without a recorded body stands: after so many parts of the stream's frames.
PARTS: Final = 8

_decode = msgspec.json.Decoder(Snapshot).decode


def recorded_books(frames: Iterable[Frame]) -> dict[str, list[Snapshot]]:
    """The depth snapshots among REST bodies by symbol, in their order; a body that is no book is passed over."""
    found: dict[str, list[Snapshot]] = {}
    for frame in frames:
        path, _, query = frame.connection.removeprefix(REST).partition("?")
        if not frame.connection.startswith(REST) or path not in _DEPTH_PATHS:
            continue
        symbol = parse_qs(query).get("symbol", [""])[0].upper()
        try:
            found.setdefault(symbol, []).append(_decode(frame.body))
        except (msgspec.MsgspecError, UnicodeDecodeError):
            continue
    return found


class Books:
    """The books of one tape. Not thread-safe.

    Of several diff streams of a symbol the fastest is followed (`@0ms`, `@100ms`, ...; of equals the first on the
    tape): its events end where those of the slower ones do, so its books suit clients of any of them.
    """

    def __init__(self, index: TapeIndex, recorded: Iterable[Frame], market: Market) -> None:
        """`recorded`: REST bodies that belong to this tape, ids moved on as the tape's are; others are passed over."""
        self._index = index
        self._market = market
        self._recorded = recorded_books(recorded)
        self._books: dict[str, DiffBook | None] = {}
        self._asked: Counter[str] = Counter()

    def restart(self) -> None:
        """The next request of each symbol is its first again."""
        self._asked.clear()

    def fixed(self, symbol: str, limit: int) -> Snapshot:
        """The book of the symbol's k-th request, whenever it comes.

        It is the k-th recorded snapshot. Where the recording holds fewer, it is the book after
        min((k - 1) * n // 8, n - 1) + 1 of the stream's n frames on the tape: after the first, an eighth, two eighths,
        and from the ninth request on after the last. A client that was there from the start can join each of them.
        """
        self._asked[symbol] += 1
        asked, recorded = self._asked[symbol], self._recorded.get(symbol, [])
        if asked <= len(recorded):
            return recorded[asked - 1].cut(limit)
        book = self._book(symbol)
        if book is None or not book.events:
            return self._without_stream(symbol, limit)
        return book.after(min((asked - 1) * book.events // PARTS, book.events - 1) + 1, limit)

    def current(self, symbol: str, position: int, limit: int) -> Snapshot:
        """The book as of the last depth event of the symbol before that position of the tape."""
        book = self._book(symbol)
        if book is None:
            return self._without_stream(symbol, limit)
        return book.after(self._index.before(book.stream, position), limit)

    def _without_stream(self, symbol: str, limit: int) -> Snapshot:
        """What can be told of a symbol without diff stream: the last recorded snapshot, or nothing."""
        recorded = self._recorded.get(symbol)
        return recorded[-1].cut(limit) if recorded else NOTHING

    def _book(self, symbol: str) -> DiffBook | None:
        if symbol not in self._books:
            names = self._index.names(symbol, "depth")
            self._books[symbol] = (
                DiffBook(self._index, min(names, key=self._pause_ms), self._recorded.get(symbol, ())) if names else None
            )
        return self._books[symbol]

    def _pause_ms(self, name: str) -> int:
        option = self._index.stream(name).option
        return int(option.removesuffix("ms")[:9]) if option else _USUAL_MS[self._market]
