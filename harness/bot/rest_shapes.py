"""What the exchange's public REST interface answers, as records, and what the bot makes of them."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated

import msgspec
from msgspec import Meta, field

from harness.exchange.events import LARGEST, Amount, Candle, Integer, Milliseconds
from harness.exchange.filters import SymbolFilters

#: Steps beyond these are none of an exchange's, and arithmetic with them might not end.
_FINEST, _COARSEST = Decimal("1e-18"), Decimal("1e18")
Price = Annotated[float, Meta(ge=1e-12, le=LARGEST)]
"""A past candle without prices would poison the indicators that it warms up."""


class ServerTime(msgspec.Struct, frozen=True):
    """`GET .../time`."""

    server_time: Milliseconds = field(name="serverTime")


class Refused(msgspec.Struct, frozen=True):
    """The body of an error."""

    code: int
    msg: str


class KlineRow(msgspec.Struct, frozen=True, array_like=True):
    """One row of `GET .../klines`; what follows in it is not kept."""

    open_time: Milliseconds
    open: Price
    high: Price
    low: Price
    close: Price
    volume: Amount
    close_time: Milliseconds
    quote_volume: Amount
    trades: Integer


class Filter(msgspec.Struct, frozen=True):
    """One filter of a symbol; of each kind only what is used."""

    kind: str = field(name="filterType")
    tick_size: Decimal | None = field(name="tickSize", default=None)
    step_size: Decimal | None = field(name="stepSize", default=None)
    minimum_notional: Decimal | None = field(name="minNotional", default=None)
    notional: Decimal | None = None
    """USD-M's name of the minimum."""


class ListedSymbol(msgspec.Struct, frozen=True):
    """One symbol of `GET .../exchangeInfo`."""

    symbol: str
    filters: list[Filter]


class ExchangeInfo(msgspec.Struct, frozen=True):
    """`GET .../exchangeInfo`."""

    symbols: list[ListedSymbol]


def candle(row: KlineRow, interval: str) -> Candle:
    """The row as the candle that the kline stream would have closed."""
    return Candle(
        open_time=row.open_time,
        close_time=row.close_time,
        interval=interval,
        open=row.open,
        close=row.close,
        high=row.high,
        low=row.low,
        volume=row.volume,
        trades=row.trades,
        is_closed=True,
    )


def filters_of(listed: ListedSymbol) -> SymbolFilters:
    """The symbol's filters; without a notional filter there is no minimum. Raises ValueError for a missing step."""
    kinds = {item.kind: item for item in listed.filters}
    price, lot = kinds.get("PRICE_FILTER"), kinds.get("LOT_SIZE")
    notional = kinds.get("NOTIONAL") or kinds.get("MIN_NOTIONAL")
    minimum = (notional.minimum_notional or notional.notional) if notional else None
    return SymbolFilters(
        tick_size=_step(price.tick_size if price else None, f"{listed.symbol!r}: tickSize of PRICE_FILTER"),
        lot_step=_step(lot.step_size if lot else None, f"{listed.symbol!r}: stepSize of LOT_SIZE"),
        minimum_notional=minimum or Decimal(0),
    )


def _step(step: Decimal | None, name: str) -> Decimal:
    if step is None or not step.is_finite() or not _FINEST <= step <= _COARSEST:
        raise ValueError(f"{name} is missing or out of bounds")
    return step
