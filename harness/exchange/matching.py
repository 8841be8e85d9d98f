"""A simulated exchange for one account, without I/O: limit orders, immediate or cancel, filled whole at once.

Whoever simulates an exchange asks this one, so that a bot on paper and a bot before an order gateway trade alike.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from dataclasses import dataclass
from decimal import Context, Decimal
from typing import TYPE_CHECKING, Final

from harness.exchange.fills import FillRules, fill

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from harness.exchange.filters import SymbolFilters
    from harness.exchange.orders import Fill, Order

#: Binance's own rules, as its errors quote them (errors.md and rest-api.md of 2026).
CLIENT_ORDER_ID: Final = r"^[\.A-Z\:/a-z0-9_-]{1,36}$"
SYMBOL: Final = r"^[\w\-._&&[^a-z]]{1,50}$"
DUPLICATE: Final = "Duplicate order sent."
_CLIENT_ORDER_ID = re.compile(r"[.A-Z:/a-z0-9_-]{1,36}")
_SYMBOL = re.compile(r"(?:(?![a-z])[\w\-.]){1,50}")

#: The spot wire writes eight decimals; larger amounts than this are traded nowhere.
_DECIMALS: Final = 8
_LARGEST: Final = Decimal(10) ** 18
#: Wide enough for the remainder of any two amounts within these bounds.
_WIDE = Context(prec=100)


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Why an exchange does not do what it was asked, in Binance's words (errors.md)."""

    code: int
    msg: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """An order that the exchange has taken, and its end: an order that is immediate or cancel never rests."""

    order: Order
    order_id: int
    trade_id: int
    """-1 for an order that expired."""
    fill: Fill | None
    """The whole order at one price, or None for an order that expired."""
    time_ms: int
    """When it was taken and done."""


def nothing_older(client_order_id: str) -> Accepted | None:
    """The archive of an exchange that has none."""
    del client_order_id
    return None


class Exchange:
    """Takes orders; ids count up from 1, so that equal orders in equal order have equal answers.

    A client order id is taken once and for all. Binance refuses a used one only while its order is open; a client
    that sends again after a cut must ask `order.status` first there, and need not here. The last `remembered` orders
    are kept; about older ones `archive` is asked, which may read them back from wherever they were written.
    """

    def __init__(
        self,
        rules: FillRules | None = None,
        filters: Mapping[str, SymbolFilters] | None = None,
        *,
        remembered: int = 10_000,
        archive: Callable[[str], Accepted | None] = nothing_older,
        last_order_id: int = 0,
        last_trade_id: int = 0,
    ) -> None:
        self._rules = rules or FillRules()
        self._filters = filters or {}
        self._remembered = remembered
        self._archive = archive
        self._recent: OrderedDict[str, Accepted] = OrderedDict()
        self._order_id = last_order_id
        self._trade_id = last_trade_id

    def place(self, order: Order, now_ms: int, *, expires: bool = False) -> Accepted | Refusal:
        """Take the order and fill it whole at its own limit, or let it expire unfilled.

        Refused: an id or a symbol with characters that are not allowed (-1100), more than eight decimals (-1111), an
        amount that the symbol's filters do not allow (-1013), an id that was taken before (-2010).
        """
        refusal = self.objection(order)
        if refusal:
            return refusal
        self._order_id += 1
        if not expires:
            self._trade_id += 1
        accepted = Accepted(
            order=order,
            order_id=self._order_id,
            trade_id=-1 if expires else self._trade_id,
            fill=None if expires else fill(order, self._rules),
            time_ms=now_ms,
        )
        self._recent[order.client_order_id] = accepted
        if len(self._recent) > self._remembered:
            self._recent.popitem(last=False)
        return accepted

    def objection(self, order: Order) -> Refusal | None:
        """Why `place` would refuse the order; None when it would not."""
        if not _CLIENT_ORDER_ID.fullmatch(order.client_order_id):
            return illegal("newClientOrderId", CLIENT_ORDER_ID)
        if not _SYMBOL.fullmatch(order.symbol):
            return illegal("symbol", SYMBOL)
        wrong = _wrong_amounts(order) or _filter_failure(order, self._filters.get(order.symbol))
        if wrong:
            return wrong
        if self._find(order.client_order_id):
            return Refusal(code=-2010, msg=DUPLICATE)
        return None

    def status(self, symbol: str, client_order_id: str) -> Accepted | Refusal:
        """What became of an order; refused for one that was never taken (-2013)."""
        found = self._find(client_order_id)
        if found is None or found.order.symbol != symbol:
            return Refusal(code=-2013, msg="Order does not exist.")
        return found

    def cancel(self, symbol: str, client_order_id: str) -> Refusal:
        """Always refused (-2011): no order is ever open."""
        del symbol, client_order_id
        return Refusal(code=-2011, msg="Unknown order sent.")

    def _find(self, client_order_id: str) -> Accepted | None:
        return self._recent.get(client_order_id) or self._archive(client_order_id)


def illegal(parameter: str, legal: str) -> Refusal:
    """A parameter whose text is outside Binance's pattern."""
    return Refusal(code=-1100, msg=f"Illegal characters found in parameter '{parameter}'; legal range is '{legal}'.")


def _wrong_amounts(order: Order) -> Refusal | None:
    for name, amount in (("price", order.price), ("quantity", order.quantity)):
        if not amount.is_finite() or not 0 < amount <= _LARGEST:
            return Refusal(code=-1013, msg=f"Invalid {name}.")
        if _WIDE.remainder(amount, Decimal(1).scaleb(-_DECIMALS)):
            return Refusal(code=-1111, msg=f"Parameter '{name}' has too much precision.")
    return None


def _filter_failure(order: Order, filters: SymbolFilters | None) -> Refusal | None:
    if filters is None:
        return None
    broken = ""
    if _WIDE.remainder(order.price, filters.tick_size):
        broken = "PRICE_FILTER"
    elif _WIDE.remainder(order.quantity, filters.lot_step):
        broken = "LOT_SIZE"
    elif not filters.is_enough(order.price, order.quantity):
        broken = "NOTIONAL"
    return Refusal(code=-1013, msg=f"Filter failure: {broken}") if broken else None
