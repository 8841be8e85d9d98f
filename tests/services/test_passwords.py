from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import asyncpg
import pytest

from harness.errors import ServiceError
from harness.services.opening import open_services

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from harness.services.server import Server


@pytest.fixture
def guarded_postgresql(environ: Mapping[str, str], wheels: object) -> Iterator[Server]:  # noqa: ARG001 - skips
    with open_services("wheel", environ=environ, want=("postgresql",)) as services:
        server = services.postgresql
        assert server.folder is not None
        asyncio.run(_guard(server))
        yield server


async def _guard(server: Server) -> None:
    assert server.folder is not None
    connection = await asyncpg.connect(server.url)
    try:
        await connection.execute("alter role postgres password 'p@ss/word'")
        rules = server.folder / "data" / "pg_hba.conf"
        rules.write_text("host all all 127.0.0.1/32 scram-sha-256\n", encoding="utf-8")
        await connection.execute("select pg_reload_conf()")
    finally:
        await connection.close()


def test_postgresql_with_a_password_is_reached_and_its_password_never_shown(guarded_postgresql: Server) -> None:
    port = urlsplit(guarded_postgresql.url).port
    url = f"postgresql://postgres:p%40ss%2Fword@127.0.0.1:{port}/postgres?sslmode=disable"
    with open_services("url", environ={"DATABASE_URL": url}, want=("postgresql",)) as services:
        server = services.postgresql
        assert server.url == url
        assert "word" not in server.redacted_url
        assert "word" not in repr(services)


def test_a_wrong_password_is_refused_in_a_sentence(guarded_postgresql: Server) -> None:
    port = urlsplit(guarded_postgresql.url).port
    url = f"postgresql://postgres:geheim@127.0.0.1:{port}/postgres?sslmode=disable"
    with (
        pytest.raises(ServiceError, match="refuses the user or password") as caught,
        open_services("url", environ={"DATABASE_URL": url}, want=("postgresql",)),
    ):
        pass
    assert "geheim" not in str(caught.value)


@pytest.fixture
def guarded_redis(environ: Mapping[str, str], wheels: object) -> Iterator[int]:  # noqa: ARG001 - skips without
    with open_services("wheel", environ=environ, want=("redis",)) as services:
        assert services.redis is not None
        port = urlsplit(services.redis.url).port or 0
        with socket.create_connection(("127.0.0.1", port)) as connection:
            connection.sendall(b"CONFIG SET requirepass secret:1\r\n")
            assert connection.recv(100) == b"+OK\r\n"
        yield port


def test_redis_with_a_password_is_reached(guarded_redis: int) -> None:
    url = f"redis://:secret%3A1@127.0.0.1:{guarded_redis}/0"
    with open_services("url", environ={"REDIS_URL": url}, want=("redis",)) as services:
        assert services.redis is not None
        assert "secret" not in services.redis.redacted_url
        assert "secret" not in repr(services)


@pytest.mark.parametrize("userinfo", ["", ":geheim@", "default:geheim@", "nobody:geheim@"])
def test_redis_refuses_a_missing_or_wrong_password_in_a_sentence(guarded_redis: int, userinfo: str) -> None:
    url = f"redis://{userinfo}127.0.0.1:{guarded_redis}/0"
    with (
        pytest.raises(ServiceError, match="refuses the user or password") as caught,
        open_services("url", environ={"REDIS_URL": url}, want=("redis",)),
    ):
        pass
    assert "geheim" not in str(caught.value)
