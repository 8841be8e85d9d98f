"""Caches that break one promise each."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from harness.backends.caches import MemoryCache, NoCache
from harness.backends.conformance import check_cache, check_unreachable_cache

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.backends.contracts import Cache


class Time:
    now = 1.0

    def __call__(self) -> float:
        return self.now

    async def pass_by(self, seconds: float) -> None:
        self.now += seconds


class Silent(MemoryCache):
    async def open(self) -> str:
        return ""


class Forgetful(MemoryCache):
    def put(self, key: str, value: bytes, ttl_s: float) -> None:
        super().put(key, value, 0.0 if value == b"" else ttl_s)


class Immortal(MemoryCache):
    def put(self, key: str, value: bytes, ttl_s: float) -> None:
        super().put(key, value, ttl_s + 3_600)


class Miscounting(MemoryCache):
    async def get(self, key: str) -> bytes | None:
        value = await super().get(key)
        self.statistics.misses += 1
        return value


class FirstWins(MemoryCache):
    def put(self, key: str, value: bytes, ttl_s: float) -> None:
        if key not in self._values:
            super().put(key, value, ttl_s)


class OneKey(MemoryCache):
    async def get(self, key: str) -> bytes | None:
        return await super().get(next(iter(self._values), key))


class AsciiKeys(MemoryCache):
    def put(self, key: str, value: bytes, ttl_s: float) -> None:
        super().put(str(key.encode("ascii")), value, ttl_s)


class Undeleted(MemoryCache):
    async def delete(self, *keys: str) -> None:
        await super().delete(*keys[1:])


class Strict(MemoryCache):
    async def delete(self, *keys: str) -> None:
        for key in keys:
            del self._values[key]


class Text(MemoryCache):
    async def get(self, key: str) -> bytes | None:
        value = await super().get(key)
        return value and bytes(value.decode("latin-1").strip().encode("latin-1"))


class Remembering(MemoryCache):
    async def close(self) -> None:
        """Keeps all."""


class Raising(MemoryCache):
    async def open(self) -> str:
        raise ConnectionError("nobody there")


@pytest.mark.parametrize(
    ("kind", "promise"),
    [
        (Silent, "open() says what answered"),
        (NoCache, "open() says what answered"),
        (Raising, "open() says what answered"),
        (Forgetful, "what was put is read back, bit for bit"),
        (Text, "what was put is read back, bit for bit"),
        (Immortal, "a value lives no longer than its time"),
        (Miscounting, "a miss is None and is counted"),
        (Miscounting, "hits and writes are counted"),
        (FirstWins, "the last value put under a key is the one that stays"),
        (OneKey, "many may ask at once"),
        (AsciiKeys, "any text is a key"),
        (Undeleted, "a delete wins over an earlier put that was not flushed"),
        (Strict, "what was deleted is gone; unknown keys are fine"),
        (Remembering, "after close() every get is a miss, and nothing raises"),
    ],
)
async def test_a_broken_promise_is_found(kind: Callable[..., Cache], promise: str) -> None:
    time = Time()
    made = (lambda: kind(now=time)) if kind is not NoCache else kind
    failures = await check_cache(made, elapse=time.pass_by)
    assert promise in {failure.promise for failure in failures}


async def test_a_cache_that_keeps_all_is_not_accused() -> None:
    time = Time()
    assert await check_cache(lambda: MemoryCache(now=time), elapse=time.pass_by) == []


@pytest.mark.parametrize(
    ("kind", "happened"),
    [
        (MemoryCache, "open() said that 'memory' answers"),
        (Raising, "raised ConnectionError('nobody there')"),
        (NoCache, "no error was counted"),
    ],
)
async def test_a_store_that_does_not_answer_must_be_counted_and_must_not_raise(
    kind: Callable[[], Cache], happened: str
) -> None:
    (failure,) = await check_unreachable_cache(kind)
    assert failure.happened == happened
