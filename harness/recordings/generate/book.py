"""A symbol's order book in whole ticks and lots, which remembers what changed since the last depth event."""

from __future__ import annotations

from bisect import bisect_left
from typing import Literal, NamedTuple

BID: Literal[1] = 1
ASK: Literal[-1] = -1
Sign = Literal[1, -1]


class Level(NamedTuple):
    """A price level; 0 lots in a change means that it is gone."""

    tick: int
    lots: int


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

    def put(self, tick: int, lots: int) -> None:
        """Set a level, or with 0 lots take it away."""
        key = self.sign * tick
        if lots <= 0:
            if self._lots.pop(key, None) is not None:
                del self._keys[bisect_left(self._keys, key)]
        else:
            if key not in self._lots:
                self._keys.insert(bisect_left(self._keys, key), key)
            self._lots[key] = lots
        self._changed.add(key)

    @property
    def changes(self) -> int:
        """Levels changed since `take_changes`."""
        return len(self._changed)

    def take_changes(self) -> list[Level]:
        """Changed levels, the nearest to the touch first, with what stands there now; then forget them."""
        changed = [Level(self.sign * key, self._lots.get(key, 0)) for key in sorted(self._changed, reverse=True)]
        self._changed.clear()
        return changed

    def levels(self) -> list[Level]:
        """All levels, the best first."""
        return [Level(self.sign * key, self._lots[key]) for key in reversed(self._keys)]


class Book:
    """Both sides and the update id, which every change of a level moves on by one."""

    def __init__(self, update_id: int) -> None:
        self.bids = Side(BID)
        self.asks = Side(ASK)
        self.update_id = update_id

    def side(self, sign: Sign) -> Side:
        """The bids or the asks."""
        return self.bids if sign == BID else self.asks

    @property
    def spread(self) -> int:
        """Ticks between best bid and best ask; always above 0."""
        return self.asks.best.tick - self.bids.best.tick

    @property
    def changes(self) -> int:
        """Levels changed since the last depth event."""
        return self.bids.changes + self.asks.changes

    def put(self, sign: Sign, tick: int, lots: int) -> None:
        """Set or take away a level; one that would cross the other side is not placed."""
        other = self.asks if sign == BID else self.bids
        if tick <= 0 or (lots > 0 and len(other) and sign * tick >= sign * other.best.tick):
            return
        self.update_id += 1
        self.side(sign).put(tick, lots)
