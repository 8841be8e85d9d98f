"""Under which labels a claim holds, in as few words as the measured grid allows."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING

from harness.claims.corners import by_number

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from harness.claims.verdict import CellVerdict

_WORDS = {
    "document": "{}",
    "query": "{}",
    "rows": "{} rows",
    "round_trip_ms": "{} ms round trip",
    "connection": "{} connection",
    "cache": "cache {}",
    "index": "index {}",
}
_MOST_LISTED = 4


def in_words(labels: Iterable[tuple[str, str]]) -> str:
    """One cell: `get_statistics(), 10000 rows, index yes`; "all" without labels."""
    given = dict(labels)
    ordered = [key for key in _WORDS if key in given] + sorted(given.keys() - _WORDS.keys())
    return ", ".join(_WORDS.get(key, key + " {}").format(given[key]) for key in ordered) or "all"


def describe(chosen: Sequence[CellVerdict], all_cells: Sequence[CellVerdict]) -> str:
    """Where the chosen cells lie among all that were measured.

    As values by label where those values, combined, are exactly the chosen cells; else the cells one by one.
    """
    if len(chosen) == len(all_cells):
        return "in every measured cell"
    keyed = [_keyed(cell) for cell in chosen]
    measured = [_keyed(cell) for cell in all_cells]
    varying = [key for key in _keys(measured) if len({cell.get(key) for cell in measured}) > 1]
    values = {key: sorted({cell.get(key, "") for cell in keyed}, key=by_number) for key in varying}
    block = [dict(zip(varying, combination, strict=True)) for combination in product(*values.values())]
    if len(block) <= len(measured) and sum(_matches(cell, block) for cell in measured) == len(chosen):
        telling = {key: kept for key, kept in values.items() if len(kept) < len({cell.get(key) for cell in measured})}
        return "; ".join(_WORDS.get(key, key + " {}").format(" or ".join(kept)) for key, kept in telling.items())
    return _one_by_one(keyed, varying)


def _one_by_one(cells: list[dict[str, str]], varying: list[str]) -> str:
    told = [in_words((key, cell[key]) for key in varying if key in cell) for cell in cells]
    rest = len(told) - _MOST_LISTED
    return " | ".join(told[:_MOST_LISTED]) + (f" | and {rest} more" if rest > 0 else "")


def _keyed(cell: CellVerdict) -> dict[str, str]:
    return {"scenario": cell.scenario, "metric": cell.metric, **dict(cell.labels)}


def _keys(cells: list[dict[str, str]]) -> list[str]:
    return list(dict.fromkeys(key for cell in cells for key in cell))


def _matches(cell: dict[str, str], block: list[dict[str, str]]) -> bool:
    return any(all(cell.get(key, "") == value for key, value in wanted.items()) for wanted in block)
