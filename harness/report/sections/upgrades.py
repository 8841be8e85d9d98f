"""Per upgrade: adopt, skip, or cannot tell."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from harness.claims.conditions import describe, in_words
from harness.report import numbers
from harness.report.context import Absent, Item, Upgrade
from harness.report.evidence import (
    AFTER,
    AFTER_REDIS,
    BEFORE,
    FLOOD,
    JSON,
    QUERIES,
    RECORDED_MIX,
    result_of,
)
from harness.results.table import Cell
from harness.stats.outcome import Outcome

if TYPE_CHECKING:
    from collections.abc import Iterable

    from harness.report.evidence import Evidence
    from harness.results.model import Labels
    from harness.stats.estimate import Estimate

Decision = Literal["adopt", "skip", "cannot tell"]

THROUGHPUT = Cell.of(FLOOD, "messages_per_second")
CPU = Cell.of(FLOOD, "cpu_us_per_message")
DECODE = Cell.of(JSON, "decode_us", {"document": RECORDED_MIX})


def upgrades(evidence: Evidence) -> tuple[Upgrade, ...]:
    """The three upgrades, in the seed's order; none for a smoke run."""
    if not evidence.trust.is_measurement:
        return ()
    return (
        _of_stack(evidence, "Event loop", "asyncio to uvloop", "uvloop+json+none", ()),
        _of_stack(evidence, "JSON codec", "json to orjson", "asyncio+orjson+none", _decode(evidence)),
        _redis(evidence),
    )


def _of_stack(evidence: Evidence, name: str, change: str, arm: str, details: tuple[str, ...]) -> Upgrade:
    """One slot changed and all else equal, judged by the throughput of the whole bot."""
    estimate = evidence.improvement((THROUGHPUT, arm), (THROUGHPUT, BEFORE))
    cpu = evidence.ratio((CPU, arm), (CPU, BEFORE))
    decision, why = _decide(evidence, FLOOD, (arm, BEFORE), [result_of(estimate, THROUGHPUT.metric)])
    return Upgrade(
        name=name,
        change=change,
        decision=decision,
        number=evidence.ratio((THROUGHPUT, arm), (THROUGHPUT, BEFORE)),
        metric="messages/s, whole bot, this slot alone",
        condition=f"under flood{_on_recording(evidence)}",
        details=(*why, *_told("CPU per message", cpu), *details),
    )


def _redis(evidence: Evidence) -> Upgrade:
    corner = evidence.main_corner() or {}
    cells = [cell for cell in evidence.table.cells(QUERIES, "query_ms") if dict(cell.labels).get("cache") == "mix"]
    found = {cell: evidence.improvement((cell, AFTER_REDIS), (_uncached(cell), AFTER)) for cell in cells}
    outcomes = {cell: result_of(estimate, cell.metric) for cell, estimate in found.items()}
    at_main = [cell for cell in cells if corner.items() <= dict(cell.labels).items()]
    decision, why = _decide(evidence, QUERIES, (AFTER, AFTER_REDIS), [outcomes[cell] for cell in at_main])
    price = evidence.ratio((THROUGHPUT, AFTER_REDIS), (THROUGHPUT, AFTER))
    return Upgrade(
        name="Redis cache",
        change="none to redis",
        decision=decision,
        number=Absent(reason="outputs differ")
        if any(evidence.differs(QUERIES, arm) for arm in (AFTER, AFTER_REDIS))
        else _slowest_gain(found[cell] for cell in at_main),
        metric="query time, hits and misses as a TTL of 5 s makes them; the least improved of the four queries",
        condition=f"at {in_words(corner.items())}" if corner else "no corner of the query grid was measured",
        details=(*why, *_where_improved(outcomes), *_told("message throughput with the cache in use", price)),
    )


def _decide(
    evidence: Evidence, scenario: str, arms: tuple[str, ...], outcomes: list[Outcome | None]
) -> tuple[Decision, tuple[str, ...]]:
    differing = [arm for arm in arms if evidence.differs(scenario, arm)]
    if differing:
        return "cannot tell", (f"outputs of {', '.join(differing)} differ: no speed of it counts",)
    if not evidence.trust.allows_verdicts:
        return "cannot tell", ("the run found a difference between the reference and itself",)
    if not outcomes or None in outcomes:
        return "cannot tell", (_missing(evidence, scenario),)
    if all(found is Outcome.IMPROVED for found in outcomes):
        return "adopt", ()
    if all(found in {Outcome.EQUIVALENT, Outcome.REGRESSED} for found in outcomes):
        return "skip", (f"{outcomes[0]} against the margin",)
    return "cannot tell", ("the interval holds both a gain and none",)


def _missing(evidence: Evidence, scenario: str) -> str:
    if evidence.scenario(scenario) is None:
        return f"scenario {scenario} is not in this run"
    return f"scenario {scenario} left no pair of good trials"


def _slowest_gain(estimates: Iterable[Estimate | None]) -> Item:
    known = [estimate for estimate in estimates if estimate is not None]
    return numbers.ratio(min(known, key=lambda estimate: estimate.point)) if known else Absent(reason="not measured")


def _where_improved(outcomes: dict[Cell, Outcome | None]) -> tuple[str, ...]:
    measured = [_corner_of(cell) for cell in outcomes]
    improved = [_corner_of(cell) for cell, found in outcomes.items() if found is Outcome.IMPROVED]
    if not any(outcomes.values()):
        return ()
    where = f": {describe(improved, measured)}" if improved else ""
    return (f"improved in {len(improved)} of {len(measured)} cells{where}",)


def _corner_of(cell: Cell) -> Labels:
    return {key: value for key, value in cell.labels if key != "cache"}


def _uncached(cell: Cell) -> Cell:
    return Cell.of(cell.scenario, cell.metric, {**dict(cell.labels), "cache": "off"})


def _decode(evidence: Evidence) -> tuple[str, ...]:
    arm = (DECODE, "asyncio+orjson+none")
    return _told("decoding alone, recorded mix", evidence.ratio(arm, (DECODE, BEFORE)))


def _told(what: str, item: Item) -> tuple[str, ...]:
    return () if isinstance(item, Absent) else (f"{what}: {numbers.in_line(item)}",)


def _on_recording(evidence: Evidence) -> str:
    scenario = evidence.scenario(FLOOD)
    return f", recording {scenario.recording}" if scenario and scenario.recording else ""
