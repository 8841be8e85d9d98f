"""The parts of a bot put together around its desk: connections on one side, journal and delivery on the other."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Self

from harness.backends.registry import registry
from harness.bot.account_feed import AccountFeed
from harness.bot.connection.conflation import Conflation
from harness.bot.connection.market import AccountConnection, MarketConnection
from harness.bot.desk import BOOK_DEPTH, Desk
from harness.bot.orders.client import OrderClient
from harness.bot.orders.gateways import PaperGateway
from harness.bot.orders.open_orders import OpenOrders
from harness.bot.orders.settlement import Settlement
from harness.bot.snapshots import LONGEST_PAUSE_S, Snapshots
from harness.bot.storage.data_service import FILTERS
from harness.bot.storage.outbox import Outbox
from harness.bot.valve import Valve
from harness.bot.wire import Wire
from harness.errors import ConfigError, ServiceError
from harness.exchange.fills import FillRules, fill

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from harness.backends.contracts import Codec
    from harness.bot.orders.gateways import Gateway
    from harness.bot.plan import Plan, Probe
    from harness.bot.storage.opening import Storage
    from harness.bot.storage.recovery import Recovered
    from harness.exchange.book_sync import Snapshot
    from harness.exchange.orders import Order

_log = logging.getLogger(__name__)

#: After the market has closed, the account's last events are waited for this long.
ACCOUNT_GRACE_S = 5.0
#: More than any indicator's period by default; Wilder's means then forget where they began.
_WARM_UP_CANDLES = 200
#: How long a cancelled task may take before it is cancelled again.
_ASK_AGAIN_S = 0.5


class Trading:
    """A bot whose storage is open. `run` trades until the market ends; everything else is there to be looked at."""

    def __init__(self, plan: Plan, probe: Probe, codec: Codec, storage: Storage) -> None:
        self._plan = plan
        self._storage = storage
        self._rules = FillRules(fee_rate=plan.settings.costs.fee_rate, slippage=plan.settings.costs.slippage)
        self.wire = Wire(codec, self._on_shutdown)
        self.settlement = Settlement(storage.journal)
        self.open_orders = OpenOrders(self.settlement.settle)
        self.account = AccountFeed(self.wire, on_end=self._on_account_end)
        """Of the account connection: whoever else trades on that account has orders there too."""
        self.orders = AccountFeed(self.wire, self.open_orders.on_report)
        """Of the gateway: reports of the bot's own orders, which must be what was booked."""
        self.gateway = self._gateway()
        self.valve = Valve()
        pause, resume = self.valve.handles("outbox")
        self.outbox = Outbox(storage.journal, self._send, pause, resume, is_full=lambda: self.gateway.is_full)
        self.snapshots = self._snapshots()
        self.desk = Desk(
            self.wire,
            plan.settings,
            plan.filters,
            self.outbox.put,
            epoch=storage.epoch,
            request_snapshot=self.snapshots.request if self.snapshots else None,
            trace=plan.trace,
            trail=plan.keeps_trail,
        )
        _restore(self.desk, storage.recovered)
        handler = probe.watch(self.desk.on_frame)
        self.conflation = Conflation(handler, self._stop_reading, self._read_on) if plan.conflates else None
        self.market = MarketConnection(
            registry().transport(plan.stack.transport),
            plan.market_url,
            self.conflation.on_frame if self.conflation else handler,
            streams=plan.streams,
            policy=plan.policy,
        )
        # A journal that an earlier life left full holds the market before there is one.
        held = self.conflation or self.market
        self.valve.attach(held.pause, held.resume)
        self.account_connection = self._account_connection()
        self._account_over = asyncio.Event()
        self.stopping = False
        self.polls = 0
        self.failed_polls = 0

    def _on_shutdown(self) -> None:
        """Told within a frame of the market: the new connection is made after it."""
        self.market.reconnect_now()

    def _on_account_end(self, event: str) -> None:
        if self.account_connection:
            self.account_connection.reconnect_now(event)

    def _stop_reading(self) -> None:
        self.market.pause()

    def _read_on(self) -> None:
        self.market.resume()

    def _gateway(self) -> Gateway:
        plan = self._plan
        if plan.orders_url is None:
            return PaperGateway(self.orders.on_frame, rules=self._rules, filters=plan.filters)
        return OrderClient(plan.orders_url, registry().transport(plan.stack.transport), self.orders.on_frame)

    def _send(self, order: Order) -> None:
        self.open_orders.expect(order, fill(order, self._rules))
        self.gateway.send(order)

    def _snapshots(self) -> Snapshots | None:
        rest = self._plan.rest
        if not self._plan.settings.book:
            return None
        if rest is None:
            raise ConfigError("bot", "book", "whole books want depth snapshots: name a REST interface (--rest-url)")

        async def fetch(symbol: str) -> Snapshot:
            return await rest.depth(symbol, BOOK_DEPTH)

        # A market that is kept is live: it must not stand still for long. A replay waits, so that its books repeat.
        patience_s = LONGEST_PAUSE_S if self._plan.policy else None
        return Snapshots(fetch, *self.valve.handles("depth snapshot"), longest_pause_s=patience_s)

    async def run(self) -> None:
        """Trade until the market ends, then until everything is sent, settled and delivered.

        Raises ServiceError when that takes longer than the plan allows (the rest stays in the journal), OSError or
        ConnectionError for a market that breaks off and is not to be kept, and what a bug raises.
        """
        await self._warm_up()
        await self.gateway.open()
        try:
            async with _Company(self._helpers()) as company:
                await company.until(self.market.run())
                if self.conflation:
                    await company.until(self.conflation.drained())
                await company.until(self._leave_account())
                await company.until(self._drain())
        finally:
            await self.gateway.close()

    def stop(self) -> None:
        """End in order: the market is left, `run` goes on to drain."""
        self.stopping = True
        self.market.stop()

    def _helpers(self) -> list[Coroutine[object, object, None]]:
        helpers = [self.outbox.run(), self._storage.delivery.run(), self.settlement.run()]
        if self._plan.poll_hz:
            helpers.append(self._poll())
        if self.account_connection:
            helpers.append(self._keep_account(self.account_connection))
        if self.conflation:
            helpers.append(self.conflation.run())
        if self.snapshots:
            helpers.append(self.snapshots.serve(self.desk.depth.on_snapshot))
        return helpers

    async def _drain(self) -> None:
        limit_s = self._plan.drain_s
        try:
            async with asyncio.timeout(limit_s):
                await self.outbox.finish()
                await self._storage.delivery.idle()
                await self._settled()
        except TimeoutError:
            left, waiting = self._storage.journal.counts, self.outbox.statistics
            trouble = waiting.trouble or self._storage.delivery.statistics.trouble
            raise ServiceError(
                f"after {limit_s:g} s {waiting.waiting} decisions are not journalled or not sent, {left.writes} records"
                f" not in PostgreSQL and {left.orders} orders not settled; the next start takes what is in"
                f" {self._plan.journal}: {trouble or 'the order gateway has not answered'}"
            ) from None

    async def _settled(self) -> None:
        """Return when the end of every order is known."""
        journal, changed = self._storage.journal, asyncio.Event()
        journal.watch(changed.set)
        while journal.counts.orders:
            changed.clear()
            await changed.wait()

    def _account_connection(self) -> AccountConnection | None:
        plan = self._plan
        if plan.account_url is None:
            return None
        transport = registry().transport(plan.stack.transport)
        return AccountConnection(transport, plan.account_url, self.account.on_frame, policy=plan.policy)

    async def _keep_account(self, connection: AccountConnection) -> None:
        await connection.run()
        self._account_over.set()

    async def _leave_account(self) -> None:
        """Leave the account; where it ends with its market, wait a little for its last events first."""
        if self.account_connection:
            if self._plan.policy is None and not self.stopping:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._account_over.wait(), ACCOUNT_GRACE_S)
            self.account_connection.stop()

    async def _warm_up(self) -> None:
        """Past candles into the indicators; without them the bot begins all the same."""
        rest, interval = self._plan.rest, self._plan.settings.market.interval
        if rest is None:
            return
        market = self.desk.market
        for symbol in self._plan.warm_up:
            try:
                for candle in await rest.klines(symbol, interval, _WARM_UP_CANDLES):
                    market.close_candle(market.state(symbol), candle)
            except ServiceError as error:
                _log.warning("no past candles, the indicators warm up by themselves: %s", error)
                return

    async def _poll(self) -> None:
        service = self._storage.service
        while True:
            try:
                for trade_filter in FILTERS:
                    await service.get_trade_count(trade_filter)
                await service.get_statistics(self._today())
                self.polls += 1
            except ServiceError:  # told by the delivery, which meets the same server
                self.failed_polls += 1
            await asyncio.sleep(1 / self._plan.poll_hz)

    def _today(self) -> date | None:
        time_ms = self.desk.market.time_ms
        return datetime.fromtimestamp(time_ms / 1000, UTC).date() if time_ms else None


class _Company:
    """Tasks beside the main one: when one of them ends, it ended by an error, and that is raised."""

    def __init__(self, helpers: list[Coroutine[object, object, None]]) -> None:
        self._helpers = [asyncio.ensure_future(helper) for helper in helpers]

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await cancel(*self._helpers)

    async def until(self, main: Coroutine[object, object, None]) -> None:
        """Return when the main one has ended, raising what it raised."""
        task = asyncio.ensure_future(main)
        waiting = {helper for helper in self._helpers if not _ended_well(helper)}
        try:
            while not task.done():
                await asyncio.wait({task, *waiting}, return_when=asyncio.FIRST_COMPLETED)
                waiting = {helper for helper in waiting if not _ended_well(helper)}
            await task
        finally:
            await cancel(task)


def _ended_well(helper: asyncio.Future[None]) -> bool:
    """Whether it has ended, as the outbox does when it is finished; raises its error."""
    if helper.done():
        helper.result()
        return True
    return False


async def cancel(*tasks: asyncio.Future[None]) -> None:
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


def _restore(desk: Desk, recovered: Recovered) -> None:
    """What an earlier life left, into the books of this one."""
    today = max(recovered.realised_by_day, default=None)
    desk.ledger.restore(
        [desk.risk.position(each.entry, each.features, each.strategy) for each in recovered.positions],
        dict(recovered.closed_ms),
        recovered.realised,
        (_start_ms(today), recovered.realised_by_day[today]) if today else (0, Decimal(0)),
    )


def _start_ms(day: date) -> int:
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp() * 1000)
