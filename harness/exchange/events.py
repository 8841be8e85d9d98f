"""Binance's payloads as records (shapes: BINANCE.md sections 5 to 8; spot and USD-M, 2021 to 2026).

Numbers that Binance writes as strings become floats; fields that nobody here needs are not kept, and unknown ones
are no error. Bounds keep out what some JSON library would refuse: not finite, or beyond 64 bits.
"""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import Meta, field

_LARGEST = 1.7976931348623157e308
Number = Annotated[float, Meta(ge=-_LARGEST, le=_LARGEST)]
Integer = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]
Levels = list[Any]
"""`[[price, quantity], ...]` as received: text until a book asks for numbers."""


class Event(msgspec.Struct, frozen=True, gc=False):
    """The root of all payloads. Times are in ms since 1970, prices in the quote asset."""


class BookTicker(Event, frozen=True, gc=False):
    """Best bid and ask. On spot without an event time, which is then 0."""

    symbol: str = field(name="s")
    update_id: Integer = field(name="u")
    bid: Number = field(name="b")
    bid_quantity: Number = field(name="B")
    ask: Number = field(name="a")
    ask_quantity: Number = field(name="A")
    event_time: Integer = field(name="E", default=0)


class AggTrade(Event, frozen=True, gc=False):
    """Trades of one taker order at one price."""

    event_time: Integer = field(name="E")
    symbol: str = field(name="s")
    trade_id: Integer = field(name="a")
    price: Number = field(name="p")
    quantity: Number = field(name="q")
    buyer_is_maker: bool = field(name="m")


class Trade(Event, frozen=True, gc=False):
    """A single trade."""

    event_time: Integer = field(name="E")
    symbol: str = field(name="s")
    trade_id: Integer = field(name="t")
    price: Number = field(name="p")
    quantity: Number = field(name="q")
    buyer_is_maker: bool = field(name="m")


class Candle(msgspec.Struct, frozen=True, gc=False):
    """One candle, perhaps still open."""

    open_time: Integer = field(name="t")
    close_time: Integer = field(name="T")
    interval: str = field(name="i")
    open: Number = field(name="o")
    close: Number = field(name="c")
    high: Number = field(name="h")
    low: Number = field(name="l")
    volume: Number = field(name="v")
    trades: Integer = field(name="n")
    is_closed: bool = field(name="x")


class Kline(Event, frozen=True, gc=False):
    """An update of a candle."""

    event_time: Integer = field(name="E")
    symbol: str = field(name="s")
    candle: Candle = field(name="k")


class MiniTicker(Event, frozen=True, gc=False):
    """The last 24 hours in five numbers."""

    event_time: Integer = field(name="E")
    symbol: str = field(name="s")
    close: Number = field(name="c")
    open: Number = field(name="o")
    high: Number = field(name="h")
    low: Number = field(name="l")
    volume: Number = field(name="v")


class DepthUpdate(Event, frozen=True, gc=False):
    """Changed levels of the book. `previous_id` (pu) is USD-M's and 0 on spot."""

    event_time: Integer = field(name="E")
    symbol: str = field(name="s")
    first_id: Integer = field(name="U")
    last_id: Integer = field(name="u")
    bids: Levels = field(name="b")
    asks: Levels = field(name="a")
    previous_id: Integer = field(name="pu", default=0)


class ExecutionReport(Event, frozen=True, gc=False):
    """What became of an order on spot."""

    event_time: Integer = field(name="E")
    symbol: str = field(name="s")
    client_order_id: str = field(name="c")
    side: str = field(name="S")
    execution: str = field(name="x")
    status: str = field(name="X")
    order_id: Integer = field(name="i")
    quantity: Number = field(name="q")
    filled: Number = field(name="z")
    last_quantity: Number = field(name="l")
    last_price: Number = field(name="L")


class Balance(msgspec.Struct, frozen=True, gc=False):
    """One asset of the account."""

    asset: str = field(name="a")
    free: Number = field(name="f")
    locked: Number = field(name="l")


class AccountPosition(Event, frozen=True, gc=False):
    """Assets whose balance may have changed."""

    event_time: Integer = field(name="E")
    balances: list[Balance] = field(name="B")


class BalanceUpdate(Event, frozen=True, gc=False):
    """A deposit, withdrawal or transfer; the change is signed."""

    event_time: Integer = field(name="E")
    asset: str = field(name="a")
    change: Number = field(name="d")


#: Market payloads by the kind of stream that carries them.
MARKET_SHAPES: dict[str, type[Event]] = {
    "aggTrade": AggTrade,
    "trade": Trade,
    "bookTicker": BookTicker,
    "kline": Kline,
    "miniTicker": MiniTicker,
    "depth": DepthUpdate,
}

#: Account payloads by their `e`.
ACCOUNT_SHAPES: dict[str, type[Event]] = {
    "executionReport": ExecutionReport,
    "outboundAccountPosition": AccountPosition,
    "balanceUpdate": BalanceUpdate,
}
