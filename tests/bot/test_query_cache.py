from __future__ import annotations

import asyncio
import gc
import itertools
import json
import random
from decimal import Decimal
from typing import TYPE_CHECKING, Any, TypedDict

import pytest

from harness.backends.caches import MemoryCache, NoCache
from harness.backends.registry import registry
from harness.bot.storage.query_cache import QueryCache

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from harness.backends.contracts import Cache

JSON = registry().codec("json")
TTL_S = 5.0
SECOND_NS = 1_000_000_000


class Clock:
    """The wall clock of a test: each look at it is a nanosecond later."""

    def __init__(self) -> None:
        self.ns = 1_763_800_000 * SECOND_NS

    def __call__(self) -> int:
        self.ns += 1
        return self.ns

    def pass_by(self, seconds: float) -> None:
        self.ns += round(seconds * SECOND_NS)


class Source:
    """A question to a database: how often it was asked, and answers when it is told to."""

    def __init__(self, value: Any = 7) -> None:
        self.value = value
        self.asked = 0
        self.error: Exception | None = None
        self.gate = asyncio.Event()
        self.gate.set()

    async def load(self) -> Any:
        self.asked += 1
        value = self.value
        await self.gate.wait()
        if self.error:
            raise self.error
        return value


class SlowCache(MemoryCache):
    """Its look-ups answer when they are told to, with what was there when they were asked."""

    def __init__(self) -> None:
        super().__init__(now=lambda: 0.0)
        self.gate = asyncio.Event()
        self.gate.set()

    async def get(self, key: str) -> bytes | None:
        gate, value = self.gate, await super().get(key)
        await gate.wait()
        return value


class Deaf(MemoryCache):
    """Hears of no delete, as a store that is away."""

    async def delete(self, *keys: str) -> None:
        """Not heard."""


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store() -> MemoryCache:
    """Never forgets by itself: what is too old is the query cache's business."""
    return MemoryCache(now=lambda: 0.0)


def caching(cache: Cache | None, clock: Clock, codec: str = "json", namespace: str = "") -> QueryCache:
    return QueryCache(cache, registry().codec(codec), namespace, TTL_S, now_ns=clock)


@pytest.fixture
def queries(store: MemoryCache, clock: Clock) -> QueryCache:
    return caching(store, clock)


async def turns(count: int = 10) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


# Remembering


async def test_an_answer_is_loaded_once_and_then_remembered(queries: QueryCache) -> None:
    source = Source({"trades": 3, "names": ["币", "x"], "none": None, "rate": 0.5})
    answers = [await queries.get_or_load("key", source.load) for _ in range(3)]
    assert answers == [source.value] * 3
    assert source.asked == 1


@pytest.mark.parametrize("value", [None, 0, "", [], False])
async def test_an_answer_that_is_empty_is_remembered_like_any_other(value: Any, queries: QueryCache) -> None:
    source = Source(value)
    assert [await queries.get_or_load("key", source.load) for _ in range(2)] == [value, value]
    assert source.asked == 1


async def test_an_answer_is_remembered_for_its_time_and_no_moment_longer(queries: QueryCache, clock: Clock) -> None:
    source = Source()
    await queries.get_or_load("key", source.load)
    clock.pass_by(TTL_S - 0.001)
    await queries.get_or_load("key", source.load)
    assert source.asked == 1
    clock.pass_by(0.001)
    await queries.get_or_load("key", source.load)
    assert source.asked == 2


async def test_the_time_counts_from_when_the_question_was_asked_not_from_when_it_was_answered(
    queries: QueryCache, clock: Clock
) -> None:
    source = Source()
    source.gate.clear()
    asking = asyncio.ensure_future(queries.get_or_load("key", source.load))
    await turns()
    clock.pass_by(3.0)
    source.gate.set()
    await asking
    clock.pass_by(2.5)
    await queries.get_or_load("key", source.load)
    assert source.asked == 2


async def test_a_clock_that_was_set_back_makes_nothing_older_than_it_may_be(queries: QueryCache, clock: Clock) -> None:
    source = Source()
    await queries.get_or_load("key", source.load)
    clock.pass_by(-3600.0)
    await queries.get_or_load("key", source.load)
    assert source.asked == 2
    await queries.get_or_load("key", source.load)
    assert source.asked == 2


async def test_two_name_spaces_do_not_meet(store: MemoryCache, clock: Clock) -> None:
    one, other = (caching(store, clock, namespace=name) for name in ("one:", "other:"))
    assert await one.get_or_load("key", Source(1).load) == 1
    assert await other.get_or_load("key", Source(2).load) == 2
    await one.invalidate("key")
    assert await other.get_or_load("key", Source(3).load) == 2


async def test_what_one_codec_wrote_every_other_reads(store: MemoryCache, clock: Clock) -> None:
    value = {"rate": 0.1, "count": 2**53, "name": "币安人生", "list": [1.5, None, True]}
    for codec in registry().names("codec"):
        if registry().is_installed("codec", codec):
            source = Source(value)
            await caching(store, clock, codec).get_or_load("key", source.load)
            await caching(store, clock).invalidate()
            assert await caching(store, clock).get_or_load("key", Source("loaded").load) == value


@pytest.mark.parametrize("cache", [None, NoCache()])
async def test_without_a_cache_every_question_goes_to_the_database(cache: Cache | None, clock: Clock) -> None:
    queries, source = caching(cache, clock), Source()
    await asyncio.gather(*(queries.get_or_load("key", source.load) for _ in range(3)))
    assert source.asked == 3
    await queries.invalidate("key")
    assert await queries.warm({"key": source.load}) == 0
    assert str(queries.get_stats()).endswith("State=none")


# What somebody else left in a key


class Figures(TypedDict):
    trades: int
    rate: float


def foreign(clock: Clock) -> dict[str, bytes]:
    now = clock()
    documents: dict[str, Any] = {
        "a bare value": 7,
        "a list of one": [now],
        "a list of three": [now, 1, 2],
        "a time that is a text": [str(now), {"trades": 1, "rate": 0.5}],
        "a time that is a float": [float(now), {"trades": 1, "rate": 0.5}],
        "a time that is true": [True, {"trades": 1, "rate": 0.5}],
        "a time far ahead": [now + 3_600 * SECOND_NS, {"trades": 1, "rate": 0.5}],
        "a time long past": [now - 3_600 * SECOND_NS, {"trades": 1, "rate": 0.5}],
        "another shape": [now, {"trades": "many", "rate": 0.5}],
        "a field too few": [now, {"trades": 1}],
        "an object": {"trades": 1, "rate": 0.5},
        "null": None,
    }
    raw = {"nothing": b"", "cut": b"[1,", "no UTF-8": b"\xff\xfe", "deep": b"[" * 100_000, "binary": bytes(range(256))}
    return {name: json.dumps(document).encode() for name, document in documents.items()} | raw


@pytest.mark.parametrize("name", foreign(Clock()))
async def test_what_is_no_answer_of_ours_is_a_miss_and_is_written_over(
    name: str, store: MemoryCache, clock: Clock
) -> None:
    queries = caching(store, clock)
    source = Source({"trades": 2, "rate": 0.25})
    store.put("key", foreign(clock)[name], 60.0)
    for _ in range(2):
        assert await queries.get_or_load("key", source.load, Figures) == source.value
    assert source.asked == 1
    stats = queries.get_stats()
    assert (stats.hits, stats.misses) == (1, 1)


@pytest.mark.parametrize("codec", ["json", "orjson", "msgspec"])
@pytest.mark.parametrize("value", [object(), {1: 2}.keys(), {"x": {object()}}])
async def test_an_answer_that_is_no_json_is_given_and_not_remembered(
    value: Any, codec: str, store: MemoryCache, clock: Clock
) -> None:
    if not registry().is_installed("codec", codec):
        pytest.skip(f"{codec} is not installed")
    queries, source = caching(store, clock, codec), Source(value)
    assert [await queries.get_or_load("key", source.load) for _ in range(2)] == [value, value]
    assert (source.asked, queries.get_stats().errors) == (2, 2)


# Many at once


async def test_all_who_miss_at_once_share_one_query(queries: QueryCache) -> None:
    source = Source()
    source.gate.clear()
    asking = [asyncio.ensure_future(queries.get_or_load("key", source.load)) for _ in range(100)]
    await turns()
    source.gate.set()
    assert await asyncio.gather(*asking) == [7] * 100
    stats = queries.get_stats()
    assert (source.asked, stats.misses, stats.shared) == (1, 100, 99)
    assert queries._flights == {}


async def test_different_questions_do_not_wait_for_each_other(queries: QueryCache) -> None:
    slow, quick = Source(1), Source(2)
    slow.gate.clear()
    asking = asyncio.ensure_future(queries.get_or_load("slow", slow.load))
    await turns()
    assert await queries.get_or_load("quick", quick.load) == 2
    slow.gate.set()
    assert await asking == 1


async def test_all_who_share_a_query_hear_its_error_and_the_next_asks_again(queries: QueryCache) -> None:
    source = Source()
    source.gate.clear()
    source.error = ConnectionError("no database")
    asking = [asyncio.ensure_future(queries.get_or_load("key", source.load)) for _ in range(5)]
    await turns()
    source.gate.set()
    assert [repr(answer) for answer in await asyncio.gather(*asking, return_exceptions=True)] == [
        "ConnectionError('no database')"
    ] * 5
    source.error = None
    assert await queries.get_or_load("key", source.load) == 7
    assert source.asked == 2


@pytest.mark.parametrize("cancelled", [0, 1, 4])
async def test_one_who_is_cancelled_takes_nobody_with_him(cancelled: int, queries: QueryCache) -> None:
    source = Source()
    source.gate.clear()
    asking = [asyncio.ensure_future(queries.get_or_load("key", source.load)) for _ in range(5)]
    await turns()
    asking.pop(cancelled).cancel()
    await turns()
    source.gate.set()
    assert await asyncio.gather(*asking) == [7] * 4
    assert source.asked == 1


@pytest.mark.parametrize("error", [None, ConnectionError("no database")])
async def test_a_query_that_all_were_cancelled_for_ends_unheard(
    error: Exception | None, queries: QueryCache, store: MemoryCache
) -> None:
    complaints: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
    source = Source()
    source.gate.clear()
    source.error = error
    asking = [asyncio.ensure_future(queries.get_or_load("key", source.load)) for _ in range(3)]
    await turns()
    for task in asking:
        task.cancel()
    await asyncio.gather(*asking, return_exceptions=True)
    source.gate.set()
    await turns()
    del asking, task
    gc.collect()
    assert complaints == []
    assert queries._flights == {}
    assert queries._loads == set()
    assert bool(store._values) == (error is None)


async def test_one_whose_look_up_was_slower_than_anothers_query_takes_that_answer(clock: Clock) -> None:
    store, source = SlowCache(), Source()
    queries = caching(store, clock)
    gates = asyncio.Event(), asyncio.Event()
    asking = []
    for store.gate in gates:
        store.gate.clear()
        asking.append(asyncio.ensure_future(queries.get_or_load("key", source.load)))
        await turns()
    gates[0].set()
    assert await asking[0] == 7
    assert store._values
    gates[1].set()
    assert await asking[1] == 7
    assert source.asked == 1


async def test_one_who_comes_when_the_query_has_ended_asks_the_store(queries: QueryCache, clock: Clock) -> None:
    source = Source(1)
    waiting = asyncio.Event()

    async def slow_waiter() -> int:
        answer: int = await queries.get_or_load("key", source.load)
        await waiting.wait()
        return answer

    asking = asyncio.ensure_future(slow_waiter())
    await turns()
    clock.pass_by(TTL_S + 1)
    source.value = 2
    assert await queries.get_or_load("key", source.load) == 2
    waiting.set()
    assert await asking == 1


async def test_beyond_the_bound_questions_are_asked_and_only_not_shared(
    queries: QueryCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("harness.bot.storage.query_cache.MAX_FLIGHTS", 2)
    source = Source()
    source.gate.clear()
    asking = [asyncio.ensure_future(queries.get_or_load(f"key-{number % 4}", source.load)) for number in range(8)]
    await turns()
    assert len(queries._flights) == 2
    assert source.asked == 2 + 4
    source.gate.set()
    assert await asyncio.gather(*asking) == [7] * 8
    assert queries._flights == {}


# Invalidation


async def test_what_was_invalidated_is_loaded_again_and_nothing_else(queries: QueryCache, store: MemoryCache) -> None:
    sources = {key: Source(key) for key in ("a", "b", "c")}
    for _ in range(2):
        for key, source in sources.items():
            assert await queries.get_or_load(key, source.load) == key
        await queries.invalidate("a", "b", "never asked")
        assert set(store._values) == {"c"}
    for key, source in sources.items():
        await queries.get_or_load(key, source.load)
    assert [source.asked for source in sources.values()] == [3, 3, 1]


async def test_an_answer_to_a_question_from_before_is_not_stored_after(queries: QueryCache, store: MemoryCache) -> None:
    source = Source("before")
    source.gate.clear()
    asking = asyncio.ensure_future(queries.get_or_load("key", source.load))
    await turns()
    await queries.invalidate("key")
    source.gate.set()
    assert await asking == "before"  # it was asked before
    assert store._values == {}


async def test_what_was_asked_in_the_very_moment_of_it_counts_as_before() -> None:
    queries, source = QueryCache(Deaf(now=lambda: 0.0), JSON, now_ns=lambda: SECOND_NS), Source("before")
    await queries.get_or_load("key", source.load)
    source.value = "after"
    await queries.invalidate("key")
    assert await queries.get_or_load("key", source.load) == "after"


async def test_one_who_asks_after_it_does_not_share_the_query_from_before(queries: QueryCache) -> None:
    source = Source("before")
    source.gate.clear()
    before = asyncio.ensure_future(queries.get_or_load("key", source.load))
    await turns()
    source.value = "after"
    await queries.invalidate("key")
    after = asyncio.ensure_future(queries.get_or_load("key", source.load))
    await turns()
    source.gate.set()
    assert [await before, await after] == ["before", "after"]
    assert await queries.get_or_load("key", source.load) == "after"
    assert source.asked == 2


async def test_a_look_up_that_was_under_way_gives_nothing_from_before(clock: Clock) -> None:
    store, source = SlowCache(), Source("before")
    queries = caching(store, clock)
    await queries.get_or_load("key", source.load)
    store.gate.clear()
    asking = asyncio.ensure_future(queries.get_or_load("key", source.load))
    await turns()
    source.value = "after"
    await queries.invalidate("key")
    store.gate.set()
    assert await asking == "after"


async def test_a_store_that_did_not_hear_of_it_gives_out_nothing_from_before(clock: Clock) -> None:
    queries, source = caching(Deaf(now=lambda: 0.0), clock), Source("before")
    await queries.get_or_load("key", source.load)
    source.value = "after"
    await queries.invalidate("key")
    assert [await queries.get_or_load("key", source.load) for _ in range(2)] == ["after", "after"]
    assert source.asked == 2


async def test_a_write_that_the_store_executes_late_gives_out_nothing_from_before(
    queries: QueryCache, store: MemoryCache, clock: Clock
) -> None:
    source = Source("before")
    await queries.get_or_load("key", source.load)
    _, late = store._values["key"]
    source.value = "after"
    await queries.invalidate("key")
    store.put("key", late, 60.0)
    assert await queries.get_or_load("key", source.load) == "after"
    clock.pass_by(TTL_S + 1)
    source.value = "later"
    store.put("key", late, 60.0)  # and not long after either, though the store takes it for new
    assert await queries.get_or_load("key", source.load) == "later"


async def test_the_memory_of_invalidations_does_not_grow(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.bot.storage.query_cache.MAX_BARRIERS", 10)
    queries = caching(Deaf(now=lambda: 0.0), clock)
    sources = {f"key-{number}": Source(number) for number in range(100)}
    for key, source in sources.items():
        await queries.get_or_load(key, source.load)
        await queries.invalidate(key)
        assert len(queries._barriers) <= 10
    for key, source in sources.items():
        await queries.get_or_load(key, source.load)
        assert source.asked == 2
    clock.pass_by(TTL_S + 1)
    await queries.invalidate(*(f"key-{number}" for number in range(10, 15)))
    assert len(queries._barriers) <= 10


class Wayward(MemoryCache):
    """Takes its time over everything, and loses some of it."""

    def __init__(self, dice: random.Random) -> None:
        super().__init__(now=lambda: 0.0)
        self._dice = dice

    async def get(self, key: str) -> bytes | None:
        await turns(self._dice.randrange(4))
        value = await super().get(key) if self._dice.random() < 0.9 else None
        await turns(self._dice.randrange(4))
        return value

    def put(self, key: str, value: bytes, ttl_s: float) -> None:
        asyncio.get_running_loop().create_task(self._put_late(key, value, ttl_s))

    async def _put_late(self, key: str, value: bytes, ttl_s: float) -> None:
        await turns(self._dice.randrange(12))
        super().put(key, value, ttl_s)

    async def delete(self, *keys: str) -> None:
        await turns(self._dice.randrange(4))
        if self._dice.random() < 0.8:
            await super().delete(*keys)


@pytest.mark.parametrize("seed", range(40))
async def test_nobody_is_told_what_was_overwritten_before_he_asked(seed: int) -> None:
    """A writer, and readers at random moments, over a store that breaks every promise but never invents a value."""
    dice = random.Random(seed)
    queries = caching(Wayward(dice), Clock())
    version, told = 0, 0

    async def load() -> int:
        await turns(dice.randrange(4))
        found = version
        await turns(dice.randrange(6))
        return found

    async def read() -> None:
        nonlocal told
        for _ in range(30):
            await turns(dice.randrange(6))
            known = told
            answer = await queries.get_or_load("key", load, int)
            assert known <= answer <= version

    async def write() -> None:
        nonlocal version, told
        for _ in range(30):
            await turns(dice.randrange(12))
            version += 1
            forgetting = asyncio.ensure_future(queries.invalidate("key"))
            await asyncio.sleep(0)
            told = version
            await forgetting

    await asyncio.gather(write(), *(read() for _ in range(5)))
    await turns(50)
    assert queries.get_stats().hits > 0


# Warming up


async def test_what_was_warmed_up_costs_no_further_query(queries: QueryCache) -> None:
    sources = {key: Source(key) for key in ("a", "b")}
    assert await queries.warm({key: source.load for key, source in sources.items()}) == 2
    for key, source in sources.items():
        assert await queries.get_or_load(key, source.load) == key
        assert source.asked == 1


async def test_warming_up_asks_also_what_is_remembered(queries: QueryCache) -> None:
    source = Source("old")
    await queries.get_or_load("key", source.load)
    source.value = "new"
    await queries.warm({"key": source.load})
    assert await queries.get_or_load("key", source.load) == "new"


async def test_what_cannot_be_warmed_up_is_logged_without_secrets_and_left(
    queries: QueryCache, caplog: pytest.LogCaptureFixture
) -> None:
    broken, whole = Source(), Source("whole")
    broken.error = ConnectionError("postgresql://me:hunter2@host/db is away")
    assert await queries.warm({"broken": broken.load, "whole": whole.load}) == 1
    assert await queries.get_or_load("whole", whole.load) == "whole"
    assert whole.asked == 1
    assert [record.getMessage() for record in caplog.records] == [
        "broken is not warmed up: postgresql://me:***@host/db is away"
    ]


# Figures


async def test_the_figures_make_the_line_that_the_seed_promised(queries: QueryCache, clock: Clock) -> None:
    source = Source()
    for _ in range(34):
        await queries.get_or_load("key", source.load)
        clock.pass_by(TTL_S + 1)
    clock.pass_by(-TTL_S - 1)
    for _ in range(234):
        await queries.get_or_load("key", source.load)
    stats = queries.get_stats()
    assert str(stats) == ("Hit Rate=87.3%, Hits=234, Misses=34, Errors=0, Latency=0.00 ms (max 0.00 ms), State=active")
    assert (stats.hits, stats.misses, stats.shared) == (234, 34, 0)


async def test_nothing_asked_is_a_hit_rate_of_zero(queries: QueryCache) -> None:
    assert queries.get_stats().hit_rate == 0.0


async def test_latency_and_state_are_those_of_the_store(queries: QueryCache, store: MemoryCache) -> None:
    store.statistics.latency.record(2_000_000)
    store.statistics.latency.record(4_000_000)
    store.statistics.away_now = True
    store.statistics.errors = 3
    store.statistics.outages = 2
    stats = queries.get_stats()
    assert (stats.latency_mean_ms, stats.latency_max_ms) == (3.0, 4.0)
    assert (stats.state, stats.errors, stats.outages) == ("away", 3, 2)


async def test_closing_ends_the_queries_that_nobody_waits_for(queries: QueryCache) -> None:
    source = Source()
    source.gate.clear()
    asking = asyncio.ensure_future(queries.get_or_load("key", source.load))
    await turns()
    asking.cancel()
    await queries.close()
    assert len(asyncio.all_tasks()) == 1


def test_money_is_no_json_number_and_so_comes_back_as_text(store: MemoryCache, clock: Clock) -> None:
    async def ask() -> list[Any]:
        queries = caching(store, clock)
        load: Callable[[], Awaitable[Any]] = Source(Decimal("1.10")).load
        return [await queries.get_or_load("key", load) for _ in range(2)]

    assert asyncio.run(ask()) == [Decimal("1.10"), "1.10"]


def test_processes_that_share_a_store_compare_the_wall_clock(store: MemoryCache) -> None:
    async def ask() -> list[int]:
        queries = [QueryCache(store, JSON) for _ in range(2)]
        numbers = itertools.count()

        async def load() -> int:
            return next(numbers)

        return [await query.get_or_load("key", load, int) for query in queries]

    assert asyncio.run(ask()) == [0, 0]
