"""What an earlier life of the bot left, from the journal and the database."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.bot.storage.records import milliseconds_of
from harness.exchange.orders import Fill, Order, Side

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date, datetime
    from decimal import Decimal

    from harness.bot.storage.database import Database, Transaction
    from harness.bot.storage.delivery import Delivery
    from harness.bot.storage.journal import Journal

_POSITIONS = """
    select symbol, trade_id, quantity, entry_price, fees, opened_at, strategy, features
    from positions order by opened_at, trade_id
"""
_CLOSED = "select symbol, max(closed_at) from trades where status = 'closed' and closed_at is not null group by symbol"
_REALISED = "select coalesce(sum(pnl), 0) from daily_statistics"
_DAYS = "select day, pnl from daily_statistics order by day desc limit $1"


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenPosition:
    """What was bought and not yet sold, as it was booked."""

    entry: Fill
    features: dict[str, float]
    strategy: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovered:
    """All that a bot must know to go on where it was ended, however that was."""

    positions: tuple[OpenPosition, ...]
    """In the order in which they were opened."""
    closed_ms: Mapping[str, int]
    """Event time of each symbol's last close."""
    realised: Decimal
    """Profit of all closed trades, fees taken off, in the quote asset."""
    realised_by_day: Mapping[date, Decimal]
    """Of the latest UTC days on which a trade was closed."""
    unsettled: tuple[Order, ...]
    """Orders whose end is not known, in order of decision: the outbox sends them again."""


async def recover(database: Database, journal: Journal, delivery: Delivery, *, days: int = 7) -> Recovered:
    """Deliver what the journal still holds, then read where things stand.

    Raises ServiceError when the server or the disk fails; it can be called again.
    """
    await delivery.flush()
    unsettled = await journal.unsettled()
    async with database.transaction() as transaction:
        return Recovered(
            positions=tuple(_position(*row) for row in await transaction.fetch(_POSITIONS)),
            closed_ms={symbol: milliseconds_of(last) for symbol, last in await transaction.fetch(_CLOSED)},
            realised=await _realised(transaction),
            realised_by_day=dict(await transaction.fetch(_DAYS, days)),
            unsettled=tuple(unsettled),
        )


async def _realised(transaction: Transaction) -> Decimal:
    ((total,),) = await transaction.fetch(_REALISED)
    realised: Decimal = total
    return realised


def _position(
    symbol: str,
    trade_id: str,
    quantity: Decimal,
    price: Decimal,
    fee: Decimal,
    opened_at: datetime,
    strategy: str,
    features: dict[str, float | None],
) -> OpenPosition:
    order = Order(
        client_order_id=trade_id,
        symbol=symbol,
        side=Side.BUY,
        quantity=quantity,
        price=price,
        time_ms=milliseconds_of(opened_at),
    )
    return OpenPosition(
        entry=Fill(order=order, price=price, fee=fee),
        # JSON knows no NaN, and a whole number comes back as an integer.
        features={name: math.nan if value is None else float(value) for name, value in features.items()},
        strategy=strategy,
    )
