"""Scenarios: TOML into records, and what a profile makes of one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, get_args

import msgspec

from harness.backends.stack import Stack
from harness.bot.settings import BotSettings
from harness.config import data_files, read_toml
from harness.errors import ConfigError, UnknownName
from harness.replay.faults.plan import FaultPlan
from harness.results.model import REFERENCE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from harness.replay.faults.fault import Faults

Profile = Literal["smoke", "quick", "full"]
PROFILES: tuple[Profile, ...] = get_args(Profile)

Query = Literal["get_trade_count('all')", "get_trade_count('closed')", "get_trade_count('open')", "get_statistics()"]
QUERIES: tuple[Query, ...] = get_args(Query)


class _Strict(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    pass


class Grid(_Strict, frozen=True, kw_only=True):
    """Cells of the queries scenario: every combination of the lists."""

    rows: list[int]
    index: list[bool]
    connection: list[Literal["pooled", "per-call"]]
    round_trip_ms: list[float]

    def cells(self) -> Iterator[GridCell]:
        """In the order written."""
        for rows in self.rows:
            for index in self.index:
                for connection in self.connection:
                    for round_trip_ms in self.round_trip_ms:
                        yield GridCell(rows=rows, index=index, connection=connection, round_trip_ms=round_trip_ms)


class GridCell(_Strict, frozen=True, kw_only=True):
    """One place in the grid."""

    rows: int
    index: bool
    connection: Literal["pooled", "per-call"]
    round_trip_ms: float

    def labels(self) -> dict[str, str]:
        """As a measurement carries them."""
        return {
            "rows": str(self.rows),
            "index": "yes" if self.index else "no",
            "connection": self.connection,
            "round_trip_ms": f"{self.round_trip_ms:g}",
        }


class Effort(_Strict, frozen=True, kw_only=True):
    """What one profile spends on a scenario."""

    blocks: int
    frames: int = 0
    """Market frames of a trial; the recording is looped until there are that many."""
    grids: list[Grid] = []
    reference_grids: list[Grid] = []
    """Where the reference measures a smaller grid than the other stacks: it tells only loop and codec apart."""
    mix_s: float = 0.0
    """How long the mixed polling of the queries scenario lasts; 0 for not at all."""
    ceiling_repeats: int = 0
    seconds: float = 0.0
    """A paced trial lasts no longer than this at its speed: a quiet recording is measured on fewer frames."""


class Override(_Strict, frozen=True, kw_only=True):
    """What is different on one recording: parameters of the bot, where its defaults would hardly trade."""

    bot: BotSettings


class _Common(_Strict, frozen=True, kw_only=True):
    name: str
    title: str
    version: int
    stacks: list[str]
    reference: str = REFERENCE
    a_a: bool = False
    """Run the reference once more as an arm of its own: the check that the run can be believed."""
    profiles: dict[Profile, Effort]


class _Replayed(_Common, frozen=True, kw_only=True):
    bot: BotSettings = BotSettings()
    recordings: dict[str, Override] = {}
    """Overrides by name of the recording."""
    poll_hz: float = 10.0
    """How often a second the dashboard asks its four queries."""
    faults: FaultPlan | None = None
    """What the replay does wrong on purpose; None for nothing."""


class Flood(_Replayed, frozen=True, kw_only=True, tag_field="kind", tag="flood"):
    """As fast as TCP takes it."""

    warm_up_frames: int
    passes: int


class Paced(_Replayed, frozen=True, kw_only=True, tag_field="kind", tag="paced"):
    """At a multiple of the recorded speed."""

    speed: float
    warm_up_frames: int


class CodecBench(_Common, frozen=True, kw_only=True, tag_field="kind", tag="codec"):
    """Decode and encode, in process, timed by pyperf."""

    loops: int
    """Calls a value: a stored calibration, equal for all arms and blocks."""
    values: int
    sample_frames: int
    """Frames of the recording from which documents are taken."""


class Queries(_Common, frozen=True, kw_only=True, tag_field="kind", tag="queries"):
    """The dashboard's four queries."""

    passes: int
    pass_ms: float
    """What a pass lasts at least, as far as `maximum_calls` allows."""
    maximum_calls: int
    mix_hz: float
    """How often a second each query is asked in the mixed polling."""
    mix_cell: GridCell


Scenario = Flood | Paced | CodecBench | Queries


class Resolved(_Strict, frozen=True, kw_only=True):
    """A scenario and what a run has chosen of it."""

    scenario: Scenario
    effort: Effort
    recording: str | None
    """Name of the recording; None for a scenario that wants none."""

    @property
    def name(self) -> str:
        """The scenario's."""
        return self.scenario.name

    def bot(self) -> BotSettings:
        """Parameters of the bot on this recording; the defaults for a scenario without bot."""
        if not isinstance(self.scenario, _Replayed):
            return BotSettings()
        override = self.scenario.recordings.get(self.recording or "")
        return override.bot if override else self.scenario.bot

    def settings(self, faults: Faults | None = None) -> dict[str, Any]:
        """All of it as plain data, for the result file; with `faults`, its plan as the replay resolved it."""
        plain: dict[str, Any] = msgspec.to_builtins(self.scenario)
        del plain["profiles"]
        plain["effort"] = msgspec.to_builtins(self.effort)
        if isinstance(self.scenario, _Replayed):
            plain["bot"] = msgspec.to_builtins(self.bot())
            del plain["recordings"]
            _tell_faults(plain, faults)
        return plain


def _tell_faults(plain: dict[str, Any], faults: Faults | None) -> None:
    if faults is not None:
        plain["faults"] = {**msgspec.to_builtins(faults), "lossless": faults.lossless}
    elif plain["faults"] is None:
        del plain["faults"]


def shipped() -> dict[str, Path]:
    """The scenarios that come with the package, by name, in the order they run."""
    files = {path.stem: path for path in data_files(".", "*.toml")}
    order = ("ws-flood", "ws-paced", "json", "queries")
    return {name: files[name] for name in (*order, *sorted(files.keys() - set(order))) if name in files}


def read(path: Path) -> Scenario:
    """A scenario file; raises ConfigError, or UnknownName for a stack in it that no slot knows."""
    scenario: Scenario = read_toml(path, Scenario)  # type: ignore[arg-type]  # a union is no class to mypy
    if scenario.reference not in scenario.stacks:
        raise ConfigError(path, "reference", f"{scenario.reference!r} is not among the stacks")
    for stack in scenario.stacks:
        Stack.parse(stack)
    return scenario


def choose(names: list[str], profile: Profile, recording: str, stacks: list[str]) -> list[Resolved]:
    """The scenarios of a run: those named, or all; cut down to the named stacks and their reference.

    Raises UnknownName with the known names for a scenario, a profile or a stack, and BackendNotInstalled with the
    line that installs what is missing.
    """
    known = shipped()
    if profile not in PROFILES:
        raise UnknownName("profile", profile, PROFILES)
    for name in names:
        if name not in known:
            raise UnknownName("scenario", name, known)
    wanted = [str(Stack.parse(stack)) for stack in stacks]
    scenarios = [_with_stacks(read(path), wanted) for name, path in known.items() if not names or name in names]
    for scenario in scenarios:
        for stack in scenario.stacks:
            Stack.parse(stack).check_installed()
    return [
        Resolved(
            scenario=scenario,
            effort=_effort(scenario, profile),
            recording=None if isinstance(scenario, Queries) else recording,
        )
        for scenario in scenarios
    ]


def with_faults(chosen: list[Resolved], plan: FaultPlan) -> list[Resolved]:
    """The scenarios with what shall go wrong in those that replay; raises ConfigError where none does."""
    if not any(isinstance(resolved.scenario, _Replayed) for resolved in chosen):
        raise ConfigError("bench", "--faults", "none of the scenarios replays traffic; choose ws-flood or ws-paced")
    return [
        msgspec.structs.replace(resolved, scenario=msgspec.structs.replace(resolved.scenario, faults=plan))
        if isinstance(resolved.scenario, _Replayed)
        else resolved
        for resolved in chosen
    ]


def _effort(scenario: Scenario, profile: Profile) -> Effort:
    try:
        return scenario.profiles[profile]
    except KeyError:
        raise ConfigError(f"scenario {scenario.name}", "profiles", f"has no profile {profile!r}") from None


def _with_stacks(scenario: Scenario, wanted: list[str]) -> Scenario:
    """Only the stacks asked for; the reference always stays, since a speed is a ratio to it."""
    if not wanted:
        return scenario
    if isinstance(scenario, _Replayed):
        stacks = [scenario.reference, *(stack for stack in wanted if stack != scenario.reference)]
    else:  # a component scenario measures the slots it is made for
        stacks = [stack for stack in scenario.stacks if stack == scenario.reference or stack in wanted]
    return msgspec.structs.replace(scenario, stacks=stacks)
