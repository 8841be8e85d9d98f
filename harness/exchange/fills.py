"""How a paper order is filled: stated rules, the same for everybody who simulates the exchange."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
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


def fill(order: Order, best_opposite: float, filters: SymbolFilters, rules: FillRules) -> Fill:
    """The whole order at the best opposite price, made worse by the slippage and rounded to the tick.

    A buyer never pays less and a seller never gets more than the best opposite price, save that a price is at least
    one tick.
    """
    direction = 1 if order.side is Side.BUY else -1
    price = Decimal(repr(best_opposite)) * (1 + direction * rules.slippage)
    ticks = (price / filters.tick_size).to_integral_value("ROUND_CEILING" if direction > 0 else "ROUND_FLOOR")
    price = max(ticks, Decimal(1)) * filters.tick_size
    return Fill(order=order, price=price, fee=price * order.quantity * rules.fee_rate)
