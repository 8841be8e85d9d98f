from __future__ import annotations

import pytest

from harness.backends.caches import MemoryCache, NoCache
from harness.backends.conformance import check_cache
from harness.backends.contracts import CacheStatistics


class Time:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now

    async def pass_by(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def cache(time: Time) -> MemoryCache:
    return MemoryCache(now=time)


async def test_the_memory_cache_keeps_every_promise(time: Time) -> None:
    assert [str(failure) for failure in await check_cache(lambda: MemoryCache(now=time), elapse=time.pass_by)] == []


async def test_a_value_lives_until_its_time_and_no_moment_longer(cache: MemoryCache, time: Time) -> None:
    cache.put("count", b"7", 5.0)
    await time.pass_by(4.999)
    assert await cache.get("count") == b"7"
    await time.pass_by(0.001)
    assert await cache.get("count") is None


async def test_putting_again_starts_the_time_again(cache: MemoryCache, time: Time) -> None:
    cache.put("count", b"7", 5.0)
    await time.pass_by(4.0)
    cache.put("count", b"8", 5.0)
    await time.pass_by(4.0)
    assert await cache.get("count") == b"8"


async def test_an_expired_value_is_forgotten_and_counts_as_a_miss(cache: MemoryCache, time: Time) -> None:
    cache.put("count", b"7", 5.0)
    await cache.get("count")
    await time.pass_by(6.0)
    await cache.get("count")
    assert cache.statistics == CacheStatistics(hits=1, misses=1, writes=1)
    assert cache._values == {}


async def test_beyond_its_bound_the_oldest_key_goes(cache: MemoryCache, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(MemoryCache, "MAX_KEYS", 3)
    for key in ("a", "b", "c"):
        cache.put(key, b"1", 60.0)
    cache.put("a", b"2", 60.0)  # a is the youngest now
    cache.put("d", b"1", 60.0)
    assert [await cache.get(key) for key in ("a", "b", "c", "d")] == [b"2", None, b"1", b"1"]


async def test_no_cache_is_open_to_nobody_and_remembers_nothing() -> None:
    cache = NoCache("redis://127.0.0.1:1/0")
    assert await cache.open() == ""
    cache.put("count", b"7", 60.0)
    await cache.flush()
    assert await cache.get("count") is None
    await cache.delete("count")
    await cache.close()
    assert cache.statistics == CacheStatistics()
