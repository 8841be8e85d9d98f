"""A run from its first server to its result file."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Protocol

import msgspec

from harness import __version__
from harness.bot.app import GC_POLICY
from harness.errors import NotTrustworthy, TickproofError
from harness.measure.environment import Conditions, environment
from harness.redact import redact
from harness.results.equality import equalities
from harness.results.model import SCHEMA_VERSION, Ceiling, Environment, Result, Run, Scenario, Trial
from harness.run.checks import problems_of
from harness.run.divergence import explain
from harness.run.facts import recording_facts
from harness.run.plan import arms_of, order_of
from harness.run.scenario import CodecBench, Flood, Paced
from harness.run.stages import Finished, ReplayStage, Surroundings, open_stage
from harness.services.opening import KINDS, open_services
from harness.spawn import split_cores

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harness.recordings.format import Recording
    from harness.replay.faults.fault import Faults
    from harness.results.store import RunFolder
    from harness.run.plan import Slot
    from harness.run.scenario import Profile, Resolved
    from harness.run.stages import Stage
    from harness.services.opening import Services
    from harness.services.server import Kind

#: So many failed trials in a row are no accident: the rest of the run would fail too.
FAILURES_IN_A_ROW = 4


class Progress(Protocol):
    """Who watches a run."""

    def note(self, text: str) -> None:
        """Something is being done that takes a moment."""
        ...

    def trial_done(self, trial: Trial) -> None:
        """One more trial has ended."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What was asked for; equal choices give an equal order of trials."""

    run_id: str
    profile: Profile
    scenarios: list[Resolved]
    recording: Recording
    services: str
    seed: int
    command: list[str]
    """The command line that repeats the run; no secrets in it."""


class Runner:
    """Drives the processes and sleeps while a trial runs."""

    def __init__(self, choice: Choice, folder: RunFolder, progress: Progress, environ: Mapping[str, str]) -> None:
        self._choice = choice
        self._folder = folder
        self._progress = progress
        self._environ = environ
        self._started = datetime.now(UTC)
        self._trials: list[Trial] = []
        self._ceilings: list[Ceiling] = []
        self._warnings: list[str] = []
        self._environment: Environment | None = None
        self._failures = 0
        self._faults: dict[str, Faults] = {}
        """As the replay resolved them, by scenario."""

    def run(self) -> Result:
        """Everything that was chosen. A run that breaks or is interrupted still leaves its result, marked as such.

        Raises TickproofError only when it could not begin.
        """
        broken: str | None = None
        try:
            self._run_all()
        except KeyboardInterrupt:
            broken = "interrupted"
        except TickproofError as error:
            if not self._trials:
                raise
            broken = str(error)
        except OSError as error:  # a full disk, mostly
            if not self._trials:
                raise
            broken = f"{error.strerror or error}" + (f": {error.filename}" if error.filename else "")
        result = self._result(broken)
        self._folder.save(result)
        return result

    def _run_all(self) -> None:
        worker_cores, other_cores = split_cores()
        with ExitStack() as stack:
            want: tuple[Kind, ...] = KINDS if self._wants_services() else ()
            if want:
                self._progress.note("starting PostgreSQL and a Redis-compatible server")
            services = stack.enter_context(
                open_services(self._choice.services, environ=self._environ, want=want, cores=other_cores)
            )
            self._environment = self._facts(services, pinned=bool(worker_cores))
            around = Surroundings(
                recording=self._choice.recording,
                services=services,
                worker_cores=worker_cores,
                other_cores=other_cores,
                schema_prefix="tickproof_" + "".join(filter(str.isalnum, self._choice.run_id)).lower(),
                note=self._progress.note,
            )
            for resolved in self._choice.scenarios:
                self._run_scenario(resolved, around)

    def _wants_services(self) -> bool:
        return not all(isinstance(resolved.scenario, CodecBench) for resolved in self._choice.scenarios)

    def _run_scenario(self, resolved: Resolved, around: Surroundings) -> None:
        with open_stage(resolved, around) as stage:
            if isinstance(stage, ReplayStage) and stage.faults is not None:
                self._faults[resolved.name] = stage.faults
                self._warnings.append(_disturbed(resolved.name, stage.faults))
            if isinstance(stage, ReplayStage) and resolved.effort.ceiling_repeats:
                self._progress.note("measuring the replay server's own ceiling")
                self._ceilings.append(stage.ceiling())
            slots = order_of(resolved, seed=self._choice.seed, blocks=resolved.effort.blocks)
            for slot in slots:
                self._run_trial(stage, resolved, slot)
            if isinstance(stage, ReplayStage):
                self._explain_differences(stage, resolved, slots)

    def _run_trial(self, stage: Stage, resolved: Resolved, slot: Slot) -> None:
        started, conditions = datetime.now(UTC), Conditions()
        try:
            finished = stage.perform(slot)
            bot = resolved.bot() if isinstance(resolved.scenario, Flood | Paced) else None
            trial = _trial(slot, finished, problems_of(slot.arm.stack, finished.outcome, bot))
        except NotTrustworthy as error:  # the worker failed, or the replay broke off
            trial = _failed(slot, str(error))
        trial = _stamped(trial, started, {**trial.conditions, **conditions.since()})
        self._trials.append(trial)
        self._folder.append(trial)
        self._progress.trial_done(trial)
        self._failures = 0 if trial.status == "ok" else self._failures + 1
        if self._failures >= FAILURES_IN_A_ROW:
            raise NotTrustworthy(f"{self._failures} trials failed in a row, the last with: {trial.error}")

    def _explain_differences(self, stage: ReplayStage, resolved: Resolved, slots: list[Slot]) -> None:
        """On a mismatch both stacks run again with a full trace, and the first divergence is told."""
        for equality in equalities(self._result(None)):
            if equality.scenario != resolved.name or not equality.different:
                continue
            first = {slot.arm.name: slot for slot in reversed(slots)}
            self._progress.note("the stacks do not decide the same: looking for the first divergence")
            reference, other = first[equality.reference], first[equality.different[0]]
            try:
                self._warnings.append(f"{resolved.name}: {explain(stage, reference, other)}")
            except NotTrustworthy as error:
                self._warnings.append(f"{resolved.name}: the first divergence could not be found: {error}")

    def _facts(self, services: Services, *, pinned: bool) -> Environment:
        settings = {
            f"{server.name} {name}": value for server in services.servers for name, value in server.settings.items()
        }
        return environment(
            services={server.name: f"{server.product} (from {server.origin})" for server in services.servers},
            pinned=pinned,
            facts={"gc policy of the bot": GC_POLICY, **settings},
        )

    def _result(self, broken: str | None) -> Result:
        choice = self._choice
        return Result(
            schema=SCHEMA_VERSION,
            run=Run(
                id=choice.run_id,
                profile=choice.profile,
                seed=choice.seed,
                started=self._started.isoformat(timespec="seconds"),
                finished=datetime.now(UTC).isoformat(timespec="seconds"),
                command=[redact(part) for part in choice.command],
                complete=broken is None,
                broken_by=broken,
                tickproof=__version__,
            ),
            environment=self._environment or environment(services={}, pinned=False, facts={}),
            scenarios=[_scenario(resolved, self._faults.get(resolved.name)) for resolved in choice.scenarios],
            recordings=[recording_facts(choice.recording)],
            trials=list(self._trials),
            ceilings=list(self._ceilings),
            warnings=list(self._warnings),
        )


def _disturbed(scenario: str, faults: Faults) -> str:
    """A report of such a run must not be taken for one of an undisturbed replay."""
    loss = "that lose and alter nothing" if faults.lossless else "that lose or alter frames"
    return f"{scenario}: replayed with {len(faults.faults)} faults on purpose (seed {faults.seed}) {loss}"


def _scenario(resolved: Resolved, faults: Faults | None) -> Scenario:
    scenario = resolved.scenario
    settings = resolved.settings(faults)
    return Scenario(
        name=scenario.name,
        title=scenario.title,
        version=scenario.version,
        kind=str(settings["kind"]),
        arms=arms_of(resolved),
        blocks=resolved.effort.blocks,
        settings=settings,
        recording=resolved.recording,
    )


def _trial(slot: Slot, finished: Finished, problems: list[str]) -> Trial:
    outcome = finished.outcome
    return Trial(
        scenario=slot.scenario,
        arm=slot.arm.name,
        block=slot.block,
        position=slot.position,
        seed=slot.hash_seed,
        status="failed" if problems else "ok",
        error="; ".join(problems) or None,
        active=outcome.active,
        digest=outcome.digest,
        digest_trail=outcome.digest_trail,
        decisions=outcome.decisions,
        frames=outcome.frames,
        counters=outcome.counters,
        measurements=finished.measurements,
        histograms=finished.histograms,
        conditions={**outcome.conditions, **finished.conditions},
    )


def _failed(slot: Slot, error: str) -> Trial:
    return Trial(
        scenario=slot.scenario,
        arm=slot.arm.name,
        block=slot.block,
        position=slot.position,
        seed=slot.hash_seed,
        status="failed",
        error=redact(error),
    )


def _stamped(trial: Trial, started: datetime, conditions: dict[str, float]) -> Trial:
    return msgspec.structs.replace(
        trial,
        started=started.isoformat(timespec="milliseconds"),
        duration_s=conditions.pop("seconds", 0.0),
        conditions=conditions,
    )
