"""What a bot counted while it ran."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harness.bot.storage.opening import Storage
    from harness.bot.trading import Trading


@dataclass(frozen=True, slots=True, kw_only=True)
class BotReport:
    """The end of a run of the bot."""

    digest: str
    digest_trail: list[str]
    decisions: int
    frames: int
    counters: dict[str, int]
    active: dict[str, str]
    """Backends that were really in use, by slot."""
    trace: list[str] | None


def count_all(trading: Trading, storage: Storage) -> dict[str, int]:
    """All counters by name; what only the database knows comes on top."""
    desk = trading.desk
    return {
        "trades_opened": desk.ledger.trades_opened,
        "trades_closed": desk.ledger.trades_closed,
        "positions": len(desk.ledger.positions),
        "symbols": len(desk.market.symbols),
        "prices_ignored": desk.market.prices_ignored,
        **desk.depth.statistics,
        **_of_orders(trading),
        **_of_storage(storage),
        "dashboard_polls": trading.polls,
        "dashboard_failures": trading.failed_polls,
        **{f"refused {name}": count for name, count in sorted(desk.refusals.items())},
        **dict(sorted(trading.wire.counts.items())),
    }


def _of_orders(trading: Trading) -> dict[str, int]:
    gateway, outbox = trading.gateway.statistics, trading.outbox.statistics
    return {
        "orders_sent": gateway.sent,
        "orders_refused": gateway.refused,
        "orders_resent": gateway.resent,
        "order_differences": trading.open_orders.differences.total(),
        "order_reports": trading.orders.events,
        "foreign_reports": trading.open_orders.foreign,
        "account_events": trading.account.events,
        "outbox_peak": outbox.peak,
        "outbox_pauses": outbox.pauses,
    }


def _of_storage(storage: Storage) -> dict[str, int]:
    cache, delivery = storage.cache.statistics, storage.delivery.statistics
    return {
        "cache_hits": cache.hits,
        "cache_misses": cache.misses,
        "cache_writes": cache.writes,
        "cache_errors": cache.errors,
        "records_delivered": delivery.delivered,
        "records_refused": delivery.refused,
        "database_outages": delivery.outages,
        "database_queries": storage.database.statistics.queries,
        "database_errors": storage.database.statistics.errors,
    }
