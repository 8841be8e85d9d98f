"""Update ids of books: on spot each symbol counts its own changes, on USD-M one count runs for all and leaps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from harness.recordings.generate.dice import Dice
    from harness.recordings.generate.schedule import Schedule

#: USD-M: what all symbols of the exchange use up. An event of 100 ms covers 1,700 to 2,700 ids in the middle.
_PER_MS: Final = 19


class UpdateIds(Protocol):
    """Where one symbol's book gets its ids from; they only grow."""

    def change(self) -> int:
        """The id of a level's change."""

    def event(self, first: int) -> int:
        """The last id that a depth event or a snapshot of this moment covers; `first` is the event's first."""

    def first_after(self, last: int) -> int:
        """The first id that the next depth event may cover, after one that ended with `last`."""


class OwnIds:
    """Spot: 1 for each change, without a hole; an event begins where the one before ended."""

    def __init__(self, start: int) -> None:
        self._last = start

    def change(self) -> int:
        """The next id."""
        self._last += 1
        return self._last

    def event(self, first: int) -> int:
        """The last change's id."""
        del first
        return self._last

    def first_after(self, last: int) -> int:
        """The next whole number."""
        return last + 1


class SharedIds:
    """USD-M: one count for all symbols, most of which a recording does not hold, so ids follow the clock."""

    def __init__(self, schedule: Schedule, dice: Dice, start: int) -> None:
        self._schedule = schedule
        self._dice = dice
        self._start = start
        self._last = start

    def change(self) -> int:
        """An id that no other symbol has."""
        self._last = max(self._last + 1, self._start + self._schedule.now_us * _PER_MS // 1000)
        return self._last

    def event(self, first: int) -> int:
        """A new id, beyond `first`: the exchange was busy with others meanwhile.

        So a snapshot lies within the next event, as the rule of joining asks: U <= lastUpdateId <= u.
        """
        self._last = max(self._last, first)
        return self.change()

    def first_after(self, last: int) -> int:
        """Some ids later: those between were others'."""
        return last + 1 + min(self._dice.spread(60, 1.0), 1_000)
