"""What market makers and takers do to a book: quote around the fair value, shuffle deeper levels, trade."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from harness.recordings.generate.book import ASK, BID, Book, Sign

if TYPE_CHECKING:
    from harness.recordings.generate.dice import Dice

#: A side never has fewer levels.
_FEWEST: Final = 40
#: An order that trades gets no further: so long were the longest rows of one moment's trades.
_MOST_FILLS: Final = 28


class Fill(NamedTuple):
    """What a taker got at one price."""

    tick: int
    lots: int


class Quoter:
    """All makers of one symbol."""

    def __init__(
        self, book: Book, dice: Dice, *, touch_lots: int, gap_ticks: int, spread_ticks: int, levels: int
    ) -> None:
        """`levels`: how many a side has at the start; a tenth more at most."""
        self._book = book
        self._dice = dice
        self._touch_lots = touch_lots
        self._gap_ticks = gap_ticks
        self._spread_ticks = spread_ticks
        self._levels = levels
        self._most = levels + levels // 10

    def open(self, tick: int) -> None:
        """Fill an empty book around a tick; nobody is told of these changes."""
        for sign in (BID, ASK):
            near = tick if sign == BID else tick + 1
            for _ in range(self._levels):
                self._book.put(sign, near, self._size())
                near -= sign * (1 + self._dice.below(2 * self._gap_ticks - 1))
        self._book.take_changes()
        self._book.take_touches()

    def quote(self, fair: int) -> None:
        """One change near the touch: follow the fair value, or else improve, step back, or change a quantity."""
        bid, ask = self._book.bids.best, self._book.asks.best
        if fair >= ask.tick + (self._spread_ticks > 1):
            self._follow(ASK, fair)
        elif fair < bid.tick:
            self._follow(BID, fair)
        else:
            self._fidget(fair)

    def deepen(self, changes: int) -> None:
        """Change levels behind the touch until that many changed since the last depth event."""
        reach = max(8, changes // 3)
        for _ in range(4 * changes):
            if self._book.changes >= changes:
                return
            self._touch_deep(BID if self._dice.chance(500) else ASK, reach)

    def take(self, sign: Sign, lots: int) -> list[Fill]:
        """Trade against one side, the best first, over 28 levels at most; leaves at least a few levels standing."""
        side = self._book.side(sign)
        fills: list[Fill] = []
        while lots > 0 and len(side) > _FEWEST // 2 and len(fills) < _MOST_FILLS:
            best = side.best
            done = min(lots, best.lots)
            self._book.put(sign, best.tick, best.lots - done)
            fills.append(Fill(best.tick, done))
            lots -= done
        return fills

    def _follow(self, passed: Sign, fair: int) -> None:
        """Take away the best of the side that the fair value has passed: one level, and more when it runs away.

        Quotes come after it one by one, as those of many makers do.
        """
        side = self._book.side(passed)
        behind = passed * (side.best.tick - fair)
        for _ in range(1 if behind <= 3 * self._gap_ticks else 4):
            if passed * side.best.tick < passed * fair or len(side) < _FEWEST // 2:
                break
            self._book.put(passed, side.best.tick, 0)

    def _fidget(self, fair: int) -> None:
        sign: Sign = BID if self._dice.chance(520) else ASK
        best = self._book.side(sign).best
        what = self._dice.below(100)
        if self._book.spread > self._spread_ticks and what < 75:
            self._improve(sign, best.tick, fair)
        elif what < 45 or self._spread_ticks == 1:
            self._book.put(sign, best.tick, self._size())
        elif what < 85:
            # Step back: the best level goes, and its owner stands a little behind.
            self._book.put(sign, best.tick - sign * (1 + self._dice.below(self._spread_ticks)), best.lots)
            self._book.put(sign, best.tick, 0)
        else:
            self._touch_deep(sign, 8)

    def _improve(self, sign: Sign, tick: int, fair: int) -> None:
        """A better price, up to the fair value."""
        limit = fair if sign == BID else fair + 1
        room = sign * (limit - tick)
        if room >= 1:
            self._book.put(sign, tick + sign * (room - self._dice.below(min(room, self._spread_ticks))), self._size())
        else:
            self._book.put(sign, tick, self._size())

    def _touch_deep(self, sign: Sign, reach: int) -> None:
        """Take away, place or change a level behind the touch: 22, 28 and 50 of 100, unless too many or too few.

        Half of the levels that are taken away or changed are within `reach` places of the touch.
        """
        side = self._book.side(sign)
        what = self._dice.below(100)
        if len(side) > self._most:
            self._book.put(sign, side.at(len(side) - 1).tick, 0)
        elif len(side) < _FEWEST or what < 28:
            away = 1 + self._dice.spread(4 * self._gap_ticks, 1.2)
            self._book.put(sign, side.best.tick - sign * away, self._size())
        else:
            depth = 1 + min(self._dice.spread(reach, 1.3), len(side) - 2)
            self._book.put(sign, side.at(depth).tick, 0 if what < 50 else self._size())

    def _size(self) -> int:
        """Lots of a level; a quarter are round numbers, as people and simple programs write them."""
        lots = 1 + self._dice.spread(self._touch_lots, 1.1)
        if self._dice.chance(250):
            unit = 1
            while unit * 100 <= lots:
                unit *= 10
            lots = max(unit, lots // unit * unit)
        return lots
