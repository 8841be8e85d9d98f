"""What a report says, as plain data: every form of it (HTML, Markdown, terminal, JSON) is made from this alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from harness.stats.estimate import Estimate

Shape = Literal["full", "cross", "half", "open"]
"""Verdicts are told by word and shape; colour only underlines them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """Words; `note` stands below them in smaller type."""

    text: str
    note: str = ""
    is_code: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Number:
    """An estimate and how it is written; it never stands without its interval."""

    estimate: Estimate
    text: str
    interval: str
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Absent:
    """A number that is not there, and why."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """A verdict or an outcome: its word, its shape, and what must be said with it."""

    word: str
    shape: Shape
    note: str = ""


Item = Text | Number | Absent | Mark


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column's head."""

    title: str
    unit: str = ""
    is_numeric: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Rows of items; the first item of a row is its head."""

    id: str
    caption: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Item, ...], ...]
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One arm of a picture of ratios and levels."""

    label: str
    ratio: Estimate | None
    """To the reference; None for the reference itself."""
    level: Estimate | None
    stands_out: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Ratios:
    """Ratios to the reference with their intervals, and the levels beside them."""

    bars: tuple[Bar, ...]
    ratio_title: str
    level_title: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One arm of a picture of percentiles: (quantile from 0 to 1, latency in µs)."""

    label: str
    points: tuple[tuple[float, Estimate], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Percentiles:
    """Latency by percentile, on the axis that HdrHistogram's plots made common."""

    lines: tuple[Line, ...]
    level_title: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A chart, and what it shows in words for those who cannot see it."""

    id: str
    title: str
    description: str
    chart: Ratios | Percentiles


@dataclass(frozen=True, slots=True, kw_only=True)
class Paragraph:
    """A sentence or a few."""

    text: str
    is_warning: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """Terms and what they are."""

    items: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Commands:
    """Lines for a shell."""

    lines: tuple[str, ...]


Part = Paragraph | Table | Picture | Facts | Commands


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A headed piece of the report."""

    id: str
    title: str
    parts: tuple[Part, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Upgrade:
    """One upgrade's advice."""

    name: str
    change: str
    decision: Literal["adopt", "skip", "cannot tell"]
    number: Item
    metric: str
    condition: str
    details: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """The first line, which follows from the data."""

    shape: Shape
    headline: str
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """The whole report."""

    title: str
    subtitle: str
    status: Status
    upgrades: tuple[Upgrade, ...]
    sections: tuple[Section, ...]
