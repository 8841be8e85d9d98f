"""Trials as the statistics want them: one robust value a block, by arm."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING, NamedTuple

from harness.results.metrics import METRICS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.results.model import Labels, Measurement, Result, Trial


class Cell(NamedTuple):
    """One kind of number: a metric of a scenario under one set of labels."""

    scenario: str
    metric: str
    labels: tuple[tuple[str, str], ...]
    """Sorted pairs."""

    @classmethod
    def of(cls, scenario: str, metric: str, labels: Labels | None = None) -> Cell:
        """The cell of these labels, in any order."""
        return cls(scenario, metric, tuple(sorted((labels or {}).items())))


Blocks = dict[int, float]
Passes = dict[int, list[float]]


class Table:
    """All measurements of the trials that are good, by cell, arm and block."""

    def __init__(self, result: Result) -> None:
        self._passes: dict[Cell, dict[str, Passes]] = {}
        for trial, measurement in _good_measurements(result):
            cell = Cell.of(trial.scenario, measurement.metric, {**trial.cell, **measurement.labels})
            self._passes.setdefault(cell, {}).setdefault(trial.arm, {})[trial.block] = measurement.values

    def cells(self, scenario: str | None = None, metric: str | None = None) -> list[Cell]:
        """The cells that were measured, sorted, optionally of one scenario and metric only."""
        return sorted(
            cell for cell in self._passes if scenario in (None, cell.scenario) and metric in (None, cell.metric)
        )

    def arms(self, cell: Cell) -> list[str]:
        """The arms that measured this cell, in the order of their first trial."""
        return list(self._passes.get(cell, {}))

    def passes(self, cell: Cell, arm: str) -> Passes:
        """The values of every pass, by block; empty when that arm did not measure the cell."""
        return self._passes.get(cell, {}).get(arm, {})

    def blocks(self, cell: Cell, arm: str) -> Blocks:
        """One robust value a block: the median or the minimum of its passes, as the metric says."""
        robust = min if METRICS[cell.metric].robust == "minimum" else statistics.median
        return {block: float(robust(values)) for block, values in self.passes(cell, arm).items() if values}

    def paired(self, over: tuple[Cell, str], under: tuple[Cell, str]) -> tuple[list[float], list[float]]:
        """Block values of two (cell, arm), in the order of the blocks that both have."""
        above, below = self.blocks(*over), self.blocks(*under)
        common = sorted(above.keys() & below.keys())
        return [above[block] for block in common], [below[block] for block in common]


def _good_measurements(result: Result) -> Iterator[tuple[Trial, Measurement]]:
    for trial in result.trials:
        if trial.status == "ok":
            for measurement in trial.measurements:
                yield trial, measurement
