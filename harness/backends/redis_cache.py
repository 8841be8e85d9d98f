"""A Redis-compatible server as cache: never raises into the bot, never makes it wait for a write."""

from __future__ import annotations

import asyncio
import logging
from typing import cast

import redis.asyncio
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from harness.backends.contracts import CacheStatistics
from harness.redact import redact

_log = logging.getLogger(__name__)

#: A server that does not answer costs a query this much and no more.
TIMEOUT_S = 1.0
#: Keys that wait to be written; further ones are dropped and counted as errors, since a cache may forget.
MAX_PENDING = 256
#: What a server that is away, refuses us or is none makes the library raise (ValueError: an answer that is no Redis).
_FAILURES = (RedisError, OSError, TimeoutError, ValueError)


class RedisCache:
    """Bytes by key on the server at `url`."""

    def __init__(self, url: str | None) -> None:
        self.statistics = CacheStatistics()
        self._url = url
        self._client: redis.asyncio.Redis | None = None
        self._waiting: dict[str, tuple[bytes, int]] = {}
        self._writer: asyncio.Task[None] | None = None

    async def open(self) -> str:
        """Connect and ask who answers; logs once and returns an empty string when nobody does."""
        if not self._url:
            # The seed's own line, in English.
            _log.info("REDIS_URL not set (optional): Redis cache disabled")
            return ""
        try:
            client = redis.asyncio.from_url(
                self._url,
                socket_timeout=TIMEOUT_S,
                socket_connect_timeout=TIMEOUT_S,
                # A cache that asks again costs more than the query that it was to save.
                retry=Retry(NoBackoff(), 0),
            )
        except ValueError as error:
            return self._disabled(error)
        try:
            information = await client.info("server")
        except _FAILURES as error:
            await client.aclose()
            return self._disabled(error)
        self._client = client
        if "valkey_version" in information:
            return f"Valkey {information['valkey_version']}"
        return f"Redis {information.get('redis_version', 'of unknown version')}"

    def _disabled(self, error: Exception) -> str:
        _log.warning("Redis does not answer, cache disabled: %s", redact(str(error)))
        self.statistics.errors += 1
        return ""

    async def get(self, key: str) -> bytes | None:
        """The value, or None."""
        if self._client is None:
            return None
        try:
            value = cast("bytes | None", await self._client.get(key))
        except _FAILURES:
            self.statistics.errors += 1
            return None
        if value is None:
            self.statistics.misses += 1
        else:
            self.statistics.hits += 1
        return value

    def put(self, key: str, value: bytes, ttl_s: float) -> None:
        """Have it stored by the one task that writes, so that the last value put under a key is the one that stays."""
        if self._client is None:
            return
        if len(self._waiting) >= MAX_PENDING and key not in self._waiting:
            self.statistics.errors += 1
            return
        self._waiting[key] = (value, max(1, round(ttl_s * 1000)))
        if self._writer is None or self._writer.done():
            self._writer = asyncio.get_running_loop().create_task(self._write(self._client))

    async def _write(self, client: redis.asyncio.Redis) -> None:
        while self._waiting:
            key = next(iter(self._waiting))
            value, ttl_ms = self._waiting.pop(key)
            try:
                await client.set(key, value, px=ttl_ms)
            except _FAILURES:
                # What waits behind it would fail too, each after a time-out of its own.
                self.statistics.errors += 1 + len(self._waiting)
                self._waiting.clear()
            else:
                self.statistics.writes += 1

    async def delete(self, *keys: str) -> None:
        """Forget the keys; writes under way finish first, else one of them could bring an old value back."""
        if self._client is None or not keys:
            return
        await self.flush()
        try:
            await self._client.delete(*keys)
        except _FAILURES:
            self.statistics.errors += 1

    async def flush(self) -> None:
        """Wait for the writes under way."""
        if self._writer is not None:
            await asyncio.wait({self._writer})

    async def close(self) -> None:
        """Finish the writes and disconnect."""
        await self.flush()
        if self._client is not None:
            client, self._client = self._client, None
            await client.aclose()
