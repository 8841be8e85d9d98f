"""The feed of depth changes: their sequence is watched, and where the book is wanted they are kept in a local one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from harness.exchange.book import DEPTH
from harness.exchange.book_sync import BookSync

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.bot.feeds import Handler
    from harness.bot.market import SymbolState
    from harness.exchange.book import LocalBook
    from harness.exchange.book_sync import Snapshot
    from harness.exchange.events import DepthUpdate, Event

#: Books kept at most: as many streams as Binance allows on a connection. Symbols beyond are watched only.
MAX_BOOKS: Final = 1_024
#: What is added up over all symbols, as SyncStatistics names it.
_COUNTERS: Final = ("gaps", "resyncs", "stale", "ignored", "malformed", "exhausted", "crossed", "dropped")


class DepthFeed:
    """Changes of the book; never a reason to decide.

    Without `request_snapshot` the book is off: only the sequence is watched, levels stay as received. With it a
    snapshot is requested whenever a book is wanted, and whoever fetches it calls `on_snapshot`. So that a repeated run
    sees the same books, the request must pause the market connection before the next frame (see Snapshots).
    """

    def __init__(self, request_snapshot: Callable[[str], None] | None = None, *, depth: int = DEPTH) -> None:
        """`depth`: the limit that snapshots are asked for with, and how many levels a side a book keeps."""
        self.books: dict[str, LocalBook | None] = {}
        """By symbol, from its first depth event on; None until it is in step, and again after a gap."""
        self._request = request_snapshot
        self._depth = depth
        self._syncs: dict[str, BookSync] = {}
        self._states: dict[str, SymbolState] = {}
        self._gaps = 0
        """Of symbols that are watched only."""
        self._snapshots = 0

    def handlers(self) -> dict[str, Handler]:
        """By kind of stream."""
        return {"depth": self.on_depth if self._request is None else self.on_depth_with_book}

    def on_depth(self, state: SymbolState, event: Event) -> bool:
        """Watch the sequence (BINANCE.md 5.1: U = u + 1; USD-M: pu = u)."""
        update: DepthUpdate = event  # type: ignore[assignment]  # the kind of stream tells the shape
        last = state.depth_id
        if last and (update.previous_id != last if update.previous_id else update.first_id != last + 1):
            state.depth_gaps += 1
            self._gaps += 1
        state.depth_id = update.last_id
        return False

    def on_depth_with_book(self, state: SymbolState, event: Event) -> bool:
        """Keep the book in step."""
        update: DepthUpdate = event  # type: ignore[assignment]  # the kind of stream tells the shape
        sync = self._syncs.get(state.symbol) or self._new(state)
        if sync is None:
            return self.on_depth(state, event)
        wanted = sync.on_event(update)
        state.depth_id = update.last_id
        state.depth_gaps = sync.statistics.gaps
        if wanted:
            self._show(state, sync)
            if self._request is not None:
                self._request(state.symbol)
        return False

    def on_snapshot(self, symbol: str, snapshot: Snapshot) -> bool:
        """Hand over what was fetched for a symbol; True when another must be fetched, this one being of no use."""
        sync = self._syncs.get(symbol)
        if sync is None:
            return False
        self._snapshots += 1
        wanted = sync.on_snapshot(snapshot.last_update_id, snapshot.bids, snapshot.asks)
        self._show(self._states[symbol], sync)
        return wanted

    @property
    def statistics(self) -> dict[str, int]:
        """Counters by name, of all symbols together; the peak is the highest of one symbol."""
        each = [sync.statistics for sync in self._syncs.values()]
        counts = {f"depth_{name}": sum(getattr(one, name) for one in each) for name in _COUNTERS}
        counts["depth_gaps"] += self._gaps
        counts["depth_snapshots"] = self._snapshots
        counts["depth_buffered_peak"] = max((one.buffered_peak for one in each), default=0)
        counts["books"] = sum(book is not None for book in self.books.values())
        return counts

    def _new(self, state: SymbolState) -> BookSync | None:
        if len(self._syncs) >= MAX_BOOKS:
            return None
        sync = self._syncs[state.symbol] = BookSync(depth=self._depth)
        self._states[state.symbol] = state
        self._show(state, sync)
        return sync

    def _show(self, state: SymbolState, sync: BookSync) -> None:
        state.book = self.books[state.symbol] = sync.book
