"""Estimates out of a table, oriented so that more than 1 is better whatever the metric."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.results.metrics import METRICS
from harness.stats import paired

if TYPE_CHECKING:
    from harness.results.table import Cell, Table
    from harness.stats.estimate import Estimate


def improvement(
    table: Table, over: tuple[Cell, str], under: tuple[Cell, str], *, level: float = paired.LEVEL
) -> Estimate | None:
    """How many times better (cell, arm) is than (cell, reference), by block; None when no block has both.

    None, too, when a value is not positive: there is no ratio then. Raises ValueError for two different metrics.
    """
    metric = METRICS[over[0].metric]
    if under[0].metric != metric.name:
        raise ValueError(f"{metric.name} cannot be compared with {under[0].metric}")
    arm, reference = table.paired(over, under)
    if not arm or min(*arm, *reference) <= 0:
        return None
    above, below = (arm, reference) if metric.better == "higher" else (reference, arm)
    return paired.ratio(above, below, level=level)


def level(table: Table, cell: Cell, arm: str) -> Estimate | None:
    """The level of an arm in the metric's unit, on this host; None when it was not measured or is not positive."""
    values = list(table.blocks(cell, arm).values())
    return paired.level_of(values) if values and min(values) > 0 else None
