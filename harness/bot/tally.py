"""Counts by name, of names that others choose: bounded, whatever they send."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

#: Binance has fewer events, states and reasons of any one sort; what comes beyond is counted together.
MOST_NAMES = 64
_LONGEST = 64
OTHER = "other"


class Tally:
    """How often each name was met."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()

    def add(self, name: str) -> bool:
        """Count one; true when its name was not met before (and is among those kept)."""
        kept = name[:_LONGEST] if name and name.isprintable() else OTHER
        if kept in self._counts:
            self._counts[kept] += 1
            return False
        if len(self._counts) >= MOST_NAMES:
            kept = OTHER
        self._counts[kept] += 1
        return self._counts[kept] == 1

    def total(self) -> int:
        """Of all names."""
        return self._counts.total()

    @property
    def counts(self) -> Mapping[str, int]:
        """By name, in the order in which they were first met."""
        return dict(self._counts)
