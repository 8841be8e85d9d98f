"""Binance's market payloads as records (shapes: BINANCE.md sections 5 and 6; spot and USD-M, 2021 to 2026).

Numbers that Binance writes as strings become floats; fields that nobody here needs are not kept, and unknown ones
are no error. Bounds keep out what some JSON library would refuse (not finite, beyond 64 bits), and what no exchange
means: a price below zero, a time in another millennium. Such a frame is malformed on every stack. Zero is no error:
Binance writes it where there is nothing, such as the price of an empty side of the book.
"""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import Meta, field

#: Larger than any price, quantity or balance that is traded, small enough that sums and quotients of them stay finite.
LARGEST = 1e18
Amount = Annotated[float, Meta(ge=0.0, le=LARGEST)]
"""A price or a quantity; 0 for none."""
Integer = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]
Milliseconds = Annotated[int, Meta(ge=0, le=32_503_680_000_000)]
"""Since 1970 and before the year 3000; 0 for none. A connection that sends microseconds is refused by this."""
Levels = list[Any]
"""`[[price, quantity], ...]` as received: text until a book asks for numbers, and checks them then."""


class Event(msgspec.Struct, frozen=True, gc=False):
    """The root of all payloads. Times are in ms since 1970, prices in the quote asset."""


class BookTicker(Event, frozen=True, gc=False):
    """Best bid and ask. On spot without an event time, which is then 0."""

    symbol: str = field(name="s")
    update_id: Integer = field(name="u")
    bid: Amount = field(name="b")
    bid_quantity: Amount = field(name="B")
    ask: Amount = field(name="a")
    ask_quantity: Amount = field(name="A")
    event_time: Milliseconds = field(name="E", default=0)


class AggTrade(Event, frozen=True, gc=False):
    """Trades of one taker order at one price."""

    event_time: Milliseconds = field(name="E")
    symbol: str = field(name="s")
    trade_id: Integer = field(name="a")
    price: Amount = field(name="p")
    quantity: Amount = field(name="q")
    buyer_is_maker: bool = field(name="m")


class Trade(Event, frozen=True, gc=False):
    """A single trade."""

    event_time: Milliseconds = field(name="E")
    symbol: str = field(name="s")
    trade_id: Integer = field(name="t")
    price: Amount = field(name="p")
    quantity: Amount = field(name="q")
    buyer_is_maker: bool = field(name="m")


class Candle(msgspec.Struct, frozen=True, gc=False):
    """One candle, perhaps still open."""

    open_time: Integer = field(name="t")
    close_time: Integer = field(name="T")
    interval: str = field(name="i")
    open: Amount = field(name="o")
    close: Amount = field(name="c")
    high: Amount = field(name="h")
    low: Amount = field(name="l")
    volume: Amount = field(name="v")
    trades: Integer = field(name="n")
    is_closed: bool = field(name="x")


class Kline(Event, frozen=True, gc=False):
    """An update of a candle."""

    event_time: Milliseconds = field(name="E")
    symbol: str = field(name="s")
    candle: Candle = field(name="k")


class MiniTicker(Event, frozen=True, gc=False):
    """The last 24 hours in five numbers."""

    event_time: Milliseconds = field(name="E")
    symbol: str = field(name="s")
    close: Amount = field(name="c")
    open: Amount = field(name="o")
    high: Amount = field(name="h")
    low: Amount = field(name="l")
    volume: Amount = field(name="v")


class DepthUpdate(Event, frozen=True, gc=False):
    """Changed levels of the book. `previous_id` (pu) is USD-M's and 0 on spot."""

    event_time: Milliseconds = field(name="E")
    symbol: str = field(name="s")
    first_id: Integer = field(name="U")
    last_id: Integer = field(name="u")
    bids: Levels = field(name="b")
    asks: Levels = field(name="a")
    previous_id: Integer = field(name="pu", default=0)


class MarkPrice(Event, frozen=True, gc=False):
    """USD-M: the price that margins are reckoned by, the index behind it, and the funding to come."""

    event_time: Milliseconds = field(name="E")
    symbol: str = field(name="s")
    price: Amount = field(name="p")
    index: Amount = field(name="i")
    funding_rate: str = field(name="r")
    """As text: a contract that is delivered knows no funding, and says "" here."""
    next_funding_time: Milliseconds = field(name="T")


#: Market payloads by the kind of stream that carries them.
MARKET_SHAPES: dict[str, type[Event]] = {
    "aggTrade": AggTrade,
    "trade": Trade,
    "bookTicker": BookTicker,
    "kline": Kline,
    "miniTicker": MiniTicker,
    "depth": DepthUpdate,
    "markPrice": MarkPrice,
}
