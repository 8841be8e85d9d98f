from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import asyncpg
import pytest

from harness.backends.registry import registry
from harness.bot.storage.database import PerCallDatabase, PooledDatabase, checked_schema, create_schema, drop_schema
from harness.bot.storage.failures import DataRefused, Unreachable
from harness.errors import ServiceError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from harness.bot.storage.database import Database
    from harness.services.server import Server
    from tests.bot.servers import Mortal

SECRET = "hunter2"  # noqa: S105 - what must not be shown
JSON = registry().codec("json")


@pytest.fixture(params=["pooled", "per call"])
async def database(request: pytest.FixtureRequest, database_url: str, schema: str) -> AsyncIterator[Database]:
    opened: Database = (
        await PooledDatabase.open(database_url, schema, JSON, size=2)
        if request.param == "pooled"
        else PerCallDatabase(database_url, schema, JSON)
    )
    yield opened
    await opened.close()


@pytest.fixture
def dead_url() -> str:
    """Where nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return f"postgresql://bot:{SECRET}@127.0.0.1:{taken.getsockname()[1]}/trades"


async def everything(url: str) -> list[Callable[[], Awaitable[object]]]:
    """Every way to reach a server."""
    return [
        lambda: PooledDatabase.open(url, "public", JSON),
        lambda: PerCallDatabase(url, "public", JSON).fetchrow("select 1"),
        lambda: PerCallDatabase(url, "public", JSON).execute_many([("select 1", [()])]),
        lambda: create_schema(url, "anything"),
        lambda: drop_schema(url, "anything"),
    ]


async def errors_of(url: str) -> list[str]:
    texts = []
    for ask in await everything(url):
        with pytest.raises(ServiceError) as raised:
            await ask()
        texts.append(str(raised.value))
    return texts


async def test_a_row_comes_back_as_a_tuple_and_none_as_an_empty_one(database: Database) -> None:
    assert await database.fetchrow("select $1::int, $2::text", 5, "x") == (5, "x")
    assert await database.fetchrow("select 1 where false") == ()


async def test_statements_are_done_all_or_none(database: Database) -> None:
    await database.execute_many([("create table t (n int primary key)", [()])])
    await database.execute_many([("insert into t values ($1)", [(1,), (2,)])])
    with pytest.raises(ServiceError, match="duplicate key"):
        await database.execute_many([("insert into t values ($1)", [(3,)]), ("insert into t values ($1)", [(1,)])])
    assert await database.fetchrow("select count(*) from t") == (2,)


async def test_a_schema_of_its_own_is_all_that_it_sees(database: Database, database_url: str, schema: str) -> None:
    await database.execute_many([("create table only_here (n int)", [()])])
    (found,) = await database.fetchrow("select schemaname from pg_tables where tablename = 'only_here'")
    assert found == schema
    other = PerCallDatabase(database_url, "public", JSON)
    with pytest.raises(ServiceError, match="only_here"):
        await other.fetchrow("select * from only_here")


async def test_json_goes_through_the_codec_and_comes_back_equal(
    database_url: str, schema: str, codec_name: str
) -> None:
    value: dict[str, Any] = {"a": [1, -2.5, None, True, "é\u5e01\n"], "b": {"c": {}}, "d": 2**53, "e": 1e-7}
    database = await PooledDatabase.open(database_url, schema, registry().codec(codec_name), size=1)
    assert await database.fetchrow("select $1::jsonb", value) == (value,)
    assert await database.fetchrow("select $1::jsonb", {"price": Decimal("0.10")}) == ({"price": "0.10"},)
    assert await database.fetchrow("select $1::jsonb->>'x'", {"x": "text"}) == ("text",)
    await database.execute_many([("create table t (n int, j jsonb)", [()])])
    per_call = PerCallDatabase(database_url, schema, registry().codec(codec_name))
    writers: list[Database] = [database, per_call]
    for number, writer in enumerate(writers):
        await writer.execute_many([("insert into t values ($1, $2)", [(number, value)])])
        assert await database.fetchrow("select j from t where n = $1", number) == (value,)
    (text,) = await per_call.fetchrow("select j from t where n = 1")
    assert json.loads(text) == value
    await database.close()


async def test_a_pool_keeps_its_connections_and_a_call_its_own(database_url: str, schema: str) -> None:
    pooled = await PooledDatabase.open(database_url, schema, JSON, size=1)
    assert len({await pooled.fetchrow("select pg_backend_pid()") for _ in range(5)}) == 1
    await pooled.close()
    per_call = PerCallDatabase(database_url, schema, JSON)
    assert len({await per_call.fetchrow("select pg_backend_pid()") for _ in range(5)}) == 5


async def test_a_statement_outside_a_transaction_is_possible(database_url: str, schema: str) -> None:
    database = await PooledDatabase.open(database_url, schema, JSON, size=1)
    await database.execute("create table t (n int)")
    await database.execute("vacuum t")
    with pytest.raises(ServiceError, match="no_such_table"):
        await database.execute("vacuum no_such_table")
    await database.close()


async def test_nobody_there_is_said_without_the_password(dead_url: str) -> None:
    for text in await errors_of(dead_url):
        assert "does not answer" in text
        assert f"127.0.0.1:{urlsplit(dead_url).port}" in text
        assert SECRET not in text


@pytest.mark.parametrize(
    "url",
    [
        "",
        "mysql://bot:hunter2@localhost/trades",
        "bot:hunter2@localhost/trades",
        "postgresql://bot:hunter2/x@localhost/trades",
        "postgresql://bot:hunter2@localhost:port/trades",
        "postgresql://bot:hunter2@[::1/trades",
    ],
)
async def test_what_is_no_address_is_refused_with_a_model_of_one(url: str) -> None:
    for text in await errors_of(url):
        assert "postgresql://user:password@host" in text
        assert SECRET not in text


async def test_a_wrong_password_is_said_without_it(own_postgresql: Server) -> None:
    if own_postgresql.folder is None:
        pytest.skip("the server's rules of access cannot be reached")
    connection = await asyncpg.connect(own_postgresql.url)
    await connection.execute("alter role postgres password 'right'")
    rules = own_postgresql.folder / "data" / "pg_hba.conf"
    rules.write_text("host all all 127.0.0.1/32 scram-sha-256\n", encoding="utf-8")
    await connection.execute("select pg_reload_conf()")
    await connection.close()
    port = urlsplit(own_postgresql.url).port
    await _until_refused(own_postgresql.url)
    for text in await errors_of(f"postgresql://postgres:{SECRET}@127.0.0.1:{port}/postgres"):
        assert "password authentication failed" in text
        assert SECRET not in text
    good = PerCallDatabase(f"postgresql://postgres:right@127.0.0.1:{port}/postgres", "public", JSON)
    assert await good.fetchrow("select 1") == (1,)


async def _until_refused(url: str) -> None:
    """New rules of access come into force when the server has read them."""
    for _ in range(1_000):
        try:
            connection = await asyncpg.connect(url)
        except (asyncpg.InvalidPasswordError, asyncpg.InterfaceError):
            return
        await connection.close()
    pytest.fail("the server never read its new rules")


async def test_a_server_that_dies_in_the_middle_is_said(own_postgresql: Server) -> None:
    if own_postgresql.pid is None:
        pytest.skip("the server is not ours to end")
    pooled = await PooledDatabase.open(own_postgresql.url, "public", JSON, size=1)
    waiting = asyncio.create_task(pooled.fetchrow("select pg_sleep(60)"))
    while not await _sleeps(own_postgresql.url):
        pass
    os.kill(own_postgresql.pid, signal.SIGQUIT)  # at once, its connections too
    with pytest.raises(ServiceError, match=r"PostgreSQL at .* failed"):
        await waiting
    for ask in (pooled.fetchrow("select 1"), pooled.execute_many([("select 1", [()])]), pooled.execute("select 1")):
        with pytest.raises(ServiceError):
            await ask
    await pooled.close()


async def _sleeps(url: str) -> bool:
    connection = await asyncpg.connect(url)
    try:
        return bool(await connection.fetchval("select count(*) from pg_stat_activity where wait_event = 'PgSleep'"))
    finally:
        await connection.close()


async def test_all_rows_come_back_as_tuples(database: Database) -> None:
    assert await database.fetch("select n, n * 2 from generate_series(1, $1::int) as n", 3) == [(1, 2), (2, 4), (3, 6)]
    assert await database.fetch("select 1 where false") == []
    assert await database.fetch("select '{\"a\": [1]}'::jsonb") == [({"a": [1]},)]


async def test_a_transaction_sees_its_own_rows_and_is_undone_by_any_error(database: Database) -> None:
    await database.execute_many([("create table t (n int primary key)", [()])])
    async with database.transaction() as transaction:
        await transaction.execute_many("insert into t values ($1)", [(1,), (2,)])
        assert await transaction.fetch("select n from t order by n") == [(1,), (2,)]
        assert await database.fetchrow("select count(*) from t") == (0,)
    with pytest.raises(KeyError):
        await _insert_and_fail(database, KeyError("ours"))
    with pytest.raises(Unreachable):  # whoever raises it, the connection is not to be trusted
        await _insert_and_fail(database, TimeoutError("ours"))
    with pytest.raises(DataRefused):
        await database.execute_many([("insert into t values ($1)", [(3,), ("no number",)])])
    for _ in range(3):  # every connection is as good as before
        assert await database.fetchrow("select count(*) from t") == (2,)


async def _insert_and_fail(database: Database, error: Exception) -> None:
    async with database.transaction() as transaction:
        await transaction.execute_many("insert into t values (9)", [()])
        raise error


async def test_what_was_asked_is_counted(database: Database) -> None:
    await database.fetchrow("select 1")
    await database.fetch("select 1")
    await database.execute_many([("select 1", [()]), ("select 2", [()])])
    with pytest.raises(ServiceError):
        await database.fetchrow("select no_such_column")
    found = database.statistics
    assert (found.queries, found.errors, found.unreachable) == (4, 1, 0)
    assert found.time_ns > 0


async def test_a_pool_works_again_by_itself_after_its_server_was_killed_or_restarted(
    mortal_postgresql: Mortal,
) -> None:
    pooled = await PooledDatabase.open(mortal_postgresql.url, "public", JSON, size=3)
    ends = (mortal_postgresql.kill, mortal_postgresql.stop)
    for number, end in enumerate(ends, start=1):
        end()
        with pytest.raises(Unreachable):
            await pooled.fetchrow("select 1")
        with pytest.raises(Unreachable):
            await pooled.execute_many([("select 1", [()])])
        mortal_postgresql.start()
        await mortal_postgresql.ready()
        answers = await asyncio.gather(*(pooled.fetchrow("select $1::jsonb", {"n": n}) for n in range(10)))
        assert answers == [({"n": n},) for n in range(10)], "the codec is told to new connections too"
        assert pooled.statistics.unreachable == pooled.statistics.errors == 2 * number
    await pooled.close()


async def test_a_server_that_stands_still_costs_no_more_than_the_time_limit(mortal_postgresql: Mortal) -> None:
    pooled = await PooledDatabase.open(mortal_postgresql.url, "public", JSON, size=2, command_timeout_s=0.3)
    mortal_postgresql.freeze()
    for ask in (pooled.fetchrow("select 1"), pooled.execute_many([("select 1", [()])]), pooled.fetch("select 1")):
        with pytest.raises(Unreachable, match="no answer in time"):
            await asyncio.wait_for(ask, 30)
    mortal_postgresql.thaw()
    assert await pooled.fetchrow("select 1") == (1,)
    mortal_postgresql.freeze()
    await asyncio.wait_for(pooled.close(), 30)


async def test_a_statement_that_takes_too_long_ends_on_the_server_too(database_url: str, schema: str) -> None:
    pooled = await PooledDatabase.open(database_url, schema, JSON, size=1, command_timeout_s=0.2)
    with pytest.raises(Unreachable):
        await pooled.fetchrow("select pg_sleep(60)")
    unlimited = PerCallDatabase(database_url, schema, JSON)
    sleepers = "select count(*) from pg_stat_activity where query = 'select pg_sleep(60)' and state = 'active'"
    while await unlimited.fetchrow(sleepers) != (0,):
        pass
    await pooled.close()


@pytest.mark.parametrize("name", ["a", "test_1", "tickproof_ab12cd_ws_flood_12", "z" * 63])
def test_a_harmless_schema_name_is_itself(name: str) -> None:
    assert checked_schema(name) == name


@pytest.mark.parametrize(
    "name", ["", "A", "1a", "_a", "a-b", "a b", "a;drop schema public", 'a"b', "a\n", "é", "z" * 64, "a.b", "a,public"]
)
async def test_any_other_schema_name_is_refused_before_anybody_is_asked(name: str, dead_url: str) -> None:
    with pytest.raises(ValueError, match="no schema name"):
        checked_schema(name)
    for ask in (
        lambda: create_schema(dead_url, name),
        lambda: drop_schema(dead_url, name),
        lambda: PooledDatabase.open(dead_url, name, JSON),
    ):
        with pytest.raises(ValueError, match="no schema name"):
            await ask()
    with pytest.raises(ValueError, match="no schema name"):
        PerCallDatabase(dead_url, name, JSON)
