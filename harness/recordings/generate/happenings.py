"""What happens in a generated market, as its wires are told of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple


class Print(NamedTuple):
    """A trade of the tape, or several at one price: ticks and lots, ids of the first and the last."""

    tick: int
    lots: int
    first: int
    last: int
    ms: int
    """When it happened; the event tells of it a little later."""
    buyer_is_maker: bool


@dataclass(slots=True)
class Aggregate:
    """Trades of one side at one price, told of together."""

    agg_id: int
    tick: int
    lots: int
    plain_lots: int
    """Without orders of retail price improvement; USD-M tells of both."""
    first: int
    last: int
    ms: int
    buyer_is_maker: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """What a `markPriceUpdate` tells, in 1e-8 units."""

    price: int
    index: int
    settle: int
    """Estimated price of settlement."""
    average: int
    funding: int
    """The rate of the next payment."""
    next_funding_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Liquidation:
    """An order that closed a position by force, and what it got."""

    side: Literal["BUY", "SELL"]
    tick: int
    """Its limit, at which the position was worth nothing."""
    lots: int
    last_lots: int
    average: int
    """In 1e-8 units."""
    ms: int
