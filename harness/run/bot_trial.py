"""A trial of the whole bot, inside the worker."""

from __future__ import annotations

import asyncio
import resource
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Final

from harness.backends.registry import registry
from harness.bot.app import Bot
from harness.bot.connection.policy import ConnectionPolicy
from harness.bot.plan import Plan
from harness.bot.settings import Addresses
from harness.errors import NotTrustworthy
from harness.measure.probes import EdgeProbe, StampProbe
from harness.results.model import Measurement
from harness.run.messages import Outcome

if TYPE_CHECKING:
    from harness.backends.stack import Stack
    from harness.bot.metrics import BotReport
    from harness.measure.probes import Mark
    from harness.run.messages import BotJob

#: For a replay that breaks off on purpose, which waits for the bot: so it comes back soon, and as often as it must.
_COMES_BACK: Final = ConnectionPolicy(
    after_orderly_close="end", first_pause_s=0.01, longest_pause_s=0.25, attempts=100_000, silent_s=2.0, check_s=0.1
)


def run_bot(stack: Stack, job: BotJob) -> Outcome:
    """Run the bot to the end of its replay. Raises NotTrustworthy when fewer frames came than were to be measured."""
    probe = StampProbe(job.edges) if job.stamps else EdgeProbe(job.edges)
    with asyncio.Runner(loop_factory=registry().loop(stack.loop)) as runner:
        report = runner.run(_bot(stack, job, probe))
    if len(probe.marks) < len(job.edges):
        raise NotTrustworthy(f"only {report.frames} frames reached the bot; {job.edges[-1]} were to be measured")
    if isinstance(probe, StampProbe) and job.stamps:
        with Path(job.stamps).open("wb") as file:
            probe.stamps.tofile(file)
    if job.trace and report.trace is not None:
        Path(job.trace).write_text("\n".join(report.trace), encoding="utf-8")
    return _outcome(report, _measurements(job, probe.marks))


async def _bot(stack: Stack, job: BotJob, probe: EdgeProbe | StampProbe) -> BotReport:
    plan = Plan(
        stack=stack,
        market_url=job.market_url,
        account_url=job.account_url,
        addresses=Addresses(database_url=job.database_url, redis_url=job.redis_url),
        schema=job.schema,
        journal=Path(job.journal),
        settings=job.bot,
        filters=job.filters,
        poll_hz=job.poll_hz,
        trace=job.trace is not None,
        policy=_COMES_BACK if job.comes_back else None,
    )
    return await Bot(plan, probe).run()


def _measurements(job: BotJob, marks: list[Mark]) -> list[Measurement]:
    counts = [after - before for before, after in pairwise(job.edges)]
    spans = list(zip(counts, pairwise(marks), strict=True))
    cpu_us = [_cpu_us(before, after) for _, (before, after) in spans]
    wall_ns = [after.wall_ns - before.wall_ns for _, (before, after) in spans]
    per_message = [cpu / count for cpu, count in zip(cpu_us, counts, strict=True)]
    if job.stamps:
        share = [100 * cpu * 1_000 / wall for cpu, wall in zip(cpu_us, wall_ns, strict=True)]
        return [
            Measurement(metric="cpu_percent", values=share),
            Measurement(metric="cpu_us_per_message", values=per_message),
        ]
    rate = [count * 1e9 / wall for count, wall in zip(counts, wall_ns, strict=True)]
    return [
        Measurement(metric="messages_per_second", values=rate),
        Measurement(metric="cpu_us_per_message", values=per_message),
    ]


def _cpu_us(before: Mark, after: Mark) -> float:
    return after.user_us - before.user_us + after.system_us - before.system_us


def _outcome(report: BotReport, measurements: list[Measurement]) -> Outcome:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return Outcome(
        active=report.active,
        cache_hits=report.counters["cache_hits"],
        measurements=measurements,
        counters=report.counters,
        digest=report.digest,
        digest_trail=report.digest_trail,
        decisions=report.decisions,
        frames=report.frames,
        conditions={
            "context_switches_voluntary": usage.ru_nvcsw,
            "context_switches_forced": usage.ru_nivcsw,
            "peak_rss_kib": usage.ru_maxrss,
        },
    )
