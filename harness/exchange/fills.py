"""How a simulated exchange fills an order: stated rules, the same for everybody who simulates it."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import TYPE_CHECKING

from harness.exchange.orders import Fill, Side

if TYPE_CHECKING:
    from harness.exchange.filters import SymbolFilters
    from harness.exchange.orders import Order


@dataclass(frozen=True, slots=True, kw_only=True)
class FillRules:
    """Costs of a taker."""

    fee_rate: Decimal = Decimal("0.001")
    """Binance's spot taker fee without discounts."""
    slippage: Decimal = Decimal("0.0001")
    """How much worse than the best opposite price, as a share of it."""


def limit_price(side: Side, best_opposite: float, filters: SymbolFilters, rules: FillRules) -> Decimal:
    """The best opposite price made worse by the slippage and rounded to the tick, against the taker.

    A buyer's is never below and a seller's never above the best opposite price, save that a price is at least one tick.
    """
    direction = 1 if side is Side.BUY else -1
    price = Decimal(repr(best_opposite)) * (1 + direction * rules.slippage)
    ticks = (price / filters.tick_size).to_integral_value(ROUND_CEILING if direction > 0 else ROUND_FLOOR)
    return max(ticks, Decimal(1)) * filters.tick_size


def fill(order: Order, rules: FillRules) -> Fill:
    """The whole order at its own limit: the worst that it accepts, so that nobody is flattered."""
    return Fill(order=order, price=order.price, fee=order.price * order.quantity * rules.fee_rate)
