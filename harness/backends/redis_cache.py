"""A Redis-compatible server as cache: never raises into the bot, never makes it wait for a write."""

from __future__ import annotations

import asyncio
import logging
from typing import cast

import redis.asyncio
from redis.exceptions import RedisError

from harness.backends.contracts import CacheStatistics
from harness.redact import redact

_log = logging.getLogger(__name__)

#: A server that does not answer costs a query this much and no more.
TIMEOUT_S = 1.0
#: Writes under way at once; further ones are dropped and counted as errors, since a cache may forget.
MAX_PENDING = 256


class RedisCache:
    """Bytes by key on the server at `url`."""

    def __init__(self, url: str | None) -> None:
        self.statistics = CacheStatistics()
        self._url = url
        self._client: redis.asyncio.Redis | None = None
        self._pending: set[asyncio.Task[None]] = set()

    async def open(self) -> str:
        """Connect and ask who answers; logs once and returns an empty string when nobody does."""
        if not self._url:
            # The seed's own line, in English.
            _log.info("REDIS_URL not set (optional): Redis cache disabled")
            return ""
        client = redis.asyncio.from_url(self._url, socket_timeout=TIMEOUT_S, socket_connect_timeout=TIMEOUT_S)
        try:
            information = await client.info("server")
        except (RedisError, OSError, TimeoutError) as error:
            _log.warning("Redis does not answer, cache disabled: %s", redact(str(error)))
            self.statistics.errors += 1
            await client.aclose()
            return ""
        self._client = client
        if "valkey_version" in information:
            return f"Valkey {information['valkey_version']}"
        return f"Redis {information['redis_version']}"

    async def get(self, key: str) -> bytes | None:
        """The value, or None."""
        if self._client is None:
            return None
        try:
            value = cast("bytes | None", await self._client.get(key))
        except (RedisError, OSError, TimeoutError):
            self.statistics.errors += 1
            return None
        if value is None:
            self.statistics.misses += 1
        else:
            self.statistics.hits += 1
        return value

    def put(self, key: str, value: bytes, ttl_s: float) -> None:
        """Store in a task of its own."""
        if self._client is None:
            return
        if len(self._pending) >= MAX_PENDING:
            self.statistics.errors += 1
            return
        task = asyncio.get_running_loop().create_task(self._store(self._client, key, value, ttl_s))
        self._pending.add(task)
        task.add_done_callback(self._pending.discard)

    async def _store(self, client: redis.asyncio.Redis, key: str, value: bytes, ttl_s: float) -> None:
        try:
            await client.set(key, value, px=max(1, round(ttl_s * 1000)))
        except (RedisError, OSError, TimeoutError):
            self.statistics.errors += 1
        else:
            self.statistics.writes += 1

    async def delete(self, *keys: str) -> None:
        """Forget the keys; writes under way finish first, else one of them could bring an old value back."""
        if self._client is None or not keys:
            return
        await self.flush()
        try:
            await self._client.delete(*keys)
        except (RedisError, OSError, TimeoutError):
            self.statistics.errors += 1

    async def flush(self) -> None:
        """Wait for the writes under way."""
        if self._pending:
            await asyncio.gather(*self._pending)

    async def close(self) -> None:
        """Finish the writes and disconnect."""
        await self.flush()
        if self._client is not None:
            client, self._client = self._client, None
            await client.aclose()
