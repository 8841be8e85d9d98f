"""How numbers are written: sensible digits, and the interval always beside the point."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from harness.report.context import Absent, Item, Number

if TYPE_CHECKING:
    from harness.stats.estimate import Estimate

TOO_SMALL = "n too small"
NOT_MEASURED = "not measured"

_MOST_DIGITS = 5


def ratio(estimate: Estimate | None, *, note: str = "") -> Item:
    """`1.31x [1.27, 1.35]`; what is missing says why."""
    if estimate is None or not estimate.is_known:
        return _absent(estimate)
    decimals = 2 if estimate.point < 10 else 1 if estimate.point < 100 else 0
    low, high = (f"{value:,.{decimals}f}" for value in (estimate.low, estimate.high))
    return Number(estimate=estimate, text=f"{estimate.point:,.{decimals}f}x", interval=f"[{low}, {high}]", note=note)


def reduction(estimate: Estimate | None, *, note: str = "") -> Item:
    """An improvement as what it takes away: 2x is `50 %`."""
    if estimate is None or not estimate.is_known:
        return _absent(estimate)
    point, low, high = ((1 - 1 / value) * 100 for value in (estimate.point, estimate.low, estimate.high))
    decimals = 0 if high - low > 10 else 1
    interval = f"[{low:.{decimals}f}, {high:.{decimals}f}]"
    return Number(estimate=estimate, text=f"{point:.{decimals}f} %", interval=interval, note=note)


def level(estimate: Estimate | None, unit: str = "", *, note: str = "") -> Item:
    """A level with three significant digits, more where the interval is narrower than they can show."""
    if estimate is None or not estimate.is_known:
        return _absent(estimate)
    decimals = _decimals(estimate)
    point, low, high = (_rounded(value, decimals) for value in (estimate.point, estimate.low, estimate.high))
    return Number(estimate=estimate, text=f"{point} {unit}".rstrip(), interval=f"[{low}, {high}]", note=note)


def in_line(item: Item) -> str:
    """A number as one piece of text; what is absent in brackets."""
    if isinstance(item, Number):
        return f"{item.text} {item.interval}"
    if isinstance(item, Absent):
        return f"({item.reason})"
    return getattr(item, "text", "") or getattr(item, "word", "")


def count(value: int) -> str:
    """A whole number with its thousands set apart."""
    return f"{value:,}"


def _absent(estimate: Estimate | None) -> Absent:
    return Absent(reason=NOT_MEASURED if estimate is None else TOO_SMALL)


def _decimals(estimate: Estimate) -> int:
    magnitude = math.floor(math.log10(abs(estimate.point))) if estimate.point else 0
    for digits in range(3, _MOST_DIGITS + 1):
        decimals = digits - 1 - magnitude
        if _rounded(estimate.low, decimals) != _rounded(estimate.high, decimals):
            return decimals
    return 2 - magnitude


def _rounded(value: float, decimals: int) -> str:
    return f"{round(value, decimals):,.{max(decimals, 0)}f}"
