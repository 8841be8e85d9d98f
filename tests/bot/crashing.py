"""A bot reduced to what it writes, in a process of its own that may be killed at any instruction.

It tells every order that it sends on its standard output: whoever reads there is the witness of what was decided.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.backends.backoff import Backoff
from harness.backends.registry import registry
from harness.bot.storage import records
from harness.bot.storage.database import PooledDatabase
from harness.bot.storage.delivery import Delivery
from harness.bot.storage.journal import Journal
from harness.bot.storage.migrations import begin_session, identity, migrate
from harness.bot.storage.outbox import Outbox
from harness.bot.storage.recovery import recover

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from types import ModuleType

    from harness.bot.decision import SignalRecord
    from harness.bot.ledger import TradeRecord
    from harness.bot.storage.database import Database, Statement
    from harness.exchange.orders import Order

SYMBOLS = ("BTCUSDT", "ETHUSDT", "DOTUSDT")


class Dying:
    """A database in which this process dies in the middle of the n-th transaction."""

    def __init__(self, database: Database, at: int) -> None:
        self._database = database
        self._left = at

    async def execute_many(self, statements: Iterable[Statement]) -> None:
        self._left -= 1
        await self._database.execute_many(statements if self._left else _then_die(statements))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._database, name)


def _then_die(statements: Iterable[Statement]) -> Iterator[Statement]:
    yield from statements
    die()


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


class DieAfter:
    """Writes, and dies when the n-th transaction was committed and nobody told the journal."""

    def __init__(self, at: int) -> None:
        self._left = at

    async def __call__(
        self, database: Database, trades: Sequence[TradeRecord], signals: Sequence[SignalRecord]
    ) -> None:
        await records.save(database, trades, signals)
        self._left -= 1
        if not self._left:
            die()


async def live(samples: ModuleType, journal_path: str, url: str, schema: str, mode: str, at: int) -> None:
    journal = await Journal.open(Path(journal_path))
    codec = registry().codec("json")
    database = await PooledDatabase.open(url, schema, codec, size=2, command_timeout_s=5.0)
    await migrate(database)
    await journal.bind(await identity(database))
    epoch = await begin_session(database, strategy="momentum", stack="asyncio+json+none")
    used: Any = Dying(database, at) if mode == "before commit" else database
    save = DieAfter(at) if mode == "after commit" else records.save
    delivery = Delivery(journal, used, save=save, backoff=Backoff(0.01, 0.1), gather_s=0.001)
    await recover(database, journal, delivery)
    sent: list[str] = []

    def send(order: Order) -> None:
        os.write(1, f"{order.client_order_id}\n".encode())
        sent.append(order.client_order_id)

    outbox = Outbox(journal, send, lambda: None, lambda: None)
    tasks = [asyncio.create_task(outbox.run()), asyncio.create_task(delivery.run())]
    if mode != "drain":
        for number in itertools.count(0, 2):
            opened = samples.entry(number, epoch=epoch, symbol=SYMBOLS[number % 3])
            outbox.put(opened)
            if number % 10:
                outbox.put(samples.leaving(number + 1, opened.trade, epoch=epoch))
            await asyncio.sleep(0.001)
            if number % 6 == 0:
                settled, sent[:] = sent[:], []
                await journal.settle(settled)
    await outbox.finish()
    await delivery.idle()
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await database.close()
    await journal.close()


def _beside(name: str) -> ModuleType:
    sys.path.insert(0, str(Path(__file__).parent))
    return __import__(name)


if __name__ == "__main__":
    path, address, schema_name, how, when = sys.argv[1:]
    asyncio.run(live(_beside("samples"), path, address, schema_name, how, int(when)))
