"""Progress of a run: a bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import Console

    from harness.results.model import Trial


class PlainProgress:
    """A line for every block that ends and for every failed trial: fit for a CI log."""

    def __init__(self, console: Console, total: int) -> None:
        self._console = console
        self._total = total
        self._done = 0
        self._block: tuple[str, int] | None = None

    def note(self, text: str) -> None:
        """One line."""
        self._console.print(text, markup=False, highlight=False)

    def trial_done(self, trial: Trial) -> None:
        """Counts; tells of a new block and of a failure."""
        self._done += 1
        if (trial.scenario, trial.block) != self._block:
            self._block = (trial.scenario, trial.block)
            self.note(f"[{self._done}/{self._total}] {trial.scenario}, block {trial.block + 1}")
        if trial.status == "failed":
            self.note(_failure(trial))


class BarProgress:
    """A bar with what is being done, how long it took and how long it will."""

    def __init__(self, bar: Progress, total: int) -> None:
        self._bar = bar
        self._task = bar.add_task("starting", total=total)

    def note(self, text: str) -> None:
        """Beside the bar."""
        self._bar.update(self._task, description=text)

    def trial_done(self, trial: Trial) -> None:
        """One step; a failure stays above the bar."""
        self._bar.update(self._task, advance=1, description=f"{trial.scenario}, block {trial.block + 1}: {trial.arm}")
        if trial.status == "failed":
            self._bar.console.print(_failure(trial), markup=False, highlight=False)


def _failure(trial: Trial) -> str:
    return f"failed: {trial.scenario}, block {trial.block + 1}, {trial.arm}: {trial.error}"


@contextlib.contextmanager
def progress_of(console: Console, total: int) -> Iterator[PlainProgress | BarProgress]:
    """A bar on a terminal, else plain lines."""
    if not console.is_terminal:
        yield PlainProgress(console, total)
        return
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True) as bar:
        yield BarProgress(bar, total)
