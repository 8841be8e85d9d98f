"""Who holds the market up: it is read on when nobody does any more."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


def _nothing() -> None:
    """There is nothing to pause yet."""


class Valve:
    """Several parties may hold one connection, each by its own name and as often as it likes."""

    def __init__(self) -> None:
        self._pause: Callable[[], None] = _nothing
        self._resume: Callable[[], None] = _nothing
        self._holders: set[str] = set()

    @property
    def holders(self) -> tuple[str, ...]:
        """Names of those who hold it now, sorted."""
        return tuple(sorted(self._holders))

    def attach(self, pause: Callable[[], None], resume: Callable[[], None]) -> None:
        """What is to be paused; at once, when somebody holds it already."""
        self._pause, self._resume = pause, resume
        if self._holders:
            pause()

    def handles(self, name: str) -> tuple[Callable[[], None], Callable[[], None]]:
        """A pause and a resume for one party."""
        return partial(self._hold, name), partial(self._release, name)

    def _hold(self, name: str) -> None:
        first = not self._holders
        self._holders.add(name)
        if first:
            self._pause()

    def _release(self, name: str) -> None:
        if name in self._holders:
            self._holders.remove(name)
            if not self._holders:
                self._resume()
