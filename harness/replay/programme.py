"""The strips of all connections of a serve, merged into the one order of the tape."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from harness.replay.frames import Strip


class Run(NamedTuple):
    """Consecutive frames of one connection: `first` to `end` on its strip; in the merge they end before `stop`."""

    owner: int
    first: int
    end: int
    stop: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Programme:
    """Frames of all connections from one place on the tape, in its order."""

    position: NDArray[np.int64]
    """Position on the tape of each merged frame."""
    runs: tuple[Run, ...]

    def __len__(self) -> int:
        return len(self.position)


def merged(strips: Sequence[Strip], firsts: Sequence[int], stop: int) -> Programme:
    """All frames from number `firsts[i]` of strip i on, before position `stop` on the tape.

    Those at one position go to the connections in their order.
    """
    parts = [
        strip.position[first : max(first, strip.before(stop))] for strip, first in zip(strips, firsts, strict=True)
    ]
    owners = np.repeat(np.arange(len(strips)), [len(part) for part in parts])
    position = np.concatenate([*parts, np.empty(0, np.int64)])
    order = np.argsort(position, kind="stable")
    return Programme(position=position[order], runs=_runs(owners[order], firsts))


def _runs(owners: NDArray[np.int64], firsts: Sequence[int]) -> tuple[Run, ...]:
    changes = np.flatnonzero(np.diff(owners)) + 1
    starts = [0, *changes.tolist()] if len(owners) else []
    stops = [*changes.tolist(), len(owners)] if len(owners) else []
    upto = list(firsts)
    runs = []
    for begin, stop in zip(starts, stops, strict=True):
        owner = int(owners[begin])
        first = upto[owner]
        upto[owner] = first + stop - begin
        runs.append(Run(owner, first, upto[owner], stop))
    return tuple(runs)


def pieces(strip: Strip, first: int, end: int, size: int) -> list[int]:
    """Frame numbers at which to cut `first` to `end` so that a piece has about `size` bytes; `end` is the last.

    A piece holds at least one frame, so one frame may be larger than `size`.
    """
    cuts = []
    while first < end:
        nearest = int(np.searchsorted(strip.offsets, strip.offsets[first] + size, side="right")) - 1
        first = min(max(nearest, first + 1), end)
        cuts.append(first)
    return cuts
