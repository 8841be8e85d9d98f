"""A trial of the dashboard's four queries, inside the worker."""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import TYPE_CHECKING, Any

from harness.backends.patience import Patience
from harness.backends.proof import codec_in_use, loop_in_use
from harness.backends.registry import registry
from harness.bot.storage.data_service import TTL_S, TradingDataService
from harness.bot.storage.database import PerCallDatabase, PooledDatabase
from harness.errors import ServiceError
from harness.results.model import Measurement
from harness.run.messages import Outcome
from harness.run.scenario import QUERIES
from harness.run.tables import STATISTICS_DAY

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from harness.backends.contracts import Cache, Codec
    from harness.backends.stack import Stack
    from harness.bot.storage.database import Database
    from harness.run.messages import QueriesJob
    from harness.run.scenario import GridCell

    Ask = Callable[[], Awaitable[Any]]

#: The grid holds servers far away; and an outage of the cache, in which PostgreSQL answers, would spoil the figures.
_PATIENCE = Patience(limit_s=1.0)
#: A time to live that no trial outlasts: what was put stays a hit.
_LONG_TTL_S = 3_600.0


def run_queries(stack: Stack, job: QueriesJob) -> Outcome:
    """Milliseconds a call for every query in every cell: cache off, or hit, miss and mixed."""
    with asyncio.Runner(loop_factory=registry().loop(stack.loop)) as runner:
        return runner.run(_Trial(stack, job).run())


class _Trial:
    def __init__(self, stack: Stack, job: QueriesJob) -> None:
        self._stack = stack
        self._job = job
        self._codec: Codec = registry().codec(stack.codec)
        self._measurements: list[Measurement] = []
        self._active: dict[str, str] = {}
        self._hits = 0
        self._counters: dict[str, int] = {}

    async def run(self) -> Outcome:
        """Every cell once, in the order of the job, then the mixed polling."""
        self._active = {"loop": loop_in_use(), "codec": codec_in_use(self._codec), "cache": ""}
        for cell in self._job.cells:
            await self._measure(cell)
        if self._stack.cache != "none" and self._job.mix_s:
            await self._mix(self._job.mix_cell)
        return Outcome(
            active=self._active,
            cache_hits=self._hits,
            measurements=self._measurements,
            counters={"cache_hits": self._hits, **self._counters},
        )

    async def _measure(self, cell: GridCell) -> None:
        async with self._open(cell) as (database, cache):
            service = TradingDataService(
                database, cache, self._codec, namespace=f"{self._schema(cell)}:", ttl_s=_LONG_TTL_S
            )
            for query, ask in _asks(service).items():
                if cache is None:
                    await self._time(cell, query, "off", ask)
                    continue
                await self._time(cell, query, "miss", ask, before=lambda: service.forget(STATISTICS_DAY.date()))
                await ask()
                await cache.flush()
                await self._time(cell, query, "hit", ask)

    async def _time(
        self, cell: GridCell, query: str, state: str, ask: Ask, before: Callable[[], Awaitable[None]] | None = None
    ) -> None:
        """Passes of as many calls as fill the time of one; a pass is the mean of its calls."""
        first = await _timed(ask, 1, before)
        calls = min(max(1, round(self._job.pass_ms / max(first, 1e-3))), self._job.maximum_calls)
        if calls > 1:  # one slow call has warmed up all there is
            await _timed(ask, calls, before)
        values = [await _timed(ask, calls, before) for _ in range(self._job.passes)]
        self._measurements.append(
            Measurement(metric="query_ms", labels={**cell.labels(), "query": query, "cache": state}, values=values)
        )

    async def _mix(self, cell: GridCell) -> None:
        """All four polled at a stated rate with the real time to live; a pass is a whole life of the cached value."""
        async with self._open(cell) as (database, cache):
            if cache is None:
                return
            service = TradingDataService(database, cache, self._codec, namespace=f"{self._schema(cell)}:")
            await service.forget(STATISTICS_DAY.date())
            asks = _asks(service)
            before = cache.statistics.hits, cache.statistics.misses
            passes = max(1, round(self._job.mix_s / TTL_S))
            means: dict[str, list[float]] = {query: [] for query in asks}
            for _ in range(passes):
                for query, mean in (await self._poll(asks, min(TTL_S, self._job.mix_s))).items():
                    means[query].append(mean)
            hits, misses = cache.statistics.hits - before[0], cache.statistics.misses - before[1]
            self._counters.update(mix_hits=hits, mix_misses=misses)
            self._measurements += [
                Measurement(metric="query_ms", labels={**cell.labels(), "query": query, "cache": "mix"}, values=values)
                for query, values in means.items()
            ]

    async def _poll(self, asks: dict[str, Ask], seconds: float) -> dict[str, float]:
        """Mean milliseconds a call of each query over that time; the schedule does not wait for slow answers."""
        spent: dict[str, list[float]] = {query: [] for query in asks}
        start, number = time.monotonic(), 0
        while number < seconds * self._job.mix_hz:
            await asyncio.sleep(max(0.0, start + number / self._job.mix_hz - time.monotonic()))
            for query, ask in asks.items():
                spent[query].append(await _timed(ask, 1, None))
            number += 1
        return {query: sum(values) / len(values) for query, values in spent.items()}

    def _schema(self, cell: GridCell) -> str:
        labels = cell.labels()
        return self._job.schemas[f"{labels['rows']}/{labels['index']}"]

    @contextlib.asynccontextmanager
    async def _open(self, cell: GridCell) -> AsyncIterator[tuple[Database, Cache | None]]:
        labels = cell.labels()
        url = self._job.database_urls[labels["round_trip_ms"]]
        schema = self._schema(cell)
        database: Database
        if cell.connection == "pooled":
            database = await PooledDatabase.open(url, schema, self._codec, size=1)
        else:
            database = PerCallDatabase(url, schema, self._codec)
        cache = _cache(self._stack.cache, self._job.redis_urls.get(labels["round_trip_ms"]))
        try:
            answer = await cache.open()
            if self._stack.cache != "none" and not answer:
                raise ServiceError("the cache that this trial measures does not answer")
            self._active["cache"] = answer
            yield database, cache if answer else None
            if cache.statistics.outages:
                raise ServiceError("the cache went away during the trial: some of its answers came from PostgreSQL")
            self._hits += cache.statistics.hits
        finally:
            await cache.close()
            await database.close()


def _cache(name: str, url: str | None) -> Cache:
    if name != "redis":
        return registry().cache(name, url)
    made: Cache = registry().factory("cache", name)(url, patience=_PATIENCE)
    return made


def _asks(service: TradingDataService) -> dict[str, Ask]:
    calls: tuple[Ask, ...] = (
        lambda: service.get_trade_count("all"),
        lambda: service.get_trade_count("closed"),
        lambda: service.get_trade_count("open"),
        lambda: service.get_statistics(STATISTICS_DAY.date()),
    )
    return dict(zip(QUERIES, calls, strict=True))


async def _timed(ask: Ask, calls: int, before: Callable[[], Awaitable[None]] | None) -> float:
    """Mean milliseconds a call; what `before` does is outside the timed part."""
    spent = 0
    for _ in range(calls):
        if before:
            await before()
        start = time.perf_counter_ns()
        await ask()
        spent += time.perf_counter_ns() - start
    return spent / calls / 1e6
