"""Whether a cache keeps the promises of `contracts.Cache`."""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from typing import TYPE_CHECKING

from harness.backends.conformance.failure import BrokenPromise, Failure, failures_of, require, shown

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from harness.backends.contracts import Cache

#: Long enough to be read back at once, short enough to be waited for.
_SHORT_S = 0.05
_LONG_S = 60.0
#: After so many waits of half a short life, a value that is still there has not expired.
_PATIENCE = 100


async def check_cache(
    make_cache: Callable[[], Cache], *, elapse: Callable[[float], Awaitable[object]] = asyncio.sleep
) -> list[Failure]:
    """Every promise that a cache broke on a store that answers; `make_cache` gives a new one, not yet opened.

    The store may be in use: keys are of a name space of their own, and are deleted. `elapse` lets seconds pass, for a
    cache whose clock is the test's. For `NoCache`, which promises to remember nothing, this is not meant.
    """
    return await failures_of(_Checks(make_cache, elapse).by_promise())


async def check_unreachable_cache(make_cache: Callable[[], Cache]) -> list[Failure]:
    """Every promise that a cache broke on a store that does not answer, for example at a port where nobody listens."""

    async def nothing_raises() -> None:
        cache = make_cache()
        answer = await cache.open()
        require(not answer, f"open() said that {shown(answer)} answers")
        cache.put("key", b"value", _LONG_S)
        await cache.flush()
        value = await cache.get("key")
        require(value is None, f"get() gave {shown(value)}")
        await cache.delete("key", "other")
        await cache.close()
        await cache.close()
        require(cache.statistics.hits == 0, f"{cache.statistics.hits} hits were counted")
        require(cache.statistics.errors > 0, "no error was counted")
        require(cache.statistics.away_now, "the statistics say that the store is in use")

    return await failures_of({"an unreachable store raises nothing, answers nothing, and is counted": nothing_raises})


async def check_returning_cache(
    make_cache: Callable[[], Cache],
    stop_store: Callable[[], Awaitable[object]],
    start_store: Callable[[], Awaitable[object]],
) -> list[Failure]:
    """Every promise that a cache broke when its store stopped answering and came back.

    `stop_store` and `start_store` do that to a store of nobody else's, for example by SIGSTOP and SIGCONT to a server.
    """
    return await failures_of(_ReturnChecks(make_cache, stop_store, start_store).by_promise())


class _ReturnChecks:
    def __init__(
        self,
        make_cache: Callable[[], Cache],
        stop_store: Callable[[], Awaitable[object]],
        start_store: Callable[[], Awaitable[object]],
    ) -> None:
        self._make_cache = make_cache
        self._stop_store = stop_store
        self._start_store = start_store
        self._space = f"tickproof-conformance:{uuid.uuid4().hex}:"

    def by_promise(self) -> dict[str, Callable[[], Awaitable[None]]]:
        """Each check under its promise."""
        return {
            "a store that stops answering costs answers, raises nothing, and is counted": self._stops,
            "a store that comes back is in use again by itself": self._comes_back,
            "a store that comes late is in use from then on": self._comes_late,
            "what was deleted during an outage stays gone after it": self._deleted_meanwhile,
        }

    @contextlib.asynccontextmanager
    async def _stopped(self) -> AsyncIterator[Cache]:
        """A cache that was open and in use, with two keys, and whose store stopped."""
        cache = self._make_cache()
        require(await cache.open(), "open() said that nothing answers")
        try:
            for name in ("kept", "deleted"):
                cache.put(self._space + name, name.encode(), _LONG_S)
            await cache.flush()
            await self._stop_store()
            yield cache
        finally:
            await self._start_store()
            await cache.close()

    async def _stops(self) -> None:
        async with self._stopped() as cache:
            before = cache.statistics.errors
            values = [await cache.get(self._space + "kept") for _ in range(3)]
            require(values == [None] * 3, f"get() gave {shown(values)}")
            cache.put(self._space + "kept", b"x", _LONG_S)
            await cache.flush()
            require(cache.statistics.errors > before, "no error was counted")
            require(cache.statistics.outages == 1, f"{cache.statistics.outages} outages were counted instead of 1")
            require(cache.statistics.away_now, "the statistics say that the store is in use")

    async def _comes_back(self) -> None:
        async with self._stopped() as cache:
            await cache.get(self._space + "kept")
            await self._start_store()
            await self._in_use(cache)

    async def _comes_late(self) -> None:
        await self._stop_store()
        cache = self._make_cache()
        try:
            answer = await cache.open()
            require(not answer, f"open() said that {shown(answer)} answers")
            await self._start_store()
            await self._in_use(cache)
        finally:
            await self._start_store()
            await cache.close()

    async def _deleted_meanwhile(self) -> None:
        async with self._stopped() as cache:
            key = self._space + "deleted"
            cache.put(key, b"under way", _LONG_S)
            await cache.get(key)
            await cache.delete(key)
            await self._start_store()
            await self._in_use(cache)
            value = await cache.get(key)
            require(value is None, f"get() gave {shown(value)}")

    async def _in_use(self, cache: Cache) -> None:
        """Returns when what is put is read back."""
        key = self._space + "in use"
        for _ in range(_PATIENCE):
            cache.put(key, b"x", _LONG_S)
            await cache.flush()
            if await cache.get(key) == b"x":
                require(not cache.statistics.away_now, "the statistics say that the store is away")
                return
            await asyncio.sleep(_SHORT_S)
        raise BrokenPromise(f"not in use {_PATIENCE * _SHORT_S:g} s after the store came back")


class _Checks:
    def __init__(self, make_cache: Callable[[], Cache], elapse: Callable[[float], Awaitable[object]]) -> None:
        self._make_cache = make_cache
        self._elapse = elapse
        self._space = f"tickproof-conformance:{uuid.uuid4().hex}:"

    def by_promise(self) -> dict[str, Callable[[], Awaitable[None]]]:
        """Each check under its promise."""
        return {
            "open() says what answered": self._opened(lambda _: _nothing()),
            "a miss is None and is counted": self._opened(self._miss),
            "what was put is read back, bit for bit": self._opened(self._values),
            "hits and writes are counted": self._opened(self._counted),
            "any text is a key": self._opened(self._keys),
            "the last value put under a key is the one that stays": self._opened(self._last_wins),
            "a value lives no longer than its time": self._opened(self._expires),
            "what was deleted is gone; unknown keys are fine": self._opened(self._deleted),
            "a delete wins over an earlier put that was not flushed": self._opened(self._deleted_unflushed),
            "a put wins over an earlier delete that is under way": self._opened(self._put_after_delete),
            "many may ask at once": self._opened(self._together),
            "a look-up that is cancelled spoils no other": self._opened(self._cancelled),
            "after close() every get is a miss, and nothing raises": self._closed,
        }

    def _opened(self, check: Callable[[Cache], Awaitable[None]]) -> Callable[[], Awaitable[None]]:
        async def run() -> None:
            cache = self._make_cache()
            answer: object = await cache.open()
            try:
                require(isinstance(answer, str) and answer, f"open() returned {shown(answer)}")
                require(not cache.statistics.away_now, "the statistics say that the store is away")
                await check(cache)
            finally:
                await cache.close()

        return run

    def _key(self, name: str) -> str:
        return self._space + name

    async def _miss(self, cache: Cache) -> None:
        value = await cache.get(self._key("never put"))
        require(value is None, f"get() of a key that was never put gave {shown(value)}")
        require(cache.statistics.misses == 1, f"{cache.statistics.misses} misses were counted instead of 1")
        require(cache.statistics.errors == 0, f"{cache.statistics.errors} errors were counted")

    async def _values(self, cache: Cache) -> None:
        key = self._key("value")
        for value in (b"", b"x", bytes(range(256)), b"\r\n$-1\r\n", b"\0" * 1_000_000):
            await self._put(cache, key, value)
            again = await cache.get(key)
            require(type(again) is bytes and again == value, f"{shown(value)} came back as {shown(again)}")
        await cache.delete(key)

    async def _counted(self, cache: Cache) -> None:
        key = self._key("counted")
        await self._put(cache, key, b"1")
        await cache.get(key)
        await cache.get(key)
        seen = cache.statistics
        told = f"after 1 write and 2 hits, {seen.writes} writes, {seen.hits} hits and {seen.misses} misses were counted"
        require((seen.writes, seen.hits, seen.misses) == (1, 2, 0), told)
        await cache.delete(key)

    async def _keys(self, cache: Cache) -> None:
        keys = [self._key(name) for name in ("", "with space", "new\r\nline", "币安", "x" * 1_000, "*", "a:b/c?d")]
        for number, key in enumerate(keys):
            cache.put(key, str(number).encode(), _LONG_S)
        await cache.flush()
        values = [await cache.get(key) for key in keys]
        require(values == [str(number).encode() for number in range(len(keys))], f"the keys gave {shown(values)}")
        await cache.delete(*keys)

    async def _last_wins(self, cache: Cache) -> None:
        key = self._key("overwritten")
        for number in range(100):
            cache.put(key, str(number).encode(), _LONG_S)
        await cache.flush()
        value = await cache.get(key)
        require(value == b"99", f"after 100 puts from 0 to 99 the value is {shown(value)}")
        await cache.delete(key)

    async def _expires(self, cache: Cache) -> None:
        short, long = self._key("short"), self._key("long")
        cache.put(short, b"short", _SHORT_S)
        cache.put(long, b"long", _LONG_S)
        await cache.flush()
        for _ in range(_PATIENCE):
            await self._elapse(_SHORT_S / 2)
            if await cache.get(short) is None:
                break
        else:
            raise BrokenPromise(f"a value with {_SHORT_S} s to live was there after {_PATIENCE * _SHORT_S / 2} s")
        require(await cache.get(long) == b"long", "a value with a minute to live went with it")
        await cache.delete(long)

    async def _deleted(self, cache: Cache) -> None:
        keys = [self._key(f"deleted {number}") for number in range(3)]
        for key in keys:
            cache.put(key, b"x", _LONG_S)
        await cache.flush()
        await cache.delete(*keys[:2], self._key("unknown"))
        await cache.delete()
        values = [await cache.get(key) for key in keys]
        require(values == [None, None, b"x"], f"of three keys two were deleted; they gave {shown(values)}")
        await cache.delete(keys[2])

    async def _deleted_unflushed(self, cache: Cache) -> None:
        key = self._key("deleted unflushed")
        cache.put(key, b"old", _LONG_S)
        await cache.delete(key)
        await cache.flush()
        value = await cache.get(key)
        require(value is None, f"get() gave {shown(value)}")

    async def _put_after_delete(self, cache: Cache) -> None:
        key = self._key("put after delete")
        await self._put(cache, key, b"old")
        deleting = asyncio.ensure_future(cache.delete(key))
        await asyncio.sleep(0)
        await self._put(cache, key, b"new")
        await deleting
        await cache.flush()
        value = await cache.get(key)
        require(value == b"new", f"get() gave {shown(value)}")
        await cache.delete(key)

    async def _cancelled(self, cache: Cache) -> None:
        keys = [self._key(f"cancelled {number}") for number in range(20)]
        for key in keys:
            cache.put(key, key.encode(), _LONG_S)
        await cache.flush()
        for number, key in enumerate(keys):
            asking = asyncio.ensure_future(cache.get(key))
            for _ in range(number % 7):
                await asyncio.sleep(0)
            asking.cancel()
            await asyncio.gather(asking, return_exceptions=True)
            value = await cache.get(keys[0])
            require(value == keys[0].encode(), f"the look-up after it gave {shown(value)}")
        await cache.delete(*keys)

    async def _together(self, cache: Cache) -> None:
        keys = [self._key(f"together {number}") for number in range(50)]
        for key in keys:
            cache.put(key, key.encode(), _LONG_S)
        await cache.flush()
        values = await asyncio.gather(*(cache.get(key) for key in keys))
        wrong = sum(value != key.encode() for key, value in zip(keys, values, strict=True))
        require(not wrong, f"{wrong} of {len(keys)} gave another key's value or none")
        await cache.delete(*keys)

    async def _closed(self) -> None:
        cache = self._make_cache()
        await cache.open()
        key = self._key("closed")
        cache.put(key, b"x", _SHORT_S)
        await cache.close()
        value = await cache.get(key)
        require(value is None, f"get() gave {shown(value)}")
        cache.put(key, b"x", _SHORT_S)
        await cache.flush()
        await cache.delete(key)
        await cache.close()

    async def _put(self, cache: Cache, key: str, value: bytes) -> None:
        outcome: object = cache.put(key, value, _LONG_S)  # type: ignore[func-returns-value] # checked for just that
        require(outcome is None, f"put() is not to be waited for, but returned {shown(outcome)}")
        await cache.flush()


async def _nothing() -> None:
    """The check is in opening it."""
