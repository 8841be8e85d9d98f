"""What happens when: a queue of timed actions, each of which gives the frames of its moment."""

from __future__ import annotations

import heapq
from itertools import count
from typing import TYPE_CHECKING, Final

from harness.recordings.format import MARKET

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    #: Takes the unix time in milliseconds; gives (connection, body) of each frame, in order.
    Action = Callable[[int], Iterable[tuple[str, bytes]]]
    #: The same for frames of the market connection.
    MarketAction = Callable[[int], Iterable[bytes]]

_US_PER_MS: Final = 1_000


class Schedule:
    """Simulated time. Actions of one moment run in the order in which they were queued."""

    def __init__(self, start_ms: int) -> None:
        self._start_ms = start_ms
        self._numbers = count()
        self._queue: list[tuple[int, int, Action]] = []
        self.now_us = 0
        """Microseconds since the recording's start."""

    @property
    def ms(self) -> int:
        """The moment as unix time in milliseconds."""
        return self._start_ms + self.now_us // _US_PER_MS

    def at(self, time_us: int, action: Action) -> None:
        """Run an action once."""
        heapq.heappush(self._queue, (time_us, next(self._numbers), action))

    def after(self, delay_us: int, act: MarketAction) -> None:
        """Run an action of the market once, so much later."""
        self.at(self.now_us + delay_us, on_market(act))

    def every(self, period_us: int, first_us: int, action: Action) -> None:
        """Run an action again and again."""
        self.series(first_us, lambda: period_us, action)

    def series(self, first_us: int, gap_us: Callable[[], int], action: Action) -> None:
        """Run an action again and again, at gaps that are asked for each time, before the action runs."""

        def again(ms: int) -> Iterable[tuple[str, bytes]]:
            self.at(self.now_us + max(1, gap_us()), again)
            return action(ms)

        self.at(first_us, again)

    def run(self, end_us: int) -> Iterator[tuple[int, str, bytes]]:
        """Frames in the order in which the exchange sends them: microseconds since the start, connection, body."""
        while self._queue and self._queue[0][0] < end_us:
            self.now_us, _, action = heapq.heappop(self._queue)
            for connection, body in action(self.ms):
                yield self.now_us, connection, body


def on_market(act: MarketAction) -> Action:
    """An action whose frames go on the market connection."""
    return lambda ms: [(MARKET, body) for body in act(ms)]
