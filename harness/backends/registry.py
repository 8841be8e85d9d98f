"""Backends by slot and name; ours and third parties' come in by the same door, and listing imports nothing."""

from __future__ import annotations

import functools
import sys
from importlib import util
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING, Any, cast

from harness.errors import BackendNotInstalled, TickproofError, UnknownName

if TYPE_CHECKING:
    from harness.backends.contracts import Cache, Codec, LoopFactory, Transport

SLOTS = ("loop", "codec", "cache", "transport")

#: Entry-point groups, `tickproof.loops` and so on.
GROUPS = {slot: f"tickproof.{slot}s" for slot in SLOTS}

# What ships: slot, name, factory, and the module that it needs besides the standard library.
_SHIPPED = (
    ("loop", "asyncio", "harness.backends.loops:asyncio_loop", "asyncio"),
    ("loop", "uvloop", "harness.backends.loops:uvloop_loop", "uvloop"),
    ("codec", "json", "harness.backends.codecs:JsonCodec", "json"),
    ("codec", "orjson", "harness.backends.codecs:OrjsonCodec", "orjson"),
    ("codec", "msgspec", "harness.backends.codecs:MsgspecCodec", "msgspec"),
    ("cache", "none", "harness.backends.caches:NoCache", ""),
    ("cache", "memory", "harness.backends.caches:MemoryCache", ""),
    ("cache", "redis", "harness.backends.redis_cache:RedisCache", "redis"),
    ("transport", "websockets", "harness.backends.transports:WebsocketsTransport", "websockets"),
)
_MODULE = {(slot, name): module for slot, name, _, module in _SHIPPED}


class Registry:
    """Factories by slot and name."""

    def __init__(self) -> None:
        self._entries: dict[tuple[str, str], EntryPoint] = {}

    def add(self, entry: EntryPoint) -> None:
        """Offer a backend; raises TickproofError when its slot is unknown or its name is taken, naming both."""
        slot = next((slot for slot, group in GROUPS.items() if group == entry.group), None)
        if slot is None:
            raise TickproofError(
                f"entry-point group {entry.group!r} is no slot; there are {', '.join(GROUPS.values())}"
            )
        taken = self._entries.get((slot, entry.name))
        if taken is not None:
            raise TickproofError(
                f"{slot} backend {entry.name!r} is offered twice, by {taken.value} and by {entry.value}; uninstall one"
            )
        self._entries[slot, entry.name] = entry

    def names(self, slot: str) -> tuple[str, ...]:
        """The names known to a slot, installed or not, in the order they were offered."""
        return tuple(name for known, name in self._entries if known == slot)

    def is_installed(self, slot: str, name: str) -> bool:
        """Whether the package of a known backend is there; what a third party's own module needs is not asked."""
        module = self.module_of(slot, name)
        if not module or sys.modules.get(module) is not None:
            return True
        try:
            return util.find_spec(module) is not None
        except ModuleNotFoundError:  # the import blocker of a run in which the package is to be absent
            return False

    def check_installed(self, slot: str, name: str) -> None:
        """Raises BackendNotInstalled, with the line that installs it, when its package is absent."""
        if not self.is_installed(slot, name):
            raise self._not_installed(slot, name)

    def module_of(self, slot: str, name: str) -> str:
        """The module that the backend must be found running in; empty for one without a library of its own."""
        entry = self._entry(slot, name)
        return _MODULE.get((slot, name), entry.module.partition(".")[0])

    def factory(self, slot: str, name: str) -> Any:
        """What makes the backend. Raises UnknownName, or BackendNotInstalled with the line that installs it."""
        entry = self._entry(slot, name)
        try:
            return entry.load()
        except ImportError as error:
            raise self._not_installed(slot, name) from error

    def loop(self, name: str) -> LoopFactory:
        """The named loop's factory; raises BackendNotInstalled now, not when the loop is made."""
        self.check_installed("loop", name)
        return cast("LoopFactory", self.factory("loop", name))

    def codec(self, name: str) -> Codec:
        """A new codec of that name."""
        return cast("Codec", self._made("codec", name))

    def cache(self, name: str, url: str | None = None) -> Cache:
        """A new cache of that name, not yet opened; `url` is where its store is."""
        return cast("Cache", self._made("cache", name, url))

    def transport(self, name: str) -> Transport:
        """A new transport of that name."""
        return cast("Transport", self._made("transport", name))

    def _made(self, slot: str, name: str, *arguments: object) -> object:
        factory = self.factory(slot, name)
        try:
            return factory(*arguments)
        except ImportError as error:
            raise self._not_installed(slot, name) from error

    def _not_installed(self, slot: str, name: str) -> BackendNotInstalled:
        distribution = self._entry(slot, name).dist
        package = distribution.name if distribution else f"'tickproof[{name}]'"
        return BackendNotInstalled(slot, name, f"pip install {package}")

    def _entry(self, slot: str, name: str) -> EntryPoint:
        try:
            return self._entries[slot, name]
        except KeyError:
            raise UnknownName(f"{slot} backend", name, self.names(slot)) from None


@functools.cache
def registry() -> Registry:
    """The one registry: what ships, then what installed packages offer."""
    made = Registry()
    for slot, name, value, _ in _SHIPPED:
        made.add(EntryPoint(name=name, value=value, group=GROUPS[slot]))
    for group in GROUPS.values():
        for entry in entry_points(group=group):
            made.add(entry)
    return made
