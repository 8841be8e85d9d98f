"""The database's answers, remembered: asked for once by many, never older than their time, never brought back."""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar, cast

import msgspec

from harness.backends.caches import NoCache
from harness.redact import redact

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from harness.backends.contracts import Cache, Codec

    Load = Callable[[], Awaitable[Any]]

T = TypeVar("T")

_log = logging.getLogger(__name__)

#: Keys that are asked for at the same time and share their query; a further one makes a query of its own.
MAX_FLIGHTS = 1_000
#: Keys whose invalidation is remembered; beyond, the oldest ones hold for all keys.
MAX_BARRIERS = 1_000

CacheState = Literal["none", "active", "away"]


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryCacheStatistics:
    """What a query cache did so far, and whether its store is in use."""

    hits: int
    misses: int
    """Answers that did not come from the cache, those shared included."""
    shared: int
    """Misses that took the answer to another's query, which was under way."""
    errors: int
    """Operations of the store that failed, and answers that could not be written as JSON."""
    latency_mean_ms: float
    """What look-ups waited for the store."""
    latency_max_ms: float
    outages: int
    state: CacheState

    @property
    def hit_rate(self) -> float:
        """Hits among all answers, 0 to 1; 0 when there were none."""
        return self.hits / (self.hits + self.misses) if self.hits + self.misses else 0.0

    def __str__(self) -> str:
        """One line for the log; it begins as the seed's does."""
        return (
            f"Hit Rate={self.hit_rate:.1%}, Hits={self.hits}, Misses={self.misses}, Errors={self.errors}, "
            f"Latency={self.latency_mean_ms:.2f} ms (max {self.latency_max_ms:.2f} ms), State={self.state}"
        )


class _Flight(Generic[T]):
    """One query for all who miss the same key at the same time."""

    __slots__ = ("task", "users")

    def __init__(self) -> None:
        self.users = 0
        self.task: asyncio.Task[T] | None = None

    @property
    def landed(self) -> bool:
        return self.task is not None and self.task.done()


class QueryCache:
    """Values that JSON can hold, by key, each with the time at which its query began.

    That time is why an answer is at most `ttl_s` old whatever the store does, a write that a frozen server executes
    late included, and why no answer to a query that began before `invalidate` is given out, or stored, after it.
    `now_ns` is the wall clock: processes that share a store compare their times.
    """

    def __init__(
        self,
        cache: Cache | None,
        codec: Codec,
        namespace: str = "",
        ttl_s: float = 5.0,
        *,
        now_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        """`namespace` stands before every key; without a cache, or with one that keeps nothing, all is loaded."""
        self._cache = None if isinstance(cache, NoCache) else cache
        self._codec = codec
        self._unreadable: tuple[type[Exception], ...] = (*codec.errors, msgspec.ValidationError)
        self._unwritable: tuple[type[Exception], ...] = (*codec.errors, TypeError, ValueError, RecursionError)
        self._namespace = namespace
        self._ttl_s = ttl_s
        self._ttl_ns = round(ttl_s * 1e9)
        self._now_ns = now_ns
        self._flights: dict[str, _Flight[Any]] = {}
        self._loads: set[asyncio.Task[Any]] = set()
        self._barriers: dict[str, int] = {}
        self._barrier_of_all = -1
        self._hits = self._misses = self._shared = self._errors = 0

    async def get_or_load(self, key: str, load: Callable[[], Awaitable[T]], kind: type[T] | None = None) -> T:
        """The remembered answer, or what `load` gives, which is then remembered; raises what `load` raises.

        Of those who miss at the same time one loads for all; that one of them is cancelled concerns nobody else. A
        remembered value that is no `kind` (any type that msgspec knows) counts as a miss.
        """
        if self._cache is None:
            return await load()
        flight = self._join(key)
        try:
            if flight.task is None:
                found, value = await self._remembered(self._cache, key, kind)
                if found:
                    self._hits += 1
                    return cast("T", value)
            self._misses += 1
            if flight.task is None:
                flight.task = self._start(self._cache, key, load)
            else:
                self._shared += 1
            return cast("T", await asyncio.shield(flight.task))
        finally:
            self._part(key, flight)

    async def invalidate(self, *keys: str) -> None:
        """From the call on, no answer to a query that began before it is given out, whether the store hears of it."""
        if self._cache is None:
            return
        for key in keys:
            self._bar(key)
            self._flights.pop(key, None)
        await self._cache.delete(*(self._namespace + key for key in keys))

    async def warm(self, loads: Mapping[str, Load]) -> int:
        """Load and remember each of them, one after another; how many could be. What fails is logged, not raised."""
        if self._cache is None:
            return 0
        warmed = 0
        for key, load in loads.items():
            try:
                await self._load(self._cache, key, load)
            except Exception as error:  # noqa: BLE001 - a favour: who needs the answer asks again, and hears the error
                _log.warning("%s is not warmed up: %s", key, redact(str(error)) or type(error).__name__)
            else:
                warmed += 1
        return warmed

    def get_stats(self) -> QueryCacheStatistics:
        """The figures of now; its `str` is a line for the log."""
        store = self._cache.statistics if self._cache else None
        return QueryCacheStatistics(
            hits=self._hits,
            misses=self._misses,
            shared=self._shared,
            errors=self._errors + (store.errors if store else 0),
            latency_mean_ms=store.latency.mean_ms if store else 0.0,
            latency_max_ms=store.latency.max_ms if store else 0.0,
            outages=store.outages if store else 0,
            state="none" if store is None else "away" if store.away_now else "active",
        )

    async def close(self) -> None:
        """End the queries that nobody waits for any more; the cache itself belongs to who made it."""
        for task in self._loads:
            task.cancel()
        await asyncio.gather(*self._loads, return_exceptions=True)

    def _join(self, key: str) -> _Flight[Any]:
        flight = self._flights.get(key)
        if flight is None or flight.landed:
            flight = _Flight()
            if len(self._flights) < MAX_FLIGHTS or key in self._flights:
                self._flights[key] = flight
        flight.users += 1
        return flight

    def _part(self, key: str, flight: _Flight[Any]) -> None:
        flight.users -= 1
        if not flight.users and self._flights.get(key) is flight:
            del self._flights[key]

    def _start(self, cache: Cache, key: str, load: Callable[[], Awaitable[T]]) -> asyncio.Task[T]:
        task = asyncio.get_running_loop().create_task(self._load(cache, key, load))
        self._loads.add(task)
        task.add_done_callback(self._loaded)
        return task

    def _loaded(self, task: asyncio.Task[Any]) -> None:
        self._loads.discard(task)
        if not task.cancelled():
            task.exception()  # heard, also when all who waited for it were cancelled

    async def _load(self, cache: Cache, key: str, load: Callable[[], Awaitable[T]]) -> T:
        began = self._now_ns()
        value = await load()
        if self._is_barred(key, began):
            return value
        try:
            data = self._codec.dumps([began, value])
        except self._unwritable:
            self._errors += 1
        else:
            cache.put(self._namespace + key, data, self._ttl_s)
        return value

    async def _remembered(self, cache: Cache, key: str, kind: type[T] | None) -> tuple[bool, T | None]:
        data = await cache.get(self._namespace + key)
        if data is None:
            return False, None
        try:
            document = self._codec.loads(data)
            if not self._is_fresh(key, document):
                return False, None
            return True, document[1] if kind is None else msgspec.convert(document[1], kind)
        except self._unreadable:
            # Somebody else may have written there, anything at all: as good as a miss, and soon written over.
            return False, None

    def _is_fresh(self, key: str, document: object) -> bool:
        if type(document) is not list or len(document) != 2 or type(document[0]) is not int:
            return False
        began = document[0]
        return 0 <= self._now_ns() - began <= self._ttl_ns and not self._is_barred(key, began)

    def _bar(self, key: str) -> None:
        now = self._now_ns()
        if len(self._barriers) >= MAX_BARRIERS and key not in self._barriers:
            self._forget_barriers(now)
        self._barriers[key] = now

    def _forget_barriers(self, now: int) -> None:
        """Drop those that are older than any answer may be; where none is, make one of all."""
        young = {key: time_ns for key, time_ns in self._barriers.items() if 0 <= now - time_ns <= self._ttl_ns}
        if len(young) >= MAX_BARRIERS:
            self._barrier_of_all, young = now, {}
        self._barriers = young

    def _is_barred(self, key: str, began: int) -> bool:
        return began <= max(self._barriers.get(key, -1), self._barrier_of_all)
