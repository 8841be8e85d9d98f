"""Orders that were booked when they were sent, until the exchange has told their end: it must be what was booked.

What the exchange tells decides nothing and changes no book: a difference is counted by name, and logged.
"""

from __future__ import annotations

import logging
import re
from collections import Counter, OrderedDict
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from harness.exchange.answers import TERMINAL, quote_asset, wire_amount

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.bot.account_feed import OrderReport
    from harness.exchange.orders import Fill, Order

_log = logging.getLogger(__name__)

_NOTHING: Final = Decimal(0)
#: Ids of settled orders that are remembered, so that a report that comes twice is no unknown order.
_REMEMBERED: Final = 10_000

#: Client order ids of a bot's: `<epoch>-<frame>-<B or S>` (harness/bot/desk.py).
_OURS: Final = re.compile(r"[0-9]+-[0-9]+-[BS]")

#: What may differ, and what it means.
DIFFERENCES: Final = {
    "price": "was filled at another mean price than was booked",
    "quantity": "was not filled whole",
    "overfilled": "was filled beyond its quantity",
    "commission": "cost another commission than was booked",
    "rejected": "was not taken by the exchange, and is booked all the same",
    "missed trade": "has trades that were never told; its price and commission cannot be checked",
    "other order": "is known to the exchange under another symbol or side",
    "unknown order": "has an id of ours and was not sent in this life",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenOrderStatistics:
    """Orders whose end is not known, and what was settled."""

    open: int
    peak: int
    settled: int
    different: int
    """Differences of all kinds; one order may have several."""


@dataclass(slots=True, kw_only=True)
class _Open:
    order: Order
    booked: Fill
    filled: Decimal = _NOTHING
    quote: Decimal = _NOTHING
    """Price times quantity of the trades told."""
    commission: Decimal = _NOTHING
    missed: bool = False


class OpenOrders:
    """Calls `settled` with the client order id when an order's end is known, whatever it is, once an order."""

    def __init__(self, settled: Callable[[str], None], *, remembered: int = _REMEMBERED) -> None:
        self._settled = settled
        self._remembered = remembered
        self._open: dict[str, _Open] = {}
        self._done: OrderedDict[str, None] = OrderedDict()
        self._peak = 0
        self._count = 0
        self.differences: Counter[str] = Counter()
        """By the names of DIFFERENCES."""
        self.foreign = 0
        """Reports of orders that another trader on the same account placed: no matter of ours."""

    @property
    def statistics(self) -> OpenOrderStatistics:
        """What happened so far."""
        return OpenOrderStatistics(
            open=len(self._open), peak=self._peak, settled=self._count, different=self.differences.total()
        )

    def expect(self, order: Order, fill: Fill) -> None:
        """The order is about to be sent, and booked as filled like this; one that is expected already stays so."""
        self._open.setdefault(order.client_order_id, _Open(order=order, booked=fill))
        self._peak = max(self._peak, len(self._open))

    def on_report(self, report: OrderReport) -> None:
        """What the exchange tells of an order; a report that comes twice changes nothing."""
        known = self._open.get(report.client_order_id)
        if known is None:
            self._unexpected(report)
            return
        if report.execution == "TRADE":
            _take_trade(known, report)
        if report.status in TERMINAL:
            self._settle(known, report)

    def _unexpected(self, report: OrderReport) -> None:
        if _OURS.fullmatch(report.client_order_id) is None:
            self.foreign += 1
        elif report.client_order_id not in self._done:
            self._differs("unknown order", report.client_order_id, report)

    def _settle(self, known: _Open, report: OrderReport) -> None:
        client_order_id = known.order.client_order_id
        for difference in _differences(known, report):
            self._differs(difference, client_order_id, report)
        del self._open[client_order_id]
        self._done[client_order_id] = None
        if len(self._done) > self._remembered:
            self._done.popitem(last=False)
        self._count += 1
        self._settled(client_order_id)

    def _differs(self, kind: str, client_order_id: str, report: OrderReport) -> None:
        self.differences[kind] += 1
        if self.differences[kind] == 1:
            _log.warning(
                "order %s %s; from now on this is only counted: %s", client_order_id, DIFFERENCES[kind], report
            )


def _take_trade(known: _Open, report: OrderReport) -> None:
    filled, last = report.filled, report.last_quantity
    if filled <= known.filled:
        return  # told before
    if filled == last:  # all there is in one, also when parts of it were told before
        known.quote = known.commission = _NOTHING
        known.missed = False
    elif filled - last != known.filled:
        known.missed = True
    known.filled = filled
    known.quote += report.last_price * last
    known.commission += report.commission


def _differences(known: _Open, report: OrderReport) -> list[str]:
    order, booked = known.order, known.booked
    if report.status == "REJECTED":
        return ["rejected"]
    found = []
    if report.symbol != order.symbol or report.side != order.side:
        found.append("other order")
    if known.filled != order.quantity:
        found.append("overfilled" if known.filled > order.quantity else "quantity")
    if known.missed:
        found.append("missed trade")
    elif known.filled:
        # Eight decimals are all that the wire tells.
        if wire_amount(known.quote / known.filled) != wire_amount(booked.price):
            found.append("price")
        if not _is_commission(known, report.commission_asset):
            found.append("commission")
    return found


def _is_commission(known: _Open, asset: str | None) -> bool:
    """Whether it is what was booked, which is in the quote asset where the symbol names one."""
    order, booked = known.order, known.booked
    if asset not in {None, quote_asset(order.symbol)}:
        return False
    return wire_amount(known.commission) == wire_amount(booked.fee * known.filled / order.quantity)
