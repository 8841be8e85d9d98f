"""Indicators of one symbol at one interval: they move when a candle closes, and only then."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.bot.indicators import Atr, Bollinger, Rsi

if TYPE_CHECKING:
    from harness.bot.settings import MarketSettings
    from harness.exchange.events import Candle

#: Binance's kline intervals (BINANCE.md section 5); what claims another one has no indicators.
INTERVALS = frozenset(
    ["1s", "1m", "3m", "5m", "15m", "30m", "1h", "2h", "4h", "6h", "8h", "12h", "1d", "3d", "1w", "1M"]
)


class CandleIndicators:
    """Relative strength, true range and bands over closed candles."""

    __slots__ = ("atr", "bands", "closed", "open_time", "rsi")

    def __init__(self, settings: MarketSettings) -> None:
        self.rsi = Rsi(settings.rsi)
        self.atr = Atr(settings.atr)
        self.bands = Bollinger(settings.bollinger, settings.band_width)
        self.closed = 0
        """Candles taken."""
        self.open_time = -1
        """Of the last candle taken, in ms."""

    def close(self, candle: Candle) -> bool:
        """Take a closed candle; False for one that was taken before, as after a reconnect, or that is older."""
        if candle.open_time <= self.open_time:
            return False
        self.open_time = candle.open_time
        self.closed += 1
        self.rsi.update(candle.close)
        self.atr.update(candle.high, candle.low, candle.close)
        self.bands.update(candle.close)
        return True
