"""Orders and fills, in Decimal: here money is booked."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal  # noqa: TC003 - msgspec reads the annotations of these records at run time
from enum import StrEnum


class Side(StrEnum):
    """Binance's two words."""

    BUY = "BUY"
    SELL = "SELL"


class Terms(StrEnum):
    """What a limit order is to do with a book: at once, or wait."""

    IOC = "IOC"
    """Now, as much as possible; the rest expires."""
    FOK = "FOK"
    """Now, all or nothing."""
    GTC = "GTC"
    """It rests until it is filled or cancelled."""
    MAKER = "LIMIT_MAKER"
    """It rests, and must not take: Binance's `LIMIT_MAKER`."""

    @property
    def rests(self) -> bool:
        """Whether such an order waits in the book."""
        return self in {Terms.GTC, Terms.MAKER}

    @property
    def order_type(self) -> str:
        """Binance's `type`."""
        return "LIMIT_MAKER" if self is Terms.MAKER else "LIMIT"

    @property
    def time_in_force(self) -> str:
        """Binance's `timeInForce`."""
        return "GTC" if self.rests else self.value


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """A limit order, already rounded to the symbol's filters."""

    client_order_id: str
    """At most 36 characters of `A-Z a-z 0-9 . _ : / -` (Binance's own rule)."""
    symbol: str
    side: Side
    quantity: Decimal
    price: Decimal
    """The worst price accepted: a buyer pays no more, a seller gets no less."""
    time_ms: int
    """Event time of the frame that decided it."""
    terms: Terms = Terms.IOC


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
