"""Requests about orders on the WebSocket API, beside those about account events (api_requests.py).

Source: Binance, web-socket-api.md and errors.md of 2026: `order.place`, `order.cancel`, `order.status`, `myTrades`.
No key and no signature is looked at: the gateway knows one account.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final, Protocol

import msgspec

from harness.exchange.answers import own_trades_of, status_of
from harness.exchange.matching import Accepted, illegal
from harness.exchange.orders import Order, Side
from harness.replay.protocol.api_requests import ApiRequests
from harness.replay.protocol.refusals import Refused

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harness.exchange.matching import Refusal

AMOUNT: Final = r"^([0-9]{1,20})(\.[0-9]{1,20})?$"
_AMOUNT = re.compile(r"[0-9]{1,20}(\.[0-9]{1,20})?")
_RESPONSES: Final = ("ACK", "RESULT", "FULL")
#: What `order.place` tells of an order, beside its trades, in the order of the wire.
_PLACED: Final = (
    *("symbol", "orderId", "orderListId", "clientOrderId", "transactTime", "price", "origQty", "executedQty"),
    *("origQuoteOrderQty", "cummulativeQuoteQty", "status", "timeInForce", "type", "side", "workingTime"),
)
_ACKNOWLEDGED: Final = 5
"""So many of them in the short form."""


class Account(Protocol):
    """Who takes the orders."""

    def place(self, order: Order) -> Accepted | Refusal:
        """Take the order, or say why not."""
        ...

    def cancel(self, symbol: str, client_order_id: str) -> Refusal:
        """Say why there is nothing to cancel."""
        ...

    def status(self, symbol: str, client_order_id: str) -> Accepted | Refusal:
        """The order, or why there is none."""
        ...

    def numbered(self, symbol: str, order_id: int) -> Accepted | None:
        """The order by the exchange's own id."""
        ...


class OrderRequests(ApiRequests):
    """The state of one connection to the order gateway; the account is the same for all of them."""

    def __init__(self, account: Account) -> None:
        super().__init__()
        self._account = account

    def _do(self, request: dict[str, Any]) -> object:
        given = request.get("params")
        params = given if isinstance(given, dict) else {}
        match request.get("method"):
            case "order.place":
                return self._place(params)
            case "order.status":
                found = _or_refused(self._account.status(*_named(params, "origClientOrderId")))
                return msgspec.to_builtins(status_of(found))
            case "order.cancel":
                raise _refused(self._account.cancel(*_named(params, "origClientOrderId")))
            case "myTrades":
                return self._trades(params)
            case _:
                return super()._do(request)

    def _place(self, params: Mapping[str, object]) -> object:
        shape = params.get("newOrderRespType", "FULL")
        if shape not in _RESPONSES:
            raise _malformed("newOrderRespType")
        accepted = _or_refused(self._account.place(order_of(params)))
        known = {**msgspec.to_builtins(status_of(accepted)), "transactTime": accepted.time_ms}
        if shape == "ACK":
            return {name: known[name] for name in _PLACED[:_ACKNOWLEDGED]}
        fills = {"fills": _fills(accepted)} if shape == "FULL" else {}
        ending = {"selfTradePreventionMode": known["selfTradePreventionMode"]}
        return {**{name: known[name] for name in _PLACED}, **fills, **ending}

    def _trades(self, params: Mapping[str, object]) -> object:
        order_id = params.get("orderId")
        if not isinstance(order_id, int) or isinstance(order_id, bool):
            raise _malformed("orderId")
        found = self._account.numbered(_text(params, "symbol"), order_id)
        return [] if found is None else msgspec.to_builtins(own_trades_of(found))


def order_of(params: Mapping[str, object]) -> Order:
    """The order that the parameters of `order.place` describe; raises Refused for any but a limit order, IOC."""
    symbol, client_order_id = _named(params, "newClientOrderId")
    side = _text(params, "side")
    if side not in Side.__members__:
        raise Refused(-1117, "Invalid side.")
    if _text(params, "type") != "LIMIT":
        raise Refused(-1116, "Invalid orderType.")
    if _text(params, "timeInForce") != "IOC":
        raise Refused(-1115, "Invalid timeInForce.")
    time_ms = params.get("timestamp")
    if not isinstance(time_ms, int) or isinstance(time_ms, bool) or not 0 <= time_ms < 2**63:
        raise _malformed("timestamp")
    return Order(
        client_order_id=client_order_id,
        symbol=symbol,
        side=Side(side),
        quantity=_amount(params, "quantity"),
        price=_amount(params, "price"),
        time_ms=time_ms,
    )


def _named(params: Mapping[str, object], name: str) -> tuple[str, str]:
    return _text(params, "symbol"), _text(params, name)


def _text(params: Mapping[str, object], name: str) -> str:
    value = params.get(name)
    if not isinstance(value, str) or not value:
        raise _malformed(name)
    return value


def _amount(params: Mapping[str, object], name: str) -> Decimal:
    text = _text(params, name)
    if not _AMOUNT.fullmatch(text):
        raise _refused(illegal(name, AMOUNT))
    return Decimal(text)


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


def _malformed(name: str) -> Refused:
    return Refused(-1102, f"Mandatory parameter '{name}' was not sent, was empty/null, or malformed.")
