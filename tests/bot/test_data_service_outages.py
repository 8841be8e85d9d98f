"""The dashboard's answers while Redis is late, killed, frozen, full, locked or holds something else."""

from __future__ import annotations

import asyncio
import logging
import time
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Protocol

import pytest

from harness.backends.patience import Patience
from harness.backends.registry import registry
from harness.bot.ledger import TradeRecord
from harness.bot.storage.data_service import FILTERS, TradingDataService
from harness.bot.storage.database import PooledDatabase

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from harness.backends.redis_cache import RedisCache

JSON = registry().codec("json")
LOGGER = "harness.backends.redis_cache"
DAY = date(2026, 10, 5)
NOON_MS = 1_791_201_600_000
KEEN = Patience(limit_s=0.25, tries=2, first_pause_s=0.01, longest_pause_s=0.05, locked_pause_s=0.05)
SECRET = "hunter2-hunter2"  # noqa: S105 - nobody's


class OwnRedis(Protocol):
    """What the fixture `redis_server` gives."""

    url: str

    def start(self, *flags: str) -> None: ...
    def kill(self) -> None: ...
    def freeze(self) -> None: ...
    def thaw(self) -> None: ...
    def command(self, *words: str) -> Any: ...


def trade(number: int, *, is_closed: bool) -> TradeRecord:
    return TradeRecord(
        trade_id=f"1-{number}-B",
        symbol="BTCUSDT",
        strategy="momentum",
        quantity=Decimal(1),
        entry_price=Decimal(100),
        opened_ms=NOON_MS,
        features={"momentum": 1.5},
        fees=Decimal("0.1"),
        exit_price=Decimal(101) if is_closed else None,
        pnl=Decimal("0.8") if is_closed else None,
        closed_ms=NOON_MS + 1 if is_closed else None,
        reason="take-profit" if is_closed else None,
    )


class Dashboard:
    """Saves trades and asks all questions after each, so that every answer but the right one is seen."""

    def __init__(self, service: TradingDataService, cache: RedisCache) -> None:
        self.service = service
        self.cache = cache
        self._opened = 0
        self._closed = 0

    async def work(self, rounds: int = 10) -> None:
        for _ in range(rounds):
            number = self._opened
            await self.service.save_trade(trade(number, is_closed=False))
            self._opened += 1
            await self._check()
            await self.service.save_trade(trade(number, is_closed=True))
            self._closed += 1
            await self._check()

    async def _check(self) -> None:
        expected = [self._opened, self._closed, self._opened - self._closed]
        for _ in range(2):  # loaded, then remembered where there is a cache
            assert [await self.service.get_trade_count(name) for name in FILTERS] == expected
            day = (await self.service.get_statistics(DAY))["trades"]
            assert day == self._closed

    async def works_from_memory(self) -> None:
        """The cache is in use again, and is hit."""
        async with asyncio.timeout(30):
            while self.cache.statistics.away_now:  # noqa: ASYNC110 - its return is the cache's own business
                await asyncio.sleep(0.005)
        before = self.cache.statistics.hits
        await self.work()
        assert self.cache.statistics.hits > before


@pytest.fixture
async def database(database_url: str, schema: str) -> AsyncIterator[PooledDatabase]:
    opened = await PooledDatabase.open(database_url, schema, JSON, size=2)
    yield opened
    await opened.close()


@pytest.fixture
async def dashboard_at(database: PooledDatabase, caplog: pytest.LogCaptureFixture) -> AsyncIterator[Callable[..., Any]]:
    opened: list[RedisCache] = []

    async def open_one(url: str, patience: Patience = KEEN) -> Dashboard:
        cache: RedisCache = registry().factory("cache", "redis")(url, patience=patience)
        opened.append(cache)
        await cache.open()
        service = TradingDataService(database, cache, JSON)
        await service.migrate()
        return Dashboard(service, cache)

    with caplog.at_level(logging.INFO, logger=LOGGER):
        yield open_one
    for cache in opened:
        await cache.close()


def said(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [" ".join(record.getMessage().split()[:4]) for record in caplog.records if record.name == LOGGER]


AWAY, BACK = "Redis does not answer,", "Redis is back after"


async def test_redis_that_is_away_at_the_start_and_comes_later(
    dashboard_at: Callable[..., Any], redis_server: OwnRedis, caplog: pytest.LogCaptureFixture
) -> None:
    dashboard = await dashboard_at(redis_server.url)
    await dashboard.work()
    assert dashboard.cache.statistics.hits == 0
    assert dashboard.service.get_stats().state == "away"
    redis_server.start()
    await dashboard.works_from_memory()
    assert dashboard.service.get_stats().state == "active"
    assert said(caplog) == [AWAY, BACK]


async def test_redis_that_is_killed_in_mid_run_and_started_again(
    dashboard_at: Callable[..., Any], redis_server: OwnRedis, caplog: pytest.LogCaptureFixture
) -> None:
    redis_server.start()
    dashboard = await dashboard_at(redis_server.url)
    await dashboard.works_from_memory()
    redis_server.kill()
    await dashboard.work()
    redis_server.start()
    await dashboard.works_from_memory()
    assert said(caplog) == [AWAY, BACK]
    assert dashboard.cache.statistics.outages == 1


async def test_redis_that_freezes_and_thaws_with_what_it_held(
    dashboard_at: Callable[..., Any], redis_server: OwnRedis, caplog: pytest.LogCaptureFixture
) -> None:
    redis_server.start()
    dashboard = await dashboard_at(redis_server.url, Patience(limit_s=0.05, longest_pause_s=0.1))
    await dashboard.works_from_memory()
    redis_server.freeze()
    began = time.monotonic()
    await dashboard.service.get_trade_count()
    assert time.monotonic() - began < 2
    await dashboard.work()
    redis_server.thaw()
    await dashboard.works_from_memory()
    assert said(caplog) == [AWAY, BACK]


async def test_redis_that_freezes_again_and_again_in_the_middle_of_everything(
    dashboard_at: Callable[..., Any], redis_server: OwnRedis
) -> None:
    redis_server.start()
    dashboard = await dashboard_at(redis_server.url, Patience(limit_s=0.02, first_pause_s=0.01, longest_pause_s=0.02))
    for delay in range(12):
        working = asyncio.ensure_future(dashboard.work())
        await asyncio.sleep(delay / 500)
        redis_server.freeze()
        await asyncio.sleep(0.01 + delay / 300)
        redis_server.thaw()
        await working
    await dashboard.works_from_memory()
    assert dashboard.cache.statistics.outages > 0


async def test_redis_that_is_full_and_evicts_nothing(
    dashboard_at: Callable[..., Any], redis_server: OwnRedis, caplog: pytest.LogCaptureFixture
) -> None:
    redis_server.start("--maxmemory-policy", "noeviction")
    dashboard = await dashboard_at(redis_server.url)
    await dashboard.works_from_memory()
    redis_server.command("config", "set", "maxmemory", "1")
    await dashboard.work()
    assert dashboard.service.get_stats().errors > 0
    assert dashboard.service.get_stats().state == "active"
    redis_server.command("config", "set", "maxmemory", "0")
    await dashboard.works_from_memory()
    assert said(caplog) == ["Redis refuses an operation"]


async def test_redis_with_another_password_that_is_then_set_right(
    dashboard_at: Callable[..., Any], redis_server: OwnRedis, caplog: pytest.LogCaptureFixture
) -> None:
    redis_server.start()
    redis_server.command("config", "set", "requirepass", "another")
    dashboard = await dashboard_at(redis_server.url.replace("redis://", f"redis://:{SECRET}@"))
    await dashboard.work()
    assert dashboard.cache.statistics.hits == 0
    redis_server.kill()
    redis_server.start("--requirepass", SECRET)
    await dashboard.works_from_memory()
    assert said(caplog) == ["Redis refuses the password,", BACK]
    assert SECRET not in caplog.text


async def test_redis_with_a_list_and_a_stranger_s_text_in_the_keys(
    dashboard_at: Callable[..., Any], redis_server: OwnRedis, caplog: pytest.LogCaptureFixture
) -> None:
    redis_server.start()
    dashboard = await dashboard_at(redis_server.url)
    await dashboard.work(1)
    await dashboard.cache.flush()
    for key in ("trade_count:all", f"daily_stats:{DAY.isoformat()}"):
        assert redis_server.command("del", key) == 1
        redis_server.command("rpush", key, "one", "two")
    redis_server.command("set", "trade_count:open", "many")
    redis_server.command("set", "trade_count:closed", "[1,2]")
    await dashboard._check()
    await dashboard.cache.flush()
    await dashboard.works_from_memory()
    assert said(caplog) == ["Redis refuses an operation"]
    assert dashboard.service.get_stats().errors == 2
