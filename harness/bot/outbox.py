"""What must be written, between the desk that may not wait and the database that makes one wait."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from harness.bot.ledger import TradeRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueStatistics:
    """Size of a queue now, and the most it ever held."""

    waiting: int
    peak: int
    pauses: int
    """How often it was full and the market had to wait."""


class Outbox:
    """Bounded: at the high mark it calls `pause`, below the low mark `resume`. Nothing is ever dropped."""

    HIGH = 2_000
    LOW = 500
    BATCH = 500

    def __init__(self, pause: Callable[[], None], resume: Callable[[], None]) -> None:
        self._pause = pause
        self._resume = resume
        self._waiting: list[TradeRecord] = []
        self._filled = asyncio.Event()
        self._finished = False
        self._paused = False
        self._peak = 0
        self._pauses = 0

    def put(self, trade: TradeRecord) -> None:
        """Take a trade; never waits."""
        self._waiting.append(trade)
        self._filled.set()
        size = len(self._waiting)
        self._peak = max(self._peak, size)
        if size >= self.HIGH and not self._paused:
            self._paused = True
            self._pauses += 1
            self._pause()

    def finish(self) -> None:
        """No more will come: `drain` ends when all is written."""
        self._finished = True
        self._filled.set()

    async def drain(self, write: Callable[[list[TradeRecord]], Awaitable[None]]) -> None:
        """Write in batches until finished; raises what `write` raises, the batch then being still here."""
        while True:
            await self._filled.wait()
            batch = self._waiting[: self.BATCH]
            if batch:
                await write(batch)
                del self._waiting[: len(batch)]
            if not self._waiting:
                if self._finished:
                    return
                self._filled.clear()
            if self._paused and len(self._waiting) < self.LOW:
                self._paused = False
                self._resume()

    @property
    def statistics(self) -> QueueStatistics:
        """Size and peak."""
        return QueueStatistics(waiting=len(self._waiting), peak=self._peak, pauses=self._pauses)
