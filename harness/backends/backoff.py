"""How long to wait before the next try."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class Backoff:
    """Pauses that double from `first_s` to `ceiling_s`, each shortened by chance to no less than its half.

    "Equal jitter" of the AWS Architecture Blog, "Exponential Backoff And Jitter" (2015): clients that lost one server
    together do not come back together. `chance` gives numbers from 0 to 1.
    """

    def __init__(self, first_s: float, ceiling_s: float, *, chance: Callable[[], float] = random.random) -> None:
        self.first_s = first_s
        self.ceiling_s = ceiling_s
        self._chance = chance
        self._span_s = first_s

    def next_s(self) -> float:
        """The next pause, in seconds."""
        span = min(self._span_s, self.ceiling_s)
        self._span_s = span * 2
        return span * (1 + self._chance()) / 2

    def reset(self) -> None:
        """Begin again with the first."""
        self._span_s = self.first_s
