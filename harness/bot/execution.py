"""Paper execution: orders filled by the exchange's stated rules. There is no other kind here, and no signing key."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from harness.exchange.fills import FillRules, fill
from harness.exchange.filters import filters_for
from harness.exchange.orders import Side

if TYPE_CHECKING:
    from harness.bot.market import SymbolState
    from harness.exchange.filters import SymbolFilters
    from harness.exchange.orders import Fill, Order


class Execution(Protocol):
    """Where orders go."""

    def fill(self, order: Order, state: SymbolState) -> Fill:
        """The fill that is booked when the order is sent."""
        ...


class PaperExecution:
    """Fills at once at the best opposite price."""

    def __init__(self, filters: dict[str, SymbolFilters], rules: FillRules | None = None) -> None:
        self._filters = filters
        self._rules = rules or FillRules()

    def fill(self, order: Order, state: SymbolState) -> Fill:
        """At the ask for a buyer, the bid for a seller; at the last price where there is no book."""
        best_opposite = state.ask if order.side is Side.BUY else state.bid
        return fill(order, best_opposite or state.price, filters_for(order.symbol, self._filters), self._rules)
