"""The bot from start to end: storage opened, trade, storage closed, and what is to be told of it."""

from __future__ import annotations

import contextlib
import gc
from typing import TYPE_CHECKING

from harness.backends.proof import codec_in_use, loop_in_use, transport_in_use
from harness.backends.registry import registry
from harness.bot import strategy
from harness.bot.metrics import BotReport, count_all
from harness.bot.storage.opening import open_storage
from harness.bot.trading import Trading

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from harness.bot.plan import Plan, Probe
    from harness.bot.storage.opening import Storage

#: Objects that live as long as the bot are frozen out of the collector; equal on all stacks, and recorded.
GC_POLICY = "gc.freeze() after start, thresholds 10000, 20, 20"
_GC_THRESHOLDS = (10_000, 20, 20)


class Bot:
    """One life of a bot."""

    def __init__(self, plan: Plan, probe: Probe) -> None:
        self._plan = plan
        self._probe = probe
        self._stopped = False
        self.trading: Trading | None = None
        """What there is to look at while it runs; None before the storage is open."""
        self.storage: Storage | None = None

    async def run(self, started: Callable[[dict[str, str]], None] = lambda _: None) -> BotReport:
        """Trade until the market ends or `stop` is called, write all, and report; `started` is told what is in use.

        Raises ServiceError for a database that is away at the start, or for what could not be delivered in time;
        ConfigError for a journal that is not this bot's; OSError or ConnectionError for a market that breaks off.
        """
        plan, codec = self._plan, registry().codec(self._plan.stack.codec)
        async with open_storage(
            plan.stack,
            codec,
            plan.addresses,
            schema=plan.schema,
            journal=plan.journal,
            strategy=strategy.made(plan.settings.strategy).name,
            patience_s=plan.patience_s,
        ) as storage:
            self.storage = storage
            trading = self.trading = Trading(plan, self._probe, codec, storage)
            active = {"loop": loop_in_use(), "codec": codec_in_use(codec), "cache": storage.cache_answer}
            started({**active, "gateway": trading.gateway.name, "epoch": str(storage.epoch)})
            if self._stopped:
                trading.stop()
            with _quiet_collector():
                await trading.run()
            await storage.cache.flush()
            rows, closed = await storage.service.rows()
            counters = count_all(trading, storage)
            counters.update(rows_written=rows, rows_closed=closed)
            digest = trading.desk.digest
            return BotReport(
                digest=trading.desk.finish(),
                digest_trail=digest.trail,
                decisions=digest.decisions,
                frames=trading.desk.frames,
                counters=counters,
                active={**active, "transport": transport_in_use(trading.market.last_connection)},
                trace=digest.trace,
            )

    def stop(self) -> None:
        """End in order, from the loop that runs the bot: leave the market, deliver what was decided."""
        self._stopped = True
        if self.trading:
            self.trading.stop()


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
