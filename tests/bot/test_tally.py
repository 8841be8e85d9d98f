from __future__ import annotations

from harness.bot.tally import MOST_NAMES, Tally


def test_a_name_is_new_once() -> None:
    tally = Tally()
    assert [tally.add(name) for name in ("a", "b", "a", "a")] == [True, True, False, False]
    assert tally.counts == {"a": 3, "b": 1}
    assert tally.total() == 4


def test_names_beyond_the_bound_are_counted_together() -> None:
    tally = Tally()
    new = [tally.add(f"name {number}") for number in range(10 * MOST_NAMES)]
    assert sum(new) == MOST_NAMES + 1
    assert len(tally.counts) == MOST_NAMES + 1
    assert tally.counts["other"] == 9 * MOST_NAMES
    assert tally.total() == 10 * MOST_NAMES


def test_a_name_that_is_long_unprintable_or_empty_is_not_kept_as_it_is() -> None:
    tally = Tally()
    tally.add("x" * 10_000)
    tally.add("\x1b[31m")
    tally.add("")
    assert tally.counts == {"x" * 64: 1, "other": 2}
