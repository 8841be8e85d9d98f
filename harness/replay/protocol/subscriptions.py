"""The streams that one connection subscribed to, and what of them flows there.

Source: Binance, web-socket-streams.md, and the USD-M change notice of 2026. A listenKey is a stream too; with
`<listenKey>@<event>` one type of its events is subscribed to, as LIST_SUBSCRIPTIONS was seen to name it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from harness.replay.protocol.routes import Route
from harness.replay.protocol.selection import Selection, Wrapping

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

#: A listenKey is 64 letters and digits; no symbol is that long.
_LISTEN_KEY: Final = re.compile(r"[A-Za-z0-9]{40,128}")


class Subscriptions:
    """All names are kept and told, in the order of asking; what flows is up to the route and to the listenKeys."""

    def __init__(
        self,
        streams: Iterable[str] = (),
        *,
        route: Route = Route.ALL,
        listen_keys: Iterable[str] = (),
        admits: Callable[[str], bool] = lambda _: True,
    ) -> None:
        self._route = route
        self._listen_keys = frozenset(listen_keys)
        self._admits = admits
        self._names: dict[str, None] = {}
        self._carried: frozenset[str] = frozenset()
        self._accounts: dict[str, frozenset[str]] = {}
        self.replace(dict.fromkeys(streams))

    @property
    def names(self) -> tuple[str, ...]:
        """Every stream that was subscribed to, whether there is one or not."""
        return tuple(self._names)

    def replace(self, names: dict[str, None]) -> None:
        """Subscribe to these and nothing else."""
        self._names = names
        accounts: dict[str, set[str]] = {}
        carried = []
        for name in names:
            key, _, event = name.partition("@")
            if key in self._listen_keys or _LISTEN_KEY.fullmatch(key):
                accounts.setdefault(key, set()).add(event)
            elif self._route.carries(name):
                carried.append(name)
        self._carried = frozenset(carried)
        # The name of the listenKey alone stands for all events.
        self._accounts = {key: frozenset() if "" in events else frozenset(events) for key, events in accounts.items()}

    def holds(self, listen_key: str) -> bool:
        """Whether that listenKey was subscribed to, good or not."""
        return listen_key in self._accounts

    def selection(self, *, combined: bool) -> Selection:
        """What flows now. Of several listenKeys the first good one counts: they are all the same account's."""
        wrapping = Wrapping.COMBINED if combined else Wrapping.RAW
        good = [key for key in self._accounts if self._admits(key)] if self._route.carries_accounts else []
        if not good:
            return Selection(wrapping=wrapping, streams=self._carried)
        return Selection(
            wrapping=wrapping,
            streams=self._carried,
            account=True,
            events=self._accounts[good[0]],
            listen_key=good[0] if combined else "",
        )
