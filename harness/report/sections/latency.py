"""Latency under a paced feed: the percentiles of each block, with intervals over blocks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hdrh.histogram import HdrHistogram

from harness.report import numbers
from harness.report.context import (
    Column,
    Item,
    Line,
    Paragraph,
    Part,
    Percentiles,
    Picture,
    Section,
    Table,
    Text,
)
from harness.report.evidence import AFTER, AFTER_REDIS, BEFORE, HEADS, PACED
from harness.report.sections.stacks import missing
from harness.results.metrics import METRICS
from harness.results.table import Cell
from harness.stats import paired
from harness.stats.quantiles import samples_wanted
from harness.units import NS_PER_US

if TYPE_CHECKING:
    from harness.report.evidence import Evidence
    from harness.stats.estimate import Estimate

_METRICS = ("latency_p50_us", "latency_p90_us", "latency_p99_us", "cpu_percent")
_CURVE = (0.5, 0.75, 0.9, 0.95, 0.99, 0.995, 0.999, 0.9999, 0.99999)
_TABLED = (0.5, 0.75, 0.9, 0.95, 0.99, 0.999, 0.9999)


def latency(evidence: Evidence) -> Section:
    """The three columns' percentiles: measured, pictured, and in a table."""
    title = "Latency"
    scenario = evidence.scenario(PACED)
    if scenario is None:
        return Section(id="latency", title=title, parts=(missing(PACED),))
    lead = Paragraph(
        text="From the scheduled send of a frame to the decision, for every frame. A percentile that a block holds "
        "too few frames for is left out."
    )
    return Section(id="latency", title=title, parts=(lead, _compared(evidence), *_curve(evidence)))


def _compared(evidence: Evidence) -> Table:
    columns = (
        Column(title="Percentile"),
        *(Column(title=head.title, is_numeric=True) for head in HEADS),
        Column(title="After to before", is_numeric=True),
        Column(title="With Redis to before", is_numeric=True),
    )
    rows = tuple(_metric_row(evidence, name) for name in _METRICS)
    return Table(
        id="latency-levels",
        caption="Latency and CPU of the three columns",
        columns=columns,
        rows=rows,
        note="A ratio above 1 is better: lower latency, less CPU.",
    )


def _metric_row(evidence: Evidence, name: str) -> tuple[Item, ...]:
    cell, metric = Cell.of(PACED, name), METRICS[name]
    return (
        Text(text=metric.title, note=metric.unit),
        *(evidence.level(cell, head.stack) for head in HEADS),
        *(evidence.ratio((cell, arm), (cell, BEFORE)) for arm in (AFTER, AFTER_REDIS)),
    )


def _curve(evidence: Evidence) -> tuple[Part, ...]:
    histograms = {head.stack: _histograms(evidence, head.stack) for head in HEADS}
    lines = tuple(
        Line(label=head.title, points=_points(histograms[head.stack]))
        for head in HEADS
        if not evidence.differs(PACED, head.stack)
    )
    lines = tuple(line for line in lines if line.points)
    if not lines:
        return (Paragraph(text="No histogram of two blocks or more: no percentile curve.", is_warning=True),)
    picture = Picture(
        id="percentiles",
        title="Latency by percentile",
        description="A line for each column; the further right, the rarer the frame. The table below holds the values.",
        chart=Percentiles(lines=lines, level_title="latency, µs"),
    )
    return picture, _curve_table(lines)


def _curve_table(lines: tuple[Line, ...]) -> Table:
    rows = []
    for q in _TABLED:
        found = [dict(line.points).get(q) for line in lines]
        if any(found):
            rows.append((Text(text=percentile(q)), *(numbers.level(estimate) for estimate in found)))
    columns = (Column(title="Percentile"), *(Column(title=line.label, unit="µs", is_numeric=True) for line in lines))
    return Table(
        id="percentile-levels", caption="Percentiles over all frames of a block", columns=columns, rows=tuple(rows)
    )


def percentile(q: float) -> str:
    """`99.9 %` for 0.999."""
    return f"{q * 100:.5g} %"


def _histograms(evidence: Evidence, arm: str) -> list[HdrHistogram]:
    found = []
    for trial in evidence.result.trials:
        if trial.scenario == PACED and trial.arm == arm and trial.status == "ok" and "latency" in trial.histograms:
            histogram = _decoded(trial.histograms["latency"])
            if histogram is not None:
                found.append(histogram)
    return found


def _decoded(text: str) -> HdrHistogram | None:
    try:
        return HdrHistogram.decode(text)
    except Exception:  # noqa: BLE001 - a damaged histogram raises whatever zlib, base64 or ctypes raise
        return None


def _points(histograms: list[HdrHistogram]) -> tuple[tuple[float, Estimate], ...]:
    """Each percentile that every block has frames enough for; blocks are never pooled."""
    if len(histograms) < 2:
        return ()
    fewest = min(histogram.get_total_count() for histogram in histograms)
    wanted = [q for q in _CURVE if fewest >= samples_wanted(q)]
    at = [histogram.get_percentile_to_value_dict([q * 100 for q in wanted]) for histogram in histograms]
    blocks = {q: [values[q * 100] / NS_PER_US for values in at] for q in wanted}
    return tuple((q, paired.level_of(values)) for q, values in blocks.items() if min(values) > 0)
