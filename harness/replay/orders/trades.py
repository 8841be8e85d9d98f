"""What must stand in a bot's database, told from nothing but the log of the orders that a gateway accepted."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from harness.errors import NotTrustworthy
from harness.exchange.orders import Side

if TYPE_CHECKING:
    from collections.abc import Iterable
    from decimal import Decimal

    from harness.replay.orders.log import AcceptedOrder


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectedTrade:
    """A purchase, and the sale that ended it if it was sold."""

    trade_id: str
    """The client order id of the purchase."""
    symbol: str
    quantity: Decimal
    entry_price: Decimal
    exit_price: Decimal | None = None
    exit_id: str | None = None
    """The client order id of the sale."""


def trades_of(accepted: Iterable[AcceptedOrder]) -> list[ExpectedTrade]:
    """The trades in the order of their purchases: each sale ends the oldest open purchase of its symbol.

    Orders that were not filled are none. Raises NotTrustworthy for a sale of what is not held, or of another quantity:
    the bot sells whole what it bought.
    """
    trades: dict[str, ExpectedTrade] = {}
    held: dict[str, deque[ExpectedTrade]] = {}
    for order in accepted:
        if order.status != "FILLED":
            continue
        waiting = held.setdefault(order.symbol, deque())
        if order.side is Side.BUY:
            waiting.append(_bought(order))
            trades[order.client_order_id] = waiting[-1]
        elif not waiting or waiting[0].quantity != order.quantity:
            quantity = waiting[0].quantity if waiting else 0
            raise NotTrustworthy(
                f"order {order.client_order_id} sells {order.quantity} {order.symbol} where {quantity} are held"
            )
        else:
            bought = waiting.popleft()
            trades[bought.trade_id] = replace(bought, exit_price=order.price, exit_id=order.client_order_id)
    return list(trades.values())


def _bought(order: AcceptedOrder) -> ExpectedTrade:
    return ExpectedTrade(
        trade_id=order.client_order_id, symbol=order.symbol, quantity=order.quantity, entry_price=order.price
    )
