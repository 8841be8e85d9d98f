"""Caches without a server."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from harness.backends.contracts import CacheStatistics

if TYPE_CHECKING:
    from collections.abc import Callable


class NoCache:
    """Remembers nothing: the report's "before"."""

    def __init__(self, url: str | None = None) -> None:
        del url
        self.statistics = CacheStatistics()

    async def open(self) -> str:
        """Nothing answers."""
        return ""

    async def get(self, key: str) -> bytes | None:
        """Always a miss that is not counted: nobody was asked."""
        del key
        return None

    def put(self, key: str, value: bytes, ttl_s: float) -> None:
        """Forgets at once."""

    async def delete(self, *keys: str) -> None:
        """Nothing to forget."""

    async def flush(self) -> None:
        """Nothing to wait for."""

    async def close(self) -> None:
        """Nothing to close."""


class MemoryCache:
    """A dict in the bot's own process, bounded: the cheapest cache there can be."""

    MAX_KEYS = 10_000

    def __init__(self, url: str | None = None, *, now: Callable[[], float] = time.monotonic) -> None:
        del url
        self.statistics = CacheStatistics()
        self._now = now
        self._values: dict[str, tuple[float, bytes]] = {}

    async def open(self) -> str:
        """The process itself answers."""
        return "memory"

    async def get(self, key: str) -> bytes | None:
        """The value while it lives."""
        expiry, value = self._values.get(key, (0.0, b""))
        if self._now() < expiry:
            self.statistics.hits += 1
            return value
        self._values.pop(key, None)
        self.statistics.misses += 1
        return None

    def put(self, key: str, value: bytes, ttl_s: float) -> None:
        """Stored at once; the oldest key goes when there are too many."""
        self._values.pop(key, None)
        if len(self._values) >= self.MAX_KEYS:
            del self._values[next(iter(self._values))]
        self._values[key] = (self._now() + ttl_s, value)
        self.statistics.writes += 1

    async def delete(self, *keys: str) -> None:
        """Forget them."""
        for key in keys:
            self._values.pop(key, None)

    async def flush(self) -> None:
        """Nothing waits."""

    async def close(self) -> None:
        """Forget all."""
        self._values.clear()
