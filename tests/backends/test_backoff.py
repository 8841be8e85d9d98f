from __future__ import annotations

import pytest

from harness.backends.backoff import Backoff


def test_pauses_double_up_to_their_ceiling() -> None:
    pauses = Backoff(1.0, 5.0, chance=lambda: 1.0)
    assert [pauses.next_s() for _ in range(6)] == [1.0, 2.0, 4.0, 5.0, 5.0, 5.0]


@pytest.mark.parametrize(("chance", "expected"), [(0.0, 1.0), (0.5, 1.5), (1.0, 2.0)])
def test_chance_takes_at_most_a_half_of_a_pause(chance: float, expected: float) -> None:
    assert Backoff(2.0, 2.0, chance=lambda: chance).next_s() == expected


def test_after_a_reset_it_begins_again() -> None:
    pauses = Backoff(1.0, 60.0, chance=lambda: 1.0)
    first = [pauses.next_s() for _ in range(3)]
    pauses.reset()
    assert [pauses.next_s() for _ in range(3)] == first


def test_two_clients_do_not_come_back_together() -> None:
    one, other = Backoff(1.0, 60.0), Backoff(1.0, 60.0)
    assert [one.next_s() for _ in range(8)] != [other.next_s() for _ in range(8)]


def test_a_thousand_tries_overflow_nothing() -> None:
    pauses = Backoff(1.0, 60.0, chance=lambda: 1.0)
    assert [pauses.next_s() for _ in range(1_000)][-1] == 60.0
