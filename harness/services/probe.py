"""Servers asked who they are. Short and synchronous: a handful of bytes each, before anything is measured."""

from __future__ import annotations

import asyncio
import re
import socket
import ssl
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol
from urllib.parse import SplitResult, unquote, urlsplit

from harness.errors import ServiceError
from harness.redact import redact

_ANSWER_SECONDS = 5.0
_POLL_SECONDS = 0.5
_POSTGRESQL = re.compile(r"^PostgreSQL \S+")
#: Fields of `INFO server` by which a product names its own version. Forks also report a `redis_version`, that of the
#: Redis they are compatible with (Valkey 9: 7.2.4), so theirs are asked first.
_VERSION_FIELDS = (
    ("valkey_version", "Redis-compatible: Valkey"),
    ("dragonfly_version", "Redis-compatible: Dragonfly"),
    ("garnet_version", "Redis-compatible: Garnet"),
    ("redis_version", "Redis"),
)


class _Stream(Protocol):
    """A connection read and written as a file."""

    def write(self, data: bytes, /) -> int: ...
    def flush(self) -> None: ...
    def readline(self) -> bytes: ...
    def read(self, size: int, /) -> bytes: ...


def postgresql_product(url: str) -> str:
    """Name and version of the server at a URL, such as "PostgreSQL 18.6".

    Raises ServiceError when it cannot be reached, refuses us, or the URL is none.
    """
    # A thread of its own: the caller may be inside a running event loop.
    with ThreadPoolExecutor(max_workers=1) as thread:
        return thread.submit(asyncio.run, _ask_postgresql(url)).result()


async def _ask_postgresql(url: str) -> str:
    import asyncpg  # noqa: PLC0415 - slow to import, and not needed for a Redis-compatible server

    try:
        connection = await asyncpg.connect(url, timeout=_ANSWER_SECONDS)
        try:
            version = str(await connection.fetchval("select version()", timeout=_ANSWER_SECONDS))
        finally:
            await connection.close(timeout=_ANSWER_SECONDS)
    except asyncpg.InvalidAuthorizationSpecificationError as error:
        raise ServiceError(_refused("PostgreSQL", url, str(error))) from None
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, ValueError) as error:
        raise ServiceError(_silent("PostgreSQL", "DATABASE_URL", url, error)) from None
    known = _POSTGRESQL.match(version)
    return known[0] if known else f"PostgreSQL-compatible: {version[:40]}"


def redis_product(url: str) -> str:
    """Name and version of the server at a URL, such as "Redis-compatible: Valkey 9.1.2" or "Redis 7.4.1".

    Raises ServiceError when it cannot be reached, refuses us, or the URL is none.
    """
    try:
        parts = urlsplit(url)
        with _connect(parts) as connection, connection.makefile("rwb") as stream:
            return _ask_redis(stream, parts, url)
    except (OSError, ValueError) as error:
        raise ServiceError(_silent("Redis", "REDIS_URL", url, error)) from None


def redis_process(port: int) -> int | None:
    """The process id of the server that answers on a port of loopback; None when none does."""
    try:
        with (
            socket.create_connection(("127.0.0.1", port), timeout=_POLL_SECONDS) as connection,
            connection.makefile("rwb") as stream,
        ):
            return int(_fields(_call(stream, "INFO", "server"))["process_id"])
    except (OSError, ValueError, KeyError):
        return None


def _connect(parts: SplitResult) -> socket.socket:
    if parts.scheme == "unix":
        return _open(socket.socket(socket.AF_UNIX), unquote(parts.path))
    if parts.scheme not in {"redis", "rediss"}:
        raise ValueError("the URL begins with none of redis://, rediss://, unix://")
    host = parts.hostname or "localhost"
    connection = socket.create_connection((host, parts.port or 6379), timeout=_ANSWER_SECONDS)
    if parts.scheme == "redis":
        return connection
    with connection:  # handed over to the TLS socket, or closed when that is refused
        return ssl.create_default_context().wrap_socket(connection, server_hostname=host)


def _open(connection: socket.socket, path: str) -> socket.socket:
    connection.settimeout(_ANSWER_SECONDS)
    try:
        connection.connect(path)
    except BaseException:
        connection.close()
        raise
    return connection


def _ask_redis(stream: _Stream, parts: SplitResult, url: str) -> str:
    if parts.password:
        user = [unquote(parts.username)] if parts.username else []
        answer = _call(stream, "AUTH", *user, unquote(parts.password))
        if answer.startswith("-"):
            raise ServiceError(_refused("Redis", url, answer[1:]))
    answer = _call(stream, "PING")
    if answer.startswith(("-NOAUTH", "-NOPERM")):
        raise ServiceError(_refused("Redis", url, answer[1:]))
    if answer != "+PONG":
        raise ValueError(f"it answers a PING with {answer[:40]!r}")
    return _product_in(_call(stream, "INFO", "server"))


def _product_in(info: str) -> str:
    fields = _fields(info)
    for field, product in _VERSION_FIELDS:
        if field in fields:
            return f"{product} {fields[field]}"
    return "Redis-compatible: a server that does not tell its version"


def _fields(info: str) -> dict[str, str]:
    pairs = (line.split(":", 1) for line in info.splitlines() if ":" in line)
    return {name: value.strip() for name, value in pairs}


def _call(stream: _Stream, *words: str) -> str:
    """One command in RESP and its reply: a simple string or an error with its first character, or a bulk string."""
    request = [f"*{len(words)}\r\n".encode()]
    for word in words:
        data = word.encode()
        request.append(b"$%d\r\n%b\r\n" % (len(data), data))
    stream.write(b"".join(request))
    stream.flush()
    line = stream.readline().decode(errors="replace").rstrip("\r\n")
    if not line:
        raise ConnectionResetError("it closed the connection")
    if not line.startswith("$"):
        return line
    length = int(line[1:])
    return stream.read(length + 2)[:length].decode(errors="replace")


def _refused(product: str, url: str, reason: str) -> str:
    return f"{product} at {redact(url)} refuses the user or password of the URL ({redact(reason)}); correct the URL"


def _silent(product: str, variable: str, url: str, error: BaseException) -> str:
    reason = str(error) or type(error).__name__
    return (
        f"no {product} answers at {redact(url)} ({redact(reason)}); "
        f"start it, correct {variable}, or unset {variable} to let tickproof start one"
    )
