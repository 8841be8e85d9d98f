"""Caches that break one promise each."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from harness.backends.caches import MemoryCache, NoCache
from harness.backends.conformance import check_cache, check_returning_cache, check_unreachable_cache
from harness.backends.contracts import CacheStatistics

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


class Sluggish(MemoryCache):
    async def delete(self, *keys: str) -> None:
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        await super().delete(*keys)


class Entangled(MemoryCache):
    """A connection on which the answer to a cancelled look-up is taken for that of the next."""

    unread: bytes | None = None

    async def get(self, key: str) -> bytes | None:
        value, self.unread = self.unread or await super().get(key), await super().get(key)
        await asyncio.sleep(0)
        self.unread = None
        return value


class Modest(MemoryCache):
    async def open(self) -> str:
        self.statistics.away_now = True
        return await super().open()


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
        (Sluggish, "a put wins over an earlier delete that is under way"),
        (Entangled, "a look-up that is cancelled spoils no other"),
        (Modest, "open() says what answered"),
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


async def test_a_store_that_does_not_answer_is_not_in_use() -> None:
    class Boasting(NoCache):
        async def open(self) -> str:
            self.statistics.errors = 1
            return ""

    (failure,) = await check_unreachable_cache(Boasting)
    assert failure.happened == "the statistics say that the store is in use"


class Store:
    """What is kept elsewhere, and may be away."""

    def __init__(self) -> None:
        self.values: dict[str, bytes] = {}
        self.answers = True

    async def stop(self) -> None:
        self.answers = False

    async def start(self) -> None:
        self.answers = True


class Distant:
    """A cache of such a store that does all that is promised; its heirs do not."""

    def __init__(self, store: Store) -> None:
        self.statistics = CacheStatistics(away_now=True)
        self._store = store
        self._owed: list[str] = []

    async def open(self) -> str:
        return "store" if self.is_there() else ""

    def is_there(self) -> bool:
        if self._store.answers:
            for key in self._owed:
                self._store.values.pop(key, None)
            self._owed.clear()
        elif not self.statistics.away_now or not self.statistics.errors:
            self.statistics.errors += 1
            self.statistics.outages += 1
        self.statistics.away_now = not self._store.answers
        return self._store.answers

    async def get(self, key: str) -> bytes | None:
        return self._store.values.get(key) if self.is_there() else None

    def put(self, key: str, value: bytes, ttl_s: float) -> None:
        del ttl_s
        if self.is_there():
            self._store.values[key] = value

    async def delete(self, *keys: str) -> None:
        self._owed += keys
        self.is_there()

    async def flush(self) -> None:
        """Nothing waits."""

    async def close(self) -> None:
        """Nothing to close."""


class Impatient(Distant):
    async def get(self, key: str) -> bytes | None:
        if not self._store.answers:
            raise ConnectionError("nobody there")
        return await super().get(key)


class Unteachable(Distant):
    def is_there(self) -> bool:
        return not self.statistics.outages and super().is_there()


class Resurrecting(Distant):
    def is_there(self) -> bool:
        self._owed = self._owed if self._store.answers else []
        return super().is_there()


class Denying(Distant):
    async def flush(self) -> None:
        self.statistics.away_now = False


async def returning(kind: type[Distant]) -> dict[str, str]:
    store = Store()
    failures = await check_returning_cache(lambda: kind(store), store.stop, store.start)
    return {failure.promise: failure.happened for failure in failures}


async def test_a_cache_that_comes_back_as_promised_is_not_accused() -> None:
    assert await returning(Distant) == {}


@pytest.mark.parametrize(
    ("kind", "promise", "happened"),
    [
        (Impatient, "a store that stops answering costs answers, raises nothing, and is counted", "nobody there"),
        (Denying, "a store that stops answering costs answers, raises nothing, and is counted", "in use"),
        (Resurrecting, "what was deleted during an outage stays gone after it", "get() gave b'deleted'"),
        (Unteachable, "a store that comes back is in use again by itself", "not in use"),
        (Unteachable, "a store that comes late is in use from then on", "not in use"),
    ],
)
async def test_a_broken_promise_about_outages_is_found(
    kind: type[Distant], promise: str, happened: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("harness.backends.conformance.cache._PATIENCE", 3)
    assert happened in (await returning(kind))[promise]
