"""What an account is told of its orders when it asks: `order.place`, `order.status` and `myTrades`.

Source: Binance, web-socket-api.md of 2026. The simulated exchange writes these records, the order client reads them.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Literal

import msgspec
from msgspec import Meta

if TYPE_CHECKING:
    from harness.exchange.matching import Accepted

Amount = Annotated[str, Meta(pattern=r"^[0-9]{1,20}(\.[0-9]{1,20})?$")]
"""Money as text: plain decimal digits."""
Text = Annotated[str, Meta(max_length=64)]
Id = Annotated[int, Meta(ge=-1, le=2**63 - 1)]
Milliseconds = Annotated[int, Meta(ge=-1, le=32_503_680_000_000)]

_NOTHING = Decimal(0)
#: States of an order that nothing changes any more.
TERMINAL = frozenset({"FILLED", "CANCELED", "REJECTED", "EXPIRED", "EXPIRED_IN_MATCH"})


class OrderStatus(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The answer to `order.status`; fields in the order of the wire. Says nothing of commission."""

    symbol: Text
    order_id: Id
    order_list_id: int = -1
    client_order_id: Text
    price: Amount
    orig_qty: Amount
    executed_qty: Amount
    cummulative_quote_qty: Amount
    """Binance's spelling."""
    status: Text
    time_in_force: Text
    type: Text
    side: Literal["BUY", "SELL"]
    stop_price: Amount = "0.00000000"
    iceberg_qty: Amount = "0.00000000"
    time: Milliseconds
    update_time: Milliseconds
    is_working: bool = True
    working_time: Milliseconds = -1
    orig_quote_order_qty: Amount = "0.00000000"
    self_trade_prevention_mode: Text = "EXPIRE_MAKER"


class OwnTrade(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One element of the answer to `myTrades`."""

    symbol: Text
    id: Id
    order_id: Id
    order_list_id: int = -1
    price: Amount
    qty: Amount
    quote_qty: Amount
    commission: Amount
    commission_asset: Text | None
    time: Milliseconds
    is_buyer: bool
    is_maker: bool = False
    is_best_match: bool = True


#: Quote assets of Binance's spot symbols in 2026; longer names first, so that FDUSD is not taken for USD.
_QUOTE_ASSETS = sorted(
    (
        *("USDT", "USDC", "FDUSD", "TUSD", "BUSD", "USD1", "USD", "DAI", "BTC", "ETH", "BNB", "SOL", "XRP", "TRX"),
        *("DOGE", "EUR", "EURI", "AEUR", "TRY", "BRL", "GBP", "JPY", "MXN", "ARS", "PLN", "UAH", "ZAR", "IDR", "COP"),
    ),
    key=len,
    reverse=True,
)


def quote_asset(symbol: str) -> str | None:
    """The asset that a spot symbol's prices are in, by the end of its name; None for a name that ends in no such."""
    return next((asset for asset in _QUOTE_ASSETS if symbol.endswith(asset) and symbol != asset), None)


def wire_amount(amount: Decimal) -> str:
    """Money as the spot wire writes it: eight decimals, ties to even."""
    return f"{amount:.8f}"


def state_of(accepted: Accepted) -> str:
    """NEW as long as it rests; FILLED, CANCELED or EXPIRED: there is no other end here."""
    if accepted.fill:
        return "FILLED"
    if accepted.cancelled:
        return "CANCELED"
    return "NEW" if accepted.open else "EXPIRED"


def status_of(accepted: Accepted) -> OrderStatus:
    """What `order.status` says of an order."""
    order, fill = accepted.order, accepted.fill
    return OrderStatus(
        symbol=order.symbol,
        order_id=accepted.order_id,
        client_order_id=order.client_order_id,
        price=wire_amount(order.price),
        orig_qty=wire_amount(order.quantity),
        executed_qty=wire_amount(order.quantity if fill else _NOTHING),
        cummulative_quote_qty=wire_amount(fill.notional if fill else _NOTHING),
        status=state_of(accepted),
        time_in_force=order.terms.time_in_force,
        type=order.terms.order_type,
        side=order.side.value,
        time=accepted.time_ms,
        update_time=accepted.cancelled.time_ms if accepted.cancelled else accepted.time_ms,
        working_time=accepted.time_ms,
    )


def own_trades_of(accepted: Accepted) -> list[OwnTrade]:
    """What `myTrades` says of an order: one trade, or none. Commission is always in the quote asset (fills.py)."""
    order, fill = accepted.order, accepted.fill
    if fill is None:
        return []
    return [
        OwnTrade(
            symbol=order.symbol,
            id=accepted.trade_id,
            order_id=accepted.order_id,
            price=wire_amount(fill.price),
            qty=wire_amount(order.quantity),
            quote_qty=wire_amount(fill.notional),
            commission=wire_amount(fill.fee),
            commission_asset=quote_asset(order.symbol),
            time=accepted.time_ms,
            is_buyer=order.side.value == "BUY",
        )
    ]
