"""A simulated exchange for one account, without I/O.

Limit orders that take at once (IOC, FOK) are filled whole; those that rest (GTC, LIMIT_MAKER) wait until they are
cancelled, since nothing here knows a book that could fill them. Whoever simulates an exchange asks this one, so that a
bot on paper and a bot before an order gateway trade alike.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from dataclasses import dataclass, replace
from decimal import Context, Decimal
from typing import TYPE_CHECKING, Final, Protocol

from harness.exchange.fills import FillRules, fill

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

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
#: Binance's usual EXCHANGE_MAX_NUM_ORDERS.
MAX_OPEN: Final = 1_000
_UNKNOWN: Final = "Unknown order sent."


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Why an exchange does not do what it was asked, in Binance's words (errors.md)."""

    code: int
    msg: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Cancelled:
    """The end of a resting order on request."""

    cancel_id: str
    """The request's own client order id."""
    time_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """An order that the exchange has taken, and what has become of it."""

    order: Order
    order_id: int
    trade_id: int
    """-1 for an order that was not filled."""
    fill: Fill | None
    """The whole order at one price, or None for one that expired, waits, or was cancelled."""
    time_ms: int
    """When it was taken and, unless it rests, done."""
    cancelled: Cancelled | None = None

    @property
    def open(self) -> bool:
        """Whether it waits in the book."""
        return self.order.terms.rests and self.cancelled is None


class Archive(Protocol):
    """What an exchange asks about orders that it no longer remembers."""

    def find(self, client_order_id: str) -> Accepted | None:
        """The order by the client's id."""
        ...

    def numbered(self, order_id: int) -> Accepted | None:
        """The order by the exchange's own id."""
        ...


class Exchange:
    """Takes orders; ids count up from 1, so that equal orders in equal order have equal answers.

    A client order id is taken once and for all. Binance refuses a used one only while its order is open; a client
    that sends again after a cut must ask `order.status` first there, and need not here. All open orders and the last
    `remembered` ones that are done are kept; about older ones `archive` is asked, which may read them back from
    wherever they were written.
    """

    def __init__(
        self,
        rules: FillRules | None = None,
        filters: Mapping[str, SymbolFilters] | None = None,
        *,
        remembered: int = 10_000,
        max_open: int = MAX_OPEN,
        archive: Archive | None = None,
        open_orders: Iterable[Accepted] = (),
        last_order_id: int = 0,
        last_trade_id: int = 0,
    ) -> None:
        self._rules = rules or FillRules()
        self._filters = filters or {}
        self._remembered = remembered
        self._max_open = max_open
        self._archive = archive
        self._open = {one.order.client_order_id: one for one in open_orders}
        self._recent: OrderedDict[str, Accepted] = OrderedDict()
        self._names = {one.order_id: name for name, one in self._open.items()}
        """The client order ids of the open and the recent orders by their own."""
        self._order_id = last_order_id
        self._trade_id = last_trade_id

    def place(self, order: Order, now_ms: int, *, expires: bool = False) -> Accepted | Refusal:
        """Take the order: let it rest if it is to, else fill it whole at its own limit, or let it expire unfilled.

        Refused: an id or a symbol with characters that are not allowed (-1100), more than eight decimals (-1111), an
        amount that the symbol's filters do not allow or one open order too many (-1013), an id that was taken before
        (-2010).
        """
        refusal = self.objection(order)
        if refusal:
            return refusal
        fills = not (expires or order.terms.rests)
        self._order_id += 1
        if fills:
            self._trade_id += 1
        accepted = Accepted(
            order=order,
            order_id=self._order_id,
            trade_id=self._trade_id if fills else -1,
            fill=fill(order, self._rules) if fills else None,
            time_ms=now_ms,
        )
        self._names[accepted.order_id] = order.client_order_id
        if accepted.open:
            self._open[order.client_order_id] = accepted
        else:
            self._remember(accepted)
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
        if order.terms.rests and len(self._open) >= self._max_open:
            return Refusal(code=-1013, msg="Filter failure: EXCHANGE_MAX_NUM_ORDERS")
        return None

    def find(self, symbol: str, client_order_id: str | None = None, order_id: int | None = None) -> Accepted | None:
        """The order by the client's id or by its own; by both, the one that has both."""
        found = self._numbered(order_id) if order_id is not None else self._find(client_order_id or "")
        if found is None or found.order.symbol != symbol:
            return None
        return found if client_order_id in {None, found.order.client_order_id} else None

    def open_orders(self, symbol: str | None = None) -> list[Accepted]:
        """The orders that rest, oldest first; of one symbol or of all."""
        return [one for one in self._open.values() if symbol in {None, one.order.symbol}]

    def status(
        self, symbol: str, client_order_id: str | None = None, order_id: int | None = None
    ) -> Accepted | Refusal:
        """What became of an order; refused for one that was never taken (-2013)."""
        found = self.find(symbol, client_order_id, order_id)
        return found or Refusal(code=-2013, msg="Order does not exist.")

    def cancel(
        self,
        symbol: str,
        client_order_id: str | None = None,
        order_id: int | None = None,
        *,
        cancel_id: str,
        now_ms: int,
    ) -> Accepted | Refusal:
        """Take the order out of the book.

        Refused: a `cancel_id` with characters that are not allowed (-1100), an order that does not rest (-2011).
        """
        if not _CLIENT_ORDER_ID.fullmatch(cancel_id):
            return illegal("newClientOrderId", CLIENT_ORDER_ID)
        found = self.find(symbol, client_order_id, order_id)
        if found is None or not found.open:
            return Refusal(code=-2011, msg=_UNKNOWN)
        done = replace(found, cancelled=Cancelled(cancel_id=cancel_id, time_ms=now_ms))
        del self._open[found.order.client_order_id]
        self._remember(done)
        return done

    def _remember(self, done: Accepted) -> None:
        self._recent[done.order.client_order_id] = done
        if len(self._recent) > self._remembered:
            _, oldest = self._recent.popitem(last=False)
            del self._names[oldest.order_id]

    def _find(self, client_order_id: str) -> Accepted | None:
        known = self._open.get(client_order_id) or self._recent.get(client_order_id)
        return known or (self._archive.find(client_order_id) if self._archive else None)

    def _numbered(self, order_id: int) -> Accepted | None:
        name = self._names.get(order_id)
        if name is not None:
            return self._find(name)
        return self._archive.numbered(order_id) if self._archive else None


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
