"""Technical indicators, each kept up to date in constant time and memory per observation.

They take prices from 1e-12 to 1e18 and quantities from 0 to 1e18 (the bounds of the event records) and are finite for
all of them. Only + - * /, comparisons and `math.sqrt` are used, in a fixed order: IEEE 754 rounds those alike
everywhere, so equal observations give equal bits on every platform and interpreter.

Conventions are those of TA-Lib wherever the literature leaves a choice, with two exceptions: `Ema` begins
with the first value, not with the simple mean of the first `span` values, and an `Rsi` of a price that does not move is
50, not 0.
"""

from __future__ import annotations

from math import sqrt

_MS_PER_DAY = 86_400_000

#: Every double from 1e-12 to 1e18 is a whole multiple of 2**-92 (1e-12 has the exponent -40 and 52 bits behind it).
_UNIT = 2.0**92

#: Mean moves below this are none: prices differ by 2**-92 (2e-28) at least, so a price has then not moved for several
#: hundred observations, and the ratio of two means must not be taken from what is left of them.
_NO_MOVE = 1e-40


class Ema:
    """Exponential moving average: `value += (price - value) * 2 / (span + 1)`; the first value is the first price.

    `ready` after `span` observations; 0 before the first. TA-Lib's default begins with a simple mean instead; what the
    seed leaves fades with (1 - 2 / (span + 1)) per observation. Raises ValueError for a span below 1.
    """

    __slots__ = ("_alpha", "_count", "_span", "value")

    def __init__(self, span: int) -> None:
        self._span = _positive("span", span)
        self._alpha = 2.0 / (span + 1)
        self._count = 0
        self.value = 0.0
        """In the unit of the price."""

    @property
    def ready(self) -> bool:
        """Whether `span` prices were seen."""
        return self._count >= self._span

    def update(self, price: float) -> None:
        """Take the next price."""
        if self._count:
            self.value += (price - self.value) * self._alpha
            if self._count < self._span:
                self._count += 1
        else:
            self.value = price
            self._count = 1


class Rsi:
    """Relative strength index, 0 to 100 (Wilder, New Concepts in Technical Trading Systems, 1978).

    100 * gain / (gain + loss), the two being means of the rises and falls of the price: simple ones over the first
    `period` moves, from then on Wilder's (`mean += (move - mean) / period`, computed as his book has it).
    `ready` after `period` moves, so `period + 1` prices. 50 before, and where nothing moves (TA-Lib says 0 there).
    Raises ValueError for a period below 1.
    """

    __slots__ = ("_count", "_gain", "_last", "_loss", "_period")

    def __init__(self, period: int = 14) -> None:
        self._period = _positive("period", period)
        self._count = -1
        self._last = self._gain = self._loss = 0.0

    @property
    def ready(self) -> bool:
        """Whether `period` moves were seen."""
        return self._count >= self._period

    @property
    def value(self) -> float:
        """0 (only falls) to 100 (only rises)."""
        total = self._gain + self._loss
        return 100.0 * (self._gain / total) if self._count >= self._period and total > 0.0 else 50.0

    def update(self, price: float) -> None:
        """Take the next closing price."""
        move = price - self._last
        self._last = price
        count, period = self._count, self._period
        if count < period:
            self._count = count + 1
            if count >= 0:
                self._begin(move)
            return
        rest = period - 1
        if move > 0.0:
            self._gain = (self._gain * rest + move) / period
            self._loss = self._loss * rest / period
        else:
            self._gain = self._gain * rest / period
            self._loss = (self._loss * rest - move) / period
        if self._gain + self._loss < _NO_MOVE:
            self._gain = self._loss = 0.0

    def _begin(self, move: float) -> None:
        if move > 0.0:
            self._gain += move
        else:
            self._loss -= move
        if self._count == self._period:
            self._gain /= self._period
            self._loss /= self._period


class Atr:
    """Average true range, in the unit of the price (Wilder, 1978).

    The true range is the largest of high - low, and of the distances of both from the close before; so the first
    candle has none and only lends its close (as in TA-Lib; Wilder himself takes its high - low). The mean is the simple
    one over the first `period` ranges, from then on Wilder's. `ready` after `period` ranges, so `period + 1` candles;
    before, the mean of what was seen, 0 when nothing was. Raises ValueError for a period below 1.
    """

    __slots__ = ("_close", "_count", "_mean", "_period")

    def __init__(self, period: int = 14) -> None:
        self._period = _positive("period", period)
        self._count = -1
        self._close = self._mean = 0.0

    @property
    def ready(self) -> bool:
        """Whether `period` true ranges were seen."""
        return self._count >= self._period

    @property
    def value(self) -> float:
        """At least 0."""
        if self._count >= self._period:
            return self._mean
        return self._mean / self._count if self._count > 0 else 0.0

    def update(self, high: float, low: float, close: float) -> None:
        """Take the next closed candle."""
        before, self._close = self._close, close
        count, period = self._count, self._period
        if count < 0:
            self._count = 0
            return
        span = max(high, before) - min(low, before)
        if count < period:
            self._mean += span  # a sum until there are enough
            self._count = count + 1
            if count + 1 == period:
                self._mean /= period
        else:
            self._mean = (self._mean * (period - 1) + span) / period


class Bollinger:
    """Bollinger bands: the simple mean of the last `period` prices, and `width` standard deviations around it.

    Population standard deviation (Bollinger on Bollinger Bands, 2001). `ready` after `period` prices; before,
    over those that were seen; all 0, and percent_b 0.5, before the first.

    The sums of prices and of their squares are whole numbers of 2**-92 and 2**-184, which hold every price exactly:
    what leaves the window takes away exactly what it brought, so nothing ever drifts. `mean` is the exact mean rounded
    once, the deviation is within 2 units in the last place. Raises ValueError for a period below 1 or a width of 0.
    """

    __slots__ = ("_count", "_next", "_period", "_squares", "_sum", "_width", "_window")

    def __init__(self, period: int = 20, width: float = 2.0) -> None:
        if not 0.0 < width < 1e6:
            raise ValueError(f"a width of {width} standard deviations: it must be above 0 and below 1e6")
        self._period = _positive("period", period)
        self._width = width
        self._window = [0] * period
        self._next = self._count = self._sum = self._squares = 0

    @property
    def ready(self) -> bool:
        """Whether `period` prices were seen."""
        return self._count >= self._period

    @property
    def mean(self) -> float:
        """The middle band."""
        return self._sum / self._count / _UNIT if self._count else 0.0

    @property
    def deviation(self) -> float:
        """Population standard deviation of the window, in the unit of the price."""
        return sqrt(self._scaled_variance()) / self._count / _UNIT if self._count else 0.0

    @property
    def upper(self) -> float:
        """The upper band."""
        return self.mean + self._width * self.deviation

    @property
    def lower(self) -> float:
        """The lower band; below 0 where the prices of the window differ by factors."""
        return self.mean - self._width * self.deviation

    @property
    def percent_b(self) -> float:
        """Where the last price is: 0 on the lower band, 1 on the upper; 0.5 where the bands are one.

        Within 0.5 +- sqrt(period - 1) / (2 * width) (Samuelson 1968).
        """
        variance = self._scaled_variance()
        if variance == 0:
            return 0.5
        distance = self._count * self._window[self._next - 1] - self._sum
        return 0.5 + distance / sqrt(variance) / (2.0 * self._width)

    def update(self, price: float) -> None:
        """Take the next closing price."""
        new = int(price * _UNIT)
        place = self._next
        old = self._window[place]
        self._window[place] = new
        self._sum += new - old
        self._squares += new * new - old * old
        if self._count < self._period:
            self._count += 1
        self._next = place + 1 if place + 1 < self._period else 0

    def _scaled_variance(self) -> int:
        """The variance in 2**-184, times the square of the count: exact, and never below 0."""
        return self._count * self._squares - self._sum * self._sum


class Vwap:
    """Volume-weighted average price since midnight UTC, in event time (Berkowitz, Logue and Noser, 1988).

    `ready` once something was traded that day. Before, and for trades of no quantity, the last price seen; 0 before the
    first. An event time of an earlier day counts to the day that is running. Both sums only grow, so after n trades the
    value is within 2 n * 2**-53 of the exact one: a ten-billionth after 400,000 trades, in the worst case.
    """

    __slots__ = ("_end_ms", "_notional", "_quantity", "value")

    def __init__(self) -> None:
        self._end_ms = 0
        self._notional = self._quantity = 0.0
        self.value = 0.0
        """In the unit of the price."""

    @property
    def ready(self) -> bool:
        """Whether anything was traded today."""
        return self._quantity > 0.0

    def update(self, time_ms: int, price: float, quantity: float) -> None:
        """Take a trade; of a candle its typical price, (high + low + close) / 3, and its volume."""
        if time_ms >= self._end_ms:
            self._end_ms = time_ms - time_ms % _MS_PER_DAY + _MS_PER_DAY
            self._notional = self._quantity = 0.0
        self._notional += price * quantity
        self._quantity += quantity
        self.value = self._notional / self._quantity if self._quantity > 0.0 else price


def book_imbalance(bid_quantity: float, ask_quantity: float) -> float:
    """-1 (all offered) to 1 (all bid); 0 where nothing is (queue imbalance: Gould and Bonart, 2016)."""
    total = bid_quantity + ask_quantity
    return (bid_quantity - ask_quantity) / total if total > 0.0 else 0.0


def relative_spread(bid: float, ask: float) -> float:
    """Distance of the best prices as a share of their middle: the quoted spread; 0 where there is no price."""
    middle = (bid + ask) * 0.5
    return (ask - bid) / middle if middle > 0.0 else 0.0


def _positive(name: str, value: int) -> int:
    if value < 1:
        raise ValueError(f"a {name} of {value}: it must be at least 1")
    return value
