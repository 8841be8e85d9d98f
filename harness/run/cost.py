"""The cost of a message, told as ratios to decoding it alone; fresh processes, interleaved, an interval on each."""

from __future__ import annotations

import contextlib
import random
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.bot.settings import BotSettings
from harness.run.cost_trial import ALL
from harness.run.messages import PROTOCOL, CostJob, Request, SoakJob
from harness.run.processes import Worker
from harness.stats.paired import level_of, ratio

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from harness.run.messages import Outcome
    from harness.stats.estimate import Estimate

#: A trial takes some ten seconds, a soak a minute.
_TIMEOUT_S = 1_200.0

Cell = tuple[str, str]
"""Piece and event."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CostArm:
    """What is compared: a codec, over so many symbols (0: those of the recording), with the book or without."""

    codec: str
    symbols: int = 0
    book: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Costs:
    """One arm's cells: the least of the passes, a value a block, in microseconds a message."""

    cells: Mapping[Cell, Sequence[float]]
    messages: Mapping[str, int]
    """How many there are of each event in the sample."""

    def level(self, piece: str, event: str = ALL) -> Estimate:
        """Microseconds a message, on this host."""
        return level_of(self.cells[piece, event])

    def ratio(self, piece: str, floor: str, event: str = ALL) -> Estimate:
        """How many times the floor a piece costs."""
        return ratio(self.cells[piece, event], self.cells[floor, event])

    def against(self, other: Costs, piece: str, event: str = ALL) -> Estimate:
        """How many times what it costs another arm of the same run."""
        return ratio(self.cells[piece, event], other.cells[piece, event])


@dataclass(frozen=True, slots=True, kw_only=True)
class Effort:
    """How much is measured."""

    blocks: int
    frames: int
    passes: int
    seed: int
    pieces: tuple[str, ...] = ()
    """Empty for all."""
    by_event: bool = True


def measure(
    recording: Path,
    arms: Sequence[CostArm],
    effort: Effort,
    *,
    cores: Sequence[int] = (),
    on_trial: Callable[[], None] = lambda: None,
) -> dict[CostArm, Costs]:
    """Costs by arm: in every block a fresh process for each arm, in a fresh random order.

    Raises TrialFailed for a worker that failed, ValueError for fewer than one block.
    """
    if effort.blocks < 1:
        raise ValueError("at least one block")
    rng = random.Random(effort.seed)
    outcomes: dict[CostArm, list[Outcome]] = {arm: [] for arm in arms}
    for _ in range(effort.blocks):
        hash_seed = rng.randrange(2**32)
        for arm in rng.sample(list(arms), len(arms)):
            outcomes[arm].append(_asked(arm.codec, _job(recording, arm, effort, hash_seed), hash_seed, cores))
            on_trial()
    return {arm: _costs(found) for arm, found in outcomes.items()}


def soak(recording: Path, codec: str, *, messages: int, every: int, cores: Sequence[int] = ()) -> list[float]:
    """Resident memory of the bot's process in bytes, after each `every` messages; raises TrialFailed."""
    job = SoakJob(recording=str(recording), messages=messages, every=every)
    return _asked(codec, job, 0, cores).measurements[0].values


def _job(recording: Path, arm: CostArm, effort: Effort, seed: int) -> CostJob:
    return CostJob(
        recording=str(recording),
        frames=effort.frames,
        passes=effort.passes,
        seed=seed,
        bot=BotSettings(book=arm.book),
        symbols=arm.symbols,
        pieces=list(effort.pieces),
        by_event=effort.by_event,
    )


def _asked(codec: str, job: CostJob | SoakJob, hash_seed: int, cores: Sequence[int]) -> Outcome:
    with contextlib.closing(Worker(cores=cores, hash_seed=hash_seed)) as worker:
        worker.ask(Request(v=PROTOCOL, stack=f"asyncio+{codec}+none", job=job))
        return worker.wait(_TIMEOUT_S)


def _costs(outcomes: Sequence[Outcome]) -> Costs:
    cells: dict[Cell, list[float]] = {}
    for outcome in outcomes:
        for each in outcome.measurements:
            cells.setdefault((each.labels["piece"], each.labels["event"]), []).append(min(each.values))
    return Costs(cells=cells, messages=outcomes[0].counters)
