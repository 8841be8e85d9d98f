"""One symbol of a generated market: its book, its prices, its counters, and the frames they cause."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from harness.recordings.generate import wire
from harness.recordings.generate.book import ASK, BID, Book, Level, Sign
from harness.recordings.generate.candle import MINUTE_MS, Candle, Day
from harness.recordings.generate.climate import FairValue
from harness.recordings.generate.profile import UNITS
from harness.recordings.generate.quoting import Quoter

if TYPE_CHECKING:
    from harness.recordings.generate.dice import Dice
    from harness.recordings.generate.profile import SymbolProfile

#: Levels a side at the start, and in a snapshot at most.
_OPENING_LEVELS: Final = 1000
_SNAPSHOT_LEVELS: Final = 1000


class Print(NamedTuple):
    """An aggregated trade as it went over the tape, in ticks and lots."""

    tick: int
    lots: int
    first: int
    last: int


class Instrument:
    """One symbol; every method takes the time in unix milliseconds and returns the frames of that moment."""

    def __init__(self, spec: SymbolProfile, dice: Dice, *, start_ms: int, size: float, raw_trades: bool) -> None:
        """`size`: activity relative to the busiest symbol, above 0 and at most 1."""
        self.spec = spec
        self._dice = dice
        self._size = size
        self._raw_trades = raw_trades
        self._lower = spec.symbol.lower()
        start = spec.start_tick
        self._tick_units = spec.tick_units
        self._step_units = spec.step_units
        price = self.price(start)
        self._touch_lots = self._lots_worth(spec.touch_notional)
        self._taker_lots = self._lots_worth(spec.taker_notional)
        self.book = Book(1_000_000_000 + dice.below(80_000_000_000))
        self._quoter = Quoter(
            self.book,
            dice,
            touch_lots=self._touch_lots,
            gap_ticks=max(1, int(start * spec.level_gap_bps / 10_000)),
            spread_ticks=spec.spread_ticks,
        )
        self._quoter.open(start, _OPENING_LEVELS)
        self.fair = FairValue(dice, tick=start, volatility_bps=spec.volatility_bps)
        self._impact = max(1, int(start * spec.volatility_bps / 100))
        self._sent_depth_id = self.book.update_id
        self._sent_touch: tuple[Level, Level] = (self.book.bids.best, self.book.asks.best)
        self._agg_id = 100_000_000 + dice.below(3_000_000_000)
        self._trade_id = self._agg_id + 500_000_000 + dice.below(2_000_000_000)
        self._side: Sign = ASK
        self._candle = Candle(start_ms // MINUTE_MS * MINUTE_MS, price)
        open_price = self.price(start * (970 + dice.below(60)) // 1000)
        volume = self.quantity(self._touch_lots) * (20_000 + dice.below(20_000))
        self._day = Day(price=price, open_price=open_price, base=volume)

    def price(self, tick: int) -> int:
        """A tick in 1e-8 USDT."""
        return tick * self._tick_units

    def quantity(self, lots: int) -> int:
        """Lots in 1e-8 of the base asset."""
        return lots * self._step_units

    def quote(self) -> list[bytes]:
        """One change near the touch."""
        self._quoter.quote(self.fair.tick)
        return self._ticker()

    def step(self, common: float) -> None:
        """The fair value moves on by 100 ms."""
        self.fair.step(common)

    def taker(self, ms: int) -> list[bytes]:
        """Somebody trades: mostly on the same side as the last one, else where the book lags the fair value."""
        if not self._dice.chance(480):
            middle = (self.book.bids.best.tick + self.book.asks.best.tick) * 500
            buys = self._dice.chance(620 if self.fair.milliticks > middle else 380)
            self._side = ASK if buys else BID
        lots = 1 + self._dice.spread(self._taker_lots, 1.5)
        return self.trade(self._side, lots, ms)[1]

    def trade(self, sign: Sign, lots: int, ms: int) -> tuple[list[Print], list[bytes]]:
        """An order that takes from that side of the book: what it got, and the frames of it."""
        prints: list[Print] = []
        frames: list[bytes] = []
        event_ms = ms + self._dice.below(2)
        for fill in self._quoter.take(sign, lots):
            parts = self._makers(fill.lots)
            tape = Print(fill.tick, fill.lots, self._trade_id + 1, self._trade_id + len(parts))
            prints.append(tape)
            frames += self._tape(tape, parts, ms=ms, event_ms=event_ms, maker=sign == BID)
        self.fair.push(-sign * self._impact * len(prints))
        return prints, frames + self._ticker()

    def depth(self, ms: int) -> list[bytes]:
        """What changed since the last depth event, with deeper levels that change in the same 100 ms."""
        if self.book.changes == 0 and not self._dice.chance(60 + int(840 * self._size)):
            return []
        count = 1 + self._dice.spread(2.4 + 2.4 * self._size, 0.95)
        if self._dice.chance(2):
            count *= 20
        self._quoter.deepen(min(count, 400))
        bids, asks = self.book.bids.take_changes(), self.book.asks.take_changes()
        if not bids and not asks:
            return []
        payload = wire.depth_update(
            event_ms=ms,
            symbol=self.spec.symbol,
            first=self._sent_depth_id + 1,
            last=self.book.update_id,
            bids=self._levels(bids),
            asks=self._levels(asks),
        )
        self._sent_depth_id = self.book.update_id
        return [*self._ticker(), wire.envelope(f"{self._lower}@depth@100ms", payload)]

    def snapshot(self) -> bytes:
        """The whole book as a REST answer."""
        return wire.snapshot(
            update_id=self.book.update_id,
            bids=self._levels(self.book.bids.levels()[:_SNAPSHOT_LEVELS]),
            asks=self._levels(self.book.asks.levels()[:_SNAPSHOT_LEVELS]),
        )

    def kline(self, ms: int) -> list[bytes]:
        """The candle so far, if it changed."""
        return [self._kline(ms, closed=False)] if self._candle.stale else []

    def close_candle(self, ms: int) -> list[bytes]:
        """The finished candle; the next one begins."""
        frame = self._kline(ms, closed=True)
        self._candle = Candle(self._candle.open_ms + MINUTE_MS, self._candle.close)
        return [frame]

    def mini_ticker(self, ms: int) -> list[bytes]:
        """The day's figures, if they changed."""
        if not self._day.stale:
            return []
        return [wire.envelope(f"{self._lower}@miniTicker", self._day.event(self.spec.symbol, ms))]

    def _lots_worth(self, usdt: int) -> int:
        """Lots that are worth so much at the opening price; at least two."""
        return max(2, usdt * UNITS * UNITS // self.price(self.spec.start_tick) // self._step_units)

    def _kline(self, ms: int, *, closed: bool) -> bytes:
        return wire.envelope(f"{self._lower}@kline_1m", self._candle.event(self.spec.symbol, ms, closed=closed))

    def _makers(self, lots: int) -> list[int]:
        """Lots of each order that was met at one price: mostly one."""
        count = 1 if self._dice.chance(880) else 2 + self._dice.spread(1, 0.8)
        count = min(count, lots, 30)
        share = lots // count
        return [share] * (count - 1) + [lots - share * (count - 1)]

    def _tape(self, tape: Print, parts: list[int], *, ms: int, event_ms: int, maker: bool) -> list[bytes]:
        price, quantity = self.price(tape.tick), self.quantity(tape.lots)
        self._agg_id += 1
        self._trade_id = tape.last
        self._candle.add(price=price, quantity=quantity, first=tape.first, last=tape.last, buyer_is_maker=maker)
        self._day.add(price=price, quantity=quantity)
        payload = wire.agg_trade(
            event_ms=event_ms,
            symbol=self.spec.symbol,
            agg_id=self._agg_id,
            price=price,
            quantity=quantity,
            first=tape.first,
            last=tape.last,
            ms=ms,
            maker=maker,
        )
        frames = self._raw(tape.first, price, parts, ms=ms, event_ms=event_ms, maker=maker) if self._raw_trades else []
        return [*frames, wire.envelope(f"{self._lower}@aggTrade", payload)]

    def _raw(self, first: int, price: int, parts: list[int], *, ms: int, event_ms: int, maker: bool) -> list[bytes]:
        return [
            wire.envelope(
                f"{self._lower}@trade",
                wire.trade(
                    event_ms=event_ms,
                    symbol=self.spec.symbol,
                    trade_id=trade_id,
                    price=price,
                    quantity=self.quantity(lots),
                    ms=ms,
                    maker=maker,
                ),
            )
            for trade_id, lots in enumerate(parts, first)
        ]

    def _ticker(self) -> list[bytes]:
        bid, ask = touch = (self.book.bids.best, self.book.asks.best)
        if touch == self._sent_touch:
            return []
        self._sent_touch = touch
        payload = wire.book_ticker(
            update_id=self.book.update_id,
            symbol=self.spec.symbol,
            bid=(self.price(bid.tick), self.quantity(bid.lots)),
            ask=(self.price(ask.tick), self.quantity(ask.lots)),
        )
        return [wire.envelope(f"{self._lower}@bookTicker", payload)]

    def _levels(self, changed: list[Level]) -> str:
        return wire.levels((self.price(level.tick), self.quantity(level.lots)) for level in changed)
