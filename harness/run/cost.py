"""The cost of a message, told as ratios to decoding it alone; fresh processes, interleaved, an interval on each."""

from __future__ import annotations

import contextlib
import random
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.bot.settings import BotSettings
from harness.run.cost_trial import ALL
from harness.run.messages import PROTOCOL, CostJob, Request
from harness.run.processes import Worker
from harness.stats.paired import level_of, ratio

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from harness.run.messages import Outcome
    from harness.stats.estimate import Estimate

#: A trial takes some ten seconds.
_TIMEOUT_S = 600.0

Cell = tuple[str, str]
"""Piece and event."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Costs:
    """One codec's cells: the least of the passes, a value a block, in microseconds a message."""

    codec: str
    cells: Mapping[Cell, Sequence[float]]
    messages: Mapping[str, int]
    """How many there are of each event in the sample."""

    def level(self, piece: str, event: str = ALL) -> Estimate:
        """Microseconds a message, on this host."""
        return level_of(self.cells[piece, event])

    def ratio(self, piece: str, floor: str, event: str = ALL) -> Estimate:
        """How many times the floor a piece costs."""
        return ratio(self.cells[piece, event], self.cells[floor, event])


def measure(
    recording: Path,
    codecs: Sequence[str],
    *,
    blocks: int,
    frames: int,
    passes: int,
    seed: int,
    bot: BotSettings | None = None,
    symbols: int = 0,
    cores: Sequence[int] = (),
    on_block: Callable[[int], None] = lambda _: None,
) -> dict[str, Costs]:
    """Costs by codec: in every block a fresh process for each codec, in a fresh random order.

    Raises TrialFailed for a worker that failed, ValueError for fewer than one block.
    """
    if blocks < 1:
        raise ValueError("at least one block")
    rng = random.Random(seed)
    outcomes: dict[str, list[Outcome]] = {codec: [] for codec in codecs}
    for block in range(blocks):
        hash_seed = rng.randrange(2**32)
        for codec in rng.sample(list(codecs), len(codecs)):
            job = CostJob(
                recording=str(recording),
                frames=frames,
                passes=passes,
                seed=hash_seed,
                bot=bot or BotSettings(),
                symbols=symbols,
            )
            outcomes[codec].append(_asked(codec, job, hash_seed, cores))
        on_block(block)
    return {codec: _costs(codec, found) for codec, found in outcomes.items()}


def _asked(codec: str, job: CostJob, hash_seed: int, cores: Sequence[int]) -> Outcome:
    with contextlib.closing(Worker(cores=cores, hash_seed=hash_seed)) as worker:
        worker.ask(Request(v=PROTOCOL, stack=f"asyncio+{codec}+none", job=job))
        return worker.wait(_TIMEOUT_S)


def _costs(codec: str, outcomes: Sequence[Outcome]) -> Costs:
    cells: dict[Cell, list[float]] = {}
    for outcome in outcomes:
        for each in outcome.measurements:
            cells.setdefault((each.labels["piece"], each.labels["event"]), []).append(min(each.values))
    return Costs(codec=codec, cells=cells, messages=outcomes[0].counters)
