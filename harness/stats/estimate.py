"""A number never travels without its interval."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A point with its confidence interval, and what it rests on."""

    point: float
    low: float
    high: float
    level: float
    """Confidence, 0 to 1."""
    n: int
    """Independent values: blocks, never passes."""

    @property
    def is_known(self) -> bool:
        """False when there were too few blocks for an interval (low and high are then infinite)."""
        return self.n >= 2
