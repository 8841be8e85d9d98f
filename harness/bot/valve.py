"""Who holds the market up: it is read on when nobody does any more."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class Valve:
    """Several parties may hold one connection, each by its own name and as often as it likes."""

    def __init__(self, pause: Callable[[], None], resume: Callable[[], None]) -> None:
        self._pause = pause
        self._resume = resume
        self._holders: set[str] = set()

    @property
    def holders(self) -> tuple[str, ...]:
        """Names of those who hold it now, sorted."""
        return tuple(sorted(self._holders))

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
