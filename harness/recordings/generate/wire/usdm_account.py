"""Account events of USD-M in the field order of 2026 (user-data-streams), without envelope, as on `/private/ws/<key>`.

Fields that only some orders have (`AP`, `cr` of a trailing stop, `M` of a modified order) are not there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.recordings.generate.profile import QUOTE_ASSET, UNITS
from harness.recordings.generate.wire.text import flag, number
from harness.recordings.generate.wire.usdm import decimals_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from harness.recordings.generate.accounts.trader import Order

__all__ = ["Fill", "Holding", "account_update", "decimals_of", "order_update", "trade_lite"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fill:
    """One fill of an order, in 1e-8 units."""

    price: int
    quantity: int
    fee: int
    profit: int
    """Of what the fill closed."""
    trade_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Holding:
    """A position as the account tells of it, in 1e-8 units; `decimals` are the quantity's."""

    symbol: str
    decimals: int
    quantity: int
    entry: int
    realised: int
    open_profit: int


def order_update(order: Order, *, ms: int, execution: str, status: str, fill: Fill | None = None) -> bytes:
    """`ORDER_TRADE_UPDATE` of a LIMIT order that is good till cancelled."""
    spec = order.instrument.spec
    decimals, lots = decimals_of(spec.tick_size), decimals_of(spec.lot_step)
    average = order.spent * UNITS // order.filled if order.filled else 0
    commission = f'"N":"{QUOTE_ASSET}","n":"{number(fill.fee)}",' if fill else ""
    resting = (order.quantity - order.filled) * order.price // UNITS if execution == "NEW" else 0
    bids, asks = (resting, 0) if order.side == "BUY" else (0, resting)
    return (
        f'{{"e":"ORDER_TRADE_UPDATE","E":{ms + 1},"T":{ms},"o":{{"s":"{spec.symbol}","c":"{order.client_id}",'
        f'"S":"{order.side}","o":"LIMIT","f":"GTC","q":"{number(order.quantity, lots)}",'
        f'"p":"{number(order.price, decimals)}","ap":"{number(average, decimals)}","sp":"0",'
        f'"x":"{execution}","X":"{status}","i":{order.order_id},'
        f'"l":"{number(fill.quantity if fill else 0, lots)}","z":"{number(order.filled, lots)}",'
        f'"L":"{number(fill.price if fill else 0, decimals)}",{commission}'
        f'"T":{ms},"t":{fill.trade_id if fill else 0},"b":"{number(bids, 5)}","a":"{number(asks, 5)}",'
        f'"m":false,"R":false,"wt":"CONTRACT_PRICE","ot":"LIMIT","ps":"BOTH","cp":false,"pP":{flag(False)},'
        f'"si":0,"ss":0,"rp":"{number(fill.profit if fill else 0)}","V":"EXPIRE_MAKER","pm":"NONE","gtd":0,"er":"0"}}}}'
    ).encode()


def trade_lite(order: Order, fill: Fill, *, ms: int) -> bytes:
    """`TRADE_LITE`: the fill at once, without commission."""
    spec = order.instrument.spec
    decimals, lots = decimals_of(spec.tick_size), decimals_of(spec.lot_step)
    return (
        f'{{"e":"TRADE_LITE","E":{ms + 1},"T":{ms},"s":"{spec.symbol}","q":"{number(order.quantity, lots)}",'
        f'"p":"{number(order.price, decimals)}","m":false,"c":"{order.client_id}","S":"{order.side}",'
        f'"L":"{number(fill.price, decimals)}","l":"{number(fill.quantity, lots)}","t":{fill.trade_id},'
        f'"i":{order.order_id}}}'
    ).encode()


def account_update(*, reason: str, wallet: int, change: int, holdings: Iterable[Holding], ms: int) -> bytes:
    """`ACCOUNT_UPDATE`; `change` is the balance's, other than by profit and commission."""
    rows = ",".join(
        f'{{"s":"{row.symbol}","pa":"{number(row.quantity, row.decimals)}","ep":"{number(row.entry)}",'
        f'"bep":"{number(row.entry)}","cr":"{number(row.realised)}","up":"{number(row.open_profit)}",'
        f'"mt":"cross","iw":"0","ps":"BOTH"}}'
        for row in holdings
    )
    return (
        f'{{"e":"ACCOUNT_UPDATE","E":{ms + 1},"T":{ms},"a":{{"m":"{reason}","B":[{{"a":"{QUOTE_ASSET}",'
        f'"wb":"{number(wallet)}","cw":"{number(wallet)}","bc":"{number(change)}"}}],"P":[{rows}]}}}}'
    ).encode()
