"""The tape of one symbol: trades, their ids and times, and the candles and the day that are made of them."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final

from harness.recordings.generate.candle import MINUTE_MS, Candle, Day
from harness.recordings.generate.happenings import Aggregate, Print

if TYPE_CHECKING:
    from harness.recordings.generate.book import Touch
    from harness.recordings.generate.dice import Dice
    from harness.recordings.generate.profile import SymbolProfile
    from harness.recordings.generate.rhythm import Rhythm
    from harness.recordings.generate.schedule import Schedule
    from harness.recordings.generate.wire import Wire

_INTERVALS_MS: Final = {"kline_1s": 1_000, "kline_1m": MINUTE_MS}
_DAY_MS: Final = 86_400_000


class Tape:
    """Every trade of a symbol goes through `add`."""

    def __init__(
        self, spec: SymbolProfile, dice: Dice, schedule: Schedule, *, wire: Wire, rhythm: Rhythm, kinds: frozenset[str]
    ) -> None:
        """`kinds`: which streams the symbol has, as they are called after `<symbol>@`."""
        self._spec = spec
        self._dice = dice
        self._schedule = schedule
        self._wire = wire
        self._rhythm = rhythm
        self._kinds = kinds
        self._agg_id = 100_000_000 + dice.below(3_000_000_000)
        self._trade_id = self._agg_id + 500_000_000 + dice.below(2_000_000_000)
        self._last_ms = schedule.ms
        self._waiting: deque[Aggregate] = deque()
        price = spec.start_tick * spec.tick_units
        self._candles = {
            kind: Candle(schedule.ms // length * length, length, price)
            for kind, length in _INTERVALS_MS.items()
            if kind in kinds
        }
        count = 20_000 + dice.below(400_000)
        self._day = Day(
            price=price,
            open_price=spec.start_tick * (970 + dice.below(60)) // 1000 * spec.tick_units,
            tick=spec.tick_units,
            base=count * (1 + spec.taker_notional * 100_000_000 // price // spec.step_units) * spec.step_units,
            first=self._trade_id - count + 1,
            last=self._trade_id,
        )

    def moment(self, ms: int) -> int:
        """When a trade happened that is told of now: a little earlier, in its candle, and not before the last one."""
        opened = max((candle.open_ms for candle in self._candles.values()), default=0)
        self._last_ms = max(self._last_ms, opened, ms - self._rhythm.lag_ms(self._dice))
        return self._last_ms

    def add(
        self, tick: int, parts: list[int], *, at_ms: int, ms: int, buyer_is_maker: bool
    ) -> tuple[Print, list[bytes]]:
        """One order's trades at one price, of which `parts` are the lots: what was printed, and its frames."""
        first = self._trade_id + 1
        self._trade_id += len(parts)
        tape = Print(tick, sum(parts), first, self._trade_id, at_ms, buyer_is_maker)
        price, quantity = tick * self._spec.tick_units, tape.lots * self._spec.step_units
        for candle in self._candles.values():
            candle.add(price=price, quantity=quantity, first=first, last=tape.last, buyer_is_maker=buyer_is_maker)
        self._day.add(price=price, quantity=quantity, last_quantity=parts[-1] * self._spec.step_units, last=tape.last)
        frames: list[bytes] = []
        if "trade" in self._kinds:
            for trade_id, lots in enumerate(parts, first):
                frames.append(self._wire.trade(Print(tick, lots, trade_id, trade_id, at_ms, buyer_is_maker), ms))
        if "aggTrade" in self._kinds:
            frames += self._aggregate(tape, ms)
        return tape, frames

    def klines(self, ms: int) -> list[bytes]:
        """The one-minute candle so far, if it changed."""
        return self._kline("kline_1m", ms)

    def seconds(self, ms: int) -> list[bytes]:
        """The finished one-second candle; the next one begins."""
        return self._close("kline_1s", ms)

    def minutes(self, ms: int) -> list[bytes]:
        """The finished one-minute candle; the next one begins."""
        return self._close("kline_1m", ms)

    def tickers(self, touch: Touch, ms: int) -> list[bytes]:
        """The day's figures in both forms, if a trade changed them."""
        if not self._day.stale:
            return []
        self._day.stale = False
        frames = []
        if "miniTicker" in self._kinds:
            frames.append(self._wire.mini_ticker(self._day, ms))
        if "ticker" in self._kinds:
            frames.append(self._wire.ticker(self._day, touch, opened_ms=ms - _DAY_MS, ms=ms))
        return frames

    def _kline(self, kind: str, ms: int) -> list[bytes]:
        candle = self._candles.get(kind)
        if candle is None or not candle.stale:
            return []
        candle.stale = False
        return [self._wire.kline(kind, candle, ms, closed=False)]

    def _close(self, kind: str, ms: int) -> list[bytes]:
        candle = self._candles[kind]
        self._candles[kind] = Candle(candle.open_ms + candle.length_ms, candle.length_ms, candle.close)
        return [self._wire.kline(kind, candle, ms, closed=True)]

    def _aggregate(self, tape: Print, ms: int) -> list[bytes]:
        waiting = self._waiting[-1] if self._waiting else None
        if waiting is not None and _fits(waiting, tape):
            waiting.lots += tape.lots
            waiting.plain_lots += tape.lots
            waiting.last = tape.last
            return []
        self._agg_id += 1
        plain = tape.lots * 9 // 10 if self._dice.chance(self._rhythm.improved_per_mille) else tape.lots
        made = Aggregate(self._agg_id, tape.tick, tape.lots, plain, tape.first, tape.last, tape.ms, tape.buyer_is_maker)
        if not self._rhythm.aggregate_us:
            return [self._wire.agg_trade(made, ms)]
        self._waiting.append(made)
        self._schedule.after(self._rhythm.aggregate_us, lambda then: self._tell(made, then))
        return []

    def _tell(self, until: Aggregate, ms: int) -> list[bytes]:
        """All that waited up to that one; its own turn tells of one that came before."""
        frames = []
        while self._waiting and self._waiting[0].agg_id <= until.agg_id:
            frames.append(self._wire.agg_trade(self._waiting.popleft(), ms))
        return frames


def _fits(waiting: Aggregate, tape: Print) -> bool:
    """One price, one side, one minute: then candles are still the sums of what was told."""
    return (
        waiting.tick == tape.tick
        and waiting.buyer_is_maker == tape.buyer_is_maker
        and waiting.ms // MINUTE_MS == tape.ms // MINUTE_MS
    )
