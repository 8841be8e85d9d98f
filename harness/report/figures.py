"""Pictures as SVG text: the same data gives the same bytes, and colours follow the page's theme."""

from __future__ import annotations

import io
import math
import re
import warnings
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
from matplotlib.figure import Figure
from matplotlib.ticker import FixedFormatter, FixedLocator, FuncFormatter, LogLocator, MaxNLocator, NullLocator

from harness.report import numbers
from harness.report.context import Ratios

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from matplotlib.axes import Axes

    from harness.report.context import Bar, Item, Line, Percentiles, Picture
    from harness.stats.estimate import Estimate

# Stand-ins that no chart uses otherwise; they become the page's own colours.
_INK, _ACCENT, _MUTED, _GRID, _PAPER = "#010101", "#020202", "#030303", "#040404", "#050505"
_THEMED = {
    _INK: "var(--ink)",
    _ACCENT: "var(--accent)",
    _MUTED: "var(--muted)",
    _GRID: "var(--rule)",
    _PAPER: "var(--paper)",
}

#: Typed loosely: each release of matplotlib knows other keys.
_STYLE: Any = {
    "axes.edgecolor": _GRID,
    "axes.facecolor": "none",
    "axes.labelcolor": _MUTED,
    "axes.linewidth": 0.8,
    "axes.spines.left": False,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "figure.facecolor": "none",
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 9.5,
    "grid.color": _GRID,
    "grid.linewidth": 0.8,
    "svg.fonttype": "none",
    "svg.hashsalt": "tickproof",
    "text.color": _INK,
    "text.parse_math": False,
    "xtick.color": _GRID,
    "xtick.labelcolor": _MUTED,
    "ytick.color": _GRID,
    "ytick.labelcolor": _INK,
}

WIDE_INCHES = 9.4
NARROW_INCHES = 4.3
_LONGEST_LABEL = 40
_LETTER_POINTS = 12.0

_METADATA = re.compile(r"\s*<metadata>.*?</metadata>", re.DOTALL)
#: The family is the page's: matplotlib writes it as a property of its own, or, in its earlier releases, in `font`.
_FAMILY = re.compile(r"(?P<before>style=\"[^\"]*?)font-family: [^;\"]*;? ?")
_FONT = re.compile(r"(?P<before>style=\"[^\"]*?)font: (?P<size>[\d.]+px) [^;\"]*")
_IDENTIFIED = re.compile(r"(?P<before>\bid=\"|xlink:href=\"#|url\(#)(?P<id>[^\")]+)")
_UNPRINTABLE = re.compile(r"[^\x20-\x7e\xa0-\u024f\u2010-\u2027]")


def svg(picture: Picture, *, is_narrow: bool = False) -> str:
    """The picture as one `<svg>` element, for a wide page or a telephone."""
    width = NARROW_INCHES if is_narrow else WIDE_INCHES
    prefix = f"{picture.id}-{'narrow' if is_narrow else 'wide'}"
    with mpl.rc_context(_STYLE), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph")  # a name in letters that the measuring font lacks
        chart = picture.chart
        if isinstance(chart, Ratios):
            figure = _ratios(chart, width, is_narrow=is_narrow)
        else:
            figure = _percentiles(chart, width, is_narrow=is_narrow)
        drawn = io.StringIO()
        figure.savefig(drawn, format="svg", metadata={"Date": None, "Creator": None})
    return _themed(drawn.getvalue(), picture, prefix)


def _ratios(chart: Ratios, width: float, *, is_narrow: bool) -> Figure:
    rows = len(chart.bars)
    height = 0.34 * rows + 0.95
    figure = Figure(figsize=(width, height * 2 if is_narrow else height), layout="constrained")
    shape: tuple[int, int] = (2, 1) if is_narrow else (1, 2)
    axes = figure.subplots(*shape, sharey=not is_narrow)
    left, right = axes[0], axes[1]
    _dots(left, chart.bars, [bar.ratio for bar in chart.bars], numbers.ratio)
    left.axvline(1, color=_INK, linewidth=1, zorder=1)
    left.set_xlabel(chart.ratio_title)
    _dots(right, chart.bars, [bar.level for bar in chart.bars], numbers.level)
    right.set_xlabel(chart.level_title)
    right.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    if not is_narrow:
        right.tick_params(axis="y", labelleft=False)
    return figure


def _dots(
    axes: Axes, bars: Sequence[Bar], estimates: Sequence[Estimate | None], write: Callable[[Estimate], Item]
) -> None:
    for row, (bar, estimate) in enumerate(zip(bars, estimates, strict=True)):
        if estimate is None or not estimate.is_known or not math.isfinite(estimate.high):
            continue
        color = _ACCENT if bar.stands_out else _MUTED
        axes.plot([estimate.low, estimate.high], [row, row], color=color, linewidth=2.4, solid_capstyle="butt")
        axes.plot([estimate.point], [row], "o", color=color, markersize=6, markeredgecolor=_PAPER, markeredgewidth=0.8)
        text = numbers.in_line(write(estimate)).partition(" [")[0]
        axes.annotate(text, (estimate.high, row), (7, 0), textcoords="offset points", va="center", size=8.5)
    axes.set_yticks(range(len(bars)), [clean(bar.label) for bar in bars])
    axes.set_ylim(len(bars) - 0.4, -0.6)
    axes.tick_params(length=0)
    axes.margins(x=0.16)
    axes.xaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 2.5, 5, 10]))
    axes.grid(visible=True, axis="x")
    axes.set_axisbelow(True)


def _percentiles(chart: Percentiles, width: float, *, is_narrow: bool) -> Figure:
    figure = Figure(figsize=(width, 3.9 if is_narrow else 3.6), layout="constrained")
    axes = figure.subplots()
    for index, line in enumerate(chart.lines):
        _line(axes, line, index)
    axes.set_xscale("log")
    axes.set_yscale("log")
    most = max((1 / (1 - q) for line in chart.lines for q, _ in line.points), default=10.0)
    ticks = [(2, "50 %"), (4, "75 %"), (10, "90 %"), (100, "99 %"), (1_000, "99.9 %"), (10_000, "99.99 %")]
    shown = [(place, name) for place, name in ticks if place <= most * 1.01]
    axes.xaxis.set_major_locator(FixedLocator([place for place, _ in shown]))
    axes.xaxis.set_major_formatter(FixedFormatter([name for _, name in shown]))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 3.0, 5.0)))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.4g}"))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.set_xlabel("percentile of frames")
    axes.set_title(chart.level_title, loc="left", fontsize=9.5, color=_MUTED)
    axes.set_xlim(1.85, most * (1.1 if is_narrow else 2.0))
    axes.grid(visible=True, axis="y")
    axes.tick_params(length=0)
    axes.tick_params(axis="y", labelcolor=_MUTED)
    if is_narrow:
        axes.legend(frameon=False, loc="upper left", fontsize=8.5)
    else:
        _name_lines(axes, chart.lines, 3.0 * 72)
    return figure


def _line(axes: Axes, line: Line, index: int) -> None:
    color, dashes, marker = ((_MUTED, "-", "o"), (_ACCENT, "-", "s"), (_ACCENT, (0, (4, 2)), "D"))[index % 3]
    across = [1 / (1 - q) for q, _ in line.points]
    up = [estimate.point for _, estimate in line.points]
    low = [estimate.low for _, estimate in line.points]
    high = [estimate.high for _, estimate in line.points]
    axes.fill_between(across, low, high, color=color, alpha=0.13, linewidth=0)
    label = clean(line.label)
    axes.plot(across, up, color=color, linestyle=dashes, linewidth=1.8, marker=marker, markersize=4, label=label)


def _name_lines(axes: Axes, lines: Sequence[Line], height_points: float) -> None:
    """Each line's name at its end, moved up where two ends lie closer than the letters are high."""
    bottom, top = (math.log(limit) for limit in axes.get_ylim())
    above = -math.inf
    for line in sorted(lines, key=lambda line: line.points[-1][1].point):
        q, estimate = line.points[-1]
        place = (math.log(estimate.point) - bottom) / (top - bottom) * height_points
        above = max(place, above + _LETTER_POINTS)
        axes.annotate(
            clean(line.label),
            (1 / (1 - q), estimate.point),
            (9, above - place),
            textcoords="offset points",
            va="center",
            size=9,
        )


def clean(label: str) -> str:
    """A label that a chart can hold: short, on one line, without letters that would break its layout."""
    label = _UNPRINTABLE.sub("?", label)
    return label if len(label) <= _LONGEST_LABEL else label[: _LONGEST_LABEL - 1] + "\u2026"


def _themed(text: str, picture: Picture, prefix: str) -> str:
    """Matplotlib's file as an element of the page: themed, described, its ids its own."""
    text = _METADATA.sub("", text[text.index("<svg") :]).strip()
    for stand_in, color in _THEMED.items():
        text = text.replace(stand_in, color)
    text = _FONT.sub(r"\g<before>font-size: \g<size>", _FAMILY.sub(r"\g<before>", text))
    text = _IDENTIFIED.sub(rf"\g<before>{prefix}-\g<id>", text)
    head, _, body = text.partition(">")
    box = re.search(r'viewBox="([^"]+)"', head)
    described = f'role="img" aria-labelledby="{prefix}-title {prefix}-about"'
    named = f'<title id="{prefix}-title">{_escaped(picture.title)}</title>'
    about = f'<desc id="{prefix}-about">{_escaped(picture.description)}</desc>'
    place = box[1] if box else "0 0 100 100"
    opening = f'<svg xmlns:xlink="http://www.w3.org/1999/xlink" viewBox="{place}" {described}>'
    return f"{opening}{named}{about}{body}"


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
