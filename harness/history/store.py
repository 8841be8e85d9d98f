"""Many runs in one SQLite file, to look at: a gate compares two results, never this."""

from __future__ import annotations

import hashlib
import sqlite3
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.errors import ResultError
from harness.results.metrics import METRICS
from harness.results.store import RESULT, read_result
from harness.results.table import Table
from harness.stats import paired
from harness.stats.estimate import Estimate

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from harness.results.model import Result, Scenario

#: Format history of the store
#: 1 - first
STORE_VERSION = 1

_SCHEMA = """
CREATE TABLE runs (
    sha256 TEXT PRIMARY KEY, id TEXT NOT NULL, started TEXT NOT NULL, profile TEXT NOT NULL, complete INTEGER NOT NULL,
    tickproof TEXT NOT NULL, revision TEXT, cpu TEXT NOT NULL, python TEXT NOT NULL, trials INTEGER NOT NULL,
    failed INTEGER NOT NULL
);
CREATE TABLE gains (
    run TEXT NOT NULL REFERENCES runs (sha256), scenario TEXT NOT NULL, version INTEGER NOT NULL, metric TEXT NOT NULL,
    labels TEXT NOT NULL, arm TEXT NOT NULL, point REAL NOT NULL, low REAL NOT NULL, high REAL NOT NULL,
    level REAL NOT NULL, n INTEGER NOT NULL, PRIMARY KEY (run, scenario, metric, labels, arm)
);
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A run of the store."""

    id: str
    sha256: str
    started: str
    profile: str
    complete: bool
    revision: str | None
    cpu: str
    trials: int
    failed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Gain:
    """An arm over the reference in a run, as measured: less than 1 is better where less is (a time, a load)."""

    run: str
    scenario: str
    metric: str
    labels: str
    arm: str
    ratio: Estimate


class History:
    """The store; made when it is first written to."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def add(self, result_path: Path) -> Entry:
        """Take a result in: its run, and each arm's ratio to the reference where an interval is known.

        A result that is there already is left as it is. A smoke run is kept without ratios. Raises ResultError.
        """
        result = read_result(result_path)
        file = result_path / RESULT if result_path.is_dir() else result_path
        digest = hashlib.sha256(file.read_bytes()).hexdigest()
        with self._open() as store:
            if store.execute("SELECT 1 FROM runs WHERE sha256 = ?", (digest,)).fetchone() is None:
                _insert(store, digest, result)
            return next(entry for entry in _entries(store) if entry.sha256 == digest)

    def entries(self) -> list[Entry]:
        """All runs, oldest first; empty when there is no store yet. Raises ResultError for a file that is none."""
        if not self.path.exists():
            return []
        with self._open() as store:
            return _entries(store)

    def gains(self, *, scenario: str, metric: str, arm: str) -> list[Gain]:
        """How one arm fared over time, oldest run first."""
        if not self.path.exists():
            return []
        with self._open() as store:
            rows = store.execute(
                "SELECT id, scenario, metric, labels, arm, point, low, high, level, n FROM gains JOIN runs "
                "ON run = sha256 WHERE scenario = ? AND metric = ? AND arm = ? ORDER BY started, labels",
                (scenario, metric, arm),
            ).fetchall()
        return [
            Gain(
                run=row[0],
                scenario=row[1],
                metric=row[2],
                labels=row[3],
                arm=row[4],
                ratio=Estimate(point=row[5], low=row[6], high=row[7], level=row[8], n=row[9]),
            )
            for row in rows
        ]

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            store = sqlite3.connect(self.path)
        except (OSError, sqlite3.Error) as error:
            raise ResultError(f"{self.path} cannot be opened: {error}; name another file with --store") from error
        try:
            _prepare(store, self.path)
            with store:
                yield store
        except sqlite3.DatabaseError as error:
            raise ResultError(f"{self.path} is no history of tickproof: {error}; name another with --store") from error
        finally:
            store.close()


def _prepare(store: sqlite3.Connection, path: Path) -> None:
    version = store.execute("PRAGMA user_version").fetchone()[0]
    if version == 0:
        store.executescript(f"BEGIN; {_SCHEMA} PRAGMA user_version = {STORE_VERSION}; COMMIT;")
    elif version != STORE_VERSION:
        raise ResultError(f"{path} has version {version}; this tickproof reads version {STORE_VERSION}")


def _insert(store: sqlite3.Connection, digest: str, result: Result) -> None:
    run, machine = result.run, result.environment
    failed = sum(trial.status == "failed" for trial in result.trials)
    store.execute(
        "INSERT INTO runs VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            *(digest, run.id, run.started, run.profile, run.complete, run.tickproof, machine.revision),
            *(machine.cpu, machine.python, len(result.trials), failed),
        ),
    )
    if result.is_measurement:
        table = Table(result)
        rows = [row for scenario in result.scenarios for row in _gains_of(scenario, table, digest)]
        store.executemany("INSERT INTO gains VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)


def _gains_of(scenario: Scenario, table: Table, digest: str) -> Iterator[tuple[object, ...]]:
    reference = next((arm.name for arm in scenario.arms if arm.role == "reference"), None)
    for cell in table.cells(scenario.name):
        if cell.metric not in METRICS or reference is None:
            continue
        labels = ", ".join(f"{key}={value}" for key, value in cell.labels)
        for arm in scenario.arms:
            over, under = table.paired((cell, arm.name), (cell, reference))
            if arm.name != reference and len(over) >= 2 and min(*over, *under) > 0:
                found = paired.ratio(over, under)
                place = (digest, scenario.name, scenario.version, cell.metric, labels, arm.name)
                yield (*place, found.point, found.low, found.high, found.level, found.n)


def _entries(store: sqlite3.Connection) -> list[Entry]:
    rows = store.execute(
        "SELECT id, sha256, started, profile, complete, revision, cpu, trials, failed FROM runs ORDER BY started, id"
    ).fetchall()
    return [
        Entry(
            id=row[0],
            sha256=row[1],
            started=row[2],
            profile=row[3],
            complete=bool(row[4]),
            revision=row[5],
            cpu=row[6],
            trials=row[7],
            failed=row[8],
        )
        for row in rows
    ]
