"""Orders and fills, in Decimal: here money is booked."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from decimal import Decimal


class Side(StrEnum):
    """Binance's two words."""

    BUY = "BUY"
    SELL = "SELL"


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """A market order, already rounded to the symbol's filters."""

    client_order_id: str
    symbol: str
    side: Side
    quantity: Decimal
    time_ms: int
    """Event time of the frame that decided it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fill:
    """An order filled whole at one price; the fee is in the quote asset."""

    order: Order
    price: Decimal
    fee: Decimal

    @property
    def notional(self) -> Decimal:
        """Price times quantity."""
        return self.price * self.order.quantity
