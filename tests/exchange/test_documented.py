from __future__ import annotations

from typing import Any

import msgspec
import pytest

from harness.exchange.account_events import ACCOUNT_SHAPES
from harness.exchange.documented import strangers
from harness.exchange.events import MARKET_SHAPES, Event


def names_of(shape: type[Event], prefix: str = "") -> set[str]:
    """Every name that the record reads, with those of its parts."""
    found = set()
    for field in msgspec.structs.fields(shape):
        found.add(f"{prefix}{field.encode_name}")
        found |= part_names(field.type, f"{prefix}{field.encode_name}.")
    return found


def part_names(kind: Any, prefix: str) -> set[str]:
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return names_of(kind, prefix)  # type: ignore[arg-type]  # a part is no event, and has fields all the same
    return set().union(*(part_names(each, prefix) for each in getattr(kind, "__args__", ())))


@pytest.mark.parametrize(("kind", "shape"), [*MARKET_SHAPES.items(), *ACCOUNT_SHAPES.items()])
def test_all_that_is_read_is_documented(kind: str, shape: type[Event]) -> None:
    document: dict[str, Any] = {}
    for name in names_of(shape):
        *parents, last = name.split(".")
        place = document
        for parent in parents:
            place = place[parent] if isinstance(place.get(parent), dict) else place.setdefault(parent, {})
        place.setdefault(last, {})
    assert strangers(kind, document) == []


def test_new_names_are_told_with_their_place_and_nobody_looks_below_them() -> None:
    payload = {"e": "kline", "new": {"deep": 1}, "k": {"t": 1, "y": [{"z": 1}]}}
    assert strangers("kline", payload) == ["kline.new", "kline.k.y"]


def test_every_element_of_a_list_is_looked_through() -> None:
    payload = {"e": "ACCOUNT_UPDATE", "a": {"m": "ORDER", "B": [{"a": "X", "wb": "1"}, {"a": "Y", "yy": "1"}, 7]}}
    assert strangers("ACCOUNT_UPDATE", payload) == ["ACCOUNT_UPDATE.a.B.yy"]


@pytest.mark.parametrize(
    ("kind", "payload", "told"),
    [
        ("executionReport", {"x": "TRADE", "X": "FILLED", "S": "BUY", "r": "NONE"}, []),
        ("executionReport", {"x": "NOVELTY"}, ["executionReport.x=NOVELTY"]),
        ("executionReport", {"r": "-2010 Duplicate order sent."}, []),
        ("executionReport", {"X": ["FILLED"]}, []),
        ("ORDER_TRADE_UPDATE", {"o": {"x": "CALCULATED", "X": "FILLED", "ps": "BOTH"}}, []),
        ("ORDER_TRADE_UPDATE", {"o": {"ps": "MIDDLE"}}, ["ORDER_TRADE_UPDATE.o.ps=MIDDLE"]),
        ("ACCOUNT_UPDATE", {"a": {"m": "FUNDING_FEE"}}, []),
        ("ACCOUNT_UPDATE", {"a": {"m": "GIFT"}}, ["ACCOUNT_UPDATE.a.m=GIFT"]),
        ("listStatus", {"l": "ANYTHING"}, []),
    ],
)
def test_new_words_are_told_and_sentences_are_none(kind: str, payload: dict[str, Any], told: list[str]) -> None:
    assert strangers(kind, payload) == told


def test_of_an_event_that_nobody_documented_nothing_is_told() -> None:
    assert strangers("novelty", {"a": 1}) == []
