"""The thin shell around the desk: connects, awaits, writes. All that the bot does with the outside is here."""

from __future__ import annotations

import asyncio
import contextlib
import gc
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Protocol

from harness.backends.proof import codec_in_use, loop_in_use, transport_in_use
from harness.backends.registry import registry
from harness.bot.data_service import FILTERS, TradingDataService
from harness.bot.database import PooledDatabase, create_schema
from harness.bot.desk import Desk
from harness.bot.feeds import AccountFeed
from harness.bot.metrics import BotReport, count_all
from harness.bot.outbox import Outbox
from harness.bot.wire import Wire

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from harness.backends.contracts import Cache, Codec, Connection
    from harness.backends.stack import Stack
    from harness.bot.settings import Addresses, BotSettings
    from harness.exchange.filters import SymbolFilters

#: Objects that live as long as the bot are frozen out of the collector; equal on all stacks, and recorded.
GC_POLICY = "gc.freeze() after start, thresholds 10000, 20, 20"
_GC_THRESHOLDS = (10_000, 20, 20)

#: After the market has closed, the account's last events are waited for this long.
_ACCOUNT_GRACE_S = 5.0
_SUBSCRIBE_ACCOUNT = b'{"id":"account","method":"userDataStream.subscribe"}'


#: How long a cancelled task may take before it is cancelled again.
_ASK_AGAIN_S = 0.5


class Probe(Protocol):
    """Whoever measures the bot stands here. The bot knows nothing else of it."""

    def watch(self, on_frame: Callable[[bytes], None]) -> Callable[[bytes], None]:
        """The handler to use instead: it calls the one given, once for every market frame."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a bot shall do: where its market is, with which backends, and how it reports."""

    stack: Stack
    market_url: str
    """`ws://host:port/stream?streams=...`"""
    account_url: str | None
    """`ws://host:port/ws-api/v3`; None for no account connection."""
    addresses: Addresses
    schema: str
    settings: BotSettings
    filters: dict[str, SymbolFilters]
    poll_hz: float
    """How often a second the dashboard asks its four questions; 0 for never."""
    trace: bool = False


class Bot:
    """One bot from start to the end of its feed."""

    def __init__(self, plan: Plan, probe: Probe) -> None:
        self._plan = plan
        self._probe = probe
        self._codec: Codec = registry().codec(plan.stack.codec)
        self._cache: Cache = registry().cache(plan.stack.cache, plan.addresses.redis_url)
        self._wire = Wire(self._codec)
        self._account = AccountFeed(self._wire)
        self._market_connection: Connection | None = None
        self._outbox = Outbox(self._pause, self._resume)
        self._desk = Desk(self._wire, plan.settings, plan.filters, self._outbox.put, trace=plan.trace)
        self._polls = 0

    async def run(self) -> BotReport:
        """Trade until the market connection is closed by its peer, write all, and report.

        Raises ServiceError for a database that is away, OSError or ConnectionError for a market that is.
        """
        async with self._data_service() as (service, cache_answer):
            writer = asyncio.create_task(self._outbox.drain(service.save_trades))
            market = asyncio.create_task(self._trade())
            helpers = {writer}
            if self._plan.poll_hz:
                helpers.add(asyncio.create_task(self._poll(service)))
            try:
                await asyncio.wait({market, *helpers}, return_when=asyncio.FIRST_COMPLETED)
                # A helper that ended before the market did, ended by an error: say that one.
                for helper in helpers:
                    if helper.done():
                        helper.result()
                await market
                self._outbox.finish()
                await writer
            finally:
                await _cancel(market, *helpers)
            rows, closed = await service.rows()
            await self._cache.flush()
            return self._report(cache_answer, rows, closed)

    @contextlib.asynccontextmanager
    async def _data_service(self) -> AsyncIterator[tuple[TradingDataService, str]]:
        plan = self._plan
        await create_schema(plan.addresses.database_url, plan.schema)
        database = await PooledDatabase.open(plan.addresses.database_url, plan.schema, self._codec)
        answer = await self._cache.open()
        service = TradingDataService(
            database, self._cache if answer else None, self._codec, namespace=f"{plan.schema}:"
        )
        try:
            await service.migrate()
            yield service, answer
        finally:
            await self._cache.close()
            await database.close()

    async def _trade(self) -> None:
        plan, transport = self._plan, registry().transport(self._plan.stack.transport)
        async with contextlib.AsyncExitStack() as connections:
            account = None
            if plan.account_url:
                account = await transport.connect(plan.account_url, self._account.on_frame)
                connections.push_async_callback(account.close)
                await account.send(_SUBSCRIBE_ACCOUNT)
            connections.enter_context(_quiet_collector())
            market = await transport.connect(plan.market_url, self._probe.watch(self._desk.on_frame))
            connections.push_async_callback(market.close)
            self._market_connection = market
            await market.wait_closed()
            if account:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(account.wait_closed(), _ACCOUNT_GRACE_S)

    async def _poll(self, service: TradingDataService) -> None:
        if not self._plan.poll_hz:
            return
        while True:
            for trade_filter in FILTERS:
                await service.get_trade_count(trade_filter)
            time_ms = self._desk.market.time_ms
            await service.get_statistics(datetime.fromtimestamp(time_ms / 1000, UTC).date() if time_ms else None)
            self._polls += 1
            await asyncio.sleep(1 / self._plan.poll_hz)

    def _pause(self) -> None:
        if self._market_connection:
            self._market_connection.pause()

    def _resume(self) -> None:
        if self._market_connection:
            self._market_connection.resume()

    def _report(self, cache_answer: str, rows: int, closed: int) -> BotReport:
        counters = count_all(self._desk, self._wire, self._account, self._cache.statistics, self._outbox.statistics)
        counters.update(rows_written=rows, rows_closed=closed, dashboard_polls=self._polls)
        return BotReport(
            digest=self._desk.finish(),
            digest_trail=self._desk.digest.trail,
            decisions=self._desk.digest.decisions,
            frames=self._desk.frames,
            counters=counters,
            active={
                "loop": loop_in_use(),
                "codec": codec_in_use(self._codec),
                "cache": cache_answer,
                "transport": transport_in_use(self._market_connection),
            },
            trace=self._desk.digest.trace,
        )


@contextlib.contextmanager
def _quiet_collector() -> Iterator[None]:
    """The policy of the constants above for as long as there is trade, and what was before it afterwards."""
    thresholds = gc.get_threshold()
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_GC_THRESHOLDS)
    try:
        yield
    finally:
        gc.set_threshold(*thresholds)
        gc.unfreeze()


async def _cancel(*tasks: asyncio.Task[None]) -> None:
    """End the tasks, asking until they are done.

    A cancellation can be lost: before Python 3.12 `asyncio.wait_for`, which asyncpg uses, swallowed one when what it
    waited for ended in the same moment.
    """
    pending = set(tasks)
    while pending:
        for task in pending:
            task.cancel()
        _, pending = await asyncio.wait(pending, timeout=_ASK_AGAIN_S)
    await asyncio.gather(*tasks, return_exceptions=True)
