"""A Redis-compatible server as cache: never raises into the bot, never makes it wait for a write or a dead server."""

from __future__ import annotations

import asyncio
import itertools
import logging
import time
from typing import TYPE_CHECKING

import redis.asyncio
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import InvalidResponse, ResponseError

from harness.backends.contracts import CacheStatistics
from harness.backends.patience import Patience
from harness.backends.redis_faults import Fault, fault_of, is_wrong_type
from harness.backends.redis_link import CONNECTIONS, RedisLink
from harness.backends.time_limit import TimeLimit

if TYPE_CHECKING:
    from redis.asyncio import Redis

_log = logging.getLogger(__name__)

#: Keys that wait to be written; further ones are dropped and counted, since a cache may forget.
MAX_PENDING = 256
#: Keys that are remembered as still to be deleted; beyond, all that was put before is waited out instead.
MAX_OWED = 4_096
#: Writes under way may take this long to end at the close.
_CLOSE_S = 1.0


class RedisCache:
    """Bytes by key on the server at `url`.

    Deletes that the server has not confirmed are owed: their keys are misses here until it has, and it is asked before
    it is used again after an outage. Owed as well is the key of every put whose end is unknown, for a frozen server
    may store it when it thaws. What else lay there before an outage may be used after it, while its time to live lasts.
    """

    def __init__(self, url: str | None, *, patience: Patience | None = None) -> None:
        self.statistics = CacheStatistics(away_now=True)
        self._url = url
        self._patience = patience or Patience()
        self._link: RedisLink | None = None
        self._slots = asyncio.Semaphore(CONNECTIONS)
        self._waiting: dict[str, tuple[bytes, int]] = {}
        self._writer: asyncio.Task[None] | None = None
        self._writing = asyncio.Lock()
        self._owed: dict[str, int] = {}
        self._serials = itertools.count()
        self._longest_ttl_s = 0.0
        self._blind_until = 0.0

    async def open(self) -> str:
        """Connect and ask who answers; an empty string when nobody does, and from then on it is looked for."""
        if not self._url:
            # The seed's own line, in English.
            _log.info("REDIS_URL not set (optional): Redis cache disabled")
            return ""
        try:
            client = _client(self._url)
        except ValueError:  # whose text may hold a piece of the password
            self.statistics.errors += 1
            _log.warning(
                "REDIS_URL cannot be read, Redis cache disabled: it must be %s, with / : @ in a password written as "
                "%%2F %%3A %%40",
                "redis://user:password@host:6379/0",
            )
            return ""
        self._link = RedisLink(client, self.statistics, self._settle, self._patience)
        return await self._link.open()

    async def get(self, key: str) -> bytes | None:
        """The value, or None."""
        link = self._link
        if link is None:
            return None
        if link.client is None:
            self.statistics.skipped += 1
            return None
        if self._is_owed(key):
            self.statistics.misses += 1
            return None
        began = time.perf_counter_ns()
        value = await self._asked(link, key)
        self.statistics.latency.record(time.perf_counter_ns() - began)
        return value

    async def _asked(self, link: RedisLink, key: str) -> bytes | None:
        session, client = link.session, None
        try:
            with TimeLimit(self._patience.limit_s):
                async with self._slots:
                    client = link.client  # None again when it went away while this one waited for its turn
                    if client is not None:
                        return self._counted(await client.get(_wire(key)))
        except Exception as error:  # noqa: BLE001 - a server that is none makes the library raise anything
            if client is not None:
                link.failed(error, session)
                if is_wrong_type(error):
                    self._owe(key)
                    self._start_writer()
                return None
        # It never had its turn, which tells nothing of the server.
        self.statistics.skipped += 1
        return None

    def _counted(self, value: object) -> bytes | None:
        if value is None:
            self.statistics.misses += 1
            return None
        if type(value) is not bytes:
            raise InvalidResponse("the answer is no value")
        self.statistics.hits += 1
        return value

    def put(self, key: str, value: bytes, ttl_s: float) -> None:
        """Have it stored by the one task that writes, so that the last value put under a key is the one that stays."""
        if self._link is None:
            return
        full = len(self._waiting) >= MAX_PENDING and key not in self._waiting
        if full or self._link.client is None:
            self.statistics.dropped += 1
            return
        self._longest_ttl_s = max(self._longest_ttl_s, ttl_s)
        self._waiting[key] = (value, max(1, int(ttl_s * 1_000)))
        self._start_writer()

    def _start_writer(self) -> None:
        if self._writer is None or self._writer.done():
            self._writer = asyncio.get_running_loop().create_task(self._write())

    async def _write(self) -> None:
        if self._owed:
            async with self._writing:
                await self._delete_owed()
        while self._waiting:
            async with self._writing:
                await self._store_next()

    async def _store_next(self) -> None:
        link, client = self._in_use()
        if link is None or client is None:
            self.statistics.dropped += len(self._waiting)
            self._waiting.clear()
            return
        if not self._waiting:  # deleted while this one waited for its turn
            return
        key = next(iter(self._waiting))
        value, ttl_ms = self._waiting.pop(key)
        session = link.session
        owed = {key: self._owed[key]} if key in self._owed else {}
        try:
            with TimeLimit(self._patience.limit_s):
                await client.set(_wire(key), value, px=ttl_ms)
        except BaseException as error:
            if not isinstance(error, Exception):
                self._owe(key)
                raise
            link.failed(error, session)
            if fault_of(error) is not Fault.REFUSED:
                self._owe(key)
        else:
            self.statistics.writes += 1
            self._paid(owed)

    async def delete(self, *keys: str) -> None:
        """Forget the keys; a write under way ends first, else it could bring an old value back."""
        if self._link is None or not keys:
            return
        for key in keys:
            self._waiting.pop(key, None)
            self._owe(key)
        if self._link.client is None:
            return
        async with self._writing:
            await self._delete_owed()

    async def _delete_owed(self) -> None:
        link, client = self._in_use()
        if link is None or client is None or not self._owed:
            return
        session = link.session
        try:
            with TimeLimit(self._patience.limit_s):
                await self._settle(client)
        except Exception as error:  # noqa: BLE001 - as above
            link.failed(error, session)

    async def _settle(self, client: Redis) -> None:
        """Delete what is owed. A refusal is counted and its keys stay misses here; raises what else goes wrong."""
        owed = dict(self._owed)
        if not owed:
            return
        try:
            await client.delete(*map(_wire, owed))
        except ResponseError as error:
            if self._link is None or fault_of(error) is not Fault.REFUSED:
                raise
            self._link.failed(error, self._link.session)
        else:
            self._paid(owed)

    def _owe(self, key: str) -> None:
        if len(self._owed) >= MAX_OWED and key not in self._owed:
            self._blind_until = time.monotonic() + self._longest_ttl_s
            self._owed.clear()
        self._owed[key] = next(self._serials)

    def _paid(self, owed: dict[str, int]) -> None:
        for key, serial in owed.items():
            if self._owed.get(key) == serial:  # else it was deleted again meanwhile
                del self._owed[key]

    def _is_owed(self, key: str) -> bool:
        if self._blind_until:
            if time.monotonic() < self._blind_until:
                return True
            self._blind_until = 0.0
        return key in self._owed

    def _in_use(self) -> tuple[RedisLink | None, Redis | None]:
        return self._link, self._link.client if self._link else None

    async def flush(self) -> None:
        """Wait for the writes under way."""
        if self._writer is not None:
            await asyncio.wait({self._writer})

    async def close(self) -> None:
        """Finish the writes and disconnect."""
        if self._writer is not None and not self._writer.done():
            _, late = await asyncio.wait({self._writer}, timeout=_CLOSE_S)
            for task in late:
                task.cancel()
                await asyncio.wait({task})
        link, self._link = self._link, None
        if link is not None:
            await link.close()


def _client(url: str) -> Redis:
    # No time-outs of the library's own: each would cost a task or a timer, and together they exceed the limit.
    # No second try: a cache that asks again costs more than the query that it was to save.
    client: Redis = redis.asyncio.from_url(
        url, socket_timeout=None, socket_connect_timeout=None, retry=Retry(NoBackoff(), 0), protocol=2
    )
    return client


def _wire(key: str) -> bytes:
    """Any text is a key, half a surrogate pair too."""
    return key.encode("utf-8", "surrogatepass")
