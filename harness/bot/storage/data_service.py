"""Trades in PostgreSQL, and the dashboard's questions; the four hot ones stand behind the cache."""

from __future__ import annotations

import contextlib
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal, TypedDict, get_args

from harness.bot.storage import migrations, records
from harness.bot.storage.query_cache import QueryCache
from harness.errors import UnknownName

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Iterator

    from harness.backends.contracts import Cache, Codec
    from harness.bot.decision import SignalRecord
    from harness.bot.ledger import TradeRecord
    from harness.bot.storage.database import Database
    from harness.bot.storage.query_cache import QueryCacheStatistics

TradeFilter = Literal["all", "closed", "open"]
FILTERS: tuple[TradeFilter, ...] = get_args(TradeFilter)

#: The seed's own figure: "5s TTL for fresh data".
TTL_S = 5.0
#: Rows that one answer holds at most.
MAX_ROWS = 1_000

_COUNTS: dict[TradeFilter, str] = {
    "all": "select count(*) from trades",
    "closed": "select count(*) from trades where status = 'closed'",
    "open": "select count(*) from trades where status = 'open'",
}
_STATISTICS = """
    select count(*), count(*) filter (where pnl > 0), coalesce(sum(pnl), 0), coalesce(avg(pnl), 0),
           coalesce(max(pnl), 0), coalesce(min(pnl), 0)
    from trades where status = 'closed' and closed_at >= $1 and closed_at < $2
"""
_DAILY_STATISTICS = """
    select day, trades, wins, pnl, case when trades > 0 then pnl / trades else 0 end, best, worst
    from daily_statistics order by day desc limit $1
"""
_POSITIONS = """
    select symbol, trade_id, quantity, entry_price, fees, opened_at, strategy, features
    from positions order by opened_at, symbol limit $1
"""
_SIGNALS = """
    select signal_id, symbol, strategy, signal, confidence, features, outcome, decided_at
    from signals order by decided_at desc, signal_id desc limit $1
"""
_DAY = timedelta(days=1)


class Statistics(TypedDict):
    """A day's figures; amounts in the quote asset, rates 0 to 1."""

    trades: int
    win_rate: float
    total_pnl: float
    average_pnl: float
    best: float
    worst: float


class DayStatistics(Statistics):
    """The figures of one UTC day."""

    day: str
    """ISO 8601."""


class PositionRow(TypedDict):
    """An open position; exact decimals as text, times in ISO 8601."""

    symbol: str
    trade_id: str
    quantity: str
    entry_price: str
    fees: str
    opened_at: str
    strategy: str
    features: dict[str, float]


class SignalRow(TypedDict):
    """A signal and what came of it; time in ISO 8601."""

    signal_id: str
    symbol: str
    strategy: str
    signal: str
    confidence: float
    features: dict[str, float]
    outcome: str
    decided_at: str


class TradingDataService:
    """Writes trades, answers the dashboard; a cache that is away costs speed, never an answer."""

    def __init__(
        self, database: Database, cache: Cache | None, codec: Codec, *, namespace: str = "", ttl_s: float = TTL_S
    ) -> None:
        """`namespace` stands before every key: two bots on one Redis must not read each other's figures."""
        self._database = database
        self._codec = codec
        self._queries = QueryCache(cache, codec, namespace, ttl_s)

    async def migrate(self, *, indexes: bool = True) -> None:
        """Bring the tables up to date, and make the indexes unless told not to; raises ServiceError."""
        await migrations.migrate(self._database, indexes=indexes)

    async def save_trade(self, trade: TradeRecord) -> None:
        """Write one trade; writing it again under the same id brings it up to date."""
        await self.save([trade])

    async def save_trades(self, trades: Iterable[TradeRecord]) -> None:
        """Write several in one transaction: all or none."""
        await self.save(trades)

    async def save(self, trades: Iterable[TradeRecord], signals: Iterable[SignalRecord] = ()) -> None:
        """Write them in one transaction, and forget the answers that the trades change. Raises ServiceError."""
        written = list(trades)
        try:
            await records.save(self._database, written, signals)
        finally:
            # Also after an error: it may have come when all was committed.
            await self.on_saved(written)

    async def on_saved(self, trades: Iterable[TradeRecord]) -> None:
        """Forget the remembered answers that these trades change: all counts, and the days on which they closed."""
        written = list(trades)
        if written:
            await self.forget(*sorted(set(_closing_days(written))))

    async def forget(self, *days: date) -> None:
        """Forget what is remembered of the counts, and of the statistics of those days."""
        await self._queries.invalidate(*map(_count_key, FILTERS), *map(_day_key, days))

    async def warm_cache(self, day: date | None = None) -> int:
        """Ask the four hot questions anew and remember the answers; how many there were. Raises nothing."""
        day = day or _today()
        loads: dict[str, Callable[[], Awaitable[Any]]] = {_count_key(name): self._counting(name) for name in FILTERS}
        return await self._queries.warm({**loads, _day_key(day): self._reckoning(day)})

    async def get_trade_count(self, filter_type: TradeFilter = "all") -> int:
        """How many trades there are; at most the cache's time to live old. Raises UnknownName."""
        if filter_type not in _COUNTS:
            raise UnknownName("trade filter", filter_type, _COUNTS)
        return await self._queries.get_or_load(_count_key(filter_type), self._counting(filter_type), int)

    async def get_statistics(self, day: date | None = None) -> Statistics:
        """Figures of the trades closed on a UTC day, today unless another is named; at most the TTL old."""
        day = day or _today()
        return await self._queries.get_or_load(_day_key(day), self._reckoning(day), Statistics)

    async def get_daily_statistics(self, days: int) -> list[DayStatistics]:
        """Figures of the latest days on which trades closed, the last one first; at most 1,000 days. Not cached."""
        rows = await self._database.fetch(_DAILY_STATISTICS, _limit(days))
        return [
            DayStatistics(day=day.isoformat(), **_statistics(trades, wins, pnl, average, best, worst))
            for day, trades, wins, pnl, average, best, worst in rows
        ]

    async def get_positions(self) -> list[PositionRow]:
        """The open positions, the oldest first; at most 1,000. Not cached."""
        return [
            PositionRow(
                symbol=symbol,
                trade_id=trade_id,
                quantity=str(quantity),
                entry_price=str(entry_price),
                fees=str(fees),
                opened_at=opened_at.isoformat(),
                strategy=strategy,
                features=self._document(features),
            )
            for symbol, trade_id, quantity, entry_price, fees, opened_at, strategy, features in (
                await self._database.fetch(_POSITIONS, MAX_ROWS)
            )
        ]

    async def get_signals(self, limit: int) -> list[SignalRow]:
        """The latest signals, the last one first; at most 1,000. Not cached."""
        return [
            SignalRow(
                signal_id=signal_id,
                symbol=symbol,
                strategy=strategy,
                signal=signal,
                confidence=confidence,
                features=self._document(features),
                outcome=outcome,
                decided_at=decided_at.isoformat(),
            )
            for signal_id, symbol, strategy, signal, confidence, features, outcome, decided_at in (
                await self._database.fetch(_SIGNALS, _limit(limit))
            )
        ]

    def get_stats(self) -> QueryCacheStatistics:
        """Hits, misses, latency and state of the cache; its `str` is a line for the log."""
        return self._queries.get_stats()

    async def rows(self) -> tuple[int, int]:
        """Rows in the table and how many of them are closed, past the cache: the witness of what was written."""
        return await self._counting("all")(), await self._counting("closed")()

    async def close(self) -> None:
        """End the queries that nobody waits for any more; database and cache belong to who made them."""
        await self._queries.close()

    def _counting(self, name: TradeFilter) -> Callable[[], Awaitable[int]]:
        async def count() -> int:
            (found,) = await self._database.fetchrow(_COUNTS[name])
            return int(found)

        return count

    def _reckoning(self, day: date) -> Callable[[], Awaitable[Statistics]]:
        async def reckon() -> Statistics:
            start = datetime(day.year, day.month, day.day, tzinfo=UTC)
            return _statistics(*await self._database.fetchrow(_STATISTICS, start, start + _DAY))

        return reckon

    def _document(self, features: Any) -> dict[str, float]:
        """JSONB comes as text by a connection that was not told of the codec."""
        document: dict[str, float] = self._codec.loads(features.encode()) if isinstance(features, str) else features
        return document


def _statistics(trades: int, wins: int, total: Any, average: Any, best: Any, worst: Any) -> Statistics:
    return Statistics(
        trades=trades,
        win_rate=wins / trades if trades else 0.0,
        total_pnl=float(total),
        average_pnl=float(average),
        best=float(best),
        worst=float(worst),
    )


def _closing_days(trades: Iterable[TradeRecord]) -> Iterator[date]:
    for trade in trades:
        if trade.closed_ms is not None:
            with contextlib.suppress(OverflowError):  # beyond all calendars: it was refused
                yield records.time_of(trade.closed_ms).date()


def _limit(rows: int) -> int:
    if rows < 1:
        raise ValueError(f"how many rows must be at least 1, not {rows}")
    return min(rows, MAX_ROWS)


def _count_key(name: TradeFilter) -> str:
    return f"trade_count:{name}"


def _day_key(day: date) -> str:
    return f"daily_stats:{day.isoformat()}"


def _today() -> date:
    return datetime.now(UTC).date()
