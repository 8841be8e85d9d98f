"""The corner of a grid that stands for it, chosen before anything was measured."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from harness.results.model import Labels

#: What a deployed bot looks like: a pooled connection, an index, some months of trades, a database one hop away.
CONNECTION = "pooled"
INDEX = "yes"
ROWS = 100_000
ROUND_TRIP_MS = 1.0

GRID = ("rows", "index", "connection", "round_trip_ms")


def main_corner(corners: Iterable[Labels]) -> Labels | None:
    """The measured corner nearest to pooled, indexed, 100,000 rows, 1 ms; None when there is none.

    A fixed rule, so that no result can choose the corner that flatters it.
    """
    return min(corners, key=_distance, default=None)


def _distance(labels: Labels) -> tuple[bool, bool, float, float]:
    return (
        labels.get("connection", CONNECTION) != CONNECTION,
        labels.get("index", INDEX) != INDEX,
        abs(math.log(max(_number(labels.get("rows"), ROWS), 1) / ROWS)),
        abs(_number(labels.get("round_trip_ms"), ROUND_TRIP_MS) - ROUND_TRIP_MS),
    )


def _number(text: str | None, otherwise: float) -> float:
    try:
        value = float(text) if text is not None else otherwise
    except ValueError:
        return otherwise
    return value if math.isfinite(value) else otherwise


def by_number(text: str) -> tuple[float, str]:
    """A sort key: numbers by value, then words by letter."""
    return _number(text, math.inf), text
