"""How a running bot fares: frames, the time that each takes, and how late its loop wakes. For live runs, not trials."""

from __future__ import annotations

import asyncio
import time
from bisect import bisect_left
from collections import deque
from typing import TYPE_CHECKING

from harness.bot.status.snapshot import Distribution, Traffic

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

#: Twelve buckets a decade (IEC 60063, E12), from 1 us to 10 s: a quantile is at most 22 % too high.
BOUNDS_NS = [step * 10**power for power in range(2, 9) for step in (10, 12, 15, 18, 22, 27, 33, 39, 47, 56, 68, 82)]
BOUNDS_NS.append(10_000_000_000)
_BOUNDS_S = tuple(bound / 1e9 for bound in BOUNDS_NS)

#: How often the loop's lateness is sampled; it is also the grain of the rate.
SAMPLE_S = 0.1
#: Over how long the rate is taken.
WINDOW_S = 10.0


class Histogram:
    """Durations in nanoseconds, in the buckets above."""

    __slots__ = ("counts", "largest", "total")

    def __init__(self) -> None:
        self.counts = [0] * (len(BOUNDS_NS) + 1)
        self.total = 0
        self.largest = 0

    def add(self, duration_ns: int) -> None:
        """Count one; it is called for every frame."""
        self.counts[bisect_left(BOUNDS_NS, duration_ns)] += 1
        self.total += duration_ns
        if duration_ns > self.largest:  # noqa: PLR1730 - max() costs more than all the rest
            self.largest = duration_ns

    @property
    def distribution(self) -> Distribution:
        """As it is now, in seconds."""
        return Distribution(
            bounds_s=_BOUNDS_S, counts=tuple(self.counts), total_s=self.total / 1e9, largest_s=self.largest / 1e9
        )


class Monitor:
    """Counts and times the market frames of a bot, and samples the lag of its loop. Memory is bounded.

    Its `watch` is what the bot asks of a Probe. What is timed is this process's own work, from the moment the transport
    hands a frame over until all is decided; the way from the exchange is not, since its clock is not ours.
    """

    def __init__(
        self,
        *,
        now: Callable[[], int] = time.monotonic_ns,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self._now = now
        self._sleep = sleep
        self._handling = Histogram()
        self._lag = Histogram()
        self._lag_last = 0
        self._started = now()
        self._seen = deque([(self._started, 0)], maxlen=round(WINDOW_S / SAMPLE_S) + 1)
        """Time and frames until then, a pair a sample."""

    def watch(self, on_frame: Callable[[bytes], None]) -> Callable[[bytes], None]:
        """The handler with a clock before and after it; a connection that is made anew counts on."""
        now, add = self._now, self._handling.add

        def watched(frame: bytes) -> None:
            received = now()
            on_frame(frame)
            add(now() - received)

        return watched

    async def sample(self) -> None:
        """Sleep and see how late it is, until cancelled.

        Lateness is that of the loop and of its timers: uvloop's have a grain of 1 ms.
        """
        wanted = round(SAMPLE_S * 1e9)
        while True:
            asleep = self._now()
            await self._sleep(SAMPLE_S)
            woke = self._now()
            self._lag_last = max(0, woke - asleep - wanted)
            self._lag.add(self._lag_last)
            self._remember(woke)

    def _remember(self, moment: int) -> None:
        self._seen.append((moment, sum(self._handling.counts)))
        # The oldest that is kept is as old as the window or older, so that the rate is never of less.
        while len(self._seen) > 1 and self._seen[1][0] <= moment - WINDOW_S * 1e9:
            self._seen.popleft()

    @property
    def traffic(self) -> Traffic:
        """As it is now."""
        moment, handling = self._now(), self._handling.distribution
        since, before = self._seen[0]
        return Traffic(
            frames=handling.count,
            rate=_rate(handling.count - before, moment - since),
            mean_rate=_rate(handling.count, moment - self._started),
            handling=handling,
            lag=self._lag.distribution,
            lag_last_s=self._lag_last / 1e9,
        )


def _rate(frames: int, duration_ns: int) -> float:
    return frames * 1e9 / duration_ns if duration_ns > 0 else 0.0
