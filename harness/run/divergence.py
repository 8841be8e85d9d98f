"""Two stacks that did not decide the same: both once more with a full trace, and where they part."""

from __future__ import annotations

from itertools import zip_longest
from typing import TYPE_CHECKING

from harness.services.folder import OwnedFolder

if TYPE_CHECKING:
    from harness.run.plan import Slot
    from harness.run.stages import ReplayStage

_NOTHING = "nothing more"


def explain(stage: ReplayStage, reference: Slot, other: Slot) -> str:
    """The first difference in words, with the frame number and both values."""
    with OwnedFolder() as folder:
        traces: list[list[str]] = []
        for slot in (reference, other):
            path = folder.path / f"{len(traces)}.txt"
            stage.perform(slot, trace=path)
            traces.append(path.read_text(encoding="utf-8").splitlines())
    return first_difference(reference.arm.name, traces[0], other.arm.name, traces[1])


def first_difference(name: str, trace: list[str], other_name: str, other: list[str]) -> str:
    """Both lines at the first place where two traces differ, or that they are equal this time."""
    for line, other_line in zip_longest(trace, other, fillvalue=_NOTHING):
        if line != other_line:
            return f"first divergence: {name} decided [{line}], {other_name} decided [{other_line}]"
    return f"{name} and {other_name} decided the same when run again: something in them is not deterministic"
