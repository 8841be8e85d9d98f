"""Under which labels a claim holds, in as few words as the measured grid allows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.claims.corners import by_number

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from harness.results.model import Labels

_WORDS = {
    "scenario": "scenario {}",
    "metric": "{}",
    "document": "{}",
    "query": "{}",
    "rows": "{} rows",
    "round_trip_ms": "{} ms round trip",
    "connection": "{} connection",
    "cache": "cache {}",
    "index": "index {}",
}
_MOST_LISTED = 4
_MOST_DIGITS = 19


def in_words(labels: Iterable[tuple[str, str]]) -> str:
    """One cell: `get_statistics(), 10000 rows, index yes`; "all" without labels."""
    given = dict(labels)
    ordered = [key for key in _WORDS if key in given] + sorted(given.keys() - _WORDS.keys())
    return ", ".join(_in_words(key, [given[key]]) for key in ordered) or "all"


def describe(chosen: Sequence[Labels], measured: Sequence[Labels]) -> str:
    """Where the chosen cells lie among all that were measured.

    As values by label where those values, combined, are exactly the chosen cells; else the cells one by one.
    """
    if len(chosen) == len(measured):
        return "every measured cell"
    varying = [key for key in _keys(measured) if len({cell.get(key) for cell in measured}) > 1]
    values = {key: {cell.get(key, "") for cell in chosen} for key in varying}
    inside = [cell for cell in measured if all(cell.get(key, "") in kept for key, kept in values.items())]
    if len(inside) != len(chosen):
        return _one_by_one(chosen, varying)
    telling = {key: kept for key, kept in values.items() if len(kept) < len({cell.get(key) for cell in measured})}
    return "; ".join(_in_words(key, sorted(kept, key=by_number)) for key, kept in telling.items())


def _one_by_one(cells: Sequence[Labels], varying: list[str]) -> str:
    told = [in_words((key, cell[key]) for key in varying if key in cell) for cell in cells]
    rest = len(told) - _MOST_LISTED
    return " | ".join(told[:_MOST_LISTED]) + (f" | and {rest} more" if rest > 0 else "")


def _in_words(key: str, values: list[str]) -> str:
    return _WORDS.get(key, key + " {}").format(" or ".join(map(grouped, values)))


def grouped(text: str) -> str:
    """A whole number with its thousands set apart; any other text as it is."""
    return f"{int(text):,}" if text.isascii() and text.isdigit() and len(text) < _MOST_DIGITS else text


def _keys(cells: Sequence[Labels]) -> list[str]:
    return list(dict.fromkeys(key for cell in cells for key in cell))
