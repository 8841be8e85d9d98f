"""PostgreSQL by asyncpg: a pool, or a new connection for every call; JSONB through the codec slot."""

from __future__ import annotations

import asyncio
import contextlib
import re
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeAlias, TypedDict, TypeVar
from urllib.parse import urlsplit

import asyncpg

from harness.bot.storage.failures import FAILURES, DatabaseStatistics, Watch, no_answer
from harness.errors import ServiceError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Iterable, Sequence
    from contextlib import AbstractAsyncContextManager

    from harness.backends.contracts import Codec

    _Connection = asyncpg.Connection[asyncpg.Record] | asyncpg.pool.PoolConnectionProxy[asyncpg.Record]

T = TypeVar("T")

#: SQL, and its rows of arguments.
Statement: TypeAlias = "tuple[str, Sequence[Sequence[object]]]"

#: A schema's name goes into SQL as an identifier, which no parameter can carry: so it is held to plain letters.
_SCHEMA_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")
_LOOPBACK = ("127.0.0.1", "localhost", "::1")
#: jsonb's binary form is this byte and then the text (PostgreSQL source, jsonb_recv).
_JSONB_VERSION = b"\x01"
_TIMEOUT_S = 30.0
_CLOSE_S = 10.0
_EXAMPLE = "postgresql://user:password@host:5432/database"


class Transaction(Protocol):
    """What can be asked in a transaction."""

    async def fetch(self, sql: str, *arguments: object) -> list[tuple[Any, ...]]:
        """All rows."""
        ...

    async def execute_many(self, sql: str, rows: Sequence[Sequence[object]]) -> None:
        """The statement once for each row of arguments."""
        ...


class Database(Protocol):
    """What the data service asks for.

    Raises ServiceError when the server fails, in mid-run too: Unreachable when the same may be asked again later,
    DataRefused when what a row holds is at fault.
    """

    statistics: DatabaseStatistics

    async def fetchrow(self, sql: str, *arguments: object) -> Sequence[Any]:
        """The first row."""
        ...

    async def fetch(self, sql: str, *arguments: object) -> list[tuple[Any, ...]]:
        """All rows."""
        ...

    async def execute_many(self, statements: Iterable[Statement]) -> None:
        """Each statement with its rows of arguments, all in one transaction."""
        ...

    def transaction(self) -> AbstractAsyncContextManager[Transaction]:
        """A transaction: committed when the block ends, rolled back when it raises."""
        ...

    async def close(self) -> None:
        """Disconnect."""
        ...


class PooledDatabase:
    """A pool of connections; taking one and giving it back costs a round trip besides the query's own.

    A connection that broke is replaced when it is next needed: after an outage the pool works again by itself.
    """

    def __init__(self, pool: asyncpg.Pool[asyncpg.Record], url: str, *, command_timeout_s: float | None = None) -> None:
        self.statistics = DatabaseStatistics()
        self._pool = pool
        self._url = url
        self._limit = command_timeout_s

    @classmethod
    async def open(
        cls, url: str, schema: str, codec: Codec, *, size: int = 4, command_timeout_s: float | None = None
    ) -> PooledDatabase:
        """Connect; raises ServiceError when nobody answers or the answer is no.

        A statement, or the wait for a connection, that takes longer than `command_timeout_s` is as good as an absent
        server; None waits for ever.
        """
        options = _options(url, schema, command_timeout_s)

        async def prepare(connection: _Connection) -> None:
            await use_codec(connection, codec)

        # With a least size asyncpg would go on connecting in the background, and say so in its own log.
        pool = asyncpg.create_pool(
            url, min_size=0, max_size=size, max_inactive_connection_lifetime=0, init=prepare, **options
        )
        try:
            await pool
            async with contextlib.AsyncExitStack() as all_of_them:
                for _ in range(size):
                    await all_of_them.enter_async_context(pool.acquire())
        except FAILURES as error:
            pool.terminate()
            raise no_answer(url, error) from error
        return cls(pool, url, command_timeout_s=command_timeout_s)

    async def fetchrow(self, sql: str, *arguments: object) -> Sequence[Any]:
        """The first row, by any free connection."""
        with Watch(self._url, self.statistics):
            async with self._taken() as connection:
                row = await _within(self._limit, connection.fetchrow(sql, *arguments))
        return tuple(row) if row is not None else ()

    async def fetch(self, sql: str, *arguments: object) -> list[tuple[Any, ...]]:
        """All rows, by any free connection."""
        with Watch(self._url, self.statistics):
            async with self._taken() as connection:
                return [tuple(row) for row in await _within(self._limit, connection.fetch(sql, *arguments))]

    async def execute_many(self, statements: Iterable[Statement]) -> None:
        """All in one transaction."""
        async with self.transaction() as transaction:
            for sql, rows in statements:
                await transaction.execute_many(sql, rows)

    @contextlib.asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        """A transaction on any free connection; the time limit is that of each statement."""
        with Watch(self._url, self.statistics):
            async with self._taken() as connection, _in_transaction(connection, self._limit) as transaction:
                yield transaction

    async def execute(self, sql: str) -> None:
        """A statement that may stand in no transaction, such as VACUUM."""
        with Watch(self._url, self.statistics):
            async with self._taken() as connection:
                await _within(self._limit, connection.execute(sql))

    async def close(self) -> None:
        """Wait a little for what is under way, and disconnect."""
        try:
            await _within(min(self._limit or _CLOSE_S, _CLOSE_S), self._pool.close())
        except FAILURES:  # a server that is away cannot be taken leave of
            self._pool.terminate()

    @contextlib.asynccontextmanager
    async def _taken(self) -> AsyncIterator[_Connection]:
        connection = await _within(self._limit, self._pool.acquire())
        try:
            yield connection
        except (
            OSError,
            TimeoutError,
            asyncpg.InterfaceError,
            asyncpg.exceptions.InternalClientError,
            asyncpg.PostgresConnectionError,
            asyncpg.exceptions.OperatorInterventionError,
            asyncio.CancelledError,
        ):
            # Given back in the middle of a statement it would wait until the server owns to have cancelled that one:
            # for ever, when the server is stopped.
            connection.terminate()
            raise
        finally:
            await self._pool.release(connection)


class PerCallDatabase:
    """A new connection for each call: how a bot without a pool pays."""

    def __init__(self, url: str, schema: str, codec: Codec) -> None:
        self.statistics = DatabaseStatistics()
        self._url = url
        self._codec = codec
        self._options = _options(url, schema)

    async def fetchrow(self, sql: str, *arguments: object) -> Sequence[Any]:
        """The first row, by a connection that lives for this call; JSONB comes back as text."""
        async with self._connected() as connection:
            row = await connection.fetchrow(sql, *arguments)
            return tuple(row) if row is not None else ()

    async def fetch(self, sql: str, *arguments: object) -> list[tuple[Any, ...]]:
        """All rows, by a connection that lives for this call."""
        async with self.transaction() as transaction:
            return await transaction.fetch(sql, *arguments)

    async def execute_many(self, statements: Iterable[Statement]) -> None:
        """All in one transaction on one connection."""
        async with self.transaction() as transaction:
            for sql, rows in statements:
                await transaction.execute_many(sql, rows)

    @contextlib.asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        """A transaction on a connection that lives for it."""
        async with self._connected() as connection:
            # Only here is JSONB written or read, and telling a connection of the codec costs it round trips.
            await use_codec(connection, self._codec)
            async with _in_transaction(connection, None) as transaction:
                yield transaction

    async def close(self) -> None:
        """Nothing is kept open."""

    @contextlib.asynccontextmanager
    async def _connected(self) -> AsyncIterator[asyncpg.Connection[asyncpg.Record]]:
        with Watch(self._url, self.statistics, connected=False) as watch:
            connection: asyncpg.Connection[asyncpg.Record] = await asyncpg.connect(self._url, **self._options)
            watch.connected = True
            try:
                yield connection
            finally:
                await connection.close()


class _Statements:
    """The statements of a transaction that somebody else begins and ends."""

    def __init__(self, connection: _Connection, limit: float | None) -> None:
        self._connection = connection
        self._limit = limit

    async def fetch(self, sql: str, *arguments: object) -> list[tuple[Any, ...]]:
        return [tuple(row) for row in await _within(self._limit, self._connection.fetch(sql, *arguments))]

    async def execute_many(self, sql: str, rows: Sequence[Sequence[object]]) -> None:
        await _within(self._limit, self._connection.executemany(sql, rows))


@contextlib.asynccontextmanager
async def _in_transaction(connection: _Connection, limit: float | None) -> AsyncIterator[_Statements]:
    # By hand: asyncpg's own block would send its ROLLBACK after a statement that never ended, and wait for that.
    await _within(limit, connection.execute("begin"))
    try:
        yield _Statements(connection, limit)
        await _within(limit, connection.execute("commit"))
    except (OSError, TimeoutError, asyncpg.InterfaceError, asyncio.CancelledError):
        raise  # no connection to roll back on: the server does when it has noticed
    except BaseException:
        if not connection.is_closed():
            await _within(limit, connection.execute("rollback"))
        raise


async def _within(seconds: float | None, answer: Awaitable[T]) -> T:
    async with asyncio.timeout(seconds):
        return await answer


async def create_schema(url: str, schema: str) -> None:
    """Make sure that the schema is there; raises ServiceError."""
    await _run(url, f"create schema if not exists {checked_schema(schema)}")


async def drop_schema(url: str, schema: str) -> None:
    """Remove the schema and all in it; raises ServiceError."""
    await _run(url, f"drop schema if exists {checked_schema(schema)} cascade")


def checked_schema(schema: str) -> str:
    """The name itself when it is harmless as an SQL identifier; raises ValueError otherwise."""
    if not _SCHEMA_NAME.fullmatch(schema):
        raise ValueError(f"{schema!r} is no schema name: small letters, digits and underscores only")
    return schema


async def use_codec(connection: _Connection, codec: Codec) -> None:
    """JSONB goes through the codec slot, in binary, so that no text is copied twice."""

    def encode(value: object) -> bytes:
        return _JSONB_VERSION + codec.dumps(value)

    def decode(data: bytes) -> object:
        return codec.loads(bytes(data[1:]))

    await connection.set_type_codec("jsonb", encoder=encode, decoder=decode, schema="pg_catalog", format="binary")


async def _run(url: str, sql: str) -> None:
    try:
        connection = await asyncpg.connect(url, **_options(url))
        try:
            await connection.execute(sql)
        finally:
            await connection.close()
    except FAILURES as error:
        raise no_answer(url, error) from error


class _Options(TypedDict):
    server_settings: dict[str, str]
    timeout: float
    ssl: Literal["disable"] | None


def _options(url: str, schema: str = "public", limit: float | None = None) -> _Options:
    settings = {"search_path": checked_schema(schema), "application_name": "tickproof"}
    if limit is not None:
        settings |= {
            "statement_timeout": f"{limit * 1_000:.0f}",
            # What a lost connection had begun must not hold its locks until TCP gives up, hours later.
            "idle_in_transaction_session_timeout": f"{2 * limit * 1_000:.0f}",
        }
    return _Options(
        server_settings=settings,
        timeout=_TIMEOUT_S if limit is None else min(limit, _TIMEOUT_S),
        # On loopback TLS buys nothing, costs a round trip, and looks for certificates in the home folder.
        ssl="disable" if _host_of(url) in _LOOPBACK else None,
    )


def _host_of(url: str) -> str | None:
    # Without an address asyncpg would try whatever the environment and the home folder suggest.
    if not url.startswith(("postgresql://", "postgres://")):
        raise ServiceError(f"no address of a PostgreSQL server: DATABASE_URL must read {_EXAMPLE}")
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:  # whose text may hold a piece of the password
        raise ServiceError(
            f"DATABASE_URL cannot be read: it must be {_EXAMPLE}, with / : @ in a password written as %2F %3A %40"
        ) from None
    return parts.hostname
