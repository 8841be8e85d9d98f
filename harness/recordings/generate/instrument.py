"""One symbol of a generated market: its book, its prices, and the frames that their changes cause."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from harness.recordings.generate.book import ASK, BID, Book, Sign
from harness.recordings.generate.climate import FairValue
from harness.recordings.generate.dice import exponential
from harness.recordings.generate.profile import UNITS
from harness.recordings.generate.quoting import Quoter

if TYPE_CHECKING:
    from harness.recordings.generate.dice import Dice
    from harness.recordings.generate.happenings import Print
    from harness.recordings.generate.ids import UpdateIds
    from harness.recordings.generate.profile import SymbolProfile
    from harness.recordings.generate.rhythm import Rhythm
    from harness.recordings.generate.tape import Tape
    from harness.recordings.generate.wire import Wire

_SNAPSHOT_LEVELS: Final = 1_000
#: Even the busiest book is left alone for 100 ms now and then.
_MOST_DEEP_PER_MILLE: Final = 970
_MOST_MAKERS: Final = 30


class Instrument:
    """One symbol; methods that take the unix time in milliseconds return the frames of that moment."""

    def __init__(
        self,
        spec: SymbolProfile,
        dice: Dice,
        *,
        wire: Wire,
        ids: UpdateIds,
        tape: Tape,
        rhythm: Rhythm,
        size: float,
        quotes_per_second: float,
        volatility: float,
        book_levels: int,
        kinds: frozenset[str],
    ) -> None:
        """`size`: activity relative to the busiest symbol, above 0 and at most 1; `kinds`: which streams it has."""
        self.spec = spec
        self.tape = tape
        self._dice = dice
        self._wire = wire
        self._ids = ids
        self._rhythm = rhythm
        self._size = size
        self._kinds = kinds
        start = spec.start_tick
        self._taker_lots = self._lots_worth(spec.taker_notional)
        self.book = Book(ids)
        self._quoter = Quoter(
            self.book,
            dice,
            touch_lots=self._lots_worth(spec.touch_notional),
            gap_ticks=max(1, int(start * spec.level_gap_bps / 10_000)),
            spread_ticks=spec.spread_ticks,
            levels=book_levels,
        )
        self._quoter.open(start)
        self._deep_rate = rhythm.deep_per_quote * quotes_per_second
        self._deep_per_mille: dict[int, int] = {}
        self._last_id = self.book.update_id
        self._first_id = ids.first_after(self._last_id)
        self.fair = FairValue(dice, tick=start, volatility_bps=spec.volatility_bps * volatility)
        self._impact = max(1, int(start * spec.volatility_bps / 100))
        self._side: Sign = ASK

    @property
    def worth(self) -> int:
        """The fair value in 1e-8 USDT."""
        return self.fair.milliticks * self.spec.tick_units // 1_000

    @property
    def losing_side(self) -> Sign:
        """Where those sell or buy who are forced to: into the bids while the price falls."""
        return BID if self.fair.tick <= self.spec.start_tick else ASK

    def price(self, tick: int) -> int:
        """A tick in 1e-8 USDT."""
        return tick * self.spec.tick_units

    def quantity(self, lots: int) -> int:
        """Lots in 1e-8 of the base asset."""
        return lots * self.spec.step_units

    def taker_lots(self, times: int) -> int:
        """The size of an order that trades, so many times the usual one."""
        return 1 + self._dice.spread(times * self._taker_lots, 1.5)

    def quote(self, ms: int) -> list[bytes]:
        """One change near the touch."""
        self._quoter.quote(self.fair.tick)
        return self._tickers(ms)

    def step(self, common: float) -> None:
        """The fair value moves on by 100 ms."""
        self.fair.step(common)

    def taker(self, ms: int) -> list[bytes]:
        """Somebody trades: often on the same side as the last one, else where the book lags the fair value."""
        if not self._dice.chance(280):
            middle = (self.book.bids.best.tick + self.book.asks.best.tick) * 500
            buys = self._dice.chance(620 if self.fair.milliticks > middle else 380)
            self._side = ASK if buys else BID
        return self.trade(self._side, self.taker_lots(12 if self._dice.chance(4) else 1), ms)[1]

    def trade(self, sign: Sign, lots: int, ms: int) -> tuple[list[Print], list[bytes]]:
        """An order that takes from that side of the book: what it got, and the frames of it."""
        prints: list[Print] = []
        frames: list[bytes] = []
        at_ms = self.tape.moment(ms)
        for fill in self._quoter.take(sign, lots):
            tape, told = self.tape.add(
                fill.tick, self._makers(fill.lots), at_ms=at_ms, ms=ms, buyer_is_maker=sign == BID
            )
            prints.append(tape)
            frames += told
        self.fair.push(-sign * self._impact * len(prints))
        return prints, frames + self._tickers(ms)

    def depth(self, ms: int, activity: int) -> list[bytes]:
        """What changed since the last depth event, with deeper levels that change in the same 100 ms.

        `activity` is the market's, in thousandths of the calm rate.
        """
        if self.book.changes == 0 and not self._dice.chance(self._deep_chance(activity)):
            return []
        self._quoter.deepen(self._rhythm.levels(self._dice, self._size))
        frames = self._tickers(ms)
        first = min(self._first_id, self.book.first_change or self._first_id)
        bids, asks = self.book.take_changes()
        if not bids and not asks:
            return frames
        before, self._last_id = self._last_id, self._ids.event(first)
        ids = (before, first, self._last_id)
        self._first_id = self._ids.first_after(self._last_id)
        if "depth@100ms" in self._kinds:
            lag_ms = self._dice.below(self._rhythm.depth_lag_ms + 1)
            frames.append(self._wire.depth(ids, bids, asks, transaction_ms=ms - lag_ms, ms=ms))
        return frames

    def _deep_chance(self, activity: int) -> int:
        """Per mille of 100 ms in which something changes behind the touch, when the market is so active."""
        known = self._deep_per_mille.get(activity)
        if known is None:
            # In 100 ms, at a rate in thousandths.
            known = int(1_000 * (1 - exponential(-min(50.0, self._deep_rate * activity / 10_000))))
            self._deep_per_mille[activity] = min(known, _MOST_DEEP_PER_MILLE)
        return self._deep_per_mille[activity]

    def snapshot(self, ms: int) -> tuple[str, bytes]:
        """The book as a REST answer: path and body."""
        update_id = self._ids.event(self._first_id)
        bids, asks = self.book.bids.levels(_SNAPSHOT_LEVELS), self.book.asks.levels(_SNAPSHOT_LEVELS)
        return self._wire.snapshot(update_id, bids, asks, ms)

    def tickers(self, ms: int) -> list[bytes]:
        """The day's figures, if they changed."""
        return self.tape.tickers(self.book.touch, ms)

    def _lots_worth(self, usdt: int) -> int:
        """Lots that are worth so much at the opening price; at least two."""
        return max(2, usdt * UNITS * UNITS // self.price(self.spec.start_tick) // self.spec.step_units)

    def _makers(self, lots: int) -> list[int]:
        """Lots of each order that was met at one price: mostly one."""
        count = 1 if self._dice.chance(900) else 2 + self._dice.spread(1, 0.8)
        count = min(count, lots, _MOST_MAKERS)
        share = lots // count
        return [share] * (count - 1) + [lots - share * (count - 1)]

    def _tickers(self, ms: int) -> list[bytes]:
        touches = self.book.take_touches()
        if "bookTicker" not in self._kinds:
            return []
        return [self._wire.book_ticker(touch, ms) for touch in touches]
