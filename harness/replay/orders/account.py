"""The account behind an order gateway: the simulated exchange, its log, and the faults that a test asks for."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated

import msgspec
from msgspec import Meta

from harness.exchange.matching import Accepted, Exchange, Refusal
from harness.replay.orders.log import line_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harness.exchange.fills import FillRules
    from harness.exchange.filters import SymbolFilters
    from harness.exchange.orders import Order
    from harness.replay.orders.log import AcceptedOrder, OrderLog

Number = Annotated[int, Meta(ge=0, le=1_000_000_000)]


class Faults(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Deliberate misbehaviour, for tests; 0 for none. Orders are counted from 1 as they come, duplicates excepted."""

    drop_before: Number = 0
    """The connection is cut when this order comes: it is not accepted."""
    drop_after: Number = 0
    """The connection is cut when this order has been accepted, before it is answered."""
    late_ms: Number = 0
    """Everything is answered so much later."""
    reject_every: Number = 0
    """Every n-th order is refused for want of money."""
    expire_every: Number = 0
    """Every n-th order is accepted and expires unfilled."""


class Cut(Exception):
    """The connection that the request came by must be cut, and the request not answered."""


class WitnessedAccount:
    """Takes the orders of all connections. What was accepted is collected until `write` has it on the disk."""

    def __init__(
        self,
        log: OrderLog,
        *,
        rules: FillRules | None = None,
        filters: Mapping[str, SymbolFilters] | None = None,
        faults: Faults | None = None,
    ) -> None:
        self._log = log
        self._faults = faults or Faults()
        self._exchange = Exchange(
            rules, filters, archive=log.find, last_order_id=log.last_order_id, last_trade_id=log.last_trade_id
        )
        self._came = 0
        self._unwritten: list[AcceptedOrder] = []
        self._untold: list[Accepted] = []

    def place(self, order: Order) -> Accepted | Refusal:
        """Take the order, or say why not; raises Cut where a fault wants it."""
        objection = self._exchange.objection(order)
        if objection:
            return objection
        if len(self._log) + len(self._unwritten) >= self._log.max_orders:
            return Refusal(
                code=-1015, msg=f"Too many new orders; current limit is {self._log.max_orders} orders per log."
            )
        self._came += 1
        if self._came == self._faults.drop_before:
            raise Cut
        if self._is_turn(self._faults.reject_every):
            return Refusal(code=-2010, msg="Account has insufficient balance for requested action.")
        accepted = self._accept(order)
        if self._came == self._faults.drop_after:
            raise Cut
        return accepted

    def status(self, symbol: str, client_order_id: str) -> Accepted | Refusal:
        """The order, or why there is none."""
        return self._exchange.status(symbol, client_order_id)

    def cancel(self, symbol: str, client_order_id: str) -> Refusal:
        """Say why there is nothing to cancel."""
        return self._exchange.cancel(symbol, client_order_id)

    def numbered(self, symbol: str, order_id: int) -> Accepted | None:
        """A written order by the exchange's own id."""
        found = self._log.numbered(order_id)
        return found if found and found.order.symbol == symbol else None

    def write(self) -> list[Accepted]:
        """Put on the disk what was accepted since the last call, and return it: only now may anybody be told.

        Raises OSError when the disk does not take it; nothing may be told then, ever.
        """
        self._log.append(self._unwritten)
        told, self._untold, self._unwritten = self._untold, [], []
        return told

    def _accept(self, order: Order) -> Accepted | Refusal:
        expires = self._is_turn(self._faults.expire_every)
        accepted = self._exchange.place(order, time.time_ns() // 1_000_000, expires=expires)
        if isinstance(accepted, Accepted):
            self._unwritten.append(line_of(accepted, time.monotonic_ns()))
            self._untold.append(accepted)
        return accepted

    def _is_turn(self, every: int) -> bool:
        return every > 0 and self._came % every == 0
