"""Spot execution reports as Binance writes them (BINANCE.md, section 7), field for field in the order of the wire.

One simplification, stated: Binance takes a buyer's commission from the asset bought; here it is always in the quote
asset, as the fill rules book it. `N` names that asset by the end of the symbol, and is null where the name tells none.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import msgspec

from harness.exchange.answers import own_trades_of, wire_amount
from harness.exchange.orders import Order, Side, Terms

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.exchange.answers import OrderStatus, OwnTrade
    from harness.exchange.matching import Accepted

Report = dict[str, Any]
"""One `executionReport`."""

_NO_AMOUNT = wire_amount(Decimal(0))
#: Every field in the order of the wire, as it stands where there is nothing to tell.
_BLANK: Report = dict.fromkeys("eEscSofqpPFgCxXrilzLnNTtIwmMOZYQWV")
_BLANK |= {"e": "executionReport", "g": -1, "C": "", "r": "NONE", "V": "EXPIRE_MAKER"}
_BLANK |= {"n": "0", "t": -1, "w": False, "m": False, "M": False}
_BLANK |= dict.fromkeys("PFlzLZYQ", _NO_AMOUNT)
#: A reason comes from a peer, and a report is handed on and logged.
_MAX_REASON = 200


def wrapped(report: Report) -> bytes:
    """The report as the WebSocket API pushes it."""
    return msgspec.json.encode({"subscriptionId": 0, "event": report})


def reports_of(accepted: Accepted) -> tuple[Report, ...]:
    """What is told when an order comes to that state: NEW, then TRADE or EXPIRED unless it rests; or CANCELED."""
    if accepted.cancelled:
        return (canceled(accepted),)
    if accepted.open:
        return (new(accepted),)
    return new(accepted), trade(accepted) if accepted.fill else expired(accepted)


def new(accepted: Accepted) -> Report:
    """The order was taken."""
    return _report(accepted.order, accepted.time_ms, "NEW", "NEW", order_id=accepted.order_id, w=True)


def trade(accepted: Accepted) -> Report:
    """The order was filled, whole and at one price; raises ValueError for one that was not."""
    trades = own_trades_of(accepted)
    if not trades:
        raise ValueError(f"order {accepted.order.client_order_id} was not filled")
    return _report(accepted.order, accepted.time_ms, "TRADE", "FILLED", order_id=accepted.order_id, **_executed(trades))


def expired(accepted: Accepted) -> Report:
    """The order found nobody."""
    report = _report(accepted.order, accepted.time_ms, "EXPIRED", "EXPIRED", order_id=accepted.order_id)
    unfilled = "UNFILLED_FOK_ORDER_EXPIRED" if accepted.order.terms is Terms.FOK else "UNFILLED_IOC_QUANTITY_EXPIRED"
    return {**report, "eR": unfilled}


def canceled(accepted: Accepted) -> Report:
    """The order was cancelled on request: `c` is then the request's own id, and `C` the order's.

    Raises ValueError for one that was not.
    """
    order, cancelled = accepted.order, accepted.cancelled
    if cancelled is None:
        raise ValueError(f"order {order.client_order_id} was not cancelled")
    report = _report(order, cancelled.time_ms, "CANCELED", "CANCELED", order_id=accepted.order_id)
    return {**report, "c": cancelled.cancel_id, "C": order.client_order_id, "O": accepted.time_ms}


def rejected(order: Order, reason: str, time_ms: int) -> Report:
    """The order was never taken, and so has no id."""
    return _report(order, time_ms, "REJECTED", "REJECTED", order_id=-1, r=reason[:_MAX_REASON])


def recovered(status: OrderStatus, trades: Sequence[OwnTrade]) -> Report:
    """The last report of an order as it must have been, from what the exchange says when it is asked later.

    Its trades become one, at their mean price.
    """
    order = Order(
        client_order_id=status.client_order_id,
        symbol=status.symbol,
        side=Side(status.side),
        quantity=Decimal(status.orig_qty),
        price=Decimal(status.price),
        time_ms=status.time,
        terms=_terms(status),
    )
    executed = _executed(trades) if trades else {}
    execution = "TRADE" if status.status == "FILLED" else status.status
    report = _report(order, status.update_time, execution, status.status, order_id=status.order_id, **executed)
    return {**report, "O": status.time}


def _terms(status: OrderStatus) -> Terms:
    told = (status.type, status.time_in_force)
    return next((terms for terms in Terms if (terms.order_type, terms.time_in_force) == told), Terms.IOC)


def _executed(trades: Sequence[OwnTrade]) -> dict[str, Any]:
    quantity = sum((Decimal(one.qty) for one in trades), Decimal(0))
    quote = sum((Decimal(one.quote_qty) for one in trades), Decimal(0))
    price = trades[0].price if len(trades) == 1 else wire_amount(quote / quantity)
    return {
        "l": wire_amount(quantity),
        "z": wire_amount(quantity),
        "L": price,
        "n": wire_amount(sum((Decimal(one.commission) for one in trades), Decimal(0))),
        "N": trades[-1].commission_asset,
        "t": trades[-1].id,
        "M": True,
        "Z": wire_amount(quote),
        "Y": wire_amount(quote),
    }


def _report(order: Order, time_ms: int, execution: str, status: str, *, order_id: int, **known: Any) -> Report:
    report = {
        **_BLANK,
        "E": time_ms,
        "s": order.symbol,
        "c": order.client_order_id,
        "S": order.side.value,
        "o": order.terms.order_type,
        "f": order.terms.time_in_force,
        "q": wire_amount(order.quantity),
        "p": wire_amount(order.price),
        "x": execution,
        "X": status,
        "i": order_id,
        "T": time_ms,
        # An order has two reports at most: two execution ids an order need no counter.
        "I": 2 * order_id + (execution != "NEW") if order_id >= 0 else -1,
        "O": time_ms,
        "W": time_ms,
    }
    if execution not in {"NEW", "TRADE"}:
        del report["W"]  # told of orders that have worked
    return {**report, **known}
