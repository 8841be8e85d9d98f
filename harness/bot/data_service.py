"""Trades in PostgreSQL, and the dashboard's four queries behind the cache."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal, TypedDict, get_args

from harness.errors import UnknownName

if TYPE_CHECKING:
    from collections.abc import Iterable

    from harness.backends.contracts import Cache, Codec
    from harness.bot.database import Database
    from harness.bot.ledger import TradeRecord

TradeFilter = Literal["all", "closed", "open"]
FILTERS: tuple[TradeFilter, ...] = get_args(TradeFilter)

#: The seed's own figure: "5s TTL for fresh data".
TTL_S = 5.0

TABLES = (
    """create table if not exists trades (
        trade_id text primary key,
        symbol text not null,
        quantity numeric not null,
        entry_price numeric not null,
        exit_price numeric,
        fees numeric not null,
        pnl numeric,
        status text not null check (status in ('open', 'closed')),
        reason text,
        opened_at timestamptz not null,
        closed_at timestamptz,
        metadata jsonb not null default '{}'
    )""",
)
INDEXES = (
    "create index if not exists trades_status on trades (status)",
    "create index if not exists trades_closed_at on trades (closed_at) include (pnl) where status = 'closed'",
)

_SAVE = """
    insert into trades (trade_id, symbol, quantity, entry_price, exit_price, fees, pnl, status, reason,
                        opened_at, closed_at, metadata)
    values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
    on conflict (trade_id) do update set
        exit_price = excluded.exit_price, fees = excluded.fees, pnl = excluded.pnl, status = excluded.status,
        reason = excluded.reason, closed_at = excluded.closed_at, metadata = excluded.metadata
"""
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
_DAY = timedelta(days=1)


class Statistics(TypedDict):
    """The day's figures; amounts in the quote asset, rates 0 to 1."""

    trades: int
    win_rate: float
    total_pnl: float
    average_pnl: float
    best: float
    worst: float


class TradingDataService:
    """Writes trades, answers the dashboard; a cache that is away costs speed, never an answer."""

    def __init__(
        self, database: Database, cache: Cache | None, codec: Codec, *, namespace: str = "", ttl_s: float = TTL_S
    ) -> None:
        """`namespace` stands before every key: two bots on one Redis must not read each other's figures."""
        self._database = database
        self._cache = cache
        self._codec = codec
        self._namespace = namespace
        self._ttl_s = ttl_s

    async def migrate(self, *, indexes: bool = True) -> None:
        """Make the tables, and the indexes unless told not to, where they are missing."""
        await self._database.execute_many((sql, [()]) for sql in TABLES + (INDEXES if indexes else ()))

    async def save_trade(self, trade: TradeRecord) -> None:
        """Write one trade; writing it again under the same id brings it up to date."""
        await self.save_trades([trade])

    async def save_trades(self, trades: Iterable[TradeRecord]) -> None:
        """Write several in one transaction: all or none."""
        await self._database.execute_many([(_SAVE, [_row(trade) for trade in trades])])

    async def get_trade_count(self, filter_type: TradeFilter = "all") -> int:
        """How many trades there are; at most the cache's time to live old. Raises UnknownName."""
        sql = _COUNTS.get(filter_type)
        if sql is None:
            raise UnknownName("trade filter", filter_type, _COUNTS)
        key = f"{self._namespace}trade_count:{filter_type}"
        cached = await self._remembered(key)
        if cached is not None:
            return int(cached)
        (count,) = await self._database.fetchrow(sql)
        self._remember(key, count)
        return int(count)

    async def get_statistics(self, day: date | None = None) -> Statistics:
        """Figures of the trades closed on a UTC day, today unless another is named; at most the TTL old."""
        day = day or datetime.now(UTC).date()
        key = f"{self._namespace}daily_stats:{day.isoformat()}"
        cached: Statistics | None = await self._remembered(key)
        if cached is not None:
            return cached
        start = datetime(day.year, day.month, day.day, tzinfo=UTC)
        trades, wins, total, average, best, worst = await self._database.fetchrow(_STATISTICS, start, start + _DAY)
        statistics = Statistics(
            trades=trades,
            win_rate=wins / trades if trades else 0.0,
            total_pnl=float(total),
            average_pnl=float(average),
            best=float(best),
            worst=float(worst),
        )
        self._remember(key, statistics)
        return statistics

    async def _remembered(self, key: str) -> Any:
        cached = await self._cache.get(key) if self._cache else None
        if cached is None:
            return None
        try:
            return self._codec.loads(cached)
        except self._codec.errors:  # somebody else wrote there: as good as a miss
            return None

    def _remember(self, key: str, value: object) -> None:
        if self._cache:
            self._cache.put(key, self._codec.dumps(value), self._ttl_s)

    async def forget(self, day: date) -> None:
        """Drop what is remembered of all four questions, the statistics being those of that day."""
        if self._cache:
            names = [*(f"trade_count:{name}" for name in FILTERS), f"daily_stats:{day.isoformat()}"]
            await self._cache.delete(*(self._namespace + name for name in names))

    async def rows(self) -> tuple[int, int]:
        """Rows in the table and how many of them are closed, past the cache: the witness of what was written."""
        (every,) = await self._database.fetchrow(_COUNTS["all"])
        (closed,) = await self._database.fetchrow(_COUNTS["closed"])
        return int(every), int(closed)


def _row(trade: TradeRecord) -> tuple[object, ...]:
    return (
        trade.trade_id,
        trade.symbol,
        trade.quantity,
        trade.entry_price,
        trade.exit_price,
        trade.fees,
        trade.pnl,
        "open" if trade.closed_ms is None else "closed",
        trade.reason,
        _time(trade.opened_ms),
        None if trade.closed_ms is None else _time(trade.closed_ms),
        {"features": trade.features._asdict(), "fees": trade.fees},
    )


def _time(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)
