"""What was decided, between the desk that may not wait and the disk and the exchange that make one wait."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, TypeVar

from harness.backends.backoff import Backoff
from harness.clock import MonotonicClock
from harness.errors import ServiceError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from harness.bot.decision import Decision
    from harness.bot.storage.journal import Journal
    from harness.clock import Clock
    from harness.exchange.orders import Order

T = TypeVar("T")

_log = logging.getLogger(__name__)

_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.05, 5.0
#: How soon a full gateway is looked at again.
_LOOK_AGAIN_S = 0.005


class Hold(StrEnum):
    """Why the market is held up."""

    OUTBOX_FULL = "outbox full"
    JOURNAL_FAILS = "journal cannot be written"
    JOURNAL_FULL = "journal full"
    """PostgreSQL has not confirmed so many records."""
    ORDERS_UNSETTLED = "too many unsettled orders"


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueStatistics:
    """The state of the outbox, and what it went through."""

    waiting: int
    """Decisions that are not journalled yet, and orders that are not sent yet."""
    peak: int
    pauses: int
    """How often the market had to wait."""
    paused_ns: int = 0
    """How long it did in all, until now if it does."""
    paused_now: bool = False
    reasons: tuple[str, ...] = ()
    """Why it does."""
    trouble: str = ""
    """What the disk says while it is tried again; empty when all goes well."""
    journalled: int = 0
    sent: int = 0
    """Orders given to the gateway, those sent again after a restart included."""


class Outbox:
    """Takes decisions without waiting, journals them in batches, and only then sends their orders, in order.

    Nothing is dropped: at a mark it calls `pause`, below another one `resume`. `send` and `is_full` are the gateway's.
    """

    HIGH = 2_000
    LOW = 500
    BATCH = 500

    def __init__(
        self,
        journal: Journal,
        send: Callable[[Order], None],
        pause: Callable[[], None],
        resume: Callable[[], None],
        *,
        is_full: Callable[[], bool] = lambda: False,
        maximum_pending: int = 100_000,
        maximum_unsettled: int = 10_000,
        clock: Clock | None = None,
        backoff: Backoff | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._journal = journal
        self._send = send
        self._is_full = is_full
        self._pause = pause
        self._resume = resume
        self._clock = clock or MonotonicClock()
        self._backoff = backoff or Backoff(_FIRST_PAUSE_S, _LONGEST_PAUSE_S)
        self._sleep = sleep
        self._marks: dict[Hold, tuple[Callable[[], int], int]] = {
            Hold.JOURNAL_FULL: (lambda: journal.counts.writes, maximum_pending),
            Hold.ORDERS_UNSETTLED: (lambda: journal.counts.orders, maximum_unsettled),
        }
        self._waiting: list[Decision] = []
        self._unsent: deque[Order] = deque()
        self._again = True
        self._wake = asyncio.Event()
        self._wake.set()
        self._empty = asyncio.Event()
        self._finished = False
        self._holds: dict[Hold, None] = {}
        self._told: set[Hold] = set()
        self._held_since = 0
        self._held_ns = 0
        self._pauses = 0
        self._peak = 0
        self._journalled = 0
        self._sent = 0
        self._trouble = ""
        journal.watch(self._weigh)
        self._weigh()

    def put(self, decision: Decision) -> None:
        """Take a decision; never waits."""
        waiting = self._waiting
        waiting.append(decision)
        self._peak = max(self._peak, len(waiting))
        if len(waiting) >= self.HIGH:
            self._hold(Hold.OUTBOX_FULL)
        self._empty.clear()
        self._wake.set()

    async def run(self) -> None:
        """Send what an earlier life left unsettled, then journal and send what is put, until `finish`.

        Ended at any moment it can be run again: what is journalled and not settled is then sent again.
        """
        self._again = True
        while not (self._finished and self._empty.is_set()):
            await self._wake.wait()
            self._wake.clear()
            await self._work()

    async def finish(self, timeout_s: float | None = None) -> None:
        """Return when all that was put is journalled and sent, and end `run`; put nothing afterwards.

        Raises ServiceError when that takes too long, saying what is left; nothing is lost that was journalled.
        """
        self._finished = True
        self._wake.set()
        try:
            async with asyncio.timeout(timeout_s):
                await self._empty.wait()
        except TimeoutError:
            raise ServiceError(
                f"{len(self._waiting)} decisions are not journalled and {len(self._unsent)} orders not sent after"
                f" {timeout_s:g} s: {self._trouble or 'the disk or the gateway is slow'}"
            ) from None

    @property
    def paused(self) -> bool:
        """True while the market must wait; a market that connects meanwhile is to be paused at once."""
        return bool(self._holds)

    @property
    def statistics(self) -> QueueStatistics:
        """Of this moment."""
        running = self._clock.now() - self._held_since if self._holds else 0
        return QueueStatistics(
            waiting=len(self._waiting) + len(self._unsent),
            peak=self._peak,
            pauses=self._pauses,
            paused_ns=self._held_ns + running,
            paused_now=self.paused,
            reasons=tuple(str(hold) for hold in self._holds),
            trouble=self._trouble,
            journalled=self._journalled,
            sent=self._sent,
        )

    async def _work(self) -> None:
        """Until nothing is left to do."""
        while self._again or self._unsent or self._waiting:
            if self._again:
                self._unsent = deque(await self._surely(self._journal.unsettled))
                self._again = False
            elif self._unsent:
                await self._send_next()
            else:
                await self._journal_batch()
        self._empty.set()

    async def _send_next(self) -> None:
        while self._is_full():
            await self._sleep(_LOOK_AGAIN_S)
        self._send(self._unsent[0])
        self._unsent.popleft()
        self._sent += 1

    async def _journal_batch(self) -> None:
        batch = self._waiting[: self.BATCH]
        await self._surely(lambda: self._journal.append(batch))
        del self._waiting[: len(batch)]
        self._journalled += len(batch)
        self._unsent.extend(decision.order for decision in batch if decision.order)
        if len(self._waiting) < self.LOW:
            self._let_go(Hold.OUTBOX_FULL)

    async def _surely(self, work: Callable[[], Awaitable[T]]) -> T:
        """What the journal answers, asked until it does; the market waits while it does not."""
        while True:
            try:
                result = await work()
            except ServiceError as error:
                self._fails(error)
                await self._sleep(self._backoff.next_s())
                continue
            if self._trouble:
                _log.warning("the journal works again")
                self._trouble = ""
                self._backoff.reset()
                self._let_go(Hold.JOURNAL_FAILS)
            return result

    def _fails(self, error: ServiceError) -> None:
        if not self._trouble:
            _log.error("%s; trying again until it works", error)
        self._trouble = str(error)
        self._hold(Hold.JOURNAL_FAILS)

    def _weigh(self) -> None:
        """Hold the market when the journal grows too long, let go when it is half as long."""
        for hold, (count, maximum) in self._marks.items():
            held = count()
            if held >= maximum:
                self._hold(hold)
            elif held <= maximum // 2:
                self._let_go(hold)

    def _hold(self, hold: Hold) -> None:
        if hold in self._holds:
            return
        first = not self._holds
        self._holds[hold] = None
        # Once a kind: a flood fills the outbox many times a second, and the statistics count it.
        _log.log(logging.DEBUG if hold in self._told else logging.WARNING, "the market waits: %s", hold)
        self._told.add(hold)
        if first:
            self._pauses += 1
            self._held_since = self._clock.now()
            self._pause()

    def _let_go(self, hold: Hold) -> None:
        if hold not in self._holds:
            return
        del self._holds[hold]
        if not self._holds:
            self._held_ns += self._clock.now() - self._held_since
            _log.debug("the market goes on")
            self._resume()
