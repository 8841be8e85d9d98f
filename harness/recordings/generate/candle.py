"""A one-minute candle and the day's figures, in 1e-8 units."""

from __future__ import annotations

from harness.recordings.generate import wire
from harness.recordings.generate.profile import UNITS

MINUTE_MS = 60_000


class Candle:
    """One minute of one symbol."""

    def __init__(self, open_ms: int, price: int) -> None:
        self.open_ms = open_ms
        self.open = self.close = self.high = self.low = price
        self.first = self.last = -1
        self.count = 0
        self._base = self._quote = self._taker_base = self._taker_quote = 0
        self.stale = True
        """Whether it changed since it was last sent; a new one has not been sent at all."""

    def add(self, *, price: int, quantity: int, first: int, last: int, buyer_is_maker: bool) -> None:
        """Take in an aggregated trade."""
        if self.first < 0:
            self.first, self.open, self.high, self.low = first, price, price, price
        self.last = last
        self.count += last - first + 1
        self.close = price
        self.high = max(self.high, price)
        self.low = min(self.low, price)
        value = price * quantity // UNITS
        self._base += quantity
        self._quote += value
        if not buyer_is_maker:
            self._taker_base += quantity
            self._taker_quote += value
        self.stale = True

    def event(self, symbol: str, event_ms: int, *, closed: bool) -> str:
        """The candle as a `kline` event."""
        self.stale = False
        return wire.kline(
            event_ms=event_ms,
            symbol=symbol,
            open_ms=self.open_ms,
            first=self.first,
            last=self.last,
            prices=(self.open, self.close, self.high, self.low),
            base=self._base,
            count=self.count,
            closed=closed,
            quote=self._quote,
            taker_base=self._taker_base,
            taker_quote=self._taker_quote,
        )


class Day:
    """Rolling figures of 24 hours, from a state that stands for the day so far."""

    def __init__(self, *, price: int, open_price: int, base: int) -> None:
        self._open = open_price
        self._close = price
        self._high = max(price, open_price) * 103 // 100
        self._low = min(price, open_price) * 97 // 100
        self._base = base
        self._quote = base * price // UNITS
        self.stale = True

    def add(self, *, price: int, quantity: int) -> None:
        """Take in an aggregated trade."""
        self._close = price
        self._high = max(self._high, price)
        self._low = min(self._low, price)
        self._base += quantity
        self._quote += price * quantity // UNITS
        self.stale = True

    def event(self, symbol: str, event_ms: int) -> str:
        """As a `24hrMiniTicker` event."""
        self.stale = False
        return wire.mini_ticker(
            event_ms=event_ms,
            symbol=symbol,
            prices=(self._close, self._open, self._high, self._low),
            base=self._base,
            quote=self._quote,
        )
