"""A symbol's order book in whole ticks and lots, which remembers what changed since the last depth event."""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from harness.recordings.generate.ids import UpdateIds

BID: Literal[1] = 1
ASK: Literal[-1] = -1
Sign = Literal[1, -1]


class Level(NamedTuple):
    """A price level; 0 lots in a change means that it is gone."""

    tick: int
    lots: int


class Touch(NamedTuple):
    """The best of both sides, and the update id that made it so."""

    update_id: int
    bid: Level
    ask: Level


class Side:
    """One side; keys are ticks times the sign, so the best level is the last of both sides."""

    def __init__(self, sign: Sign) -> None:
        self.sign = sign
        self._keys: list[int] = []
        self._lots: dict[int, int] = {}
        self._changed: set[int] = set()

    def __len__(self) -> int:
        return len(self._keys)

    @property
    def best(self) -> Level:
        """The level at the touch."""
        key = self._keys[-1]
        return Level(self.sign * key, self._lots[key])

    def at(self, depth: int) -> Level:
        """The level that many places behind the touch."""
        key = self._keys[-1 - depth]
        return Level(self.sign * key, self._lots[key])

    def lots(self, tick: int) -> int:
        """What stands at a tick; 0 for nothing."""
        return self._lots.get(self.sign * tick, 0)

    def put(self, tick: int, lots: int) -> bool:
        """Set a level, or with 0 lots take it away; whether the best of this side is another one now."""
        key = self.sign * tick
        at_touch = not self._keys or key >= self._keys[-1]
        if lots <= 0:
            if self._lots.pop(key, None) is not None:
                del self._keys[bisect_left(self._keys, key)]
        else:
            if key not in self._lots:
                self._keys.insert(bisect_left(self._keys, key), key)
            self._lots[key] = lots
        self._changed.add(key)
        return at_touch

    @property
    def changes(self) -> int:
        """Levels changed since `take_changes`."""
        return len(self._changed)

    def take_changes(self) -> list[Level]:
        """Changed levels, the nearest to the touch first, with what stands there now; then forget them."""
        changed = [Level(self.sign * key, self._lots.get(key, 0)) for key in sorted(self._changed, reverse=True)]
        self._changed.clear()
        return changed

    def levels(self, most: int) -> list[Level]:
        """The best levels, the very best first."""
        return [Level(self.sign * key, self._lots[key]) for key in self._keys[: -most - 1 : -1]]


class Book:
    """Both sides and the update id, which every change of a level moves on."""

    def __init__(self, ids: UpdateIds) -> None:
        self.bids = Side(BID)
        self.asks = Side(ASK)
        self._ids = ids
        self.update_id = ids.change()
        self.first_change: int | None = None
        """The id of the first change since the last depth event."""
        self._touches: list[Touch] = []

    def side(self, sign: Sign) -> Side:
        """The bids or the asks."""
        return self.bids if sign == BID else self.asks

    @property
    def touch(self) -> Touch:
        """The best of both sides as they stand."""
        return Touch(self.update_id, self.bids.best, self.asks.best)

    @property
    def spread(self) -> int:
        """Ticks between best bid and best ask; always above 0."""
        return self.asks.best.tick - self.bids.best.tick

    @property
    def changes(self) -> int:
        """Levels changed since the last depth event."""
        return self.bids.changes + self.asks.changes

    def put(self, sign: Sign, tick: int, lots: int) -> None:
        """Set or take away a level; nothing happens to one that would cross the other side, or stands there already."""
        side = self.side(sign)
        other = self.asks if sign == BID else self.bids
        if tick <= 0 or (lots > 0 and len(other) and sign * tick >= sign * other.best.tick):
            return
        if max(lots, 0) == side.lots(tick):
            return
        self.update_id = self._ids.change()
        if self.first_change is None:
            self.first_change = self.update_id
        if side.put(tick, lots) and len(side) and len(other):
            self._touches.append(self.touch)

    def take_changes(self) -> tuple[list[Level], list[Level]]:
        """Changed bids and asks since the last call, the nearest to the touch first."""
        self.first_change = None
        return self.bids.take_changes(), self.asks.take_changes()

    def take_touches(self) -> list[Touch]:
        """Each state of the touch since the last call; the exchange tells of every one."""
        touches, self._touches = self._touches, []
        return touches
