"""Chance whose bits are the same on every platform and Python version.

Only `random.Random(seed).random()` is drawn from (its stream is promised to stay), and only IEEE additions and
multiplications follow: no function of the C library, whose last bit differs between systems.
"""

from __future__ import annotations

import random
from typing import Final

_LN2: Final = 0.6931471805599453
_INVERSE_LN2: Final = 1.4426950408889634
#: 1/n!, from the highest power down, for Horner's rule; exact to a few units in the last place on |r| <= ln2/2.
_TAYLOR: Final = (
    1 / 39916800, 1 / 3628800, 1 / 362880, 1 / 40320, 1 / 5040, 1 / 720, 1 / 120, 1 / 24, 1 / 6, 1 / 2, 1.0, 1.0,
)  # fmt: skip
#: The square root of 2 scales six uniforms (variance 1/12 each) to variance 1.
_ROOT2: Final = 1.4142135623730951


def exponential(x: float) -> float:
    """The exponential function, with the same bits everywhere; relative error below 1e-13 for |x| up to 100."""
    scaled = x * _INVERSE_LN2
    power = int(scaled + 0.5) if scaled >= 0 else -int(0.5 - scaled)
    rest = x - power * _LN2
    value = 0.0
    for term in _TAYLOR:
        value = value * rest + term
    return value * (1 << power) if power >= 0 else value / (1 << -power)


def logarithm(x: float) -> float:
    """The natural logarithm of a number above 0, with the same bits everywhere; absolute error below 1e-13."""
    power = 0
    while x > 1.5:
        x /= 2
        power += 1
    while x < 0.75:
        x *= 2
        power -= 1
    # ln x = 2 artanh((x - 1) / (x + 1)); the argument is at most 0.2, so thirteen terms are enough.
    argument = (x - 1) / (x + 1)
    square = argument * argument
    value = 0.0
    for odd in range(25, 0, -2):
        value = value * square + 1 / odd
    return power * _LN2 + 2 * argument * value


def power_of(base: float, exponent: float) -> float:
    """`base` to the power of `exponent`, with the same bits everywhere; `base` is above 0."""
    return exponential(exponent * logarithm(base))


class Dice:
    """A seeded stream of draws."""

    def __init__(self, seed: int) -> None:
        self._draw = random.Random(seed).random

    def below(self, bound: int) -> int:
        """A whole number from 0 to `bound` - 1."""
        return int(self._draw() * bound)

    def chance(self, per_mille: int) -> bool:
        """True in `per_mille` of 1,000 cases."""
        return self._draw() * 1000 < per_mille

    def normal(self) -> float:
        """About a standard normal draw: the sum of six uniforms (Irwin-Hall), so within 4.25 deviations."""
        draw = self._draw
        total = draw() + draw() + draw() + draw() + draw() + draw() - 3.0
        return total * _ROOT2

    def spread(self, median: float, deviation: float) -> int:
        """A log-normal draw, rounded down: `median` times e to the power of `deviation` standard normals."""
        return int(median * exponential(deviation * self.normal()))

    def log_normal(self, mean: float, deviation: float) -> int:
        """A log-normal draw, rounded down, by the mean and the deviation of its logarithm."""
        return int(exponential(mean + deviation * self.normal()))
