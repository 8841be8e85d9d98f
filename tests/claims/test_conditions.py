from __future__ import annotations

from itertools import product

from harness.claims.conditions import describe, grouped, in_words

GRID = [
    {"query": query, "rows": rows, "round_trip_ms": trip}
    for query, rows, trip in product(("a", "b"), ("10000", "500000"), ("0", "15", "30"))
]


def test_every_cell_is_told_as_every_cell() -> None:
    assert describe(GRID, GRID) == "every measured cell"


def test_a_block_of_the_grid_is_told_by_the_labels_that_bound_it() -> None:
    chosen = [cell for cell in GRID if cell["round_trip_ms"] != "0" and cell["rows"] == "500000"]
    assert describe(chosen, GRID) == "500,000 rows; 15 or 30 ms round trip"


def test_values_are_ordered_as_numbers() -> None:
    grid = [{"rows": rows} for rows in ("1000", "200", "30", "4")]
    assert describe(grid[:3], grid) == "30 or 200 or 1,000 rows"


def test_cells_that_are_no_block_are_told_one_by_one() -> None:
    chosen = [GRID[0], GRID[5]]
    assert describe(chosen, GRID) == "a, 10,000 rows, 0 ms round trip | a, 500,000 rows, 30 ms round trip"


def test_a_long_list_is_cut_with_the_number_of_the_rest() -> None:
    chosen = [cell for index, cell in enumerate(GRID) if index not in {0, 7}]
    assert describe(chosen, GRID).endswith("| and 6 more")


def test_one_cell_in_words_keeps_labels_it_does_not_know() -> None:
    assert in_words([("zone", "eu"), ("rows", "10000")]) == "10,000 rows, zone eu"
    assert in_words([]) == "all"


def test_only_plain_whole_numbers_are_grouped() -> None:
    assert [grouped(text) for text in ("10000", "0.5", "1e6", "\u0661\u0662", "9" * 40)] == [
        "10,000",
        "0.5",
        "1e6",
        "\u0661\u0662",
        "9" * 40,
    ]
