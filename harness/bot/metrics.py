"""What a bot counted while it ran."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harness.backends.contracts import CacheStatistics
    from harness.bot.desk import Desk
    from harness.bot.feeds import AccountFeed
    from harness.bot.outbox import QueueStatistics
    from harness.bot.wire import Wire


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


def count_all(
    desk: Desk, wire: Wire, account: AccountFeed, cache: CacheStatistics, outbox: QueueStatistics
) -> dict[str, int]:
    """All counters by name; those of the database and the dashboard come on top."""
    counters = {
        "trades_opened": desk.ledger.trades_opened,
        "trades_closed": desk.ledger.trades_closed,
        "symbols": len(desk.market.symbols),
        "depth_gaps": sum(state.depth_gaps for state in desk.market.symbols.values()),
        "prices_ignored": desk.market.prices_ignored,
        "account_events": account.counts.total(),
        "cache_hits": cache.hits,
        "cache_misses": cache.misses,
        "cache_writes": cache.writes,
        "cache_errors": cache.errors,
        "outbox_peak": outbox.peak,
        "outbox_pauses": outbox.pauses,
    }
    counters.update({f"refused {name}": count for name, count in sorted(desk.refusals.items())})
    counters.update(sorted(wire.counts.items()))
    return counters
