"""What a run leaves behind: plain records, equal in memory and on disk.

Everything that is shown or judged is derived from these, elsewhere and later if need be.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

#: Format history of result.json
#: 1 - first
SCHEMA_VERSION = 1

REFERENCE = "asyncio+json+none"

Labels = dict[str, str]
Role = Literal["reference", "arm", "a/a"]


class Record(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A record of the result file; an unknown field is an error, not a silent loss."""


class Measurement(Record, frozen=True, kw_only=True):
    """One metric of one trial; `labels` tell cells of a grid apart (event, rows, round trip ...)."""

    metric: str
    """A name in `results.metrics`."""
    values: list[float]
    """One value a pass, in the order of the passes, in the metric's unit."""
    labels: Labels = {}


class Arm(Record, frozen=True, kw_only=True):
    """What is compared in a scenario."""

    name: str
    stack: str
    role: Role = "arm"


class Scenario(Record, frozen=True, kw_only=True):
    """A workload as it was resolved for this run."""

    name: str
    title: str
    version: int
    kind: str
    arms: list[Arm]
    blocks: int
    settings: dict[str, Any] = {}
    """Everything else that the scenario's TOML says, as resolved."""
    recording: str | None = None


class Recording(Record, frozen=True, kw_only=True):
    """The recording that was replayed."""

    name: str
    sha256: str
    market: str
    source: str
    frames: int
    """Frames in the file."""
    span_s: float
    symbols: int
    size_bytes: int
    """Bytes of all frames."""
    frames_by_kind: dict[str, int] = {}


class Trial(Record, frozen=True, kw_only=True):
    """One scenario under one arm in one fresh process."""

    scenario: str
    arm: str
    block: int
    """Counted from 0."""
    position: int
    """Place of the arm in its block's random order, counted from 0."""
    seed: int
    """PYTHONHASHSEED of the worker; differs by block, not by arm."""
    status: Literal["ok", "failed"]
    error: str | None = None
    cell: Labels = {}
    """The part of a grid that this trial measured; empty where the scenario has no grid."""
    active: dict[str, str] = {}
    """Proof of the backends that were really in use, by slot."""
    digest: str | None = None
    digest_trail: list[str] = []
    """The digest after every 1,000 frames: where two stacks part."""
    decisions: int = 0
    frames: int = 0
    counters: dict[str, int] = {}
    """Rows written, cache hits, refusals by name, malformed frames ..."""
    measurements: list[Measurement] = []
    histograms: dict[str, str] = {}
    """HdrHistogram V2 log encoding, base64, in nanoseconds, three significant digits, by metric."""
    started: str = ""
    """UTC, ISO 8601."""
    duration_s: float = 0.0
    conditions: dict[str, float] = {}
    """Load, steal, context switches ... while it ran."""


class Ceiling(Record, frozen=True, kw_only=True):
    """How fast the replay server can send, with the server and recording of the trials."""

    recording: str
    counting_frames_per_s: list[float]
    """A client that only counts bytes and received all frames; one value a repetition."""
    parsing_frames_per_s: list[float]
    """A client that parses every frame; one value a repetition."""
    frames: int
    bytes: int


class Environment(Record, frozen=True, kw_only=True):
    """Facts of the machine and the software of a run."""

    system: str
    cpu: str
    cores: int
    memory_bytes: int
    python: str
    packages: dict[str, str]
    """Distribution name to version."""
    services: dict[str, str]
    """Service name to what answered and where it came from."""
    revision: str | None
    pinned: bool
    """Worker and all else ran on different cores."""
    facts: dict[str, str] = {}


class Run(Record, frozen=True, kw_only=True):
    """A run and the choices that repeat it."""

    id: str
    profile: str
    seed: int
    started: str
    finished: str | None
    command: list[str]
    complete: bool
    """False when it was interrupted or broke."""
    broken_by: str | None = None
    tickproof: str = ""


class Result(Record, frozen=True, kw_only=True):
    """result.json."""

    schema: int
    run: Run
    environment: Environment
    scenarios: list[Scenario]
    recordings: list[Recording]
    trials: list[Trial]
    ceilings: list[Ceiling] = []
    warnings: list[str] = []

    @property
    def is_measurement(self) -> bool:
        """False for the smoke profile, which proves equality and shows no speed."""
        return self.run.profile != "smoke"
