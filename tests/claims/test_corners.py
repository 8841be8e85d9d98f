from __future__ import annotations

from itertools import permutations, product

from harness.claims.corners import main_corner

FULL = [
    {"rows": rows, "index": index, "connection": connection, "round_trip_ms": trip}
    for rows, index, connection, trip in product(
        ("10000", "100000", "500000"), ("yes", "no"), ("pooled", "per-call"), ("0", "1", "5", "15", "30")
    )
]


def test_the_full_grid_is_represented_by_what_a_deployed_bot_looks_like() -> None:
    expected = {"rows": "100000", "index": "yes", "connection": "pooled", "round_trip_ms": "1"}
    assert main_corner(FULL) == expected
    assert main_corner(reversed(FULL)) == expected


def test_the_order_of_the_corners_does_not_choose() -> None:
    some = [FULL[0], FULL[23], FULL[41]]
    assert len({str(main_corner(order)) for order in permutations(some)}) == 1


def test_a_grid_that_lacks_labels_or_holds_words_still_has_one() -> None:
    assert main_corner([{"rows": "many"}]) == {"rows": "many"}
    assert main_corner([{}]) == {}
    assert main_corner([]) is None
