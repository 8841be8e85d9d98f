from __future__ import annotations

from collections import Counter

import pytest

from harness.results.model import REFERENCE
from harness.run.plan import arms_of, order_of
from harness.run.scenario import Resolved, choose

pytestmark = pytest.mark.usefixtures("everything_installed")


def flood() -> Resolved:
    (resolved,) = choose(["ws-flood"], "quick", "spot-30-symbols", [])
    return resolved


def test_every_block_holds_every_arm_once() -> None:
    slots = order_of(flood(), seed=3, blocks=5)
    arms = {arm.name for arm in arms_of(flood())}
    for block in range(5):
        in_block = [slot for slot in slots if slot.block == block]
        assert {slot.arm.name for slot in in_block} == arms
        assert [slot.position for slot in in_block] == list(range(len(arms)))


def test_the_same_seed_gives_the_same_order_and_another_seed_another() -> None:
    assert order_of(flood(), seed=3, blocks=4) == order_of(flood(), seed=3, blocks=4)
    assert order_of(flood(), seed=3, blocks=4) != order_of(flood(), seed=4, blocks=4)


def test_more_blocks_do_not_change_the_blocks_before() -> None:
    short, long = order_of(flood(), seed=3, blocks=2), order_of(flood(), seed=3, blocks=4)
    assert long[: len(short)] == short


def test_the_order_differs_between_blocks_and_favours_no_place() -> None:
    slots = order_of(flood(), seed=1, blocks=400)
    first = Counter(slot.arm.name for slot in slots if slot.position == 0)
    # 400 blocks, 9 arms: 44 expected each, standard deviation 6.3; five of them either way.
    assert all(13 < first[arm.name] < 76 for arm in arms_of(flood()))


def test_the_hash_seed_is_shared_within_a_block_and_differs_between_blocks() -> None:
    slots = order_of(flood(), seed=5, blocks=6)
    seeds = [{slot.hash_seed for slot in slots if slot.block == block} for block in range(6)]
    assert all(len(found) == 1 for found in seeds)
    assert len(set.union(*seeds)) == 6
    assert all(0 < slot.hash_seed < 2**32 for slot in slots)


def test_the_reference_comes_first_and_once_more_as_a_a() -> None:
    arms = arms_of(flood())
    assert (arms[0].name, arms[0].role) == (REFERENCE, "reference")
    assert [(arm.name, arm.stack) for arm in arms if arm.role == "a/a"] == [("a/a", REFERENCE)]
    assert len(arms) == 9
