"""The parameters of `order.place` and `order.test`: an order, or why they describe none that is taken here.

Source: Binance, web-socket-api.md and errors.md of 2026.
"""

from __future__ import annotations

import re
import secrets
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from harness.exchange.matching import illegal
from harness.exchange.orders import Order, Side, Terms
from harness.replay.protocol.refusals import Refused, malformed

if TYPE_CHECKING:
    from collections.abc import Mapping

    Params = Mapping[str, Any]

AMOUNT: Final = r"^([0-9]{1,20})(\.[0-9]{1,20})?$"
_AMOUNT = re.compile(r"[0-9]{1,20}(\.[0-9]{1,20})?")
#: Above it a timestamp is in microseconds.
_MICROSECONDS: Final = 10**14
#: What a market order is filled at follows from a book, and a stop order's trigger from trades: the fill rules, which
#: paper trading shares, know the order alone.
_UNSUPPORTED: Final = {
    "MARKET": "Market orders are not supported for this symbol.",
    "STOP_LOSS": "Stop loss orders are not supported for this symbol.",
    "STOP_LOSS_LIMIT": "Stop loss limit orders are not supported for this symbol.",
    "TAKE_PROFIT": "Take profit orders are not supported for this symbol.",
    "TAKE_PROFIT_LIMIT": "Take profit limit orders are not supported for this symbol.",
}
#: Parameters of other types of orders.
_NOT_OF_A_LIMIT: Final = ("quoteOrderQty", "stopPrice", "trailingDelta")


def order_of(params: Params) -> Order:
    """The order that the parameters describe, with an id of the exchange's making where they name none."""
    symbol = text_in(params, "symbol")
    side = text_in(params, "side")
    if side not in Side.__members__:
        raise Refused(-1117, "Invalid side.")
    terms = _terms_of(params)
    return Order(
        client_order_id=client_order_id_in(params),
        symbol=symbol,
        side=Side(side),
        quantity=_amount(params, "quantity"),
        price=_amount(params, "price"),
        time_ms=_milliseconds(params),
        terms=terms,
    )


def text_in(params: Params, name: str) -> str:
    """A parameter that must be there; raises Refused."""
    value = params.get(name)
    if not isinstance(value, str) or not value:
        raise malformed(name)
    return value


def client_order_id_in(params: Params) -> str:
    """`newClientOrderId`, or one like those that the exchange makes."""
    if params.get("newClientOrderId") is None:
        return secrets.token_hex(11)
    return text_in(params, "newClientOrderId")


def _terms_of(params: Params) -> Terms:
    kind = text_in(params, "type")
    if kind in _UNSUPPORTED:
        raise Refused(-2010, _UNSUPPORTED[kind])
    if kind not in {"LIMIT", "LIMIT_MAKER"}:
        raise Refused(-1116, "Invalid orderType.")
    if params.get("icebergQty") is not None:
        raise Refused(-2010, "Iceberg orders are not supported for this symbol.")
    superfluous = (*_NOT_OF_A_LIMIT, *(("timeInForce",) if kind == "LIMIT_MAKER" else ()))
    for name in superfluous:
        if params.get(name) is not None:
            raise Refused(-1106, f"Parameter '{name}' sent when not required.")
    if kind == "LIMIT_MAKER":
        return Terms.MAKER
    given = text_in(params, "timeInForce")
    if given not in {"IOC", "FOK", "GTC"}:
        raise Refused(-1115, "Invalid timeInForce.")
    return Terms(given)


def _amount(params: Params, name: str) -> Decimal:
    text = text_in(params, name)
    if not _AMOUNT.fullmatch(text):
        refusal = illegal(name, AMOUNT)
        raise Refused(refusal.code, refusal.msg)
    return Decimal(text)


def _milliseconds(params: Params) -> int:
    time = params.get("timestamp")
    if not isinstance(time, int) or isinstance(time, bool) or not 0 <= time < 2**63:
        raise malformed("timestamp")
    return time // 1_000 if time >= _MICROSECONDS else time
