"""A running bot as one snapshot: what the status page shows and /metrics tells."""

from __future__ import annotations

import time
from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING

import harness
from harness.backends.proof import transport_in_use
from harness.bot.app import GC_POLICY
from harness.bot.orders.gateways import LIMIT
from harness.bot.status.snapshot import (
    CacheFigures,
    DatabaseFigures,
    PositionFigures,
    Queue,
    Snapshot,
    State,
)
from harness.bot.storage.outbox import Outbox
from harness.redact import redact
from harness.units import NS_PER_S

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harness.bot.app import Bot
    from harness.bot.ledger import Position
    from harness.bot.plan import Plan
    from harness.bot.status.log_lines import RecentErrors
    from harness.bot.status.monitor import Monitor
    from harness.bot.storage.opening import Storage
    from harness.bot.trading import Trading


class Showcase:
    """Looks at one bot, on its own loop."""

    def __init__(self, bot: Bot, plan: Plan, monitor: Monitor, errors: RecentErrors | None = None) -> None:
        self._bot = bot
        self._plan = plan
        self._monitor = monitor
        self._errors = errors
        self._started_s = time.time()
        self.active: Mapping[str, str] = {}
        """What is in use, as the bot told at its start."""

    def snapshot(self) -> Snapshot:
        """The bot as it is now."""
        trading, storage = self._bot.trading, self._bot.storage
        base = Snapshot(
            taken_s=time.time(),
            started_s=self._started_s,
            version=harness.__version__,
            stack=str(self._plan.stack),
            active=self.active,
            gc_policy=GC_POLICY,
            market=redact(self._plan.market_url),
            state=State.STARTING,
            reason="the database is not open yet",
            event_time_ms=0,
            traffic=self._monitor.traffic,
            errors=self._errors.lines if self._errors else (),
        )
        if trading is None or storage is None:
            return base
        return self._full(base, trading, storage)

    def lines(self) -> list[str]:
        """The figures of the cache, the database and the trade, a line each, for the log."""
        trading, storage = self._bot.trading, self._bot.storage
        if trading is None or storage is None:
            return []
        ledger, delivery = trading.desk.ledger, storage.delivery.statistics
        return [
            f"Redis Stats: {storage.service.get_stats()}",
            f"PostgreSQL: {delivery.delivered} records delivered, {delivery.waiting} wait, {delivery.outages} outages",
            (
                f"Trades: {ledger.trades_opened} opened, {ledger.trades_closed} closed, {len(ledger.positions)} open,"
                f" PnL {ledger.realised:.2f}"
            ),
        ]

    def _full(self, base: Snapshot, trading: Trading, storage: Storage) -> Snapshot:
        state, reason = _state(trading, storage)
        desk = trading.desk
        connected = trading.market.connection
        return replace(
            base,
            active={**self.active, "transport": transport_in_use(connected) if connected else ""},
            state=state,
            reason=reason,
            event_time_ms=desk.market.time_ms,
            malformed=trading.wire.malformed,
            unknown={**trading.wire.unread, **trading.wire.unknown},
            reconnects=trading.market.statistics.reconnects,
            queues=_queues(trading, storage),
            cache=_cache(storage) if self._plan.stack.cache != "none" else None,
            database=_database(storage),
            positions=tuple(_position(position, trading) for position in desk.ledger.positions.values()),
            realised=desk.ledger.realised,
            trades_opened=desk.ledger.trades_opened,
            trades_closed=desk.ledger.trades_closed,
            refusals=dict(desk.refusals),
        )


def _state(trading: Trading, storage: Storage) -> tuple[State, str]:
    """What keeps it from trading, the most serious first."""
    held, delivery = trading.outbox.statistics, storage.delivery.statistics
    if trading.stopping:
        return State.STOPPING, "it was told to end; what was decided is being delivered"
    if trading.valve.holders:
        return State.PAUSED, ", ".join((*trading.valve.holders, *held.reasons, *filter(None, [held.trouble])))
    if trading.market.connection is None:
        return State.DISCONNECTED, trading.market.statistics.last_close or "the market is not connected"
    if delivery.trouble:
        return State.OUTAGE, delivery.trouble
    return State.TRADING, ""


def _queues(trading: Trading, storage: Storage) -> dict[str, Queue]:
    outbox, gateway, counts = trading.outbox.statistics, trading.gateway.statistics, storage.journal.counts
    queues = {
        "outbox": Queue(waiting=outbox.waiting, peak=outbox.peak, capacity=Outbox.HIGH, pauses=outbox.pauses),
        "journal": Queue(waiting=counts.writes + counts.orders, peak=storage.journal.peak),
        "gateway": Queue(waiting=gateway.waiting, peak=gateway.peak, capacity=LIMIT),
    }
    if trading.conflation:
        held = trading.conflation.statistics
        queues["conflation"] = Queue(
            waiting=held.waiting,
            peak=held.peak,
            capacity=held.capacity,
            pauses=held.pauses,
            merged=sum(held.conflated.values()),
        )
    return queues


def _cache(storage: Storage) -> CacheFigures:
    statistics = storage.cache.statistics
    return CacheFigures(
        server=storage.cache_answer,
        away=statistics.away_now,
        hits=statistics.hits,
        misses=statistics.misses,
        errors=statistics.errors,
        operations=statistics.latency.count,
        operations_s=statistics.latency.total_ns / NS_PER_S,
        slowest_s=statistics.latency.max_ns / NS_PER_S,
    )


def _database(storage: Storage) -> DatabaseFigures:
    asked, delivery = storage.database.statistics, storage.delivery.statistics
    return DatabaseFigures(
        away=bool(delivery.trouble),
        queries=asked.queries,
        errors=asked.errors,
        outages=delivery.outages,
        pending=delivery.waiting,
    )


def _position(position: Position, trading: Trading) -> PositionFigures:
    order = position.entry.order
    state = trading.desk.market.symbols.get(order.symbol)
    price = Decimal(repr(state.bid or state.price)) if state and state.price else position.entry.price
    return PositionFigures(
        symbol=order.symbol,
        strategy=position.strategy,
        quantity=order.quantity,
        entry_price=position.entry.price,
        price=price,
        unrealised=(price - position.entry.price) * order.quantity - position.entry.fee,
        opened_s=order.time_ms / 1000,
    )
