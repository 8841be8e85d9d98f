from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from typing import TYPE_CHECKING, Any, Protocol, cast

import pytest

from harness.backends.conformance import check_cache, check_returning_cache, check_unreachable_cache
from harness.backends.contracts import CacheStatistics
from harness.backends.patience import Patience
from harness.backends.redis_link import CONNECTIONS
from harness.backends.registry import registry
from harness.services.program import free_port

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
    from contextlib import AbstractAsyncContextManager

    from harness.backends.contracts import Cache
    from harness.backends.redis_cache import RedisCache
    from harness.services.opening import Services

    TcpServer = Callable[[Callable[..., Awaitable[None]]], AbstractAsyncContextManager[int]]


class OwnRedis(Protocol):
    """What the fixture `redis_server` gives."""

    url: str

    def start(self, *flags: str) -> None: ...
    def kill(self) -> None: ...
    def freeze(self) -> None: ...
    def thaw(self) -> None: ...
    def command(self, *words: str, password: str | None = None) -> Any: ...


SECRET = "hunter2-hunter2"  # noqa: S105 - nobody's
LOGGER = "harness.backends.redis_cache"
AWAY = "Redis does not answer, going on without it until it does: "
BACK = "Redis is back after "
#: For tests of what is stored, not of how long a busy machine takes.
PATIENT = Patience(limit_s=5.0)
#: For tests that wait for a return.
KEEN = Patience(limit_s=0.25, tries=2, first_pause_s=0.01, longest_pause_s=0.05, locked_pause_s=0.05)


@pytest.fixture(autouse=True)
def _redis_package(needs: Callable[[str, str], None]) -> None:
    needs("cache", "redis")


@pytest.fixture(autouse=True)
def _logged(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    with caplog.at_level(logging.INFO, logger=LOGGER):
        yield


_LARGE = b"x" * 8_000_000


def made(url: str | None, patience: Patience = PATIENT) -> RedisCache:
    from harness.backends.redis_cache import RedisCache  # noqa: PLC0415 - may be absent

    return RedisCache(url, patience=patience)


@contextlib.asynccontextmanager
async def opened(url: str | None, patience: Patience = PATIENT) -> AsyncIterator[RedisCache]:
    cache = made(url, patience)
    await cache.open()
    try:
        yield cache
    finally:
        await cache.close()
        assert len(asyncio.all_tasks()) == 1, "the cache left a task behind"


async def stored(cache: Cache, key: str, value: bytes, ttl_s: float = 60.0) -> None:
    cache.put(key, value, ttl_s)
    await cache.flush()


async def until(condition: Callable[[], object]) -> None:
    """Returns when it holds; a test that waits for ever is ended by the limit of the whole run."""
    async with asyncio.timeout(30):
        while not condition():  # noqa: ASYNC110 - what it waits for is the cache's own business
            await asyncio.sleep(0.005)


def in_use(cache: RedisCache) -> Callable[[], bool]:
    return lambda: not cache.statistics.away_now


def said(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.name == LOGGER]


# What it stores


def test_it_keeps_every_promise_on_a_real_server(redis_url: str, runner: asyncio.Runner) -> None:
    failures = runner.run(check_cache(lambda: made(redis_url)))
    assert [str(failure) for failure in failures] == []


def test_where_nobody_listens_it_keeps_every_promise_too(runner: asyncio.Runner) -> None:
    url = f"redis://127.0.0.1:{free_port()}/0"
    assert runner.run(check_unreachable_cache(lambda: registry().cache("redis", url))) == []


def test_when_its_server_freezes_and_thaws_it_keeps_every_promise(
    redis_server: OwnRedis, runner: asyncio.Runner
) -> None:
    redis_server.start()

    async def freeze() -> None:
        redis_server.freeze()

    async def thaw() -> None:
        redis_server.thaw()

    failures = runner.run(check_returning_cache(lambda: made(redis_server.url, KEEN), freeze, thaw))
    assert [str(failure) for failure in failures] == []


async def test_when_its_server_is_killed_and_started_again_it_keeps_every_promise(redis_server: OwnRedis) -> None:
    redis_server.start()
    running = True

    async def kill() -> None:
        nonlocal running
        redis_server.kill()
        running = False

    async def start() -> None:
        nonlocal running
        if not running:
            redis_server.start()
        running = True

    failures = await check_returning_cache(lambda: made(redis_server.url, KEEN), kill, start)
    assert [str(failure) for failure in failures] == []


async def test_it_names_the_product_that_answers_not_the_one_it_resembles(own_redis: Services) -> None:
    assert own_redis.redis is not None
    cache = registry().cache("redis", own_redis.redis.url)
    answer = await cache.open()
    await cache.close()
    assert answer == own_redis.redis.product.removeprefix("Redis-compatible: ")


async def test_half_a_surrogate_pair_is_a_key_too(redis_url: str) -> None:
    async with opened(redis_url) as cache:
        await stored(cache, "half \ud83d", b"value")
        assert await cache.get("half \ud83d") == b"value"
        await cache.delete("half \ud83d")
        assert await cache.get("half \ud83d") is None
    assert cache.statistics == CacheStatistics(hits=1, misses=1, writes=1)


async def test_a_value_that_is_none_fails_alone(redis_url: str, caplog: pytest.LogCaptureFixture) -> None:
    async with opened(redis_url) as cache:
        await stored(cache, "no value", cast("bytes", None))
        await stored(cache, "value", b"x")
        assert await cache.get("value") == b"x"
        await cache.delete("value")
    assert cache.statistics == CacheStatistics(hits=1, writes=1, errors=1)
    assert len(said(caplog)) == 1


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
    assert (cache.statistics.writes, cache.statistics.dropped, cache.statistics.errors) == (4, 2, 0)


async def test_a_hit_that_another_bot_put_is_a_hit(redis_url: str) -> None:
    async with opened(redis_url) as one, opened(redis_url) as other:
        await stored(one, "shared", b"value")
        assert await other.get("shared") == b"value"
        await one.delete("shared")
        assert await other.get("shared") is None
        assert other.statistics == CacheStatistics(hits=1, misses=1)
        await other.close()


async def test_what_look_ups_waited_for_is_told(redis_url: str) -> None:
    async with opened(redis_url) as cache:
        for _ in range(5):
            await cache.get("never put")
    waited = cache.statistics.latency
    assert waited.count == sum(waited.buckets) == 5
    assert 0 < waited.mean_ms <= waited.max_ms


# Addresses


@pytest.mark.parametrize("url", [None, ""])
async def test_without_a_url_it_says_so_in_the_seeds_own_line_and_is_no_error(
    url: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    async with opened(url) as cache:
        cache.put("key", b"value", 5.0)
        await cache.delete("key")
        assert await cache.get("key") is None
    assert said(caplog) == ["REDIS_URL not set (optional): Redis cache disabled"]
    assert caplog.records[0].levelname == "INFO"
    assert cache.statistics == CacheStatistics(away_now=True)


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/",
        "redis://127.0.0.1:99999/0",
        "redis://127.0.0.1:port/0",
        "nonsense",
        "redis://[::1/0",
        f"redis://user:{SECRET}/@127.0.0.1:6379/0",
        "redis://127.0.0.1/0?socket_timeout=soon",
    ],
)
async def test_a_url_that_is_none_disables_the_cache(url: str, caplog: pytest.LogCaptureFixture) -> None:
    cache = registry().cache("redis", url)
    assert await cache.open() == ""
    cache.put("key", b"value", 5.0)
    assert await cache.get("key") is None
    await cache.close()
    (line,) = said(caplog)
    assert line.startswith("REDIS_URL cannot be read, Redis cache disabled: it must be redis://user:password@host:6379")
    assert "%2F %3A %40" in line
    assert SECRET not in line
    assert cache.statistics == CacheStatistics(errors=1, away_now=True)


async def test_an_option_that_the_library_does_not_know_raises_nothing(
    redis_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with opened(f"{redis_url}?frobnicate=1", KEEN) as cache:
        assert await cache.get("key") is None
    assert "frobnicate" in said(caplog)[0]
    assert len(said(caplog)) == 1


# Away, and back


async def test_a_server_that_is_away_is_logged_once_without_the_password(caplog: pytest.LogCaptureFixture) -> None:
    async with opened(f"redis://:{SECRET}@127.0.0.1:{free_port()}/0", KEEN) as cache:
        for _ in range(3):
            assert await cache.get("key") is None
            cache.put("key", b"value", 5.0)
            await cache.delete("key")
    (line,) = said(caplog)
    assert line.startswith(AWAY)
    assert SECRET not in caplog.text
    assert cache.statistics == CacheStatistics(errors=1, skipped=3, dropped=3, outages=1, away_now=True)


async def test_a_server_that_starts_after_the_bot_is_used_from_then_on(
    redis_server: OwnRedis, caplog: pytest.LogCaptureFixture
) -> None:
    async with opened(redis_server.url, KEEN) as cache:
        assert cache.statistics.away_now
        redis_server.start()
        await until(in_use(cache))
        await stored(cache, "key", b"value")
        assert await cache.get("key") == b"value"
    away, back = said(caplog)
    assert away.startswith(AWAY)
    assert back.startswith(BACK)
    assert (cache.statistics.errors, cache.statistics.outages) == (1, 1)


async def test_a_server_that_is_killed_and_started_again_is_missed_once_and_used_again(
    redis_server: OwnRedis, caplog: pytest.LogCaptureFixture
) -> None:
    redis_server.start()
    async with opened(redis_server.url, KEEN) as cache:
        await stored(cache, "key", b"value")
        assert await cache.get("key") == b"value"
        redis_server.kill()
        assert [await cache.get("key") for _ in range(100)] == [None] * 100
        cache.put("key", b"value", 60.0)
        await cache.flush()
        assert (cache.statistics.errors, cache.statistics.skipped, cache.statistics.dropped) == (1, 99, 1)
        redis_server.start()
        await until(in_use(cache))
        assert await cache.get("key") is None
        await stored(cache, "key", b"again")
        assert await cache.get("key") == b"again"
    away, back = said(caplog)
    assert away.startswith(AWAY)
    assert back.startswith(BACK)
    assert cache.statistics.outages == 1


async def test_a_frozen_server_costs_a_look_up_its_limit_and_no_further_one_anything(
    redis_server: OwnRedis, caplog: pytest.LogCaptureFixture
) -> None:
    redis_server.start()
    async with opened(redis_server.url, Patience(limit_s=0.05, longest_pause_s=0.1)) as cache:
        await stored(cache, "key", b"value")
        redis_server.freeze()
        began = time.monotonic()
        # More than there are connections: those that wait for one do not each wait for a limit.
        assert await asyncio.gather(*(cache.get("key") for _ in range(50))) == [None] * 50
        cache.put("key", b"other", 60.0)
        await cache.delete("key", "another")
        assert await cache.get("key") is None
        assert time.monotonic() - began < 2
        asked = cache.statistics.latency.count
        assert [await cache.get("key") for _ in range(1_000)] == [None] * 1_000
        assert cache.statistics.latency.count == asked
        assert cache.statistics.skipped >= 1_001
        assert cache.statistics.errors <= CONNECTIONS
        redis_server.thaw()
        await until(in_use(cache))
        assert await cache.get("key") is None  # deleted, though the server could not be told then
        await stored(cache, "key", b"new")
        assert await cache.get("key") == b"new"
    away, back = said(caplog)
    assert away.startswith(AWAY)
    assert "no answer within 50 ms" in away
    assert back.startswith(BACK)
    assert cache.statistics.outages == 1


async def test_what_a_frozen_server_held_and_nobody_deleted_is_used_again(redis_server: OwnRedis) -> None:
    redis_server.start()
    async with opened(redis_server.url, KEEN) as cache:
        await stored(cache, "kept", b"value")
        redis_server.freeze()
        assert await cache.get("kept") is None
        redis_server.thaw()
        await until(in_use(cache))
        assert await cache.get("kept") == b"value"


async def test_a_write_that_a_frozen_server_executes_late_does_not_come_back(redis_server: OwnRedis) -> None:
    redis_server.start()
    async with opened(redis_server.url, KEEN) as cache:
        await stored(cache, "key", b"old")
        redis_server.freeze()
        await stored(cache, "key", b"late")
        assert cache.statistics.away_now
        assert cache.statistics.writes == 1
        redis_server.thaw()
        await until(in_use(cache))
        assert await cache.get("key") is None
        assert redis_server.command("get", "key") is None


async def test_a_frozen_server_does_not_hold_up_the_close(redis_server: OwnRedis) -> None:
    redis_server.start()
    async with opened(redis_server.url, KEEN) as cache:
        redis_server.freeze()
        for number in range(100):
            cache.put(f"key-{number}", b"x" * 100_000, 60.0)
        began = time.monotonic()
        await cache.close()
        assert time.monotonic() - began < 5
        assert await cache.get("key-0") is None
    assert cache.statistics.dropped == 99


async def test_too_many_deletes_in_an_outage_are_waited_out(
    redis_server: OwnRedis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("harness.backends.redis_cache.MAX_OWED", 3)
    redis_server.start()
    async with opened(redis_server.url, KEEN) as cache:
        keys = [f"key-{number}" for number in range(10)]
        for key in keys:
            cache.put(key, b"old", 1.0)
        await cache.flush()
        redis_server.freeze()
        await cache.get("key-0")
        await cache.delete(*keys)
        assert len(cache._owed) <= 3
        redis_server.thaw()
        await until(in_use(cache))
        for _ in range(150):
            assert {await cache.get(key) for key in keys} == {None}
            await asyncio.sleep(0.01)
        await stored(cache, "key-0", b"new")
        assert await cache.get("key-0") == b"new"


async def test_a_connection_that_was_cut_is_made_again(redis_url: str) -> None:
    async with opened(redis_url, KEEN) as cache:
        await stored(cache, "cut", b"value")
        await _command(redis_url, "client", "kill", "type", "normal")
        await cache.get("cut")
        await until(in_use(cache))
        assert await cache.get("cut") == b"value"
        await cache.delete("cut")
    assert cache.statistics.errors <= 1


@pytest.mark.parametrize(
    "answer", [b"HTTP/1.1 400 Bad\r\n\r\n", b":abc\r\n" * 9, b"$-2\r\n" * 9, b"\0\xff" * 99 + b"\r\n", b"*9\r\n", b""]
)
async def test_a_server_that_is_no_redis_is_as_good_as_none(answer: bytes, tcp_server: TcpServer) -> None:
    async def impostor(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1_000)
        writer.write(answer)

    async with tcp_server(impostor) as port:
        url = f"redis://127.0.0.1:{port}/0"
        failures = await check_unreachable_cache(lambda: made(url, KEEN))
    assert [str(failure) for failure in failures] == []


async def test_a_server_that_never_answers_is_tried_a_few_times_at_the_start(
    caplog: pytest.LogCaptureFixture, tcp_server: TcpServer
) -> None:
    asked = []

    async def mute(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        asked.append(await reader.read())

    patience = Patience(limit_s=0.02, tries=3, first_pause_s=0.01, longest_pause_s=60.0)
    async with tcp_server(mute) as port:
        cache = made(f"redis://:{SECRET}@127.0.0.1:{port}/0", patience)
        assert await cache.open() == ""
        assert cache.statistics == CacheStatistics(errors=1, outages=1, away_now=True)
        await cache.close()
    assert len(asked) == 3
    (line,) = said(caplog)
    assert line == f"{AWAY}no answer within 80 ms"


# Answers that are errors


async def test_a_wrong_password_is_said_once_without_it_and_asked_again_until_it_is_right(
    redis_server: OwnRedis, caplog: pytest.LogCaptureFixture
) -> None:
    redis_server.start("--requirepass", "another")
    async with opened(redis_server.url.replace("redis://", f"redis://:{SECRET}@"), KEEN) as cache:
        assert await cache.get("key") is None
        with pytest.raises(Exception, match="Authentication required"):
            redis_server.command("ping")
        redis_server.kill()
        redis_server.start("--requirepass", SECRET)
        await until(in_use(cache))
        await stored(cache, "key", b"value")
        assert await cache.get("key") == b"value"
    refused, *others, back = said(caplog)
    assert refused.startswith("Redis refuses the password, going on without it until it is accepted: ")
    assert others == []
    assert back.startswith(BACK)
    assert SECRET not in caplog.text


async def test_a_server_that_wants_a_password_and_gets_none_is_asked_slowly(
    redis_server: OwnRedis, caplog: pytest.LogCaptureFixture
) -> None:
    redis_server.start("--requirepass", SECRET)
    rejected = [0]
    for tries in (1, 9):
        patience = Patience(limit_s=0.25, tries=tries, first_pause_s=0.001, longest_pause_s=0.001, locked_pause_s=60.0)
        caplog.clear()
        async with opened(redis_server.url, patience) as cache:
            assert await cache.get("key") is None
            await asyncio.sleep(0.1)
        rejected.append(_rejected(redis_server.command("info", "commandstats", password=SECRET)))
    assert rejected[2] == 2 * rejected[1] > 0
    (line,) = said(caplog)
    assert line.startswith("Redis refuses the password")
    assert await check_unreachable_cache(lambda: made(redis_server.url, KEEN)) == []


async def test_a_full_server_goes_on_answering_and_is_written_to_again_when_there_is_room(
    redis_server: OwnRedis, caplog: pytest.LogCaptureFixture
) -> None:
    redis_server.start("--maxmemory-policy", "noeviction")
    async with opened(redis_server.url, KEEN) as cache:
        await stored(cache, "before", b"value")
        redis_server.command("config", "set", "maxmemory", "1")
        for number in range(5):
            await stored(cache, f"full-{number}", b"value")
            assert await cache.get("before") == b"value"
            assert await cache.get(f"full-{number}") is None
        await cache.delete("before")  # for that there is room
        assert await cache.get("before") is None
        assert (cache.statistics.errors, cache.statistics.writes) == (5, 1)
        assert (cache.statistics.outages, cache.statistics.away_now) == (0, False)
        redis_server.command("config", "set", "maxmemory", "0")
        await stored(cache, "after", b"value")
        assert await cache.get("after") == b"value"
    (line,) = said(caplog)
    assert line.startswith("Redis refuses an operation (OutOfMemoryError), going on without its answer: ")


async def test_a_value_that_was_to_be_replaced_and_could_not_be_stays_deleted(redis_server: OwnRedis) -> None:
    redis_server.start("--maxmemory-policy", "noeviction")
    async with opened(redis_server.url, KEEN) as cache:
        await stored(cache, "key", b"old")
        redis_server.command("config", "set", "maxmemory", "1")
        deleting = asyncio.ensure_future(cache.delete("key"))
        await asyncio.sleep(0)
        await stored(cache, "key", b"new")
        await deleting
        assert await cache.get("key") is None


async def test_a_key_of_another_type_is_a_miss_and_soon_an_ordinary_one(
    redis_server: OwnRedis, caplog: pytest.LogCaptureFixture
) -> None:
    redis_server.start()
    redis_server.command("rpush", "key", "one", "two")
    async with opened(redis_server.url, KEEN) as cache:
        assert await cache.get("key") is None
        await cache.flush()
        assert redis_server.command("exists", "key") == 0
        assert await cache.get("key") is None
        await stored(cache, "key", b"value")
        assert await cache.get("key") == b"value"
    (line,) = said(caplog)
    assert line.startswith("Redis refuses an operation (WRONGTYPE), going on without its answer: ")
    assert cache.statistics == CacheStatistics(hits=1, misses=1, writes=1, errors=1)


async def test_a_replica_that_may_not_be_written_to_gives_out_nothing_that_was_deleted(
    redis_server: OwnRedis, caplog: pytest.LogCaptureFixture
) -> None:
    redis_server.start()
    async with opened(redis_server.url, KEEN) as cache:
        await stored(cache, "key", b"old")
        await stored(cache, "other", b"value")
        redis_server.command("config", "set", "replica-serve-stale-data", "yes")
        redis_server.command("replicaof", "127.0.0.1", str(free_port()))
        await cache.delete("key")
        assert redis_server.command("get", "key") == b"old"
        assert await cache.get("key") is None
        assert await cache.get("other") == b"value"
        await stored(cache, "key", b"new")
        assert await cache.get("key") is None
        redis_server.command("replicaof", "no", "one")
        await stored(cache, "key", b"new")
        assert await cache.get("key") == b"new"
        assert cache.statistics.outages == 0
    (line,) = said(caplog)
    assert line.startswith("Redis refuses an operation (ReadOnlyError)")


async def test_a_user_who_may_not_do_everything_may_still_use_the_cache(redis_server: OwnRedis) -> None:
    redis_server.start()
    redis_server.command("acl", "setuser", "bot", "on", ">secret", "~*", "+get", "+set")
    async with opened(redis_server.url.replace("redis://", "redis://bot:secret@"), KEEN) as cache:
        assert in_use(cache)()
        await stored(cache, "key", b"value")
        assert await cache.get("key") == b"value"
        await cache.delete("key")  # refused
        assert await cache.get("key") is None
        await stored(cache, "key", b"new")
        assert await cache.get("key") == b"new"
        await cache.delete("key")
        cache.put("key", _LARGE, 60.0)
        await until(lambda: not cache._waiting)  # it is being sent
        await cache.delete("key")
        await cache.flush()
        assert await cache.get("key") is None
        redis_server.command("acl", "setuser", "bot", "-get")
        assert await cache.get("key") is None
        assert in_use(cache)()


# Many at once


async def test_a_delete_waits_for_a_write_of_its_key_that_is_being_sent(redis_url: str) -> None:
    async with opened(redis_url) as cache:
        cache.put("large", _LARGE, 60.0)
        await until(lambda: not cache._waiting)
        await cache.delete("large")
        assert await cache.get("large") is None
        assert cache.statistics.writes == 1


async def test_one_who_waits_in_vain_for_a_connection_says_nothing_against_the_server(redis_url: str) -> None:
    async with opened(redis_url, Patience(limit_s=0.05)) as cache, contextlib.AsyncExitStack() as taken:
        for _ in range(CONNECTIONS):
            await taken.enter_async_context(cache._slots)
        assert await cache.get("key") is None
        assert cache.statistics == CacheStatistics(skipped=1)


async def test_a_failure_from_before_an_outage_is_none_of_the_server_that_came_back(redis_url: str) -> None:
    async with opened(redis_url, KEEN) as cache:
        assert cache._link is not None
        session = cache._link.session
        cache._link.failed(TimeoutError(), session)
        await until(in_use(cache))
        cache._link.failed(TimeoutError(), session)
        assert in_use(cache)()
        assert (cache.statistics.errors, cache.statistics.outages) == (2, 1)


async def test_a_server_that_comes_and_goes_is_asked_ever_less_often(redis_url: str) -> None:
    patience = Patience(limit_s=0.25, first_pause_s=0.01, longest_pause_s=0.2)
    async with opened(redis_url, patience) as cache:
        link = cache._link
        assert link is not None
        spans = []
        for _ in range(4):
            link.failed(TimeoutError(), link.session)
            spans.append(link._pauses._span_s)
            await until(in_use(cache))
        assert spans == [0.01, 0.02, 0.04, 0.08]
        await asyncio.sleep(0.25)  # longer than the longest pause: it is to be relied on again
        link.failed(TimeoutError(), link.session)
        assert link._pauses._span_s == 0.01


async def test_a_delete_ends_a_write_that_waits(redis_url: str) -> None:
    async with opened(redis_url) as cache:
        for number in range(50):
            cache.put(f"many-{number}", b"x", 60.0)
        await cache.delete(*(f"many-{number}" for number in range(1, 50)))
        await cache.flush()
        values = [await cache.get(f"many-{number}") for number in range(50)]
        await cache.delete("many-0")
    assert values == [b"x"] + [None] * 49


async def test_a_close_in_the_middle_of_an_outage_leaves_nothing_behind(redis_server: OwnRedis) -> None:
    redis_server.start()
    async with opened(redis_server.url, KEEN) as cache:
        redis_server.kill()
        await cache.get("key")
        await cache.close()
        await cache.close()
        redis_server.start()
        await asyncio.sleep(0.2)
        assert await cache.get("key") is None


def _rejected(stats: dict[str, dict[str, int]]) -> int:
    """Commands that were not carried out for want of a password, equally many on each connection."""
    return stats.get("cmdstat_client|setinfo", {}).get("rejected_calls", 0)


async def _command(url: str, *words: str) -> None:
    import redis.asyncio  # noqa: PLC0415 - may be absent

    client = redis.asyncio.from_url(url)
    with contextlib.suppress(redis.exceptions.ConnectionError):  # it may have killed its own
        await client.execute_command(*words)  # type: ignore[no-untyped-call]
    await client.aclose()
