"""The request weights and order counts that the WebSocket API tells with every answer; counted, never enforced.

Source: Binance, web-socket-api.md of 2026, "Rate limits": each interval begins at a round time of day, and the counts
are of all connections of an address.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from harness.recordings.format import Market

_WEIGHT_LIMITS: Final[dict[Market, int]] = {"spot": 6_000, "usdm": 2_400}


@dataclass(slots=True)
class _Interval:
    kind: Literal["REQUEST_WEIGHT", "ORDERS"]
    unit: str
    number: int
    length_ms: int
    limit: int
    began: int = 0
    count: int = 0

    def add(self, amount: int, wall_ms: int) -> dict[str, object]:
        interval = wall_ms // self.length_ms
        if interval != self.began:
            self.began, self.count = interval, 0
        self.count += amount
        return {
            "rateLimitType": self.kind,
            "interval": self.unit,
            "intervalNum": self.number,
            "limit": self.limit,
            "count": self.count,
        }


class Weights:
    """What all connections used of the limits in the present intervals; not for several threads at once."""

    def __init__(self, market: Market = "spot") -> None:
        self._weight = _Interval("REQUEST_WEIGHT", "MINUTE", 1, 60_000, _WEIGHT_LIMITS[market])
        self._orders = (
            _Interval("ORDERS", "SECOND", 10, 10_000, 100),
            _Interval("ORDERS", "DAY", 1, 86_400_000, 200_000),
        )

    def add(self, weight: int, wall_ms: int, *, orders: int = 0) -> list[dict[str, object]]:
        """Count a request, and return the limits that it touches as the answer tells them."""
        touched = [limit.add(orders, wall_ms) for limit in self._orders] if orders else []
        return [*touched, self._weight.add(weight, wall_ms)]
