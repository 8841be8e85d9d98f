"""Database, journal and cache, opened in the order in which a bot may rely on them, and closed in the reverse one."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.backends.backoff import Backoff
from harness.backends.registry import registry
from harness.bot.storage import migrations
from harness.bot.storage.data_service import TradingDataService
from harness.bot.storage.database import PooledDatabase, create_schema
from harness.bot.storage.delivery import Delivery
from harness.bot.storage.failures import Unreachable
from harness.bot.storage.journal import Journal
from harness.bot.storage.recovery import recover

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from pathlib import Path

    from harness.backends.contracts import Cache, Codec
    from harness.backends.stack import Stack
    from harness.bot.decision import SignalRecord
    from harness.bot.ledger import TradeRecord
    from harness.bot.settings import Addresses
    from harness.bot.storage.database import Database
    from harness.bot.storage.recovery import Recovered

_log = logging.getLogger(__name__)

#: A statement that takes longer finds an absent server: so a stopped one does not hold the delivery for ever.
COMMAND_TIMEOUT_S = 10.0
_FIRST_WAIT_S, _LONGEST_WAIT_S = 0.25, 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Storage:
    """What is open, and what an earlier life of the bot left in it."""

    database: PooledDatabase
    journal: Journal
    delivery: Delivery
    service: TradingDataService
    cache: Cache
    cache_answer: str
    """What answered at the start; empty for nothing."""
    epoch: int
    recovered: Recovered


@contextlib.asynccontextmanager
async def open_storage(
    stack: Stack, codec: Codec, addresses: Addresses, *, schema: str, journal: Path, strategy: str, patience_s: float
) -> AsyncIterator[Storage]:
    """Connect, bring the tables up to date, deliver what the journal holds, and read where things stand.

    PostgreSQL is waited for, at most `patience_s`; Redis is not. Raises ServiceError when PostgreSQL is away or
    refuses, ConfigError for a journal that is another bot's.
    """
    cache = registry().cache(stack.cache, addresses.redis_url)
    async with contextlib.AsyncExitStack() as opened:
        # First what fails at once: a file that cannot be used need not wait for a server.
        kept = await Journal.open(journal)
        opened.push_async_callback(kept.close)
        database = await _connected(codec, addresses.database_url, schema, patience_s)
        opened.push_async_callback(database.close)
        await migrations.migrate(database)
        await kept.bind(await migrations.identity(database))
        opened.push_async_callback(cache.close)
        answer = await cache.open()
        service = TradingDataService(database, None if stack.cache == "none" else cache, codec, namespace=f"{schema}:")

        opened.push_async_callback(service.close)

        async def save(database: Database, trades: Sequence[TradeRecord], signals: Sequence[SignalRecord]) -> None:
            del database  # it is the service's own
            await service.save(trades, signals)

        delivery = Delivery(kept, database, save=save)
        recovered = await recover(database, kept, delivery)
        await service.warm_cache()
        epoch = await migrations.begin_session(database, strategy=strategy, stack=str(stack))
        yield Storage(
            database=database,
            journal=kept,
            delivery=delivery,
            service=service,
            cache=cache,
            cache_answer=answer,
            epoch=epoch,
            recovered=recovered,
        )
        with contextlib.suppress(Unreachable):
            await migrations.end_session(database, epoch)


async def _connected(codec: Codec, url: str, schema: str, patience_s: float) -> PooledDatabase:
    backoff, loop = Backoff(_FIRST_WAIT_S, _LONGEST_WAIT_S), asyncio.get_running_loop()
    deadline = loop.time() + patience_s
    while True:
        try:
            await create_schema(url, schema)
            return await PooledDatabase.open(url, schema, codec, command_timeout_s=COMMAND_TIMEOUT_S)
        except Unreachable as error:
            wait_s = backoff.next_s()
            if loop.time() + wait_s > deadline:
                raise
            _log.warning("%s; asking again in %.1f s", error, wait_s)
            await asyncio.sleep(wait_s)
