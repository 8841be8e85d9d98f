"""What an exchange accepts for a symbol: tick size, lot step, minimum notional; rounding where money is booked."""

from __future__ import annotations

from decimal import ROUND_DOWN, ROUND_HALF_EVEN, Decimal

import msgspec


class SymbolFilters(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A symbol's filters, as `exchangeInfo` states them (PRICE_FILTER, LOT_SIZE, NOTIONAL).

    Raises ValueError for a step that is not positive.
    """

    tick_size: Decimal
    """Prices are whole multiples of it, in the quote asset."""
    lot_step: Decimal
    """Quantities are whole multiples of it, in the base asset."""
    minimum_notional: Decimal
    """Price times quantity of an order is at least this, in the quote asset."""

    def __post_init__(self) -> None:
        finite = all(value.is_finite() for value in (self.tick_size, self.lot_step, self.minimum_notional))
        if not finite or self.tick_size <= 0 or self.lot_step <= 0 or self.minimum_notional < 0:
            raise ValueError("tick_size and lot_step must be above 0, minimum_notional at least 0, all finite")

    def round_price(self, price: float) -> Decimal:
        """The multiple of the tick nearest to the price's shortest decimal form (`repr`); ties to even."""
        return (Decimal(repr(price)) / self.tick_size).to_integral_value(ROUND_HALF_EVEN) * self.tick_size

    def round_quantity(self, quantity: float) -> Decimal:
        """The largest multiple of the lot step not above the quantity's shortest decimal form (towards zero)."""
        return (Decimal(repr(quantity)) / self.lot_step).to_integral_value(ROUND_DOWN) * self.lot_step

    def is_enough(self, price: Decimal, quantity: Decimal) -> bool:
        """Whether an order of this size is accepted: some quantity, and at least the minimum notional."""
        return quantity > 0 and price * quantity >= self.minimum_notional


#: For symbols that a recording states no filters for: eight decimals, the finest the spot wire can write, and no
#: minimum above "something".
DEFAULT_FILTERS = SymbolFilters(
    tick_size=Decimal("0.00000001"), lot_step=Decimal("0.00000001"), minimum_notional=Decimal(0)
)


def filters_for(symbol: str, known: dict[str, SymbolFilters]) -> SymbolFilters:
    """The symbol's filters, or the stated defaults."""
    return known.get(symbol, DEFAULT_FILTERS)
