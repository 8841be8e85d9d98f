"""Binance's account payloads as records (shapes: BINANCE.md sections 7 and 8; spot and USD-M, 2021 to 2026).

Money stays the text that was received: it is compared with what was booked to the last digit, and whoever needs a
number makes a Decimal of it; these events are too rare for that to cost anything. Words (states, executions, reasons)
are text too, since an exchange may invent new ones at any time. Fields that nobody here needs are not kept, and unknown
ones are no error.
"""

from __future__ import annotations

from typing import Annotated, Final

import msgspec
from msgspec import Meta, field

from harness.exchange.events import Event, Integer, Milliseconds

#: No more digits than a Decimal of ordinary precision holds exactly, so that no peer can make arithmetic slow or wrong.
_DIGITS = r"[0-9]{1,20}(\.[0-9]{1,20})?([eE][-+]?[0-9]{1,2})?\Z"
Money = Annotated[str, Meta(pattern=rf"^{_DIGITS}")]
"""A price, quantity or balance; "0" for none."""
SignedMoney = Annotated[str, Meta(pattern=rf"^-?{_DIGITS}")]
Text = Annotated[str, Meta(max_length=256)]
"""An id, a word or a reason. Longer ones are no exchange's."""


class ExecutionReport(Event, frozen=True, gc=False):
    """What became of an order on spot."""

    event_time: Milliseconds = field(name="E")
    symbol: Text = field(name="s")
    client_order_id: Text = field(name="c")
    """Of the request that this is about: where an order was cancelled on request, the cancelling one's own."""
    side: Text = field(name="S")
    quantity: Money = field(name="q")
    price: Money = field(name="p")
    execution: Text = field(name="x")
    status: Text = field(name="X")
    order_id: Integer = field(name="i")
    last_quantity: Money = field(name="l")
    filled: Money = field(name="z")
    last_price: Money = field(name="L")
    commission: SignedMoney = field(name="n")
    commission_asset: Text | None = field(name="N")
    time: Milliseconds = field(name="T")
    """When the exchange did it."""
    trade_id: Integer = field(name="t")
    """-1 for what is no trade."""
    cumulative_quote: Money = field(name="Z")
    original_client_order_id: Text | None = field(name="C", default="")
    """The order's own id where `client_order_id` is another; else empty."""
    reject_reason: Text = field(name="r", default="NONE")


class Balance(msgspec.Struct, frozen=True, gc=False):
    """One asset of a spot account."""

    asset: Text = field(name="a")
    free: Money = field(name="f")
    locked: Money = field(name="l")


class AccountPosition(Event, frozen=True, gc=False):
    """Assets whose balance may have changed."""

    event_time: Milliseconds = field(name="E")
    balances: list[Balance] = field(name="B")


class BalanceUpdate(Event, frozen=True, gc=False):
    """A deposit, withdrawal or transfer; the change is signed."""

    event_time: Milliseconds = field(name="E")
    asset: Text = field(name="a")
    change: SignedMoney = field(name="d")


class ExternalLockUpdate(Event, frozen=True, gc=False):
    """Part of a balance was locked, or given free, from outside trading; the change is signed."""

    event_time: Milliseconds = field(name="E")
    asset: Text = field(name="a")
    change: SignedMoney = field(name="d")


class ListedOrder(msgspec.Struct, frozen=True, gc=False):
    """One order of a list."""

    symbol: Text = field(name="s")
    order_id: Integer = field(name="i")
    client_order_id: Text = field(name="c")


class ListStatus(Event, frozen=True, gc=False):
    """What became of a list of orders; each of them has reports of its own besides."""

    event_time: Milliseconds = field(name="E")
    symbol: Text = field(name="s")
    list_id: Integer = field(name="g")
    status: Text = field(name="l")
    order_status: Text = field(name="L")
    reject_reason: Text = field(name="r")
    orders: list[ListedOrder] = field(name="O")


class EventStreamTerminated(Event, frozen=True, gc=False):
    """Nothing more comes by this subscription: its token expired, or its session ended, or it was cancelled."""

    event_time: Milliseconds = field(name="E")


class ServerShutdown(Event, frozen=True, gc=False):
    """The server will close the connection soon (BINANCE.md, section 2.1)."""

    event_time: Milliseconds = field(name="E")


class FuturesOrder(msgspec.Struct, frozen=True, gc=False):
    """The order in an ORDER_TRADE_UPDATE."""

    symbol: Text = field(name="s")
    client_order_id: Text = field(name="c")
    """The order's own, whatever the event; with a prefix where the exchange closed the position itself."""
    side: Text = field(name="S")
    quantity: Money = field(name="q")
    price: Money = field(name="p")
    mean_price: Money = field(name="ap")
    execution: Text = field(name="x")
    status: Text = field(name="X")
    order_id: Integer = field(name="i")
    last_quantity: Money = field(name="l")
    filled: Money = field(name="z")
    last_price: Money = field(name="L")
    time: Milliseconds = field(name="T")
    trade_id: Integer = field(name="t")
    """0 for what is no trade."""
    position_side: Text = field(name="ps")
    """BOTH, or LONG and SHORT where both are held at once."""
    realised_profit: SignedMoney = field(name="rp")
    commission: SignedMoney = field(name="n", default="0")
    """Not told where there is none."""
    commission_asset: Text | None = field(name="N", default=None)


class OrderTradeUpdate(Event, frozen=True, gc=False):
    """What became of an order on USD-M."""

    event_time: Milliseconds = field(name="E")
    order: FuturesOrder = field(name="o")


class FuturesBalance(msgspec.Struct, frozen=True, gc=False):
    """One asset of a USD-M wallet."""

    asset: Text = field(name="a")
    wallet: SignedMoney = field(name="wb")


class FuturesPosition(msgspec.Struct, frozen=True, gc=False):
    """One position on USD-M; the amount is negative for a short one."""

    symbol: Text = field(name="s")
    amount: SignedMoney = field(name="pa")
    entry_price: Money = field(name="ep")
    unrealised_profit: SignedMoney = field(name="up")
    side: Text = field(name="ps")


class AccountChange(msgspec.Struct, frozen=True, gc=False):
    """The changes in an ACCOUNT_UPDATE; funding of a crossed position tells balances only."""

    reason: Text = field(name="m")
    balances: list[FuturesBalance] = field(name="B", default_factory=list)
    positions: list[FuturesPosition] = field(name="P", default_factory=list)


class AccountUpdate(Event, frozen=True, gc=False):
    """Balances and positions of a USD-M account that have changed."""

    event_time: Milliseconds = field(name="E")
    change: AccountChange = field(name="a")


class EndangeredPosition(msgspec.Struct, frozen=True, gc=False):
    """One position in a MARGIN_CALL."""

    symbol: Text = field(name="s")
    side: Text = field(name="ps")
    amount: SignedMoney = field(name="pa")
    mark_price: Money = field(name="mp")
    unrealised_profit: SignedMoney = field(name="up")
    maintenance_margin: Money = field(name="mm")


class MarginCall(Event, frozen=True, gc=False):
    """Positions whose margin is nearly used up."""

    event_time: Milliseconds = field(name="E")
    positions: list[EndangeredPosition] = field(name="p")


class Leverage(msgspec.Struct, frozen=True, gc=False):
    """The leverage of a symbol."""

    symbol: Text = field(name="s")
    leverage: Integer = field(name="l")


class AssetsMode(msgspec.Struct, frozen=True, gc=False):
    """Whether all assets together are the margin."""

    is_multi_assets: bool = field(name="j")


class AccountConfigUpdate(Event, frozen=True, gc=False):
    """One of the two was changed."""

    event_time: Milliseconds = field(name="E")
    leverage: Leverage | None = field(name="ac", default=None)
    assets_mode: AssetsMode | None = field(name="ai", default=None)


class TradeLite(Event, frozen=True, gc=False):
    """A trade, told early and without commission; the same trade comes in an ORDER_TRADE_UPDATE."""

    event_time: Milliseconds = field(name="E")
    symbol: Text = field(name="s")
    client_order_id: Text = field(name="c")
    side: Text = field(name="S")
    last_quantity: Money = field(name="l")
    last_price: Money = field(name="L")
    trade_id: Integer = field(name="t")
    order_id: Integer = field(name="i")


class ListenKeyExpired(Event, frozen=True, gc=False):
    """Nothing more comes by this listen key, which is a secret and not kept."""

    event_time: Milliseconds = field(name="E")


#: Account payloads by their `e`.
ACCOUNT_SHAPES: Final[dict[str, type[Event]]] = {
    "executionReport": ExecutionReport,
    "outboundAccountPosition": AccountPosition,
    "balanceUpdate": BalanceUpdate,
    "externalLockUpdate": ExternalLockUpdate,
    "listStatus": ListStatus,
    "eventStreamTerminated": EventStreamTerminated,
    "serverShutdown": ServerShutdown,
    "ORDER_TRADE_UPDATE": OrderTradeUpdate,
    "ACCOUNT_UPDATE": AccountUpdate,
    "MARGIN_CALL": MarginCall,
    "ACCOUNT_CONFIG_UPDATE": AccountConfigUpdate,
    "TRADE_LITE": TradeLite,
    "listenKeyExpired": ListenKeyExpired,
}

#: Account payloads that are known, and that nobody here reads: they are about orders that this bot never sends.
UNREAD_ACCOUNT_EVENTS: Final = frozenset(
    ["ALGO_UPDATE", "CONDITIONAL_ORDER_TRIGGER_REJECT", "STRATEGY_UPDATE", "GRID_UPDATE"]
)
