"""The query grid: rows by round trip, cache off against hit, miss and mix."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.claims.conditions import grouped, in_words
from harness.claims.corners import GRID, by_number
from harness.report.context import Column, Facts, Item, Paragraph, Part, Section, Table, Text
from harness.report.evidence import AFTER, AFTER_REDIS, QUERIES, QUERY_NAMES, query_cell
from harness.report.sections.stacks import missing

if TYPE_CHECKING:
    from harness.report.evidence import Evidence
    from harness.results.model import Labels

_TITLES = {
    "rows": Column(title="Rows", is_numeric=True),
    "index": Column(title="Index"),
    "connection": Column(title="Connection"),
    "round_trip_ms": Column(title="Round trip", unit="ms", is_numeric=True),
}
_CACHES = (("off", AFTER), ("hit", AFTER_REDIS), ("mix", AFTER_REDIS), ("miss", AFTER_REDIS))


def queries(evidence: Evidence) -> Section:
    """A table a query, a row a measured corner."""
    title = "Database queries"
    scenario = evidence.scenario(QUERIES)
    if scenario is None:
        return Section(id="queries", title=title, parts=(missing(QUERIES),))
    corners = sorted(evidence.corners(), key=lambda corner: [by_number(corner.get(key, "")) for key in GRID])
    if not corners:
        return Section(id="queries", title=title, parts=(Paragraph(text="No good trial.", is_warning=True),))
    parts: list[Part] = [_lead(evidence, corners)]
    covered = tuple((key, _plain(value)) for key, value in scenario.settings.items())
    if covered:
        parts.append(Facts(items=covered))
    parts += [_table(evidence, query, corners) for query in QUERY_NAMES]
    return Section(id="queries", title=title, parts=tuple(parts))


def _lead(evidence: Evidence, corners: list[Labels]) -> Paragraph:
    main = evidence.main_corner() or {}
    found = {key: dict.fromkeys(grouped(corner[key]) for corner in corners if key in corner) for key in GRID}
    measured = "; ".join(f"{_TITLES[key].title.lower()} {', '.join(values)}" for key, values in found.items() if values)
    return Paragraph(
        text=f"Measured here: {len(corners)} corners of the grid ({measured}). The corner that stands for it elsewhere "
        f"in this report is {in_words(main.items())}, chosen by a fixed rule. "
        "Off is uvloop+orjson+none; hit, mix (TTL of 5 s) and miss are uvloop+orjson+redis."
    )


def _table(evidence: Evidence, query: str, corners: list[Labels]) -> Table:
    keys = [key for key in GRID if any(key in corner for corner in corners)]
    columns = (
        *(_TITLES[key] for key in keys),
        *(Column(title=f"Cache {cache}", unit="ms", is_numeric=True) for cache, _ in _CACHES),
        Column(title="Hit to off", is_numeric=True),
        Column(title="Mix to off", is_numeric=True),
    )
    rows = tuple(_row(evidence, query, corner, keys) for corner in corners)
    return Table(id=f"grid-{QUERY_NAMES.index(query) + 1}", caption=query, columns=columns, rows=rows)


def _row(evidence: Evidence, query: str, corner: Labels, keys: list[str]) -> tuple[Item, ...]:
    off = (query_cell(corner, query, "off"), AFTER)
    return (
        *(Text(text=grouped(corner.get(key, "-"))) for key in keys),
        *(evidence.level(query_cell(corner, query, cache), arm) for cache, arm in _CACHES),
        *(evidence.ratio((query_cell(corner, query, cache), AFTER_REDIS), off) for cache in ("hit", "mix")),
    )


def _plain(value: object) -> str:
    if isinstance(value, dict):
        return "; ".join(f"{key}: {_plain(item)}" for key, item in value.items())
    return ", ".join(map(_plain, value)) if isinstance(value, list) else str(value)
