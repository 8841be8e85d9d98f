"""The tables, made and brought up to date step by step when a bot starts, and what the database knows of its bots."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.errors import ServiceError

if TYPE_CHECKING:
    from harness.bot.storage.database import Database, Transaction

_TRADES = """
    create table trades (
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
    )
"""
#: Columns of the table above: by them a table of an earlier release is known from somebody else's.
_TRADES_COLUMNS = frozenset(
    (
        *("trade_id", "symbol", "quantity", "entry_price", "exit_price", "fees", "pnl", "status", "reason"),
        *("opened_at", "closed_at", "metadata"),
    )
)

#: One row a symbol. `fees` are those of the entry.
_POSITIONS = """
    create table positions (
        symbol text primary key,
        trade_id text not null,
        quantity numeric not null,
        entry_price numeric not null,
        fees numeric not null,
        opened_at timestamptz not null,
        strategy text not null,
        features jsonb not null
    )
"""
_SIGNALS = """
    create table signals (
        signal_id text primary key,
        symbol text not null,
        strategy text not null,
        signal text not null,
        confidence double precision not null,
        features jsonb not null,
        outcome text not null,
        decided_at timestamptz not null
    )
"""
#: Of the trades closed on a UTC day.
_DAILY_STATISTICS = """
    create table daily_statistics (
        day date primary key,
        trades bigint not null,
        wins bigint not null,
        pnl numeric not null,
        best numeric not null,
        worst numeric not null,
        updated_at timestamptz not null
    )
"""
_SESSIONS = """
    create table sessions (
        epoch bigint generated always as identity primary key,
        started_at timestamptz not null default now(),
        strategy text not null,
        stack text not null,
        ended_at timestamptz
    )
"""
_BOT = "create table bot (only_row boolean primary key default true check (only_row), identity uuid not null)"

_POSITIONS_OF_OLD_TRADES = """
    insert into positions (symbol, trade_id, quantity, entry_price, fees, opened_at, strategy, features)
    select distinct on (symbol) symbol, trade_id, quantity, entry_price, fees, opened_at, strategy,
           coalesce(metadata->'features', '{}')
    from trades where status = 'open' order by symbol, opened_at desc, trade_id desc
"""
_STATISTICS_OF_OLD_TRADES = """
    insert into daily_statistics (day, trades, wins, pnl, best, worst, updated_at)
    select (closed_at at time zone 'UTC')::date, count(*), count(*) filter (where pnl > 0),
           coalesce(sum(pnl), 0), coalesce(max(pnl), 0), coalesce(min(pnl), 0), now()
    from trades where status = 'closed' and closed_at is not null group by 1
"""

# A step that was once released is never changed again: what must change is a step of its own.
# 2 - signals, positions, daily statistics, sessions, and the strategy of a trade; 1 - trades, with no version told
_STEPS: tuple[tuple[str, ...], ...] = (
    (_TRADES,),
    (
        "alter table trades add column strategy text not null default ''",
        _SIGNALS,
        _POSITIONS,
        _DAILY_STATISTICS,
        _SESSIONS,
        _BOT,
        "insert into bot (identity) values (gen_random_uuid())",
        _POSITIONS_OF_OLD_TRADES,
        _STATISTICS_OF_OLD_TRADES,
    ),
)
LATEST = len(_STEPS)

#: No step, since a scenario measures queries without them: made where they are asked for and missing.
_INDEXES = (
    "create index if not exists trades_status on trades (status)",
    "create index if not exists trades_closed_at on trades (closed_at) include (pnl) where status = 'closed'",
)

_VERSIONS = """
    create table if not exists schema_version (version int primary key, applied_at timestamptz not null default now())
"""
# Advisory locks are a database's, not a schema's: hence the name. Held until the transaction ends, however it ends.
_LOCK = "select pg_advisory_xact_lock(hashtextextended('tickproof schema ' || current_schema(), 0))"
_COLUMNS = """
    select column_name::text from information_schema.columns
    where table_schema = current_schema() and table_name = 'trades'
"""


async def migrate(database: Database, *, indexes: bool = True) -> int:
    """Bring the tables up to date, step by step, each whole or not at all; the version that they have now.

    Bots that start at the same time wait for each other. Trades of the release that told no version are kept.
    Raises ServiceError for a database that is away, newer than this program, or holds somebody else's table.
    """
    while await _step(database):
        pass
    if indexes:
        async with database.transaction() as transaction:
            await transaction.fetch(_LOCK)
            for sql in _INDEXES:
                await transaction.execute_many(sql, [()])
    return LATEST


async def begin_session(database: Database, *, strategy: str, stack: str) -> int:
    """The epoch of a bot that starts now: a number that no other start on this database has had or will have."""
    row = await database.fetchrow(
        "insert into sessions (strategy, stack) values ($1, $2) returning epoch", strategy, stack
    )
    return int(row[0])


async def end_session(database: Database, epoch: int) -> None:
    """Note that the bot of that epoch ended in order; one that was killed never says so."""
    await database.execute_many([("update sessions set ended_at = now() where epoch = $1", [(epoch,)])])


async def identity(database: Database) -> str:
    """The name that this database gave itself when it was made, by which a journal knows it again."""
    (found,) = await database.fetchrow("select identity from bot")
    return str(found)


async def _step(database: Database) -> bool:
    """Do the next step; false when there is none."""
    async with database.transaction() as transaction:
        await transaction.fetch(_LOCK)
        version = await _version(transaction)
        if version > LATEST:
            raise ServiceError(
                f"the database has schema version {version} and this program knows {LATEST}: start the newer release,"
                " or name another schema or database"
            )
        if version == LATEST:
            return False
        for sql in _STEPS[version]:
            await transaction.execute_many(sql, [()])
        await transaction.execute_many("insert into schema_version (version) values ($1)", [(version + 1,)])
    return True


async def _version(transaction: Transaction) -> int:
    """0 for an empty schema; 1 also for a table of the release that told no version."""
    await transaction.execute_many(_VERSIONS, [()])
    ((told,),) = await transaction.fetch("select max(version) from schema_version")
    if told is not None:
        return int(told)
    columns = {name for (name,) in await transaction.fetch(_COLUMNS)}
    if not columns:
        return 0
    if columns != _TRADES_COLUMNS:
        raise ServiceError(
            "the schema holds a table named trades that no release of this program made: name another schema"
        )
    await transaction.execute_many("insert into schema_version (version) values (1)", [()])
    return 1
