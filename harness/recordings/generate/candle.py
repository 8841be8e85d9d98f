"""A candle and the day's figures, in 1e-8 units."""

from __future__ import annotations

from typing import Final

from harness.recordings.generate.profile import UNITS

MINUTE_MS: Final = 60_000


class Candle:
    """One interval of one symbol."""

    def __init__(self, open_ms: int, length_ms: int, price: int) -> None:
        self.open_ms = open_ms
        self.length_ms = length_ms
        self.open = self.close = self.high = self.low = price
        self.first = self.last = -1
        self.count = 0
        self.base = self.quote = self.taker_base = self.taker_quote = 0
        self.stale = True
        """Whether it changed since it was last sent; a new one has not been sent at all."""

    def add(self, *, price: int, quantity: int, first: int, last: int, buyer_is_maker: bool) -> None:
        """Take in trades at one price."""
        if self.first < 0:
            self.first, self.open, self.high, self.low = first, price, price, price
        self.last = last
        self.count += last - first + 1
        self.close = price
        self.high = max(self.high, price)
        self.low = min(self.low, price)
        value = price * quantity // UNITS
        self.base += quantity
        self.quote += value
        if not buyer_is_maker:
            self.taker_base += quantity
            self.taker_quote += value
        self.stale = True


class Day:
    """Rolling figures of 24 hours, from a state that stands for the day so far; nothing leaves the window again."""

    def __init__(self, *, price: int, open_price: int, tick: int, base: int, first: int, last: int) -> None:
        """`tick`: the step on which all prices lie."""
        self.open = open_price
        self.close = price
        self.before = open_price
        """The last price before the window."""
        self.high = max(price, open_price) * 103 // 100 // tick * tick
        self.low = min(price, open_price) * 97 // 100 // tick * tick
        self.base = base
        self.quote = base * price // UNITS
        self.last_quantity = 0
        self.first = first
        self.last = last
        self.stale = True

    @property
    def count(self) -> int:
        """Trades in the window."""
        return self.last - self.first + 1

    @property
    def change(self) -> int:
        """From the first price to the last."""
        return self.close - self.open

    @property
    def change_percent_thousandths(self) -> int:
        """The change in 0.001 %, towards zero."""
        size = abs(self.change) * 100_000 // self.open
        return size if self.change >= 0 else -size

    @property
    def average(self) -> int:
        """The price, weighted by quantity."""
        return self.quote * UNITS // self.base

    def add(self, *, price: int, quantity: int, last_quantity: int, last: int) -> None:
        """Take in trades at one price, the last of which had `last_quantity`."""
        self.close = price
        self.high = max(self.high, price)
        self.low = min(self.low, price)
        self.base += quantity
        self.quote += price * quantity // UNITS
        self.last_quantity = last_quantity
        self.last = last
        self.stale = True
