from __future__ import annotations

import contextlib
import logging
import os
import signal
import time
from typing import TYPE_CHECKING

import pytest

from harness.backends.conformance import check_cache, check_unreachable_cache
from harness.backends.contracts import CacheStatistics
from harness.backends.registry import registry
from harness.services.program import free_port

if TYPE_CHECKING:
    import asyncio
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
    from contextlib import AbstractAsyncContextManager

    from harness.backends.contracts import Cache
    from harness.services.opening import Services

    TcpServer = Callable[[Callable[..., Awaitable[None]]], AbstractAsyncContextManager[int]]

SECRET = "hunter2-hunter2"  # noqa: S105 - nobody's
LOGGER = "harness.backends.redis_cache"


@pytest.fixture(autouse=True)
def _redis_package(needs: Callable[[str, str], None]) -> None:
    needs("cache", "redis")


@pytest.fixture(autouse=True)
def _logged(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    with caplog.at_level(logging.INFO, logger=LOGGER):
        yield


@contextlib.asynccontextmanager
async def opened(url: str | None) -> AsyncIterator[Cache]:
    cache = registry().cache("redis", url)
    await cache.open()
    try:
        yield cache
    finally:
        await cache.close()


def test_it_keeps_every_promise_on_a_real_server(redis_url: str, runner: asyncio.Runner) -> None:
    failures = runner.run(check_cache(lambda: registry().cache("redis", redis_url)))
    assert [str(failure) for failure in failures] == []


def test_where_nobody_listens_it_keeps_every_promise_too(runner: asyncio.Runner) -> None:
    url = f"redis://127.0.0.1:{free_port()}/0"
    assert runner.run(check_unreachable_cache(lambda: registry().cache("redis", url))) == []


async def test_it_names_the_product_that_answers_not_the_one_it_resembles(own_redis: Services) -> None:
    assert own_redis.redis is not None
    async with opened(None) as cache:
        assert await cache.open() == ""
    cache = registry().cache("redis", own_redis.redis.url)
    answer = await cache.open()
    await cache.close()
    assert answer == own_redis.redis.product.removeprefix("Redis-compatible: ")


@pytest.mark.parametrize("url", [None, ""])
async def test_without_a_url_it_says_so_in_the_seeds_own_line_and_is_no_error(
    url: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    async with opened(url) as cache:
        cache.put("key", b"value", 5.0)
        assert await cache.get("key") is None
    assert [record.getMessage() for record in caplog.records] == ["REDIS_URL not set (optional): Redis cache disabled"]
    assert caplog.records[0].levelname == "INFO"
    assert cache.statistics == CacheStatistics()


async def test_a_server_that_is_away_is_logged_once_without_the_password(caplog: pytest.LogCaptureFixture) -> None:
    async with opened(f"redis://:{SECRET}@127.0.0.1:{free_port()}/0") as cache:
        for _ in range(3):
            assert await cache.get("key") is None
    assert len(caplog.records) == 1
    assert caplog.records[0].getMessage().startswith("Redis does not answer, cache disabled: ")
    assert SECRET not in caplog.text
    assert cache.statistics == CacheStatistics(errors=1)


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1/", "redis://127.0.0.1:99999/0", "redis://127.0.0.1:port/0", "nonsense", "redis://[::1/0"]
)
async def test_a_url_that_is_none_disables_the_cache(url: str, caplog: pytest.LogCaptureFixture) -> None:
    cache = registry().cache("redis", url)
    assert await cache.open() == ""
    assert await cache.get("key") is None
    await cache.close()
    assert len(caplog.records) == 1


@pytest.mark.parametrize(
    "answer", [b"HTTP/1.1 400 Bad\r\n\r\n", b":abc\r\n" * 9, b"$-2\r\n" * 9, b"\0\xff" * 99 + b"\r\n", b"*9\r\n", b""]
)
async def test_a_server_that_is_no_redis_disables_the_cache(answer: bytes, tcp_server: TcpServer) -> None:
    async def impostor(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1_000)
        writer.write(answer)

    async with tcp_server(impostor) as port:
        url = f"redis://127.0.0.1:{port}/0"
        failures = await check_unreachable_cache(lambda: registry().cache("redis", url))
    assert [str(failure) for failure in failures] == []


async def test_a_server_that_never_answers_is_asked_once_and_given_up(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, tcp_server: TcpServer
) -> None:
    monkeypatch.setattr("harness.backends.redis_cache.TIMEOUT_S", 0.05)
    asked = []

    async def mute(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        asked.append(await reader.read())

    async with tcp_server(mute) as port, opened(f"redis://:{SECRET}@127.0.0.1:{port}/0") as cache:
        assert cache.statistics == CacheStatistics(errors=1)
    assert len(asked) == 1
    assert len(caplog.records) == 1
    assert SECRET not in caplog.text


async def test_a_wrong_password_disables_the_cache_and_is_not_shown(
    own_redis: Services, caplog: pytest.LogCaptureFixture
) -> None:
    assert own_redis.redis is not None
    url = own_redis.redis.url
    await _command(url, "config", "set", "requirepass", "right")
    wrong = url.replace("redis://", f"redis://:{SECRET}@")
    assert await check_unreachable_cache(lambda: registry().cache("redis", wrong)) == []
    assert await check_unreachable_cache(lambda: registry().cache("redis", url)) == []
    assert await check_cache(lambda: registry().cache("redis", url.replace("redis://", "redis://:right@"))) == []
    assert SECRET not in caplog.text


async def test_a_server_that_dies_in_mid_run_is_counted_and_raises_nothing(own_redis: Services) -> None:
    assert own_redis.redis is not None
    async with opened(own_redis.redis.url) as cache:
        cache.put("key", b"value", 60.0)
        await cache.flush()
        assert await cache.get("key") == b"value"
        _kill(own_redis)
        assert await cache.get("key") is None
        cache.put("key", b"value", 60.0)
        cache.put("other", b"value", 60.0)
        await cache.flush()
        await cache.delete("key")
        assert await cache.get("key") is None
    counted = cache.statistics
    assert (counted.hits, counted.misses, counted.writes) == (1, 0, 1)
    assert counted.errors == 5  # two gets, two puts of which the second was not tried, a delete


async def test_a_connection_that_was_cut_is_made_again(redis_url: str) -> None:
    async with opened(redis_url) as cache:
        cache.put("cut", b"value", 60.0)
        await cache.flush()
        await _command(redis_url, "client", "kill", "type", "normal")
        values = [await cache.get("cut") for _ in range(3)]
        assert values[-1] == b"value"
        await cache.delete("cut")
    assert cache.statistics.errors <= 1


async def test_writes_beyond_the_bound_are_dropped_and_counted(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.backends.redis_cache.MAX_PENDING", 4)
    async with opened(redis_url) as cache:
        for number in range(6):
            cache.put(f"bound-{number}", b"x", 60.0)
        cache.put("bound-0", b"y", 60.0)  # waits already: replaced, not dropped
        await cache.flush()
        values = [await cache.get(f"bound-{number}") for number in range(6)]
        await cache.delete(*(f"bound-{number}" for number in range(6)))
    assert values == [b"y", b"x", b"x", b"x", None, None]
    assert (cache.statistics.writes, cache.statistics.errors) == (4, 2)


async def test_a_hit_that_another_bot_put_is_a_hit(redis_url: str) -> None:
    async with opened(redis_url) as one, opened(redis_url) as other:
        one.put("shared", b"value", 60.0)
        await one.flush()
        assert await other.get("shared") == b"value"
        await one.delete("shared")
        assert await other.get("shared") is None
    assert other.statistics == CacheStatistics(hits=1, misses=1)


async def _command(url: str, *words: str) -> None:
    import redis.asyncio  # noqa: PLC0415 - may be absent

    client = redis.asyncio.from_url(url)
    with contextlib.suppress(redis.exceptions.ConnectionError):  # it may have killed its own
        await client.execute_command(*words)  # type: ignore[no-untyped-call]
    await client.aclose()


def _kill(services: Services) -> None:
    """End the server that the test itself started, by its process id; returns when it is gone."""
    assert services.redis is not None
    assert services.redis.pid is not None, "this server was not started by the test"
    os.kill(services.redis.pid, signal.SIGKILL)
    while not any(problem() for problem in services.problems):
        time.sleep(0.001)
