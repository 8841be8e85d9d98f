"""PostgreSQL by asyncpg: a pool, or a new connection for every call; JSONB through the codec slot."""

from __future__ import annotations

import contextlib
import re
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypedDict
from urllib.parse import urlsplit

import asyncpg

from harness.errors import ServiceError
from harness.redact import redact

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Sequence

    from harness.backends.contracts import Codec

    _Connection = asyncpg.Connection[asyncpg.Record] | asyncpg.pool.PoolConnectionProxy[asyncpg.Record]

#: A schema's name goes into SQL as an identifier, which no parameter can carry: so it is held to plain letters.
_SCHEMA_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")
_LOOPBACK = ("127.0.0.1", "localhost", "::1")
#: jsonb's binary form is this byte and then the text (PostgreSQL source, jsonb_recv).
_JSONB_VERSION = b"\x01"
_TIMEOUT_S = 30.0
_EXAMPLE = "postgresql://user:password@host:5432/database"
#: What a server that is away, or says no, can make asyncpg raise; its InterfaceError is a lost connection too.
_FAILURES = (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, TimeoutError)


class Database(Protocol):
    """What the data service asks for. Raises ServiceError when the server fails, in mid-run too."""

    async def fetchrow(self, sql: str, *arguments: object) -> Sequence[Any]:
        """The first row."""
        ...

    async def execute_many(self, statements: Iterable[tuple[str, Sequence[Sequence[object]]]]) -> None:
        """Each statement with its rows of arguments, all in one transaction."""
        ...

    async def close(self) -> None:
        """Disconnect."""
        ...


class PooledDatabase:
    """A pool of connections; taking one and giving it back costs a round trip besides the query's own."""

    def __init__(self, pool: asyncpg.Pool[asyncpg.Record], url: str) -> None:
        self._pool = pool
        self._url = url

    @classmethod
    async def open(cls, url: str, schema: str, codec: Codec, *, size: int = 4) -> PooledDatabase:
        """Connect; raises ServiceError when nobody answers or the answer is no."""
        options = _options(url, schema)

        async def prepare(connection: _Connection) -> None:
            await use_codec(connection, codec)

        try:
            pool = await asyncpg.create_pool(url, min_size=size, max_size=size, init=prepare, **options)
        except _FAILURES as error:
            raise _no_answer(url, error) from error
        return cls(pool, url)

    async def fetchrow(self, sql: str, *arguments: object) -> Sequence[Any]:
        """The first row, by any free connection."""
        try:
            row = await self._pool.fetchrow(sql, *arguments)
        except _FAILURES as error:
            raise _failed(self._url, error) from error
        return tuple(row) if row is not None else ()

    async def execute_many(self, statements: Iterable[tuple[str, Sequence[Sequence[object]]]]) -> None:
        """All in one transaction."""
        try:
            async with self._pool.acquire() as connection, connection.transaction():
                for sql, rows in statements:
                    await connection.executemany(sql, rows)
        except _FAILURES as error:
            raise _failed(self._url, error) from error

    async def execute(self, sql: str) -> None:
        """A statement that may stand in no transaction, such as VACUUM."""
        try:
            await self._pool.execute(sql)
        except _FAILURES as error:
            raise _failed(self._url, error) from error

    async def close(self) -> None:
        """Wait for what is under way and disconnect."""
        await self._pool.close()


class PerCallDatabase:
    """A new connection for each call: how a bot without a pool pays."""

    def __init__(self, url: str, schema: str, codec: Codec) -> None:
        self._url = url
        self._codec = codec
        self._options = _options(url, schema)

    async def fetchrow(self, sql: str, *arguments: object) -> Sequence[Any]:
        """The first row, by a connection that lives for this call; JSONB comes back as text."""
        async with self._connected() as connection:
            row = await connection.fetchrow(sql, *arguments)
            return tuple(row) if row is not None else ()

    async def execute_many(self, statements: Iterable[tuple[str, Sequence[Sequence[object]]]]) -> None:
        """All in one transaction on one connection."""
        async with self._connected() as connection:
            # Only what is written holds JSONB, and telling a connection of the codec costs it round trips.
            await use_codec(connection, self._codec)
            async with connection.transaction():
                for sql, rows in statements:
                    await connection.executemany(sql, rows)

    async def close(self) -> None:
        """Nothing is kept open."""

    @contextlib.asynccontextmanager
    async def _connected(self) -> AsyncIterator[asyncpg.Connection[asyncpg.Record]]:
        try:
            connection: asyncpg.Connection[asyncpg.Record] = await asyncpg.connect(self._url, **self._options)
        except _FAILURES as error:
            raise _no_answer(self._url, error) from error
        try:
            yield connection
        except _FAILURES as error:
            raise _failed(self._url, error) from error
        finally:
            await connection.close()


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
    except _FAILURES as error:
        raise _no_answer(url, error) from error


class _Options(TypedDict):
    server_settings: dict[str, str]
    timeout: float
    ssl: Literal["disable"] | None


def _options(url: str, schema: str = "public") -> _Options:
    return _Options(
        server_settings={"search_path": checked_schema(schema), "application_name": "tickproof"},
        timeout=_TIMEOUT_S,
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


def _no_answer(url: str, error: Exception) -> ServiceError:
    return ServiceError(f"PostgreSQL at {redact(url)} does not answer: {_words(error)}")


def _failed(url: str, error: Exception) -> ServiceError:
    return ServiceError(f"PostgreSQL at {redact(url)} failed: {_words(error)}")


def _words(error: Exception) -> str:
    return redact(str(error)) or type(error).__name__
