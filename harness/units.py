"""Units as types, so that a nanosecond cannot be taken for a millisecond unseen."""

from __future__ import annotations

from typing import NewType

Nanoseconds = NewType("Nanoseconds", int)
Milliseconds = NewType("Milliseconds", int)
Seconds = NewType("Seconds", float)

NS_PER_US = 1_000
NS_PER_MS = 1_000_000
NS_PER_S = 1_000_000_000
US_PER_S = 1_000_000
MS_PER_S = 1_000


def seconds(value: float) -> Nanoseconds:
    """Nanoseconds in `value` seconds, rounded to the nearest."""
    return Nanoseconds(round(value * NS_PER_S))


def milliseconds(value: float) -> Nanoseconds:
    """Nanoseconds in `value` milliseconds, rounded to the nearest."""
    return Nanoseconds(round(value * NS_PER_MS))
