"""Millions of messages through the bot's desk, and what becomes of the memory meanwhile."""

from __future__ import annotations

from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from harness.backends.registry import registry
from harness.bot.desk import Desk
from harness.bot.wire import Wire
from harness.recordings.format import MARKET, load
from harness.recordings.loop import Loop
from harness.results.model import Measurement
from harness.run.cost_trial import quiet_collector
from harness.run.messages import Outcome

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.backends.stack import Stack
    from harness.bot.decision import Decision
    from harness.recordings.format import Recording
    from harness.run.messages import SoakJob

METRIC = "rss_bytes"


def run_soak(stack: Stack, job: SoakJob) -> Outcome:
    """Resident memory (bytes) after each `every` messages, ids and times moving on from pass to pass."""
    decided = 0

    def decide(decision: Decision) -> None:
        nonlocal decided
        decided += decision.order is not None

    # As a bot that runs for days: no trail of the digest is kept.
    desk = Desk(Wire(registry().codec(stack.codec)), job.bot, {}, decide, trail=False)
    frames, own = _endless(load(Path(job.recording))), psutil.Process()
    memory = []
    quiet_collector()
    for _ in range(job.messages // job.every):
        for _, frame in zip(range(job.every), frames, strict=False):
            desk.on_frame(frame)
        memory.append(float(own.memory_info().rss))
    return Outcome(
        active={},
        measurements=[Measurement(metric=METRIC, values=memory)],
        counters={"messages": desk.frames, "orders": decided},
    )


def _endless(recording: Recording) -> Iterator[bytes]:
    loop = Loop(recording)
    for number in count():
        yield from (frame.body for frame in loop.moved(number) if frame.connection == MARKET)
