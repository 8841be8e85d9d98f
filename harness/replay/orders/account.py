"""The account behind an order gateway: the simulated exchange, its log, and the faults that a test asks for."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated, NamedTuple

import msgspec
from msgspec import Meta

from harness.exchange.matching import Accepted, Exchange, Refusal
from harness.replay.orders.log import cancel_line_of, line_of
from harness.replay.orders.stamps import FrameNames, Stamps
from harness.units import NS_PER_MS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from harness.exchange.fills import FillRules
    from harness.exchange.filters import SymbolFilters
    from harness.exchange.orders import Order
    from harness.replay.orders.log import Line, OrderLog
    from harness.replay.orders.stamps import StampsOf

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
    """Every n-th order is accepted and expires unfilled, unless it rests."""


class Cut(Exception):
    """The connection that the request came by must be cut, and the request not answered."""


def wall_ms() -> int:
    """The time of day in milliseconds since 1970."""
    return time.time_ns() // NS_PER_MS


class Batch(NamedTuple):
    """What was accepted and is not on the disk yet."""

    lines: list[Line]
    told: list[Accepted]
    """What may be told once the lines are written: orders, and orders that were cancelled."""


class WitnessedAccount:
    """Takes the orders of all connections. What was accepted is collected until it is on the disk.

    One thread at a time may use it, save that `put` may run beside the rest.
    """

    def __init__(
        self,
        log: OrderLog,
        *,
        rules: FillRules | None = None,
        filters: Mapping[str, SymbolFilters] | None = None,
        faults: Faults | None = None,
        frames: FrameNames | None = None,
        stamps: StampsOf | None = None,
        wall_ms: Callable[[], int] = wall_ms,
    ) -> None:
        """`stamps` tells what was sent before an order arrived; without it only the frame that its id names is known.

        `frames` knows that frame.
        """
        self._log = log
        self._faults = faults or Faults()
        self._frames = frames or FrameNames()
        self._stamps = stamps
        self._wall_ms = wall_ms
        self._exchange = Exchange(
            rules,
            filters,
            archive=log,
            open_orders=log.open_orders(),
            last_order_id=log.last_order_id,
            last_trade_id=log.last_trade_id,
        )
        self._orders = len(log)
        self._came = 0
        self._batch = Batch([], [])
        self._broken: OSError | None = None

    def place(self, order: Order, received_ns: int) -> Accepted | Refusal:
        """Take the order, whose bytes arrived then, or say why not; raises Cut where a fault wants it."""
        objection = self.objection(order)
        if objection:
            return objection
        self._came += 1
        if self._came == self._faults.drop_before:
            raise Cut
        if self._is_turn(self._faults.reject_every):
            return Refusal(code=-2010, msg="Account has insufficient balance for requested action.")
        accepted = self._accept(order, received_ns)
        if self._came == self._faults.drop_after:
            raise Cut
        return accepted

    def objection(self, order: Order) -> Refusal | None:
        """Why the order would be refused for what it is; None when it would not."""
        objection = self._exchange.objection(order)
        if objection is None and self._orders >= self._log.max_orders:
            return Refusal(
                code=-1015, msg=f"Too many new orders; current limit is {self._log.max_orders} orders per log."
            )
        return objection

    def find(self, symbol: str, client_order_id: str | None = None, order_id: int | None = None) -> Accepted | None:
        """The order by the client's id, by the exchange's own, or by both."""
        return self._exchange.find(symbol, client_order_id, order_id)

    def open_orders(self, symbol: str | None = None) -> list[Accepted]:
        """The orders that rest, oldest first; of one symbol or of all."""
        return self._exchange.open_orders(symbol)

    def cancel(
        self, symbol: str, client_order_id: str | None, order_id: int | None, *, cancel_id: str, received_ns: int
    ) -> Accepted | Refusal:
        """Take a resting order out of the book, or say why not."""
        done = self._exchange.cancel(symbol, client_order_id, order_id, cancel_id=cancel_id, now_ms=self._wall_ms())
        if isinstance(done, Accepted):
            self._batch.lines.append(cancel_line_of(done, received_ns))
            self._batch.told.append(done)
        return done

    def take(self) -> Batch:
        """What must be `put` on the disk next; raises OSError when it did not take an earlier one."""
        if self._broken is not None:
            raise OSError(self._broken.errno, f"the log of orders is broken: {self._broken}")
        batch, self._batch = self._batch, Batch([], [])
        return batch

    def put(self, batch: Batch) -> None:
        """Put it on the disk, of one thread at a time: only now may anybody be told.

        Raises OSError when the disk does not take it; nothing may be told then, ever.
        """
        try:
            self._log.append(batch.lines)
        except OSError as error:
            self._broken = error
            raise

    def write(self) -> list[Accepted]:
        """Put on the disk what was accepted since the last call, and return what may be told; raises as `put`."""
        batch = self.take()
        self.put(batch)
        return batch.told

    def _accept(self, order: Order, received_ns: int) -> Accepted | Refusal:
        expires = self._is_turn(self._faults.expire_every)
        accepted = self._exchange.place(order, self._wall_ms(), expires=expires)
        if isinstance(accepted, Accepted):
            self._orders += 1
            self._batch.lines.append(line_of(accepted, received_ns, self._stamped(order, received_ns)))
            self._batch.told.append(accepted)
        return accepted

    def _stamped(self, order: Order, received_ns: int) -> Stamps:
        known = self._stamps(order, received_ns) if self._stamps else None
        return known or Stamps(trigger_frame=self._frames.frame_in(order.client_order_id))

    def _is_turn(self, every: int) -> bool:
        return every > 0 and self._came % every == 0
