"""A result with all that is derived from it once: table, trust, verdicts, and short ways to numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from harness.claims import catalogue as claims_files
from harness.claims.compare import improvement, level
from harness.claims.corners import main_corner
from harness.claims.evaluate import Judge
from harness.claims.trust import trust_of
from harness.claims.verdict import Status
from harness.report import numbers
from harness.report.context import Absent, Item, Mark, Shape
from harness.results.metrics import METRICS
from harness.results.model import REFERENCE
from harness.results.table import Cell, Table
from harness.stats.outcome import Outcome, outcome

if TYPE_CHECKING:
    from harness.claims.model import Catalogue
    from harness.claims.verdict import Verdict
    from harness.results.model import Labels, Result, Scenario
    from harness.stats.estimate import Estimate

FLOOD, PACED, JSON, QUERIES = "ws-flood", "ws-paced", "json", "queries"
BEFORE, AFTER, AFTER_REDIS = REFERENCE, "uvloop+orjson+none", "uvloop+orjson+redis"

QUERY_NAMES = ("get_trade_count('all')", "get_trade_count('closed')", "get_trade_count('open')", "get_statistics()")
RECORDED_MIX = "recorded mix"
ONE_KB = "1 KB"

_SHAPES: dict[str, Shape] = {
    Status.SUPPORTED: "full",
    Status.REFUTED: "cross",
    Status.INCONCLUSIVE: "half",
    Status.NOT_TESTED: "open",
    Outcome.IMPROVED: "full",
    Outcome.EQUIVALENT: "open",
    Outcome.REGRESSED: "cross",
}


class Head(NamedTuple):
    """One of the report's three columns."""

    title: str
    stack: str

    @property
    def codec(self) -> str:
        """The stack's codec."""
        return self.stack.split("+")[1]


HEADS = (Head("Before", BEFORE), Head("After", AFTER), Head("After, with Redis", AFTER_REDIS))


class Evidence:
    """The result, read once; all numbers oriented so that more than 1 is better."""

    def __init__(self, result: Result, catalogue: Catalogue | None = None) -> None:
        self.result = result
        self.catalogue = catalogue or claims_files.load()
        self.table = Table(result)
        self.trust = trust_of(result, self.table)
        self.judge = Judge(result, self.table, self.trust)
        self.verdicts = {verdict.claim.id: verdict for verdict in self.judge.all(self.catalogue)}
        self._stacks = {(scenario.name, arm.name): arm.stack for scenario in result.scenarios for arm in scenario.arms}

    def scenario(self, name: str) -> Scenario | None:
        """The scenario as it was resolved, or None when this run did not hold it."""
        return next((scenario for scenario in self.result.scenarios if scenario.name == name), None)

    def differs(self, scenario: str, arm: str) -> bool:
        """True when the arm's stack decided otherwise anywhere: no speed of it may be shown."""
        return self._stacks.get((scenario, arm), arm) in self.judge.unequal

    def level(self, cell: Cell, arm: str, unit: str = "", *, note: str = "") -> Item:
        """The arm's level in this cell."""
        if self.differs(cell.scenario, arm):
            return Absent(reason="outputs differ")
        return numbers.level(level(self.table, cell, arm), unit, note=note)

    def improvement(self, over: tuple[Cell, str], under: tuple[Cell, str]) -> Estimate | None:
        """How many times better; None when it was not measured, or one of the two decided otherwise."""
        if any(self.differs(cell.scenario, arm) for cell, arm in (over, under)):
            return None
        return improvement(self.table, over, under)

    def ratio(self, over: tuple[Cell, str], under: tuple[Cell, str]) -> Item:
        """The improvement, written."""
        if any(self.differs(cell.scenario, arm) for cell, arm in (over, under)):
            return Absent(reason="outputs differ")
        return numbers.ratio(improvement(self.table, over, under))

    def corners(self) -> list[Labels]:
        """The measured corners of the query grid: rows, index, connection and round trip, without query and cache."""
        corners = []
        for cell in self.table.cells(QUERIES, "query_ms"):
            corner = {key: value for key, value in cell.labels if key not in {"query", "cache"}}
            if corner not in corners:
                corners.append(corner)
        return corners

    def main_corner(self) -> Labels | None:
        """The corner that stands for the grid, by a fixed rule."""
        return main_corner(self.corners())


def query_cell(corner: Labels, query: str, cache: str) -> Cell:
    """The cell of a query at a corner of the grid."""
    return Cell.of(QUERIES, "query_ms", {**corner, "query": query, "cache": cache})


def result_of(estimate: Estimate | None, metric: str) -> Outcome | None:
    """What an improvement amounts to against the metric's margin; None when there is none."""
    return None if estimate is None else outcome(estimate, better="higher", margin=METRICS[metric].margin)


def outcome_mark(estimate: Estimate | None, metric: str) -> Item:
    """The outcome by word and shape."""
    found = result_of(estimate, metric)
    if found is None:
        return Absent(reason=numbers.NOT_MEASURED)
    return Mark(word=str(found), shape=_SHAPES.get(found, "half"))


def verdict_mark(verdict: Verdict, *, note: str = "") -> Mark:
    """The verdict by word and shape."""
    return Mark(word=verdict.word, shape=_SHAPES[verdict.status], note=note)


def status_mark(status: Status, *, note: str = "") -> Mark:
    """A bare status by word and shape."""
    return Mark(word=str(status), shape=_SHAPES[status], note=note)
