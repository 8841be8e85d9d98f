"""Not more often than the exchange allows."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from harness.units import NS_PER_S, seconds

if TYPE_CHECKING:
    from harness.clock import Clock


class RateLimit:
    """At most `most` turns in any `span_s` seconds, whenever the span begins; remembers as many moments, no more."""

    def __init__(self, most: int, span_s: float, clock: Clock) -> None:
        if most < 1:
            raise ValueError("a limit of no turns at all lets nothing happen")
        self._span = seconds(span_s)
        self._clock = clock
        self._turns: deque[int] = deque(maxlen=most)

    def take(self) -> float:
        """Seconds to wait before the next turn, which is then taken; 0 for none."""
        now: int = self._clock.now()
        turn = now
        if len(self._turns) == self._turns.maxlen:
            turn = max(now, self._turns[0] + self._span)
        self._turns.append(turn)
        return (turn - now) / NS_PER_S
