"""One backend per slot, written `uvloop+orjson+redis` or `uvloop+orjson+redis+picows`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.backends.registry import SLOTS, registry
from harness.errors import TickproofError, UnknownName

if TYPE_CHECKING:
    from collections.abc import Iterator

DEFAULT_TRANSPORT = "websockets"

#: The report's three columns.
BEFORE = "asyncio+json+none"
AFTER = "uvloop+orjson+none"
AFTER_REDIS = "uvloop+orjson+redis"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    """A choice of backends by name."""

    loop: str
    codec: str
    cache: str
    transport: str = DEFAULT_TRANSPORT

    @classmethod
    def parse(cls, text: str) -> Stack:
        """The stack of that name; raises UnknownName for a backend that no slot knows, TickproofError for the form."""
        parts = text.split("+")
        if len(parts) == len(SLOTS) - 1:
            parts.append(DEFAULT_TRANSPORT)
        if len(parts) != len(SLOTS):
            raise TickproofError(f"stack {text!r} is not of the form loop+codec+cache, for example {AFTER_REDIS}")
        for slot, name in zip(SLOTS, parts, strict=True):
            if name not in registry().names(slot):
                raise UnknownName(f"{slot} backend", name, registry().names(slot))
        loop, codec, cache, transport = parts
        return cls(loop=loop, codec=codec, cache=cache, transport=transport)

    def __str__(self) -> str:
        """The name that `parse` reads."""
        parts = [self.loop, self.codec, self.cache]
        if self.transport != DEFAULT_TRANSPORT:
            parts.append(self.transport)
        return "+".join(parts)

    def check_installed(self) -> None:
        """Raises BackendNotInstalled for the first backend whose package is absent; imports none of them."""
        for slot, name in self.slots():
            registry().check_installed(slot, name)

    def slots(self) -> Iterator[tuple[str, str]]:
        """Pairs of slot and backend name."""
        yield from zip(SLOTS, (self.loop, self.codec, self.cache, self.transport), strict=True)
