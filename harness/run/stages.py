"""A scenario made ready to be run: what all its trials share, and how one of them is carried out."""

from __future__ import annotations

import contextlib
import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

import msgspec
import numpy as np

from harness.measure.latency import histogram, latencies
from harness.measure.probes import pass_edges
from harness.replay.controller import ReplayProcess
from harness.replay.faults.fault import CloseCodeSent, Cut
from harness.results.model import Ceiling, Measurement
from harness.run import documents, tables
from harness.run.messages import PROTOCOL, BotJob, CodecJob, QueriesJob, Request
from harness.run.processes import TrialFailed, Worker
from harness.run.scenario import CodecBench, Flood, GridCell, Paced, Queries
from harness.services.delay_proxy import open_delay_proxy
from harness.services.folder import OwnedFolder
from harness.stats.quantiles import quantile
from harness.units import NS_PER_S

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from harness.recordings.format import Recording
    from harness.replay.controller import Serving
    from harness.replay.faults.fault import Faults
    from harness.replay.messages import Done
    from harness.run.messages import Outcome
    from harness.run.plan import Slot
    from harness.run.scenario import Resolved
    from harness.services.opening import Services

#: A trial takes seconds; one that takes this long hangs.
TRIAL_TIMEOUT_S = 300.0
#: A grid of slow cells takes minutes.
QUERIES_TIMEOUT_S = 1_800.0

_LATENCIES = {"latency_p50_us": 0.5, "latency_p90_us": 0.9, "latency_p99_us": 0.99}


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What every stage of a run is given."""

    recording: Recording
    services: Services
    worker_cores: tuple[int, ...]
    other_cores: tuple[int, ...]
    schema_prefix: str
    """Of the run: two runs on one server do not meet."""
    note: Callable[[str], None]
    """Tells the user what is being done."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """A trial that came to its end."""

    outcome: Outcome
    measurements: list[Measurement]
    histograms: dict[str, str] = field(default_factory=dict)
    conditions: dict[str, float] = field(default_factory=dict)


class Stage(Protocol):
    """A scenario made ready."""

    def perform(self, slot: Slot) -> Finished:
        """Carry out one trial in a fresh process. Raises TrialFailed or ReplayFailed; ServiceError ends the run."""
        ...


@contextlib.contextmanager
def open_stage(resolved: Resolved, around: Surroundings) -> Iterator[Stage]:
    """Make the scenario ready, and clear up after it."""
    scenario = resolved.scenario
    if isinstance(scenario, Queries):
        with _open_queries(resolved, scenario, around) as stage:
            yield stage
    elif isinstance(scenario, CodecBench):
        yield CodecStage(resolved, scenario, around)
    else:
        around.note(f"{scenario.name}: loading {around.recording.name}")
        with ReplayProcess.start(
            around.recording.path,
            min_frames=resolved.effort.frames,
            cores=around.other_cores,
            faults=scenario.faults,
        ) as replay:
            yield ReplayStage(resolved, scenario, around, replay)


class ReplayStage:
    """The whole bot on a replayed recording."""

    def __init__(
        self, resolved: Resolved, scenario: Flood | Paced, around: Surroundings, replay: ReplayProcess
    ) -> None:
        self._resolved = resolved
        self._scenario = scenario
        self._around = around
        self._replay = replay
        self._frames = _frames_of(resolved, scenario, around, replay.ready.market_frames)
        self._trials = 0

    @property
    def faults(self) -> Faults | None:
        """What goes wrong on purpose in each trial, with every number filled in; None for nothing planned."""
        planned = self._replay.ready.faults
        if planned is None:
            return None
        reached = tuple(fault for fault in planned.faults if fault.frame <= self._frames)
        return msgspec.structs.replace(planned, faults=reached)

    def ceiling(self) -> Ceiling:
        """How fast this very server drains into clients that do nothing else, on the worker's core."""
        found = self._replay.ceiling(
            self._resolved.effort.ceiling_repeats, frames=self._frames, cores=self._around.worker_cores
        )
        return Ceiling(
            recording=self._around.recording.name,
            counting_frames_per_s=list(found.counting_frames_per_s),
            parsing_frames_per_s=list(found.parsing_frames_per_s),
            frames=found.frames,
            bytes=found.bytes,
        )

    def perform(self, slot: Slot, trace: Path | None = None) -> Finished:
        """As the protocol says; with `trace`, every evaluation is written there in words."""
        self._trials += 1
        schema = f"{self._around.schema_prefix}_{self._scenario.name.replace('-', '_')}_{self._trials}"
        url = self._around.services.postgresql.url
        with OwnedFolder() as folder:  # swept by the next start, should this process be killed
            try:
                return self._replayed(slot, schema, folder.path, trace)
            finally:
                self._around.services.check()
                tables.drop(url, [schema])

    def _replayed(self, slot: Slot, schema: str, folder: Path, trace: Path | None) -> Finished:
        log, stamps = folder / "sent.npy", folder / "decided.bin"
        paced = isinstance(self._scenario, Paced)
        with contextlib.closing(Worker(cores=self._around.worker_cores, hash_seed=slot.hash_seed)) as worker:
            serving = self._replay.serve(
                mode="paced" if paced else "flood",
                speed=self._scenario.speed if isinstance(self._scenario, Paced) else 1.0,
                frames=self._frames,
                connections=2,
                log=log if paced else None,
            )
            with _cancelled_on_failure(serving):
                worker.ask(self._request(slot, schema, folder / "journal.sqlite3", stamps if paced else None, trace))
                outcome = worker.wait(TRIAL_TIMEOUT_S, watch=self._around.services.check)
            done = serving.wait(30.0)
        if outcome.frames != done.market_frames:
            raise TrialFailed(f"{done.market_frames} frames were sent, {outcome.frames} reached the bot")
        if not paced:
            return Finished(outcome=outcome, measurements=outcome.measurements)
        return self._with_latency(outcome, done, log, stamps)

    def _with_latency(self, outcome: Outcome, done: Done, log: Path, stamps: Path) -> Finished:
        scheduled, _sent = np.load(log)
        decided = np.fromfile(stamps, dtype=np.int64)
        values = latencies(scheduled, decided, warm_up=self._scenario.warm_up_frames)
        found = {metric: quantile(values, q) for metric, q in _LATENCIES.items()}
        measured = [
            Measurement(metric=metric, values=[value / 1_000]) for metric, value in found.items() if value is not None
        ]
        late = done.lateness_us
        return Finished(
            outcome=outcome,
            measurements=[*outcome.measurements, *measured],
            histograms={"latency": histogram(values)},
            conditions={"send_lateness_p99_us": late.p99, "send_lateness_max_us": late.max} if late else {},
        )

    def _request(self, slot: Slot, schema: str, journal: Path, stamps: Path | None, trace: Path | None) -> Request:
        scenario, around = self._scenario, self._around
        address = f"ws://127.0.0.1:{self._replay.port}"
        redis = around.services.redis
        passes = scenario.passes if isinstance(scenario, Flood) else 1
        return Request(
            v=PROTOCOL,
            stack=slot.arm.stack,
            job=BotJob(
                market_url=f"{address}/stream?streams={'/'.join(around.recording.header.streams)}",
                account_url=f"{address}/ws-api/v3",
                database_url=around.services.postgresql.url,
                redis_url=redis.url if redis else None,
                schema=schema,
                journal=str(journal),
                bot=self._resolved.bot(),
                filters=around.recording.header.filters,
                poll_hz=scenario.poll_hz,
                edges=self._edges(passes),
                stamps=str(stamps) if stamps else None,
                trace=str(trace) if trace else None,
                comes_back=_cuts(self.faults),
            ),
        )

    def _edges(self, passes: int) -> list[int]:
        try:
            return pass_edges(frames=self._frames, warm_up=self._scenario.warm_up_frames, passes=passes)
        except ValueError as error:
            raise TrialFailed(f"{self._scenario.name}: {error}") from error


def _cuts(faults: Faults | None) -> bool:
    return faults is not None and any(isinstance(fault, Cut | CloseCodeSent) for fault in faults.faults)


def _frames_of(resolved: Resolved, scenario: Flood | Paced, around: Surroundings, there: int) -> int:
    """Market frames of a trial: as many as the effort says, there are, and fit into its seconds."""
    frames = min(resolved.effort.frames, there)
    if isinstance(scenario, Paced) and resolved.effort.seconds:
        recorded = around.recording.frames
        span_s = max((recorded[-1].at - recorded[0].at) / NS_PER_S, 1.0)
        fitting = int(len(recorded) / span_s * scenario.speed * resolved.effort.seconds)
        frames = min(frames, max(fitting, scenario.warm_up_frames + 1))
    return frames


class CodecStage:
    """A codec alone, on documents of the recording."""

    def __init__(self, resolved: Resolved, scenario: CodecBench, around: Surroundings) -> None:
        del resolved
        market = (frame.body for frame in around.recording.frames if frame.connection == "market")
        found = documents.documents(market, scenario.sample_frames)
        self._job = CodecJob(
            decode=found,
            encode={documents.ONE_KB: found[documents.ONE_KB][0]},
            loops=scenario.loops,
            values=scenario.values,
        )
        self._around = around

    def perform(self, slot: Slot) -> Finished:
        """As the protocol says."""
        return _asked(self._around, slot, self._job, TRIAL_TIMEOUT_S)


class QueriesStage:
    """The four queries on tables that all trials read, directly and through delay proxies."""

    def __init__(self, job: QueriesJob, reference_cells: list[GridCell], around: Surroundings) -> None:
        self._job = job
        self._reference_cells = reference_cells
        self._around = around

    def perform(self, slot: Slot) -> Finished:
        """As the protocol says; the cells in a random order that the block's seed gives."""
        known = self._reference_cells if slot.arm.role == "reference" else self._job.cells
        cells = random.Random(slot.hash_seed).sample(known, len(known))
        job = msgspec.structs.replace(self._job, cells=cells)
        return _asked(self._around, slot, job, QUERIES_TIMEOUT_S)


@contextlib.contextmanager
def _open_queries(resolved: Resolved, scenario: Queries, around: Surroundings) -> Iterator[QueriesStage]:
    effort, url = resolved.effort, around.services.postgresql.url
    cells = [cell for grid in effort.grids for cell in grid.cells()]
    mix_cell = scenario.mix_cell if scenario.mix_cell in cells else cells[0]
    redis = around.services.redis
    schemas: dict[str, str] = {}
    try:
        schemas = tables.load(url, around.schema_prefix, cells, around.note)
        with contextlib.ExitStack() as proxies:
            yield QueriesStage(
                QueriesJob(
                    cells=cells,
                    database_urls=_delayed(url, cells, around.other_cores, proxies),
                    redis_urls=_delayed(redis.url, cells, around.other_cores, proxies) if redis else {},
                    schemas=schemas,
                    passes=scenario.passes,
                    pass_ms=scenario.pass_ms,
                    maximum_calls=scenario.maximum_calls,
                    mix_cell=mix_cell,
                    mix_hz=scenario.mix_hz,
                    mix_s=effort.mix_s,
                ),
                [cell for grid in effort.reference_grids or effort.grids for cell in grid.cells()],
                around,
            )
    finally:
        tables.drop(url, schemas.values())


def _delayed(
    url: str, cells: Sequence[GridCell], cores: tuple[int, ...], proxies: contextlib.ExitStack
) -> dict[str, str]:
    """The server's URL at every round trip of the cells: its own at 0, a proxy's elsewhere."""
    return {
        f"{delay:g}": proxies.enter_context(open_delay_proxy(url, delay, cores=cores)).url if delay else url
        for delay in sorted({cell.round_trip_ms for cell in cells})
    }


def _asked(around: Surroundings, slot: Slot, job: CodecJob | QueriesJob, timeout_s: float) -> Finished:
    with contextlib.closing(Worker(cores=around.worker_cores, hash_seed=slot.hash_seed)) as worker:
        worker.ask(Request(v=PROTOCOL, stack=slot.arm.stack, job=job))
        outcome = worker.wait(timeout_s, watch=around.services.check)
    return Finished(outcome=outcome, measurements=outcome.measurements)


@contextlib.contextmanager
def _cancelled_on_failure(serving: Serving) -> Iterator[None]:
    """A serve that nobody waits for would stand in the way of the next."""
    try:
        yield
    except BaseException:
        with contextlib.suppress(Exception):
            serving.cancel()
            serving.wait(10.0)
        raise
