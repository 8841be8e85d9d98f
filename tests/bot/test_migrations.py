from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from harness.backends.registry import registry
from harness.bot.storage import records
from harness.bot.storage.database import PerCallDatabase, PooledDatabase
from harness.bot.storage.migrations import LATEST, begin_session, end_session, identity, migrate
from harness.errors import ServiceError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from types import ModuleType

    from harness.bot.storage.database import Database

JSON = registry().codec("json")

#: What the release before the first numbered schema made, word for word.
OLD_TABLES = """
    create table if not exists trades (
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
OLD_INDEXES = (
    "create index if not exists trades_status on trades (status)",
    "create index if not exists trades_closed_at on trades (closed_at) include (pnl) where status = 'closed'",
)
OLD_ROWS = """
    insert into trades (trade_id, symbol, quantity, entry_price, exit_price, fees, pnl, status, reason, opened_at,
                        closed_at, metadata) values
    ('A-1-B', 'AAA', 1, 10.50, 11, 0.2, 0.3, 'closed', 'time-out', '2026-10-05 10:00Z', '2026-10-05 23:59:59Z', '{}'),
    ('A-2-B', 'AAA', 1, 11, 10, 0.2, -1.2, 'closed', 'stop-loss', '2026-10-05 11:00Z', '2026-10-06 00:00Z', '{}'),
    ('A-3-B', 'AAA', 1, 12, null, 0.1, null, 'open', null, '2026-10-06 09:00Z', null, '{"features": {"flow": 0.5}}'),
    ('A-4-B', 'AAA', 2, 12, null, 0.1, null, 'open', null, '2026-10-06 10:00Z', null, '{"features": {"flow": 1.5}}'),
    ('B-1-B', 'BBB', 1.20, 7, null, 0.1, null, 'open', null, '2026-10-06 08:00Z', null, '{}')
"""
TABLES = {"trades", "signals", "positions", "daily_statistics", "sessions", "bot", "schema_version"}


@pytest.fixture
async def database(database_url: str, schema: str) -> AsyncIterator[PooledDatabase]:
    opened = await PooledDatabase.open(database_url, schema, JSON, size=2)
    yield opened
    await opened.close()


async def tables(database: Database) -> set[str]:
    rows = await database.fetch("select tablename::text from pg_tables where schemaname = current_schema()")
    return {name for (name,) in rows}


async def columns(database: Database) -> list[tuple[Any, ...]]:
    return await database.fetch(
        "select table_name::text, column_name::text, data_type::text, is_nullable::text, column_default::text"
        " from information_schema.columns where table_schema = current_schema() order by 1, 2"
    )


async def trade_indexes(database: Database) -> set[str]:
    sql = "select indexname::text from pg_indexes where schemaname = current_schema() and tablename = 'trades'"
    return {name for (name,) in await database.fetch(sql)}


async def versions(database: Database) -> list[int]:
    return [number for (number,) in await database.fetch("select version from schema_version order by version")]


async def test_an_empty_schema_gets_all_tables_and_their_version(database: PooledDatabase) -> None:
    assert await migrate(database) == LATEST
    assert await tables(database) == TABLES
    assert await versions(database) == list(range(1, LATEST + 1))
    assert await trade_indexes(database) == {"trades_pkey", "trades_status", "trades_closed_at"}


async def test_a_second_start_changes_nothing_and_keeps_what_is_there(
    database: PooledDatabase, samples: ModuleType
) -> None:
    await migrate(database)
    await records.save(database, [samples.opened(1)], [samples.signal(1)])
    before = await columns(database), await identity(database)
    await migrate(database)
    assert (await columns(database), await identity(database)) == before
    assert await versions(database) == list(range(1, LATEST + 1))
    assert await database.fetchrow("select count(*) from trades") == (1,)


async def test_tables_without_indexes_are_to_be_had_and_get_them_later(database: PooledDatabase) -> None:
    await migrate(database, indexes=False)
    assert await trade_indexes(database) == {"trades_pkey"}
    await migrate(database)
    assert await trade_indexes(database) == {"trades_pkey", "trades_status", "trades_closed_at"}


@pytest.mark.parametrize("indexes", [True, False])
async def test_the_schema_of_the_last_release_is_adopted_with_its_rows(
    database: PooledDatabase, *, indexes: bool
) -> None:
    for sql in (OLD_TABLES, *(OLD_INDEXES if indexes else ()), OLD_ROWS):
        await database.execute(sql)
    rows = "select trade_id, entry_price::text, status, closed_at from trades order by 1"
    before = await database.fetch(rows)
    await migrate(database, indexes=indexes)
    assert await versions(database) == list(range(1, LATEST + 1))
    assert await database.fetch(rows) == before
    assert await database.fetch("select distinct strategy from trades") == [("",)]
    found = await database.fetch("select symbol, trade_id, quantity, features from positions order by 1")
    assert found == [
        ("AAA", "A-4-B", Decimal(2), {"flow": 1.5}),
        ("BBB", "B-1-B", Decimal("1.20"), {}),
    ], "the last opened of a symbol"
    days = await database.fetch("select day::text, trades, wins, pnl, best, worst from daily_statistics order by 1")
    assert days == [
        ("2026-10-05", 1, 1, Decimal("0.3"), Decimal("0.3"), Decimal("0.3")),
        ("2026-10-06", 1, 0, Decimal("-1.2"), Decimal("-1.2"), Decimal("-1.2")),
    ]
    assert len(await trade_indexes(database)) == (3 if indexes else 1)


async def test_an_adopted_schema_and_a_new_one_are_the_same(database: PooledDatabase, schema: str) -> None:
    await database.execute(OLD_TABLES)
    await migrate(database)
    adopted = await columns(database)
    await database.execute(f"drop schema {schema} cascade")
    await database.execute(f"create schema {schema}")
    await migrate(database)
    assert await columns(database) == adopted


async def test_a_table_of_somebody_else_is_left_alone(database: PooledDatabase) -> None:
    await database.execute("create table trades (id int primary key, price float)")
    with pytest.raises(ServiceError, match="no release of this program made: name another schema"):
        await migrate(database)
    assert await tables(database) == {"trades"}


async def test_a_database_newer_than_the_program_is_refused_and_left_alone(database: PooledDatabase) -> None:
    await migrate(database)
    await database.execute_many([("insert into schema_version (version) values ($1)", [(LATEST + 1,)])])
    before = await columns(database)
    with pytest.raises(ServiceError, match=rf"version {LATEST + 1} and this program knows {LATEST}: start the newer"):
        await migrate(database)
    assert await columns(database) == before


async def test_a_step_that_fails_leaves_nothing_of_itself(database: PooledDatabase) -> None:
    await database.execute(OLD_TABLES)
    await database.execute("create table sessions (theirs int)")  # in the way of a later statement of the step
    with pytest.raises(ServiceError, match="sessions"):
        await migrate(database)
    assert await tables(database) == {"trades", "sessions"}
    await database.execute("drop table sessions")
    await migrate(database)
    assert await tables(database) == TABLES


async def test_bots_that_start_at_once_make_the_tables_once(database_url: str, schema: str) -> None:
    bots = [await PooledDatabase.open(database_url, schema, JSON, size=1) for _ in range(4)]
    assert await asyncio.gather(*(migrate(bot) for bot in bots)) == [LATEST] * 4
    assert await versions(bots[0]) == list(range(1, LATEST + 1))
    assert await bots[0].fetchrow("select count(*) from bot") == (1,)
    for bot in bots:
        await bot.close()


async def test_two_schemas_of_one_database_are_two_databases(
    database: PooledDatabase, database_url: str, schema: str
) -> None:
    await migrate(database)
    await database.execute(f"create schema {schema}_b")
    other = await PooledDatabase.open(database_url, f"{schema}_b", JSON, size=1)
    try:
        await migrate(other)
        assert len({await identity(database), await identity(other)}) == 2
        assert [await begin_session(one, strategy="m", stack="s") for one in (database, other)] == [1, 1]
    finally:
        await other.execute(f"drop schema {schema}_b cascade")
        await other.close()


async def test_it_needs_no_pool(database: PooledDatabase, database_url: str, schema: str) -> None:
    await migrate(PerCallDatabase(database_url, schema, JSON))
    assert await tables(database) == TABLES


async def test_every_start_has_an_epoch_of_its_own_also_when_many_start_at_once(database: PooledDatabase) -> None:
    await migrate(database)
    assert await begin_session(database, strategy="momentum", stack="asyncio+json+none") == 1
    many = await asyncio.gather(*(begin_session(database, strategy="m", stack="s") for _ in range(10)))
    assert sorted(many) == list(range(2, 12))
    await end_session(database, 1)
    row = await database.fetchrow(
        "select strategy, stack, ended_at >= started_at, (select count(*) from sessions where ended_at is null)"
        " from sessions where epoch = 1"
    )
    assert row == ("momentum", "asyncio+json+none", True, 10)
