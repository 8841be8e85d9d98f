"""Requests about orders on the WebSocket API, beside those of any connection (api_requests.py).

Source: Binance, web-socket-api.md and errors.md of 2026: `order.place`, `order.test`, `order.cancel`, `order.status`,
`openOrders.status`, `openOrders.cancelAll`, `myTrades` of one order. The shapes are spot's.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any, Final, Protocol

import msgspec

from harness.exchange.answers import own_trades_of, status_of
from harness.exchange.matching import Accepted
from harness.replay.accounts.gate import Security
from harness.replay.protocol.api_requests import ApiRequests, Method
from harness.replay.protocol.new_orders import client_order_id_in, order_of, text_in
from harness.replay.protocol.refusals import Refused, malformed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harness.exchange.matching import Refusal
    from harness.exchange.orders import Order
    from harness.replay.accounts.gate import Gate
    from harness.replay.accounts.listen_keys import ListenKeys
    from harness.replay.protocol.api_requests import Call

    Params = Mapping[str, Any]

_RESPONSES: Final = ("ACK", "RESULT", "FULL")
#: What `order.place` and `order.cancel` tell of an order, in the order of the wire.
_PLACED: Final = (
    *("symbol", "orderId", "orderListId", "clientOrderId", "transactTime", "price", "origQty", "executedQty"),
    *("origQuoteOrderQty", "cummulativeQuoteQty", "status", "timeInForce", "type", "side", "workingTime"),
)
_CANCELLED: Final = (
    *("symbol", "origClientOrderId", "orderId", "orderListId", "clientOrderId", "transactTime", "price", "origQty"),
    *("executedQty", "origQuoteOrderQty", "cummulativeQuoteQty", "status", "timeInForce", "type", "side"),
    "selfTradePreventionMode",
)
#: So many of what is placed in the short form.
_ACKNOWLEDGED: Final = 5
#: No order here is ever filled in part.
_RESTRICTIONS: Final = {None: True, "ONLY_NEW": True, "ONLY_PARTIALLY_FILLED": False}


class Account(Protocol):
    """Who takes the orders; of one thread at a time."""

    def place(self, order: Order, received_ns: int) -> Accepted | Refusal:
        """Take the order, whose bytes arrived then, or say why not."""
        ...

    def objection(self, order: Order) -> Refusal | None:
        """Why the order would not be taken."""
        ...

    def find(self, symbol: str, client_order_id: str | None = None, order_id: int | None = None) -> Accepted | None:
        """The order by the client's id, by the exchange's own, or by both."""
        ...

    def open_orders(self, symbol: str | None = None) -> list[Accepted]:
        """The orders that rest, of one symbol or of all."""
        ...

    def cancel(
        self, symbol: str, client_order_id: str | None, order_id: int | None, *, cancel_id: str, received_ns: int
    ) -> Accepted | Refusal:
        """Take a resting order out of the book, or say why not."""
        ...


class OrderRequests(ApiRequests):
    """The state of one connection to an account that takes orders; the account is the same for all of them."""

    def __init__(self, account: Account, gate: Gate | None = None, listen_keys: ListenKeys | None = None) -> None:
        super().__init__(gate, listen_keys)
        self._account = account
        self._methods |= {
            "order.place": Method(1, Security.SIGNED, self._place),
            "order.test": Method(1, Security.SIGNED, self._test),
            "order.cancel": Method(1, Security.SIGNED, self._cancel),
            "order.status": Method(4, Security.SIGNED, self._order_status),
            "openOrders.status": Method(6, Security.SIGNED, self._open_orders),
            "openOrders.cancelAll": Method(1, Security.SIGNED, self._cancel_all),
            "myTrades": Method(5, Security.SIGNED, self._trades),
        }

    def _place(self, call: Call) -> object:
        order = order_of(call.params)
        shape = call.params.get("newOrderRespType", "FULL" if order.terms.order_type == "LIMIT" else "ACK")
        if shape not in _RESPONSES:
            raise malformed("newOrderRespType")
        accepted = _or_refused(self._account.place(order, call.now_ns))
        known = {**msgspec.to_builtins(status_of(accepted)), "transactTime": accepted.time_ms}
        if shape == "ACK":
            return {name: known[name] for name in _PLACED[:_ACKNOWLEDGED]}
        fills = {"fills": _fills(accepted)} if shape == "FULL" else {}
        ending = {"selfTradePreventionMode": known["selfTradePreventionMode"]}
        return {**{name: known[name] for name in _PLACED}, **fills, **ending}

    def _test(self, call: Call) -> object:
        objection = self._account.objection(order_of(call.params))
        if objection:
            raise _refused(objection)
        return {}

    def _order_status(self, call: Call) -> object:
        found = self._account.find(*_ids(call.params))
        if found is None:
            raise Refused(-2013, "Order does not exist.")
        return msgspec.to_builtins(status_of(found))

    def _cancel(self, call: Call) -> object:
        params = call.params
        symbol, client_order_id, order_id = _ids(params)
        restriction = params.get("cancelRestrictions")
        if not isinstance(restriction, str | None) or restriction not in _RESTRICTIONS:
            raise Refused(-1145, "Invalid cancelRestrictions")
        found = self._account.find(symbol, client_order_id, order_id)
        if found is not None and found.open and not _RESTRICTIONS[restriction]:
            raise Refused(-2011, "Order was not canceled due to cancel restrictions.")
        cancel_id = client_order_id_in(params)
        return self._cancelled(symbol, client_order_id, order_id, cancel_id, call.now_ns)

    def _cancel_all(self, call: Call) -> object:
        symbol = text_in(call.params, "symbol")
        waiting = self._account.open_orders(symbol)
        if not waiting:
            raise Refused(-2011, "Unknown order sent.")
        return [self._cancelled(symbol, None, one.order_id, secrets.token_hex(11), call.now_ns) for one in waiting]

    def _cancelled(
        self, symbol: str, client_order_id: str | None, order_id: int | None, cancel_id: str, now_ns: int
    ) -> dict[str, object]:
        done = _or_refused(
            self._account.cancel(symbol, client_order_id, order_id, cancel_id=cancel_id, received_ns=now_ns)
        )
        known = msgspec.to_builtins(status_of(done))
        known |= {
            "origClientOrderId": done.order.client_order_id,
            "clientOrderId": cancel_id,
            "transactTime": known["updateTime"],
        }
        return {name: known[name] for name in _CANCELLED}

    def _open_orders(self, call: Call) -> object:
        symbol = text_in(call.params, "symbol") if call.params.get("symbol") is not None else None
        return [msgspec.to_builtins(status_of(one)) for one in self._account.open_orders(symbol)]

    def _trades(self, call: Call) -> object:
        symbol, order_id = text_in(call.params, "symbol"), _order_id(call.params)
        if order_id is None:
            raise malformed("orderId")
        found = self._account.find(symbol, order_id=order_id)
        return [] if found is None else msgspec.to_builtins(own_trades_of(found))


def _ids(params: Params) -> tuple[str, str | None, int | None]:
    """Symbol, client order id and order id; one of the two ids must be there."""
    symbol, order_id = text_in(params, "symbol"), _order_id(params)
    named = params.get("origClientOrderId") is not None
    if order_id is None and not named:
        raise Refused(-1102, "Param 'origClientOrderId' or 'orderId' must be sent, but both were empty/null!")
    return symbol, text_in(params, "origClientOrderId") if named else None, order_id


def _order_id(params: Params) -> int | None:
    order_id = params.get("orderId")
    if order_id is None:
        return None
    if not isinstance(order_id, int) or isinstance(order_id, bool):
        raise malformed("orderId")
    return order_id


def _fills(accepted: Accepted) -> list[dict[str, object]]:
    return [
        {
            "price": trade.price,
            "qty": trade.qty,
            "commission": trade.commission,
            "commissionAsset": trade.commission_asset,
            "tradeId": trade.id,
        }
        for trade in own_trades_of(accepted)
    ]


def _or_refused(answer: Accepted | Refusal) -> Accepted:
    if isinstance(answer, Accepted):
        return answer
    raise _refused(answer)


def _refused(refusal: Refusal) -> Refused:
    return Refused(refusal.code, refusal.msg)
