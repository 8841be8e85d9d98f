"""The order of a run: every block holds every arm once, in a fresh random order (MEASURING.md, rule 2)."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.results.model import Arm

if TYPE_CHECKING:
    from harness.run.scenario import Resolved

#: PYTHONHASHSEED is an unsigned 32-bit number; 0 would switch the randomisation off.
_MAX_HASH_SEED = 2**32 - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """A place in the order: what is to be run there."""

    scenario: str
    block: int
    position: int
    arm: Arm
    hash_seed: int
    """Equal for all arms of a block, so that no arm is favoured by it."""


def arms_of(resolved: Resolved) -> list[Arm]:
    """The stacks as arms, the reference first, and the reference once more where the scenario asks for it."""
    scenario = resolved.scenario
    arms = [
        Arm(name=stack, stack=stack, role="reference" if stack == scenario.reference else "arm")
        for stack in scenario.stacks
    ]
    if scenario.a_a:
        arms.append(Arm(name="a/a", stack=scenario.reference, role="a/a"))
    return sorted(arms, key=lambda arm: arm.role != "reference")


def order_of(resolved: Resolved, *, seed: int, blocks: int) -> list[Slot]:
    """All trials of a scenario in order; the same seed gives the same order, whatever other scenarios run."""
    source = random.Random(f"{seed}/{resolved.name}")
    arms = arms_of(resolved)
    slots = []
    for block in range(blocks):
        hash_seed = 1 + int(source.random() * (_MAX_HASH_SEED - 1))
        shuffled = sorted(arms, key=lambda _: source.random())
        slots += [
            Slot(scenario=resolved.name, block=block, position=position, arm=arm, hash_seed=hash_seed)
            for position, arm in enumerate(shuffled)
        ]
    return slots
