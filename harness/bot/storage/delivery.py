"""From the journal to PostgreSQL, as often as it takes and so that it counts once."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from harness.backends.backoff import Backoff
from harness.bot.ledger import TradeRecord
from harness.bot.storage import records
from harness.bot.storage.failures import DataRefused
from harness.clock import MonotonicClock
from harness.errors import ServiceError
from harness.redact import redact
from harness.units import NS_PER_S

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from harness.bot.decision import SignalRecord
    from harness.bot.storage.database import Database
    from harness.bot.storage.journal import Journal, Pending
    from harness.clock import Clock

_log = logging.getLogger(__name__)

_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.1, 10.0
#: Nobody waits for a record to arrive, and every transaction costs the bot time.
_GATHER_S = 0.05


class Save(Protocol):
    """Writes records in one transaction; raises DataRefused for what a record holds, ServiceError for the server."""

    async def __call__(
        self, database: Database, trades: Sequence[TradeRecord], signals: Sequence[SignalRecord]
    ) -> None:
        """All or none; records that are there already change nothing."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryStatistics:
    """What was delivered, and what stood in the way."""

    waiting: int
    """Records in the journal that PostgreSQL has not confirmed."""
    delivered: int
    batches: int
    refused: int
    """Records that PostgreSQL did not take, set aside in the journal; those of earlier lives included."""
    outages: int
    retries: int
    outage_ns: int
    """Length of all outages, until now if one lasts."""
    trouble: str = ""
    """What the server says while it is tried again; empty when all goes well."""


class Delivery:
    """Writes what the journal holds in batches, each in one transaction, and confirms it to the journal afterwards.

    A batch whose confirmation is lost is written again and changes nothing. A server that is away is tried for ever. A
    record that it refuses is found by halving the batch, and set aside in the journal.
    """

    BATCH = 500

    def __init__(
        self,
        journal: Journal,
        database: Database,
        *,
        save: Save = records.save,
        on_saved: Callable[[Sequence[TradeRecord], Sequence[SignalRecord]], Awaitable[None]] | None = None,
        gather_s: float = _GATHER_S,
        clock: Clock | None = None,
        backoff: Backoff | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """`on_saved` is awaited after each transaction with what it wrote, at least once; it must raise nothing.

        A batch that is not full yet is given `gather_s` to become so.
        """
        self._journal = journal
        self._database = database
        self._save = save
        self._on_saved = on_saved
        self._clock = clock or MonotonicClock()
        self._backoff = backoff or Backoff(_FIRST_PAUSE_S, _LONGEST_PAUSE_S)
        self._gather_s = gather_s
        self._sleep = sleep
        self._size = self.BATCH
        self._delivered = 0
        self._batches = 0
        self._outages = 0
        self._retries = 0
        self._outage_ns = 0
        self._away_since = 0
        self._trouble = ""
        self._more = asyncio.Event()
        self._idle = asyncio.Event()
        journal.watch(self._look)
        self._look()

    async def run(self) -> None:
        """Deliver what comes into the journal until cancelled; what is under way then is delivered by the next life."""
        while True:
            await self._more.wait()
            if self._gather_s and self._journal.counts.writes < self.BATCH:
                await self._sleep(self._gather_s)
            try:
                await self.flush()
            except ServiceError as error:
                self._fails(error)
                await self._sleep(self._backoff.next_s())
                self._retries += 1

    async def flush(self) -> None:
        """Deliver all that the journal holds; raises ServiceError when the server or the disk fails."""
        while batch := await self._journal.pending(limit=self._size):
            try:
                await self._deliver(batch)
            except DataRefused as error:
                await self._refused(batch, error)

    async def idle(self) -> None:
        """Return when PostgreSQL has all that the journal held, but for what it refused."""
        await self._idle.wait()

    @property
    def statistics(self) -> DeliveryStatistics:
        """Of this moment."""
        counts = self._journal.counts
        return DeliveryStatistics(
            waiting=counts.writes,
            delivered=self._delivered,
            batches=self._batches,
            refused=counts.refused,
            outages=self._outages,
            retries=self._retries,
            outage_ns=self._outage_ns + (self._clock.now() - self._away_since if self._trouble else 0),
            trouble=self._trouble,
        )

    async def _deliver(self, batch: list[Pending]) -> None:
        trades: list[TradeRecord] = []
        signals: list[SignalRecord] = []
        for pending in batch:
            record = pending.record
            if isinstance(record, TradeRecord):
                trades.append(record)
            else:
                signals.append(record)
        await self._save(self._database, trades, signals)
        if self._on_saved:  # before the journal forgets: what is killed in between is told by the next life
            await self._on_saved(trades, signals)
        await self._journal.confirm(batch[-1].seq)
        self._works()
        self._delivered += len(batch)
        self._batches += 1
        self._size = min(2 * self._size, self.BATCH)

    async def _refused(self, batch: list[Pending], error: DataRefused) -> None:
        self._works()
        if len(batch) > 1:
            self._size = len(batch) // 2
            return
        reason = redact(str(error))
        await self._journal.refuse(batch[0].seq, reason)
        _log.error("set aside in the journal as record %d: %s", batch[0].seq, reason)

    def _fails(self, error: ServiceError) -> None:
        if not self._trouble:
            self._outages += 1
            self._away_since = self._clock.now()
            _log.error("%s; records are kept in the journal and tried again", redact(str(error)))
        self._trouble = redact(str(error)) or type(error).__name__

    def _works(self) -> None:
        if not self._trouble:
            return
        lasted = self._clock.now() - self._away_since
        self._outage_ns += lasted
        self._trouble = ""
        self._backoff.reset()
        _log.warning("PostgreSQL takes records again after %.1f s", lasted / NS_PER_S)

    def _look(self) -> None:
        if self._journal.counts.writes:
            self._idle.clear()
            self._more.set()
        else:
            self._more.clear()
            self._idle.set()
