"""When to ping, and when a client has been silent for too long.

Source: Binance, web-socket-streams.md (spot: the pong must copy the payload of a ping, others do not count) and
websocket-market-streams (USD-M: unsolicited pongs keep the connection). As RFC 6455, 5.5.3 has it, a pong answers all
pings before its own as well.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final

from harness.units import NS_PER_S

if TYPE_CHECKING:
    from harness.replay.protocol.rules import Rules

#: Pings whose payload is remembered; by the documented rules three wait for their pong at most.
_MAX_WAITING: Final = 1024


class Heartbeat:
    """The pings of one connection and their pongs."""

    def __init__(self, rules: Rules, now_ns: int) -> None:
        self._every_ns = round(rules.ping_seconds * NS_PER_S)
        self._patience_ns = round(rules.pong_seconds * NS_PER_S)
        self._any_pong_counts = rules.any_pong_counts
        self._due_ns = now_ns + self._every_ns
        self._waiting: deque[tuple[bytes, int]] = deque(maxlen=_MAX_WAITING)
        self._unanswered_ns: int | None = None

    def is_due(self, now_ns: int) -> bool:
        """Whether it is time for a ping."""
        return now_ns >= self._due_ns

    def pinged(self, payload: bytes, now_ns: int) -> None:
        """Take note of a ping that is sent. The next is due an interval after this one was."""
        self._due_ns += self._every_ns
        if self._due_ns <= now_ns:
            self._due_ns = now_ns + self._every_ns
        self._waiting.append((payload, now_ns))
        if self._unanswered_ns is None:
            self._unanswered_ns = now_ns

    def ponged(self, payload: bytes) -> None:
        """Take note of a pong that came."""
        if self._any_pong_counts:
            self._waiting.clear()
            self._unanswered_ns = None
        elif any(payload == waiting for waiting, _ in self._waiting):
            while self._waiting.popleft()[0] != payload:
                pass
            self._unanswered_ns = self._waiting[0][1] if self._waiting else None

    def is_over(self, now_ns: int) -> bool:
        """Whether a ping has waited too long for its pong."""
        return self._unanswered_ns is not None and now_ns - self._unanswered_ns >= self._patience_ns
