from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.exchange.book import MAX_LEVELS, LocalBook, checked

if TYPE_CHECKING:
    from collections.abc import Callable

BIDS = [["100.0", "1"], ["99.5", "2"], ["99.0", "4"]]
ASKS = [["100.5", "3"], ["101.0", "1"]]


@pytest.fixture
def book() -> LocalBook:
    return LocalBook(BIDS, ASKS)


def test_the_best_levels_come_first(book: LocalBook) -> None:
    assert (book.best_bid, book.best_ask, book.mid) == (100.0, 100.5, 100.25)
    assert book.bids(2) == [(100.0, 1.0), (99.5, 2.0)]
    assert book.asks(5) == [(100.5, 3.0), (101.0, 1.0)]
    assert book.sizes == (3, 2)


def test_quantities_are_absolute_and_zero_takes_a_level_away(book: LocalBook) -> None:
    book.apply([["99.5", "7"], ["100.0", "0.00000000"], ["98", "1"]], [["100.25", "5"]])
    assert book.bids(9) == [(99.5, 7.0), (99.0, 4.0), (98.0, 1.0)]
    assert book.asks(1) == [(100.25, 5.0)]


def test_a_price_is_one_level_however_it_is_written(book: LocalBook) -> None:
    book.apply([["100.00000000", "0"], ["99.50", "9"]], [])
    assert book.bids(9) == [(99.5, 9.0), (99.0, 4.0)]


def test_taking_away_what_is_not_known_changes_nothing(book: LocalBook) -> None:
    book.apply([["12", "0"]], [["500", "0"]])
    assert book.sizes == (3, 2)


def test_of_two_words_about_a_level_the_later_holds() -> None:
    book = LocalBook([["1", "5"], ["1", "0"], ["2", "0"], ["2", "3"]], [])
    assert book.bids(9) == [(2.0, 3.0)]
    book.apply([["2", "0"], ["2", "4"], ["3", "1"], ["3", "0"]], [])
    assert book.bids(9) == [(2.0, 4.0)]


def test_imbalance_is_over_so_many_levels_of_each_side(book: LocalBook) -> None:
    assert book.imbalance(1) == (1 - 3) / (1 + 3)
    assert book.imbalance(2) == (3 - 4) / (3 + 4)
    assert book.imbalance(50) == (7 - 4) / (7 + 4)


def test_an_empty_side_has_no_price_and_an_empty_book_no_imbalance() -> None:
    book = LocalBook([], ASKS)
    assert (book.best_bid, book.best_ask, book.mid, book.imbalance(3), book.is_crossed) == (
        0.0,
        100.5,
        0.0,
        -1.0,
        False,
    )
    book.apply([], [["100.5", "0"], ["101", "0"]])
    assert (book.best_ask, book.imbalance(3), book.sizes, book.bids(1)) == (0.0, 0.0, (0, 0), [])


@pytest.mark.parametrize(("bid", "crossed"), [("100.49", False), ("100.5", True), ("100.51", True)])
def test_a_book_is_crossed_when_its_best_prices_touch(book: LocalBook, bid: str, crossed: bool) -> None:  # noqa: FBT001 - a case
    book.apply([[bid, "1"]], [])
    assert book.is_crossed is crossed


@pytest.mark.parametrize("count", [0, -1])
def test_no_levels_cannot_be_asked_for(book: LocalBook, count: int) -> None:
    asked: list[Callable[[int], object]] = [book.bids, book.asks, book.imbalance]
    for ask in asked:
        with pytest.raises(ValueError, match="at least 1"):
            ask(count)


@pytest.mark.parametrize(
    "level",
    [
        ["0", "1"],
        ["-1", "1"],
        ["1", "-1"],
        ["nan", "1"],
        ["1", "nan"],
        ["inf", "1"],
        ["1", "1e19"],
        ["1e400", "1"],
        ["1"],
        ["1", "2", "3"],
        ["", "1"],
        ["0x1", "1"],
        [None, "1"],
        [["1"], "1"],
        [10**400, "1"],
        "12",
        {"1": "2", "3": "4"},
        None,
        7,
    ],
    ids=repr,
)
def test_what_is_no_level_is_refused_and_the_book_stays_as_it_was(book: LocalBook, level: Any) -> None:
    for bids, asks in (([["98", "1"], level], []), ([["98", "1"]], [level])):
        with pytest.raises(ValueError, match=r"^level "):
            book.apply(bids, asks)
        with pytest.raises(ValueError, match=r"^level "):
            LocalBook(bids, asks)
    assert (book.sizes, book.best_bid) == ((3, 2), 100.0)


def test_a_message_has_so_many_levels_and_no_more() -> None:
    assert len(checked([["1", "1"]] * MAX_LEVELS)) == MAX_LEVELS
    with pytest.raises(ValueError, match="at most 10000"):
        checked([["1", "1"]] * (MAX_LEVELS + 1))


@pytest.mark.parametrize("depth", [0, -5, MAX_LEVELS + 1])
def test_a_depth_that_no_snapshot_has_is_refused(depth: int) -> None:
    with pytest.raises(ValueError, match="are possible"):
        LocalBook([], [], depth=depth)


def _line(first: int, last: int) -> list[list[str]]:
    return [[str(price), "1"] for price in range(first, last)]


def test_a_side_is_bounded_and_forgets_its_worst_levels() -> None:
    book = LocalBook(_line(1, 9), _line(1_000, 1_003), depth=100)
    largest = 0
    for first in range(9, 900, 9):
        book.apply(_line(first, first + 9), _line(1_000 + first, 1_009 + first))
        largest = max(largest, *book.sizes)
    assert 100 <= min(book.sizes) <= max(book.sizes) <= largest <= 125
    assert book.bids(100) == [(float(price), 1.0) for price in range(899, 799, -1)]
    assert book.asks(100)[::99] == [(1_000.0, 1.0), (1_105.0, 1.0)]  # 1,003 to 1,008 never stood there


def test_a_snapshot_deeper_than_the_book_is_cut() -> None:
    book = LocalBook(_line(1, 300), _line(300, 500), depth=100)
    assert book.sizes == (100, 100)
    assert (book.bids(100)[-1], book.asks(100)[-1]) == ((200.0, 1.0), (399.0, 1.0))


def test_a_book_is_exhausted_when_the_best_lies_behind_a_full_snapshot() -> None:
    book = LocalBook([["10", "1"], ["9", "1"]], [["11", "1"]], depth=2)
    book.apply([["5", "1"], ["10", "0"]], [])
    assert not book.is_exhausted
    book.apply([["9", "0"]], [])
    assert book.best_bid == 5.0
    assert book.is_exhausted


def test_a_side_that_the_snapshot_told_whole_is_never_exhausted() -> None:
    book = LocalBook([["10", "1"], ["9", "1"]], [["11", "1"]], depth=3)
    book.apply([["10", "0"], ["9", "0"]], [["11", "0"]])
    assert not book.is_exhausted
    book.apply([["5", "1"]], [["50", "1"]])
    assert not book.is_exhausted


def test_an_empty_rest_of_a_full_snapshot_is_exhausted() -> None:
    book = LocalBook([], [["11", "1"], ["12", "1"]], depth=2)
    book.apply([], [["11", "0"], ["12", "0"]])
    assert book.is_exhausted


def test_a_side_is_exhausted_when_only_what_was_cut_could_be_better() -> None:
    book = LocalBook([], [["99", "1"]], depth=4)
    book.apply(_line(1, 7), [])
    assert book.sizes[0] == 4
    book.apply([["2", "1"], *[[str(price), "0"] for price in range(4, 7)]], [])
    assert book.bids(4) == [(3.0, 1.0), (2.0, 1.0)]
    assert not book.is_exhausted
    book.apply([["3", "0"]], [])
    assert book.is_exhausted


class Naive:
    """What the book is, in the words of the documentation: text to Decimal, sorted on every question."""

    def __init__(self) -> None:
        self.sides: tuple[dict[Decimal, Decimal], dict[Decimal, Decimal]] = ({}, {})

    def apply(self, *changes: list[list[str]]) -> None:
        for side, levels in zip(self.sides, changes, strict=True):
            for price, quantity in levels:
                side[Decimal(price)] = Decimal(quantity)
                if not Decimal(quantity):
                    del side[Decimal(price)]

    def top(self, side: int, count: int) -> list[tuple[float, float]]:
        ordered = sorted(self.sides[side].items(), reverse=side == 0)[:count]
        return [(float(price), float(quantity)) for price, quantity in ordered]


# Few prices, so that levels meet again; written in several ways.
PRICE = st.integers(1, 40).flatmap(lambda ticks: st.sampled_from([f"{ticks / 100:.2f}", f"{ticks / 100:.8f}"]))
QUANTITY = st.sampled_from(["0", "0.00000000", "1", "0.5", "12.00000001", "1000000"])
LEVELS = st.lists(st.tuples(PRICE, QUANTITY).map(list), max_size=12)


@settings(deadline=None, max_examples=150)
@given(snapshot=st.tuples(LEVELS, LEVELS), events=st.lists(st.tuples(LEVELS, LEVELS), max_size=12))
def test_the_book_is_what_a_naive_one_is(
    snapshot: tuple[list[list[str]], list[list[str]]], events: list[tuple[list[list[str]], list[list[str]]]]
) -> None:
    naive = Naive()
    naive.apply(*snapshot)
    book = LocalBook(*snapshot)
    for bids, asks in events:
        book.apply(bids, asks)
        naive.apply(bids, asks)
        assert (book.bids(99), book.asks(99)) == (naive.top(0, 99), naive.top(1, 99))
        assert (book.bids(3), book.asks(3)) == (naive.top(0, 3), naive.top(1, 3))
        assert book.best_bid == max(map(float, naive.sides[0]), default=0.0)
        assert book.best_ask == min(map(float, naive.sides[1]), default=0.0)


@settings(deadline=None, max_examples=100)
@given(depth=st.integers(1, 10), events=st.lists(st.tuples(LEVELS, LEVELS), max_size=12))
def test_a_bounded_book_agrees_with_a_whole_one_or_says_that_it_cannot(
    depth: int, events: list[tuple[list[list[str]], list[list[str]]]]
) -> None:
    naive, book = Naive(), LocalBook([], [], depth=depth)
    for bids, asks in events:
        book.apply(bids, asks)
        naive.apply(bids, asks)
        assert max(book.sizes) <= depth * 1.25
        if book.is_exhausted:
            return
        assert (book.bids(1), book.asks(1)) == (naive.top(0, 1), naive.top(1, 1))
