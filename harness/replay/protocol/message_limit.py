"""How many messages a client may send in a second.

Source: Binance, web-socket-streams.md: 5 a second (10 on USD-M), pings, pongs and requests together.
"""

from __future__ import annotations

from collections import deque

from harness.units import NS_PER_S


class MessageLimit:
    """The messages of the last second; `per_second` 0 allows any number."""

    def __init__(self, per_second: int) -> None:
        self._times_ns: deque[int] = deque(maxlen=per_second)

    def exceeded(self, now_ns: int) -> bool:
        """Count a message; whether it is one too many within a second."""
        times = self._times_ns
        too_many = bool(times) and len(times) == times.maxlen and now_ns - times[0] < NS_PER_S
        times.append(now_ns)
        return too_many
