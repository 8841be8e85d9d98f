"""Fetches depth snapshots for the feed while the market connection stands still."""

from __future__ import annotations

import asyncio
import logging
import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from harness.backends.backoff import Backoff
from harness.bot.rest import RateLimited
from harness.errors import ServiceError
from harness.redact import redact

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from harness.exchange.book_sync import Snapshot

_log = logging.getLogger(__name__)

#: The first wait after a failure, doubled with each further one up to the longest; a random half of it is left out.
FIRST_WAIT_S: Final = 0.25
LONGEST_WAIT_S: Final = 30.0
#: For live running: longer than this no snapshot may keep the bot from the market, and a position from its stop.
LONGEST_PAUSE_S: Final = 10.0


@dataclass(slots=True, kw_only=True)
class SnapshotStatistics:
    """What was asked and how it went."""

    waiting: int = 0
    """Requests not yet served, the one under way included."""
    peak: int = 0
    fetched: int = 0
    failed: int = 0
    """Tries that brought no answer."""
    useless: int = 0
    """Answers too old or malformed, so that another had to be fetched."""
    pauses: int = 0
    """How often the market was paused."""
    read_on: int = 0
    """How often it was read on before the requests were served, after the longest pause."""


class Snapshots:
    """Serves requests one after the other: pauses the market, fetches, hands over, resumes.

    `request` pauses at once, within the handler of the frame that brought the need, so no later frame is seen before
    the snapshot and a repeated run sees the same book. Each call of `pause` is followed by one of `resume`, also when
    `serve` is cancelled; the requests then stay and are served by the next `serve`.
    """

    def __init__(
        self,
        fetch: Callable[[str], Awaitable[Snapshot]],
        pause: Callable[[], None],
        resume: Callable[[], None],
        *,
        longest_pause_s: float | None = None,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
        chance: Callable[[], float] = random.random,
    ) -> None:
        """`fetch` raises ServiceError or OSError when it gets none; `chance` gives numbers from 0 to 1.

        With `longest_pause_s` the market is read on after so long, the fetching going on beside it: for live running,
        since what is read then depends on the clock.
        """
        self.statistics = SnapshotStatistics()
        self._fetch = fetch
        self._pause_market = pause
        self._resume_market = resume
        self._longest_pause_s = longest_pause_s
        self._timer: asyncio.TimerHandle | None = None
        self._sleep = sleep
        self._backoff = Backoff(FIRST_WAIT_S, LONGEST_WAIT_S, chance=chance)
        self._waiting: dict[str, None] = {}
        """In the order of the requests; a symbol waits once."""
        self._filled = asyncio.Event()
        self._paused = False
        self._reads_on = False
        """Whether the market is not to be paused until all that waits now is served."""
        self._is_out = False
        """Whether the last fetch failed, which was logged then."""

    def request(self, symbol: str) -> None:
        """Have a snapshot of the symbol fetched; the market is paused when this returns."""
        self._waiting[symbol] = None
        self.statistics.waiting = len(self._waiting)
        self.statistics.peak = max(self.statistics.peak, len(self._waiting))
        self._filled.set()
        self._pause()

    async def serve(self, take: Callable[[str, Snapshot], bool]) -> None:
        """Serve until cancelled; `take` gets each snapshot and returns True when it needs another one."""
        if self._waiting:
            self._pause()
        try:
            while True:
                await self._filled.wait()
                await self._serve_one(next(iter(self._waiting)), take)
        finally:
            self._resume()

    async def _serve_one(self, symbol: str, take: Callable[[str, Snapshot], bool]) -> None:
        snapshot = await self._fetched(symbol)
        if snapshot is not None and take(symbol, snapshot):
            self.statistics.useless += 1
            await self._wait_after_failure(symbol, 0.0)
        elif snapshot is not None:
            self._done(symbol)

    def _done(self, symbol: str) -> None:
        self._backoff.reset()
        del self._waiting[symbol]
        self.statistics.waiting = len(self._waiting)
        if not self._waiting:
            self._filled.clear()
            self._reads_on = False
            self._resume()

    async def _fetched(self, symbol: str) -> Snapshot | None:
        """The snapshot; None after a failure and the wait that it costs."""
        try:
            snapshot = await self._fetch(symbol)
        except (ServiceError, OSError) as error:
            self.statistics.failed += 1
            if not self._is_out:
                self._is_out = True
                _log.warning("no depth snapshot of %s, trying on: %s", symbol, redact(str(error)))
            await self._wait_after_failure(symbol, error.retry_after_s if isinstance(error, RateLimited) else 0.0)
            return None
        if self._is_out:
            self._is_out = False
            _log.info("depth snapshots are answered again")
        self.statistics.fetched += 1
        return snapshot

    async def _wait_after_failure(self, symbol: str, at_least_s: float) -> None:
        # One that is never answered must not keep the others from their turn.
        self._waiting[symbol] = self._waiting.pop(symbol)
        await self._sleep(max(self._backoff.next_s(), at_least_s))

    def _pause(self) -> None:
        if not self._paused and not self._reads_on:
            self._paused = True
            self.statistics.pauses += 1
            self._pause_market()
            if self._longest_pause_s is not None:
                self._timer = asyncio.get_running_loop().call_later(self._longest_pause_s, self._read_on)

    def _read_on(self) -> None:
        _log.warning("no depth snapshot in %g s: the market is read on without", self._longest_pause_s)
        self.statistics.read_on += 1
        self._reads_on = True
        self._resume()

    def _resume(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._paused:
            self._paused = False
            self._resume_market()
