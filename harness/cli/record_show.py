"""What a user sees of a capture: that it goes on, and what it brought."""

from __future__ import annotations

import contextlib
import threading
import time
from typing import TYPE_CHECKING

from rich.live import Live as Shown
from rich.table import Table
from rich.text import Text

from harness.units import NS_PER_S

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rich.console import Console

    from harness.cli.record_live import Live
    from harness.recordings.capture.tally import CaptureSummary, ConnectionSummary

#: On a terminal, and in a log.
_REFRESH_S, _LINE_S = 0.5, 10.0
_NAMES_SHOWN = 5


@contextlib.contextmanager
def progress_of(console: Console, live: Live) -> Iterator[None]:
    """A line that is rewritten on a terminal, a plain line every ten seconds elsewhere; in a thread of its own."""
    done = threading.Event()
    pace = _Pace(live)
    if console.is_terminal:
        shown = Shown(Text("connecting"), console=console, transient=True, auto_refresh=False)
        with shown, _repeating(lambda: shown.update(Text(pace.line()), refresh=True), done, _REFRESH_S):
            yield
    else:
        with _repeating(lambda: console.print(pace.line(), markup=False), done, _LINE_S):
            yield


@contextlib.contextmanager
def _repeating(show: Callable[[], object], done: threading.Event, every_s: float) -> Iterator[None]:
    def repeat() -> None:
        while not done.wait(every_s):
            show()

    thread = threading.Thread(target=repeat, name="capture-progress", daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


class _Pace:
    """Words about a capture, with the rate since they were last asked for."""

    def __init__(self, live: Live) -> None:
        self._live = live
        self._started = self._asked = time.monotonic_ns()
        self._frames = 0

    def line(self) -> str:
        now = time.monotonic_ns()
        frames = self._live.frames
        rate = (frames - self._frames) / max((now - self._asked) / NS_PER_S, 1e-3)
        self._asked, self._frames = now, frames
        words = [
            f"{(now - self._started) / NS_PER_S:,.0f} s: {frames:,} frames, {rate:,.0f} a second",
            f"{self._live.body_bytes / 1e6:,.1f} MB",
        ]
        if self._live.reconnects:
            words.append(f"{self._live.reconnects} reconnects")
        if self._live.away:
            words.append(f"{self._live.away} connections away")
        return ", ".join(words)


def show(console: Console, found: CaptureSummary) -> None:
    """The summary, for people."""
    rate = f"{found.frames_per_second:,.1f} a second, {found.body_bytes:,} bytes"
    console.print(f"{found.frames:,} frames in {found.span_seconds:.1f} s, {rate}; ended by {found.ended_by}")
    console.print(_table(found))
    for connection in found.connections:
        for line in _remarks(connection):
            console.print(line, markup=False)
    if any(connection.lateness for connection in found.connections):
        console.print("late: receive time less event time E; it holds what this clock and the exchange's differ by")
    if found.held_back:
        console.print(f"reading was held back {found.held_back} times, since the disk was slower: those times are late")
    if found.redacted:
        console.print(f"{found.redacted:,} identifiers were replaced by stand-ins of the same length")
    for file in found.files:
        gaps = f", {file.gaps} gaps" if file.gaps else ""
        console.print(f"{file.path}: {file.frames:,} frames, {file.text_bytes:,} bytes of text{gaps}", markup=False)


def _table(found: CaptureSummary) -> Table:
    table = Table("connection")
    for heading in ("streams", "frames", "bytes", "a second", "largest", "reconnects", "gaps", "late p50", "p99"):
        table.add_column(heading, justify="right")
    for one in found.connections:
        late = one.lateness
        table.add_row(
            f"{one.number or 'account'} {one.host}",
            f"{one.streams:,}",
            f"{one.frames:,}",
            f"{one.body_bytes:,}",
            f"{one.frames_per_second:,.1f}",
            f"{one.largest_bytes:,}",
            str(sum(one.reconnects.values())),
            f"{one.gaps} ({one.away_seconds:.1f} s)" if one.gaps else "0",
            f"{late.p50_ms} ms" if late else "-",
            f"{late.p99_ms} ms" if late else "-",
        )
    return table


def _remarks(one: ConnectionSummary) -> Iterator[str]:
    name = f"connection {one.number}" if one.number else "the account's connection"
    if one.reconnects:
        reasons = ", ".join(f"{count} {reason}" for reason, count in sorted(one.reconnects.items()))
        yield f"{name} was made anew: {reasons}"
    if one.refused_requests:
        yield f"{name}: {one.refused_requests} requests were refused"
    if one.unheld:
        yield f"{name}: {one.unheld:,} frames are not kept: binary, or with a newline, which a recording cannot hold"
    if one.silent_streams:
        left = len(one.silent_streams) - _NAMES_SHOWN
        more = f" and {left:,} more" if left > 0 else ""
        shown = ", ".join(one.silent_streams[:_NAMES_SHOWN])
        yield f"{name}: nothing came of {shown}{more}; an unknown stream is acknowledged, and silent"
