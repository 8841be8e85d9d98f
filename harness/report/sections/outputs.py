"""Did all stacks decide the same? Digests, decisions, trades, rows written."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.report.context import Column, Item, Mark, Paragraph, Part, Section, Table, Text
from harness.results.equality import NO_DIGEST

if TYPE_CHECKING:
    from harness.report.evidence import Evidence
    from harness.results.equality import Difference, Equality
    from harness.results.model import Trial

_DIGEST_CHARACTERS = 12
_COUNTERS = (
    ("trades_closed", "Trades closed"),
    ("rows_written", "Rows written"),
    ("cache_hits", "Cache hits"),
    ("cache_misses", "Cache misses"),
    ("malformed", "Malformed frames"),
)


def outputs(evidence: Evidence) -> Section:
    """A table for every scenario in which the bot decides."""
    found = evidence.trust.equalities
    parts: list[Part] = []
    if not found:
        parts.append(Paragraph(text="No trial left a decision digest: equality is not proven.", is_warning=True))
    for equality in found:
        parts += [_finding(equality), _table(evidence, equality)]
    return Section(id="outputs", title="Equality of outputs", parts=tuple(parts))


def _finding(equality: Equality) -> Paragraph:
    place = equality.scenario + "".join(f", {key} {value}" for key, value in equality.cell)
    if equality.first_difference:
        text = f"{place}: {', '.join(equality.different)} decided otherwise than {equality.reference}. "
        return Paragraph(text=text + _where(equality.first_difference), is_warning=True)
    if not equality.has_enough_decisions:
        return Paragraph(text=f"{place}: too few decisions to prove anything.", is_warning=True)
    trials = sum(equality.trials.values())
    missing = f" Nothing is proven of {', '.join(equality.missing)}: no good trial." if equality.missing else ""
    text = f"{place}: all {trials} trials of {len(equality.digests)} arms left the same decision digest.{missing}"
    return Paragraph(text=text, is_warning=bool(equality.missing))


def _where(difference: Difference) -> str:
    if difference.first_frame is None:
        return f"First seen in block {difference.block + 1} of {difference.arm}; no trail of digests was kept."
    last = "the end" if difference.last_frame is None else f"{difference.last_frame:,}"
    return (
        f"{difference.arm} parts between frames {difference.first_frame:,} and {last} (block {difference.block + 1})."
    )


def _table(evidence: Evidence, equality: Equality) -> Table:
    trials: dict[str, list[Trial]] = {}
    for trial in evidence.result.trials:
        if trial.scenario == equality.scenario and trial.status == "ok" and _cell(trial) == equality.cell:
            trials.setdefault(trial.arm, []).append(trial)
    shown = [pair for pair in _COUNTERS if any(pair[0] in trial.counters for kept in trials.values() for trial in kept)]
    columns = (
        Column(title="Arm"),
        Column(title="Outputs"),
        Column(title="Digest"),
        Column(title="Trials", is_numeric=True),
        Column(title="Decisions", is_numeric=True),
        *(Column(title=title, unit="a trial", is_numeric=True) for _, title in shown),
    )
    rows = tuple(_row(equality, arm, trials.get(arm, []), [name for name, _ in shown]) for arm in equality.digests)
    caption = f"{equality.scenario}: what each arm decided and wrote"
    suffix = "-".join(value for pair in equality.cell for value in pair)
    return Table(id=f"outputs-{equality.scenario}{suffix}", caption=caption, columns=columns, rows=rows)


def _cell(trial: Trial) -> tuple[tuple[str, str], ...]:
    return tuple(sorted(trial.cell.items()))


def _row(equality: Equality, arm: str, trials: list[Trial], counters: list[str]) -> tuple[Item, ...]:
    same = Mark(word="differ", shape="cross") if arm in equality.different else Mark(word="equal", shape="full")
    if arm == equality.reference and arm not in equality.different:
        same = Mark(word="reference", shape="open")
    return (
        Text(text=arm),
        same,
        Text(text=", ".join(_short(digest) for digest in equality.digests[arm]), is_code=True),
        Text(text=f"{equality.trials[arm]:,}"),
        Text(text=_spread([trial.decisions for trial in trials])),
        *(Text(text=_spread([trial.counters.get(name) for trial in trials])) for name in counters),
    )


def _short(digest: str) -> str:
    return digest if digest == NO_DIGEST else digest[:_DIGEST_CHARACTERS]


def _spread(values: list[int | None]) -> str:
    """A count that is equal in every trial, or the lowest and highest seen."""
    known = [value for value in values if value is not None]
    if not known:
        return "-"
    low, high = min(known), max(known)
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"
