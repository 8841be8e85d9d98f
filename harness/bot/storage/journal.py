"""What was decided, on disk before it is acted upon: SQLite in one file, worked by one thread of its own."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar, cast

import msgspec

from harness.bot.decision import SignalRecord
from harness.bot.ledger import TradeRecord
from harness.bot.storage.journal_file import PAGE_BYTES, lock, opened
from harness.errors import ConfigError, ServiceError
from harness.exchange.orders import Order

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    from harness.bot.decision import Decision

T = TypeVar("T")

#: Free pages that the file may keep; more are given back to the system, so many at a time.
_SPARE_PAGES = 2**20 // PAGE_BYTES
_PAGES_AT_ONCE = 1_024

_encode = msgspec.msgpack.Encoder().encode
_order = msgspec.msgpack.Decoder(Order).decode
_decoders: dict[str, msgspec.msgpack.Decoder[TradeRecord] | msgspec.msgpack.Decoder[SignalRecord]] = {
    "trade": msgspec.msgpack.Decoder(TradeRecord),
    "signal": msgspec.msgpack.Decoder(SignalRecord),
}


class JournalFull(ServiceError):
    """No room for what should be journalled: of the disk, or of what the journal may grow to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalCounts:
    """What a journal holds."""

    orders: int
    """Orders whose end is not known."""
    writes: int
    """Records that PostgreSQL has not confirmed."""
    refused: int
    """Records that PostgreSQL did not take, kept for somebody to look at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pending:
    """A record that PostgreSQL has not confirmed, and its place in the order of decisions."""

    seq: int
    record: TradeRecord | SignalRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """A record that PostgreSQL did not take, and why."""

    seq: int
    record: TradeRecord | SignalRecord
    reason: str


class Journal:
    """Orders until they are settled, and records until PostgreSQL has them; whatever ends the bot.

    Every method but `open` and `close` raises ServiceError when the disk fails, JournalFull when it is full; then
    nothing of what was asked is done. The loop never waits for the disk: one thread does all the work, in order.
    """

    def __init__(self, store: _Store, thread: ThreadPoolExecutor) -> None:
        self._store = store
        self._thread = thread
        self._watchers: list[Callable[[], None]] = []

    @classmethod
    async def open(cls, path: Path, *, maximum_bytes: int = 2**30) -> Journal:
        """The journal of that path, made when there is none; it may grow to `maximum_bytes`, its log aside.

        Raises ConfigError for one that another bot uses, that is damaged, or that is no journal of this release.
        """
        thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="journal")
        try:
            store = await _on(thread, lambda: _Store(path, maximum_bytes))
        except BaseException:
            thread.shutdown(wait=False)
            raise
        return cls(store, thread)

    @property
    def counts(self) -> JournalCounts:
        """Of this moment, without asking the disk."""
        return self._store.counts

    @property
    def peak(self) -> int:
        """The most orders and writes that it held at once in this life."""
        return self._store.peak

    @property
    def size_bytes(self) -> int:
        """Of the file and its log.

        Once all is confirmed the file shrinks to its live pages and 1 MiB to spare, the log to 4 MiB.
        """
        return self._store.size_bytes

    def watch(self, call: Callable[[], None]) -> None:
        """Have `call` called in the loop after every change of what the journal holds."""
        self._watchers.append(call)

    async def bind(self, identity: str) -> None:
        """Belong to the database of that name; raises ConfigError for one that holds something for another."""
        await self._do(lambda: self._store.bind(identity))

    async def append(self, decisions: Sequence[Decision]) -> None:
        """Keep them all, or none; returns when they are on disk. An order that is kept already is not kept twice."""
        await self._change(lambda: self._store.append(decisions))

    async def unsettled(self) -> list[Order]:
        """Orders that were appended and not settled, in order of decision."""
        return await self._do(self._store.unsettled)

    async def settle(self, client_order_ids: Iterable[str]) -> None:
        """Forget orders whose end is known; unknown ids are fine."""
        ids = list(client_order_ids)
        await self._change(lambda: self._store.settle(ids))

    async def pending(self, *, after: int = 0, limit: int = 500) -> list[Pending]:
        """The first records behind that place, in order of decision."""
        return await self._do(lambda: self._store.pending(after, limit))

    async def confirm(self, up_to: int) -> None:
        """Forget the records up to that place, it included: PostgreSQL has them."""
        await self._change(lambda: self._store.confirm(up_to))

    async def refuse(self, seq: int, reason: str) -> None:
        """Set a record aside: PostgreSQL will never take it."""
        await self._change(lambda: self._store.refuse(seq, reason))

    async def refused(self, limit: int = 100) -> list[Refused]:
        """The last records that were set aside, the latest first."""
        return await self._do(lambda: self._store.refused(limit))

    async def close(self) -> None:
        """Leave the file whole and to others; what is under way is finished. Closing twice is fine."""
        if not self._store.closed:
            await _on(self._thread, self._store.close)
        self._thread.shutdown(wait=False)

    async def _change(self, work: Callable[[], None]) -> None:
        await self._do(work)
        for call in self._watchers:
            call()

    async def _do(self, work: Callable[[], T]) -> T:
        if self._store.closed:
            raise ServiceError(f"the journal {self._store.path} is closed")
        return await _on(self._thread, work)


async def _on(thread: ThreadPoolExecutor, work: Callable[[], T]) -> T:
    return await asyncio.get_running_loop().run_in_executor(thread, work)


class _Store:
    """All that the thread does."""

    def __init__(self, path: Path, maximum_bytes: int) -> None:
        self.path = path
        self.closed = False
        self._lock = lock(path)
        try:
            self._connection = opened(path)
        except BaseException:
            os.close(self._lock)
            raise
        self._connection.execute(f"pragma max_page_count={maximum_bytes // PAGE_BYTES}")
        self._is_durable: bool | None = None
        orders, writes, refused = (self._count(table) for table in ("orders", "writes", "refused"))
        self.counts = JournalCounts(orders=orders, writes=writes, refused=refused)
        self.peak = orders + writes

    @property
    def size_bytes(self) -> int:
        size = 0
        for path in (self.path, self.path.with_name(self.path.name + "-wal")):
            with contextlib.suppress(FileNotFoundError):
                size += path.stat().st_size
        return size

    def bind(self, identity: str) -> None:
        is_empty = self.counts == JournalCounts(orders=0, writes=0, refused=0)
        with self._transaction(durable=True) as execute:
            if is_empty:
                execute("delete from meta where key = 'database'")
            execute("insert into meta values ('database', ?) on conflict do nothing", (identity,))
            ((bound,),) = execute("select value from meta where key = 'database'").fetchall()
        if bound != identity:
            raise ConfigError(
                self.path,
                "",
                f"the journal belongs to another database ({bound}, not {identity}): use that database, or name another"
                " file",
            )

    def append(self, decisions: Sequence[Decision]) -> None:
        orders = [(one.order.client_order_id, _encode(one.order)) for one in decisions if one.order]
        writes = [row for one in decisions for row in _write_rows(one)]
        with self._transaction(durable=True):
            many = self._connection.executemany
            kept = many("insert into orders values (?, ?) on conflict do nothing", orders).rowcount if orders else 0
            many("insert into writes (kind, document) values (?, ?)", writes)
        self._count_up(orders=kept, writes=len(writes))

    def unsettled(self) -> list[Order]:
        with self._told():
            rows = self._connection.execute("select document from orders order by rowid").fetchall()
            return [_order(document) for (document,) in rows]

    def settle(self, ids: list[str]) -> None:
        with self._transaction(durable=False):
            rows = [(one,) for one in ids]
            gone = self._connection.executemany("delete from orders where client_order_id = ?", rows).rowcount
        self._count_up(orders=-max(gone, 0))

    def pending(self, after: int, limit: int) -> list[Pending]:
        sql = "select seq, kind, document from writes where seq > ? order by seq limit ?"
        with self._told():
            return [
                Pending(seq=seq, record=_decoders[kind].decode(document))
                for seq, kind, document in self._connection.execute(sql, (after, limit)).fetchall()
            ]

    def confirm(self, up_to: int) -> None:
        with self._transaction(durable=False) as execute:
            gone = execute("delete from writes where seq <= ?", (up_to,)).rowcount
        self._count_up(writes=-gone)
        self._shrink()

    def refuse(self, seq: int, reason: str) -> None:
        with self._transaction(durable=True) as execute:
            sql = "insert into refused (seq, kind, document, reason) select *, ? from writes where seq = ?"
            moved = execute(sql, (reason, seq)).rowcount
            execute("delete from writes where seq = ?", (seq,))
        self._count_up(writes=-moved, refused=moved)

    def refused(self, limit: int) -> list[Refused]:
        sql = "select seq, kind, document, reason from refused order by seq desc limit ?"
        with self._told():
            return [
                Refused(seq=seq, record=_decoders[kind].decode(document), reason=reason)
                for seq, kind, document, reason in self._connection.execute(sql, (limit,)).fetchall()
            ]

    def close(self) -> None:
        if not self.closed:
            self.closed = True
            self._connection.close()
            os.close(self._lock)

    @contextlib.contextmanager
    def _transaction(self, *, durable: bool) -> Iterator[Callable[..., sqlite3.Cursor]]:
        """All or nothing. What may be done a second time need not outlive a power cut, and so costs no flush."""
        execute = self._connection.execute
        with self._told():
            if durable != self._is_durable:
                execute(f"pragma synchronous={'full' if durable else 'normal'}")
                self._is_durable = durable
            execute("begin immediate")
            try:
                yield execute
                execute("commit")
            except BaseException:
                if self._connection.in_transaction:  # SQLite has rolled back already after some errors
                    execute("rollback")
                raise

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            full = getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL
            kind = JournalFull if full else ServiceError
            raise kind(f"the journal {self.path} failed: {error}") from error
        except msgspec.MsgspecError as error:
            raise ServiceError(f"the journal {self.path} holds what cannot be read: {error}") from error

    def _shrink(self) -> None:
        # What was asked is done by now: a disk that fails here says so at the next occasion.
        with contextlib.suppress(sqlite3.Error):
            ((free,),) = self._connection.execute("pragma freelist_count").fetchall()
            if free <= _SPARE_PAGES:
                return
            surplus = free - _SPARE_PAGES // 2
            # Its rows have no columns, and `execute` takes the first of them, a page, for the end.
            self._connection.executescript(f"pragma incremental_vacuum({min(surplus, _PAGES_AT_ONCE)})")
            if surplus <= _PAGES_AT_ONCE:  # the file itself is cut when the log has been brought into it
                self._connection.execute("pragma wal_checkpoint(truncate)").fetchall()

    def _count(self, table: str) -> int:
        ((count,),) = self._connection.execute(f"select count(*) from {table}").fetchall()  # noqa: S608 - our own words
        return cast("int", count)

    def _count_up(self, *, orders: int = 0, writes: int = 0, refused: int = 0) -> None:
        now = self.counts
        self.counts = JournalCounts(
            orders=now.orders + orders, writes=now.writes + writes, refused=now.refused + refused
        )
        self.peak = max(self.peak, self.counts.orders + self.counts.writes)


def _write_rows(decision: Decision) -> Iterator[tuple[str, bytes]]:
    if decision.trade:
        yield "trade", _encode(decision.trade)
    if decision.signal:
        yield "signal", _encode(decision.signal)
