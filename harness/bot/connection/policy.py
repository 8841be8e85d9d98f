"""How a connection is kept, and what it went through."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harness.units import Nanoseconds


class Reason(StrEnum):
    """Why a connection was left for another one."""

    BROKEN = "broken"
    """Cut off, or closed with an error."""
    CLOSED = "closed"
    """Closed in order (1000, 1001), as Binance does after 24 hours."""
    SILENT = "silent"
    """Nothing came for too long: it may be half open, the peer gone without a word."""
    AGE = "age"
    """Planned, before the exchange cuts it off."""
    SHUTDOWN = "serverShutdown"
    """The exchange announced that this server ends."""
    UNANSWERED = "unanswered"
    """A request of ours got no answer."""
    REFUSED = "refused"
    """A request without which the connection is of no use."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionPolicy:
    """For a connection that is kept. The defaults are for Binance's market streams; raises ValueError for nonsense.

    Sources: BINANCE.md, section 2 (24 h, 300 attempts in 5 min an address).
    """

    after_orderly_close: Literal["end", "reconnect"] = "reconnect"
    """A replay has then ended; an exchange has not."""
    first_pause_s: float = 0.25
    """Before the next attempt; doubles with each, less up to half of it by chance, up to:"""
    longest_pause_s: float = 30.0
    stable_s: float = 10.0
    """A connection that lasted so long is followed by the first pause again, or by none when its end was planned."""
    longest_life_s: float = (23 * 60 + 50) * 60.0
    """Then it is left in order for a new one; 0 for never."""
    attempts: int = 300
    """At most so many attempts to connect in any:"""
    attempts_span_s: float = 300.0
    silent_s: float = 60.0
    """A connection that brings nothing for so long is taken to be half open; 0 for never."""
    stream_silent_s: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))
    """By kind of stream (`trade`, `bookTicker` ...): one that has spoken and is silent for so long is subscribed anew.
    Kinds that are not named may be silent, as the streams of a quiet symbol are."""
    answer_s: float = 30.0
    """A request must be answered within this."""
    check_s: float = 1.0
    """How often all that is looked at."""

    def __post_init__(self) -> None:
        positive = ("first_pause_s", "longest_pause_s", "attempts", "attempts_span_s", "answer_s", "check_s")
        for name in positive:
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} must be above 0")
        for name in ("stable_s", "longest_life_s", "silent_s"):
            if not getattr(self, name) >= 0:
                raise ValueError(f"{name} must not be below 0")
        if not all(limit >= 0 for limit in self.stream_silent_s.values()):
            raise ValueError("stream_silent_s must not be below 0")


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionStatistics:
    """A kept connection at one moment. Without a policy frames are not counted: nothing stands in their way."""

    connects: int
    """Handshakes that succeeded."""
    failed_attempts: int
    """Those that did not: nobody there, no such host, refused, too late."""
    reconnects: Mapping[str, int]
    """Connections left for another one, by Reason."""
    frames: int
    """Of all connections; answers to our own requests included."""
    silent_periods: int
    """How often the whole connection was silent."""
    resubscribed: int
    """Streams that were subscribed anew because they were silent, or because somebody asked."""
    refused_requests: int
    connected_since: Nanoseconds | None
    """On the connection's clock; None while there is none."""
    last_close: str
    """How the last connection or attempt ended, redacted; empty when none has."""
