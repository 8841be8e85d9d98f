"""What drives prices and activity: regimes that trend, revert or wander, and a market that is calm, busy or rushing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from harness.recordings.generate.dice import Dice

#: Steps of the climate and of fair values.
STEP_US: Final = 100_000
#: How much of a symbol's movement is the market's: shares of variance 0.3 and 0.7.
_COMMON: Final = 0.5477225575051661
_OWN: Final = 0.8366600265340756
#: Medians of how long the market stays calm, busy, rushing (steps), and activity then, in thousandths.
_MOODS: Final = ((70, 800), (30, 1_500), (6, 4_000))
#: Of ten moves, how many lead where from each mood.
_NEXT_MOOD: Final = ((1, 1, 1, 1, 1, 1, 1, 2, 2, 2), (0, 0, 0, 0, 0, 0, 2, 2, 0, 0), (0, 0, 0, 1, 1, 1, 1, 1, 1, 0))

_RUSHING: Final = 2
#: Beside those with which a rush begins, one in ten seconds.
_SHOCKS_PER_MILLE: Final = 10


class Climate:
    """The market as a whole: one common movement a step, and how busy all symbols are."""

    def __init__(self, dice: Dice) -> None:
        self._dice = dice
        self._mood = 0
        self._steps_left = 50
        self._drift = Drift(dice)
        self.common = 0.0
        """The market's movement in this step, in standard deviations."""
        self.shock = False
        """Whether this step brings news that set off most symbols at once."""

    @property
    def activity(self) -> int:
        """In thousandths of the calm rate."""
        return _MOODS[self._mood][1]

    def step(self) -> None:
        """Another 100 ms."""
        self._steps_left -= 1
        rushes = False
        if self._steps_left <= 0:
            self._mood = _NEXT_MOOD[self._mood][self._dice.below(10)]
            rushes = self._mood == _RUSHING
            self._steps_left = 1 + self._dice.spread(_MOODS[self._mood][0], 0.8)
        self.shock = rushes or self._dice.chance(_SHOCKS_PER_MILLE)
        self.common = self._drift.step() * (0.8 + self.activity / 5_000)


class Drift:
    """A walk in standard deviations a step, whose regime changes: it wanders, trends, or is drawn back.

    The drift of a trend is 5 to 20 % of a step's deviation, so that it is hard to tell from chance while it lasts.
    """

    def __init__(self, dice: Dice) -> None:
        self._dice = dice
        self._steps_left = 0
        self._trend = 0.0
        self._pull = 0.0
        self._away = 0.0
        self._loudness = 1.0

    def step(self) -> float:
        """The movement of another 100 ms."""
        if self._steps_left <= 0:
            self._turn()
        self._steps_left -= 1
        move = self._loudness * self._dice.normal() + self._trend - self._pull * self._away
        self._away += move
        return move

    def _turn(self) -> None:
        kind = self._dice.below(10)
        self._steps_left = 10 + self._dice.spread(90, 0.8)
        self._trend = self._pull = self._away = 0.0
        self._loudness = 0.6 + self._dice.below(100) / 100
        if kind < 4:
            size = (5 + self._dice.below(16)) / 100
            self._trend = size if self._dice.chance(500) else -size
        elif kind < 7:
            self._pull = (2 + self._dice.below(7)) / 100


class FairValue:
    """What a symbol is worth, in thousandths of a tick."""

    def __init__(self, dice: Dice, *, tick: int, volatility_bps: float) -> None:
        self._drift = Drift(dice)
        # A step is a tenth of a second, and deviations grow with the root of time.
        self._deviation = tick * 1000 * volatility_bps / 10_000 * 0.31622776601683794
        self.milliticks = tick * 1000
        self._floor = tick * 100

    @property
    def tick(self) -> int:
        """In whole ticks, rounded down."""
        return self.milliticks // 1000

    def step(self, common: float) -> None:
        """Another 100 ms, in which the whole market moved by `common` deviations."""
        self.push(int(self._deviation * (_COMMON * common + _OWN * self._drift.step())))

    def push(self, milliticks: int) -> None:
        """What a trade tells the others; a price never falls below a tenth of where it began."""
        self.milliticks = max(self._floor, self.milliticks + milliticks)
