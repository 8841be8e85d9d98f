"""The order client's side of the WebSocket API without I/O: orders and frames go in, requests and reports come out.

An order is waited for until its last report is known. After a cut all that wait are placed again under their own ids;
an exchange that had taken one says "Duplicate order sent.", and is then asked what became of it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final, Literal

import msgspec

from harness.bot.orders.gateways import GatewayStatistics
from harness.exchange.answers import TERMINAL, OrderStatus, OwnTrade
from harness.exchange.matching import DUPLICATE
from harness.exchange.reports import recovered, rejected, wrapped

if TYPE_CHECKING:
    from harness.exchange.orders import Order
    from harness.units import Nanoseconds

Purpose = Literal["subscribe", "place", "status", "trades"]

_METHODS: Final[dict[Purpose, str]] = {
    "subscribe": "userDataStream.subscribe",
    "place": "order.place",
    "status": "order.status",
    "trades": "myTrades",
}
#: "User Data Stream subscription already active."
_ALREADY_SUBSCRIBED: Final = -2035
#: Events after which nothing more is told on a connection.
_ENDINGS: Final = frozenset({"eventStreamTerminated", "serverShutdown"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Reaction:
    """What must be done after a frame."""

    send: list[bytes] = field(default_factory=list)
    """Requests, in order."""
    hand_on: list[bytes] = field(default_factory=list)
    """Account events, in order."""
    leave: str = ""
    """Why the connection is of no further use; empty as long as it is."""


@dataclass(slots=True, kw_only=True)
class _Waiting:
    order: Order
    since: Nanoseconds
    """When it was last sent or heard of."""
    status: OrderStatus | None = None
    """Asked for after a duplicate, as long as its trades are not known."""
    request_id: int = 0
    """Of the request about it that is not answered, if any."""


class _Error(msgspec.Struct):
    code: int
    msg: str = ""


class _Event(msgspec.Struct):
    kind: str = msgspec.field(name="e", default="")
    client_order_id: str = msgspec.field(name="c", default="")
    original_id: object = msgspec.field(name="C", default="")
    status: object = msgspec.field(name="X", default="")


class _Message(msgspec.Struct):
    id: int | str | None = None
    status: int | None = None
    result: msgspec.Raw = msgspec.Raw(b"null")
    error: _Error | None = None
    event: _Event | None = None


_NO_REASON: Final = _Error(code=0, msg="no reason given")
_messages: Final = msgspec.json.Decoder(_Message)
_statuses: Final = msgspec.json.Decoder(OrderStatus)
_trades: Final = msgspec.json.Decoder(list[OwnTrade])


class OrderTalk:
    """Orders whose end is not known, and the requests about them that are not answered; on one connection at a time."""

    def __init__(self) -> None:
        self.waiting: dict[str, _Waiting] = {}
        self.is_subscribed = False
        """On the present connection."""
        self._asked: dict[int, tuple[Purpose, str]] = {}
        self._request_id = 0
        self._sent = self._peak = self._resent = self._refused = 0

    def statistics(self, reconnects: int) -> GatewayStatistics:
        """What happened so far."""
        return GatewayStatistics(
            sent=self._sent,
            waiting=len(self.waiting),
            peak=self._peak,
            resent=self._resent,
            refused=self._refused,
            reconnects=reconnects,
        )

    def connected(self, now: Nanoseconds) -> list[bytes]:
        """What is sent first on a new connection: the subscription, then every order that waits, once more."""
        self.is_subscribed = False
        self._asked.clear()
        self._resent += len(self.waiting)
        requests = [self._ask("subscribe", "", {})]
        for one in self.waiting.values():
            one.since, one.status = now, None
            requests.append(self._placing(one.order))
        return requests

    def place(self, order: Order, now: Nanoseconds) -> list[bytes]:
        """Wait for the order from now on; nothing is sent for one that waits already."""
        if order.client_order_id in self.waiting:
            return []
        self.waiting[order.client_order_id] = _Waiting(order=order, since=now)
        self._sent += 1
        self._peak = max(self._peak, len(self.waiting))
        return [self._placing(order)]

    def is_overdue(self, now: Nanoseconds, patience: Nanoseconds) -> bool:
        """Whether nothing was heard of an order for so long."""
        return any(now - one.since > patience for one in self.waiting.values())

    def receive(self, frame: bytes, now: Nanoseconds) -> Reaction:
        """What to do after a frame. One that is none of ours, or is malformed, is handed on to be counted."""
        try:
            message = _messages.decode(frame)
        except msgspec.MsgspecError:
            return Reaction(hand_on=[frame])
        if message.status is None:
            return self._heard(frame, message.event)
        asked = self._asked.pop(message.id, None) if isinstance(message.id, int) else None
        if asked is None:
            return Reaction()
        try:
            return self._answered(*asked, message, now)
        except msgspec.MsgspecError as error:
            return Reaction(leave=f"an answer to {_METHODS[asked[0]]} makes no sense: {error}")

    def _heard(self, frame: bytes, event: _Event | None) -> Reaction:
        if event is not None and event.kind == "executionReport" and event.status in TERMINAL:
            for name in (event.client_order_id, event.original_id):
                if isinstance(name, str) and name in self.waiting:
                    self._forget(name)
        leave = f"the exchange said {event.kind}" if event is not None and event.kind in _ENDINGS else ""
        return Reaction(hand_on=[frame], leave=leave)

    def _answered(self, purpose: Purpose, client_order_id: str, message: _Message, now: Nanoseconds) -> Reaction:
        # Only 400 says that nothing was done: after 5xx nobody knows, and 418 and 429 ask us to come back later.
        if message.status not in {200, 400}:
            return Reaction(leave=f"{_METHODS[purpose]} was answered with status {message.status}")
        error = (message.error or _NO_REASON) if message.status == 400 else None
        if purpose == "subscribe":
            return self._subscribed(error)
        waiting = self.waiting[client_order_id]  # else its request would have been forgotten
        waiting.since = now
        if purpose == "place":
            return self._placed(waiting.order, error)
        if error is not None:
            return Reaction(leave=f"{_METHODS[purpose]} was answered with error {error.code}")
        if purpose == "status":
            return self._told(waiting, _statuses.decode(message.result))
        return self._traded(waiting, _trades.decode(message.result))

    def _subscribed(self, error: _Error | None) -> Reaction:
        if error is not None and error.code != _ALREADY_SUBSCRIBED:
            return Reaction(leave=f"the subscription to account events was answered with error {error.code}")
        self.is_subscribed = True
        return Reaction()

    def _placed(self, order: Order, error: _Error | None) -> Reaction:
        if error is None:
            return Reaction()
        if error.msg == DUPLICATE:
            params = {"symbol": order.symbol, "origClientOrderId": order.client_order_id, "timestamp": order.time_ms}
            return Reaction(send=[self._ask("status", order.client_order_id, params)])
        self._refused += 1
        return self._ended(order, wrapped(rejected(order, f"{error.code} {error.msg}", order.time_ms)))

    def _told(self, waiting: _Waiting, status: OrderStatus) -> Reaction:
        order = waiting.order
        if status.client_order_id != order.client_order_id or status.symbol != order.symbol:
            return Reaction(leave="order.status was answered with another order")
        if status.status not in TERMINAL:
            return Reaction()  # its last report is still to come
        if not Decimal(status.executed_qty):
            return self._ended(order, wrapped(recovered(status, [])))
        waiting.status = status
        params = {"symbol": order.symbol, "orderId": status.order_id, "timestamp": order.time_ms}
        return Reaction(send=[self._ask("trades", order.client_order_id, params)])

    def _traded(self, waiting: _Waiting, trades: list[OwnTrade]) -> Reaction:
        status = waiting.status
        if status is None or any(trade.order_id != status.order_id for trade in trades):
            return Reaction(leave="myTrades was answered with trades of another order")
        if sum((Decimal(trade.qty) for trade in trades), Decimal(0)) != Decimal(status.executed_qty):
            return Reaction(leave="myTrades does not tell all trades of the order yet")
        return self._ended(waiting.order, wrapped(recovered(status, trades)))

    def _ended(self, order: Order, report: bytes) -> Reaction:
        self._forget(order.client_order_id)
        return Reaction(hand_on=[report])

    def _forget(self, client_order_id: str) -> None:
        self._asked.pop(self.waiting.pop(client_order_id).request_id, None)

    def _placing(self, order: Order) -> bytes:
        params = {
            "symbol": order.symbol,
            "side": order.side.value,
            "type": "LIMIT",
            "timeInForce": "IOC",
            "price": f"{order.price:f}",
            "quantity": f"{order.quantity:f}",
            "newClientOrderId": order.client_order_id,
            "newOrderRespType": "ACK",
            "timestamp": order.time_ms,
        }
        return self._ask("place", order.client_order_id, params)

    def _ask(self, purpose: Purpose, client_order_id: str, params: dict[str, Any]) -> bytes:
        self._request_id += 1
        self._asked[self._request_id] = (purpose, client_order_id)
        if client_order_id in self.waiting:
            self.waiting[client_order_id].request_id = self._request_id
        return msgspec.json.encode({"id": self._request_id, "method": _METHODS[purpose], "params": params})
