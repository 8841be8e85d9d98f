"""Time is passed in: a real monotonic clock, and one that a test advances."""

from __future__ import annotations

import time
from typing import Protocol

from harness.units import Nanoseconds


class Clock(Protocol):
    """A monotonic clock; only differences mean anything."""

    def now(self) -> Nanoseconds:
        """Nanoseconds since an arbitrary start."""
        ...


class MonotonicClock:
    """The system's monotonic clock, shared by all processes of one boot (Linux CLOCK_MONOTONIC)."""

    def now(self) -> Nanoseconds:
        """Nanoseconds since the boot of the machine."""
        return Nanoseconds(time.monotonic_ns())


class ManualClock:
    """A clock that stands until a test advances it."""

    def __init__(self, start: Nanoseconds = Nanoseconds(0)) -> None:  # noqa: B008 - an int by another name
        self._now = start

    def now(self) -> Nanoseconds:
        """Nanoseconds advanced so far."""
        return self._now

    def advance(self, by: Nanoseconds) -> None:
        """Move on; raises ValueError when asked to go back."""
        if by < 0:
            raise ValueError("a monotonic clock does not go back")
        self._now = Nanoseconds(self._now + by)
