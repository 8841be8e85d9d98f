"""Where the numbers come from: machine, versions, recordings, how to repeat the run, and what went wrong."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from harness.redact import redact
from harness.report.context import Column, Commands, Facts, Paragraph, Part, Section, Table, Text

if TYPE_CHECKING:
    from harness.report.evidence import Evidence
    from harness.results.model import Recording, Run

_GIB = 1 << 30
_MOST_FAILED = 50


def environment(evidence: Evidence) -> Section:
    """Facts of the machine and the software."""
    result = evidence.result
    facts = result.environment
    items = (
        ("System", facts.system),
        ("CPU", f"{facts.cpu}, {facts.cores} cores"),
        ("Memory", f"{facts.memory_bytes / _GIB:.1f} GiB"),
        ("Python", facts.python),
        ("Pinned", "worker and all else on different cores" if facts.pinned else "no: cores were shared"),
        ("Revision", facts.revision or "unknown"),
        *((f"Service: {name}", redact(value)) for name, value in facts.services.items()),
        *((name, redact(value)) for name, value in facts.facts.items()),
    )
    columns = (Column(title="Package"), Column(title="Version"))
    rows = tuple((Text(text=name), Text(text=version)) for name, version in sorted(facts.packages.items()))
    parts: list[Part] = [Facts(items=items)]
    if rows:
        parts.append(Table(id="packages", caption="Versions of packages", columns=columns, rows=rows))
    return Section(id="environment", title="Environment", parts=tuple(parts))


def reproduce(evidence: Evidence) -> Section:
    """The command with its seed, and the recordings by hash."""
    run = evidence.result.run
    facts = (
        ("Run", run.id),
        ("Profile", run.profile),
        ("Seed", str(run.seed)),
        ("Started", run.started),
        ("Finished", run.finished or "no"),
        ("tickproof", run.tickproof or "unknown"),
    )
    recordings = tuple(_recording(recording) for recording in evidence.result.recordings)
    parts: tuple[Part, ...] = (Commands(lines=(command_of(run),)), Facts(items=facts), *recordings)
    return Section(id="reproduce", title="How to reproduce", parts=parts)


def command_of(run: Run) -> str:
    """The command as typed, with the seed that it drew if none was given."""
    words = [redact(word) for word in run.command] or ["tickproof", "bench", "--profile", run.profile]
    if not any(word == "--seed" or word.startswith("--seed=") for word in words):
        words += ["--seed", str(run.seed)]
    return shlex.join(words)


def _recording(recording: Recording) -> Facts:
    kinds = ", ".join(f"{kind} {count:,}" for kind, count in recording.frames_by_kind.items())
    about = f"{recording.frames:,} frames, {recording.symbols} symbols, {recording.span_s:,.0f} s, {recording.market}"
    items = [
        ("Recording", recording.name),
        ("SHA-256", recording.sha256),
        ("Content", f"{about}, {recording.source}"),
        ("Size of all frames", f"{recording.size_bytes:,} bytes"),
    ]
    return Facts(items=(*items, ("Frames by kind", kinds)) if kinds else tuple(items))


def trouble(evidence: Evidence) -> Section:
    """Warnings and failed trials; says so when there are none."""
    result = evidence.result
    failed = [trial for trial in result.trials if trial.status == "failed"]
    parts: list[Part] = [Paragraph(text=redact(warning), is_warning=True) for warning in result.warnings]
    if failed:
        columns = tuple(Column(title=title) for title in ("Scenario", "Arm", "Block", "Error"))
        rows = tuple(
            (
                Text(text=trial.scenario),
                Text(text=trial.arm),
                Text(text=str(trial.block + 1)),
                Text(text=redact(trial.error or "no reason was left")),
            )
            for trial in failed[:_MOST_FAILED]
        )
        rest = f"{len(failed) - _MOST_FAILED} more stand in result.json." if len(failed) > _MOST_FAILED else ""
        parts.append(Table(id="failed", caption="Failed trials", columns=columns, rows=rows, note=rest))
    if not parts:
        parts.append(Paragraph(text="No warning, and no failed trial."))
    return Section(id="trouble", title="Warnings and failed trials", parts=tuple(parts))
