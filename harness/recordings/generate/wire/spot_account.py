"""Account events in the field order of today's spot (user-data-stream.md of 2026-07), for the WebSocket API."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.recordings.generate.wire.text import flag, number

if TYPE_CHECKING:
    from collections.abc import Iterable

    from harness.recordings.generate.accounts.trader import Order


@dataclass(frozen=True, slots=True, kw_only=True)
class Execution:
    """One fill of an order; prices, quantities and the fee in 1e-8 units."""

    price: int
    quantity: int
    value: int
    fee: int
    fee_asset: str
    trade_id: int


def execution_report(
    order: Order, *, ms: int, execution: str, status: str, execution_id: int, fill: Execution | None
) -> bytes:
    """`executionReport` of a LIMIT order that is good till cancelled."""
    canceled = execution == "CANCELED"
    on_book = execution == "NEW"
    zero = number(0)
    fee_asset = f'"{fill.fee_asset}"' if fill else "null"
    working = f',"W":{order.created_ms}' if on_book else ""
    sent_id, original_id = (f"c-{order.client_id}", order.client_id) if canceled else (order.client_id, "")
    return _event(
        f'{{"e":"executionReport","E":{ms + 1},"s":"{order.instrument.spec.symbol}","c":"{sent_id}",'
        f'"S":"{order.side}","o":"LIMIT","f":"GTC","q":"{number(order.quantity)}","p":"{number(order.price)}",'
        f'"P":"{zero}","F":"{zero}",'
        f'"g":-1,"C":"{original_id}","x":"{execution}","X":"{status}","r":"NONE","i":{order.order_id},'
        f'"l":"{number(fill.quantity) if fill else zero}","z":"{number(order.filled)}",'
        f'"L":"{number(fill.price) if fill else zero}","n":"{number(fill.fee) if fill else 0}","N":{fee_asset},'
        f'"T":{ms},"t":{fill.trade_id if fill else -1},"I":{execution_id},"w":{flag(on_book)},"m":false,'
        f'"M":{flag(fill is not None)},"O":{order.created_ms},"Z":"{number(order.spent)}",'
        f'"Y":"{number(fill.value) if fill else zero}","Q":"{zero}"'
        f'{working},"V":"EXPIRE_MAKER"}}'
    )


def account_position(*, ms: int, balances: Iterable[tuple[str, int, int]]) -> bytes:
    """`outboundAccountPosition`; balances are asset, free, locked."""
    rows = ",".join(f'{{"a":"{name}","f":"{number(free)}","l":"{number(held)}"}}' for name, free, held in balances)
    return _event(f'{{"e":"outboundAccountPosition","E":{ms + 1},"u":{ms},"B":[{rows}]}}')


def balance_update(*, asset: str, change: int, ms: int) -> bytes:
    """`balanceUpdate`."""
    return _event(f'{{"e":"balanceUpdate","E":{ms + 1},"a":"{asset}","d":"{number(change)}","T":{ms}}}')


def _event(payload: str) -> bytes:
    return f'{{"subscriptionId":0,"event":{payload}}}'.encode()
