"""Events as JSON in the field order of today's spot wire (web-socket-streams.md and user-data-stream.md of 2026-07)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from harness.recordings.generate.profile import UNITS

if TYPE_CHECKING:
    from collections.abc import Iterable

#: A minute less the last millisecond: a candle's `T` from its `t`.
_CANDLE_MS: Final = 60_000


def number(units: int) -> str:
    """1e-8 units as the wire writes them: eight decimals."""
    sign = "-" if units < 0 else ""
    whole, part = divmod(abs(units), UNITS)
    return f"{sign}{whole}.{part:08d}"


def envelope(stream: str, payload: str) -> bytes:
    """The frame of a combined connection."""
    return f'{{"stream":"{stream}","data":{payload}}}'.encode()


def user_envelope(event: str) -> bytes:
    """The frame of an account's subscription on the WebSocket API."""
    return f'{{"subscriptionId":0,"event":{event}}}'.encode()


def flag(value: bool) -> str:  # noqa: FBT001 - a JSON value, not an option
    """A JSON boolean."""
    return "true" if value else "false"


def levels(pairs: Iterable[tuple[int, int]]) -> str:
    """Price levels, from units of price and quantity."""
    return "[" + ",".join(f'["{number(price)}","{number(quantity)}"]' for price, quantity in pairs) + "]"


def agg_trade(
    *, event_ms: int, symbol: str, agg_id: int, price: int, quantity: int, first: int, last: int, ms: int, maker: bool
) -> str:
    """`aggTrade`; `maker`: the buyer was the maker."""
    return (
        f'{{"e":"aggTrade","E":{event_ms},"s":"{symbol}","a":{agg_id},"p":"{number(price)}","q":"{number(quantity)}",'
        f'"f":{first},"l":{last},"T":{ms},"m":{flag(maker)},"M":true}}'
    )


def trade(*, event_ms: int, symbol: str, trade_id: int, price: int, quantity: int, ms: int, maker: bool) -> str:
    """`trade`, without the order ids that went in 2025."""
    return (
        f'{{"e":"trade","E":{event_ms},"s":"{symbol}","t":{trade_id},"p":"{number(price)}","q":"{number(quantity)}",'
        f'"T":{ms},"m":{flag(maker)},"M":true}}'
    )


def book_ticker(*, update_id: int, symbol: str, bid: tuple[int, int], ask: tuple[int, int]) -> str:
    """`bookTicker`, which carries neither event type nor time."""
    return (
        f'{{"u":{update_id},"s":"{symbol}","b":"{number(bid[0])}","B":"{number(bid[1])}",'
        f'"a":"{number(ask[0])}","A":"{number(ask[1])}"}}'
    )


def depth_update(*, event_ms: int, symbol: str, first: int, last: int, bids: str, asks: str) -> str:
    """`depthUpdate`, from sides written by `levels`."""
    return f'{{"e":"depthUpdate","E":{event_ms},"s":"{symbol}","U":{first},"u":{last},"b":{bids},"a":{asks}}}'


def snapshot(*, update_id: int, bids: str, asks: str) -> bytes:
    """The body of GET /api/v3/depth."""
    return f'{{"lastUpdateId":{update_id},"bids":{bids},"asks":{asks}}}'.encode()


def kline(
    *,
    event_ms: int,
    symbol: str,
    open_ms: int,
    first: int,
    last: int,
    prices: tuple[int, int, int, int],
    base: int,
    count: int,
    closed: bool,
    quote: int,
    taker_base: int,
    taker_quote: int,
) -> str:
    """`kline` of one minute; `prices` are open, close, high, low."""
    opened, close, high, low = prices
    return (
        f'{{"e":"kline","E":{event_ms},"s":"{symbol}","k":{{"t":{open_ms},"T":{open_ms + _CANDLE_MS - 1},'
        f'"s":"{symbol}","i":"1m","f":{first},"L":{last},"o":"{number(opened)}","c":"{number(close)}",'
        f'"h":"{number(high)}","l":"{number(low)}","v":"{number(base)}","n":{count},"x":{flag(closed)},'
        f'"q":"{number(quote)}","V":"{number(taker_base)}","Q":"{number(taker_quote)}","B":"0"}}}}'
    )


def mini_ticker(*, event_ms: int, symbol: str, prices: tuple[int, int, int, int], base: int, quote: int) -> str:
    """`24hrMiniTicker`; `prices` are close, open, high, low."""
    close, opened, high, low = prices
    return (
        f'{{"e":"24hrMiniTicker","E":{event_ms},"s":"{symbol}","c":"{number(close)}","o":"{number(opened)}",'
        f'"h":"{number(high)}","l":"{number(low)}","v":"{number(base)}","q":"{number(quote)}"}}'
    )


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
    *,
    event_ms: int,
    symbol: str,
    client_id: str,
    side: str,
    quantity: int,
    price: int,
    execution: str,
    status: str,
    order_id: int,
    filled: int,
    spent: int,
    ms: int,
    created_ms: int,
    execution_id: int,
    fill: Execution | None,
) -> str:
    """`executionReport` of a LIMIT order that is good till cancelled; `spent` is the cumulated quote."""
    canceled = execution == "CANCELED"
    on_book = execution == "NEW"
    zero = number(0)
    fee_asset = f'"{fill.fee_asset}"' if fill else "null"
    working = f',"W":{created_ms}' if on_book else ""
    sent_id, original_id = (f"c-{client_id}", client_id) if canceled else (client_id, "")
    return (
        f'{{"e":"executionReport","E":{event_ms},"s":"{symbol}","c":"{sent_id}",'
        f'"S":"{side}","o":"LIMIT","f":"GTC","q":"{number(quantity)}","p":"{number(price)}","P":"{zero}","F":"{zero}",'
        f'"g":-1,"C":"{original_id}","x":"{execution}","X":"{status}","r":"NONE","i":{order_id},'
        f'"l":"{number(fill.quantity) if fill else zero}","z":"{number(filled)}",'
        f'"L":"{number(fill.price) if fill else zero}","n":"{number(fill.fee) if fill else 0}","N":{fee_asset},'
        f'"T":{ms},"t":{fill.trade_id if fill else -1},"I":{execution_id},"w":{flag(on_book)},"m":false,'
        f'"M":{flag(fill is not None)},"O":{created_ms},"Z":"{number(spent)}",'
        f'"Y":"{number(fill.value) if fill else zero}","Q":"{zero}"'
        f'{working},"V":"EXPIRE_MAKER"}}'
    )


def account_position(*, event_ms: int, ms: int, balances: Iterable[tuple[str, int, int]]) -> str:
    """`outboundAccountPosition`; balances are asset, free, locked."""
    rows = ",".join(f'{{"a":"{name}","f":"{number(free)}","l":"{number(held)}"}}' for name, free, held in balances)
    return f'{{"e":"outboundAccountPosition","E":{event_ms},"u":{ms},"B":[{rows}]}}'


def balance_update(*, event_ms: int, asset: str, change: int, ms: int) -> str:
    """`balanceUpdate`."""
    return f'{{"e":"balanceUpdate","E":{event_ms},"a":"{asset}","d":"{number(change)}","T":{ms}}}'
