"""Which backends were really in use: the seed report's own Redis never connected, and nobody saw it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from harness.backends.registry import registry

if TYPE_CHECKING:
    from harness.backends.contracts import Codec, Connection
    from harness.backends.stack import Stack

_HELD_BY = " in "


def loop_in_use() -> str:
    """Class of the running loop, with its module."""
    kind = type(asyncio.get_running_loop())
    return f"{kind.__module__}.{kind.__qualname__}"


def codec_in_use(codec: Codec) -> str:
    """Name and module of the function that decodes, and the class that holds it where it is not one of ours."""
    engine = codec.engine
    owner = getattr(engine, "__self__", None)
    module = getattr(engine, "__module__", None) or type(owner).__module__
    return f"{module}.{getattr(engine, '__qualname__', type(engine).__qualname__)}{_holder(codec)}"


def transport_in_use(connection: Connection | None) -> str:
    """Class of the library's own connection object, with its module, and the class that holds it as above."""
    if connection is None:
        return ""
    kind = type(connection.engine)
    return f"{kind.__module__}.{kind.__qualname__}{_holder(connection)}"


def _holder(backend: object) -> str:
    # A third party's package and the library that it wraps have names of their own; either may be the entry point's.
    kind = type(backend)
    ours = kind.__module__.startswith("harness.")
    return "" if ours else f"{_HELD_BY}{kind.__module__}.{kind.__qualname__}"


def discrepancies(stack: Stack, active: dict[str, str], *, cache_hits: int) -> list[str]:
    """Sentences for each slot in which another backend worked than the one named; empty when all is as asked.

    `active` holds, for the slots that were used at all, what the functions above say, and for the cache what its
    server answered.
    """
    problems = []
    for slot, name in stack.slots():
        if slot not in active or slot == "cache":
            continue
        modules = {part.partition(".")[0] for part in active[slot].split(_HELD_BY)}
        if registry().module_of(slot, name) not in modules:
            problems.append(f"{slot}: {name} was asked for, {active[slot] or 'nothing'} was in use")
    if "cache" in active:
        problems += _cache_problems(stack.cache, active["cache"], cache_hits)
    return problems


def _cache_problems(name: str, answer: str, hits: int) -> list[str]:
    if name == "none":
        return [f"cache: none was asked for, {answer} was in use"] if answer else []
    if not answer:
        return [f"cache: {name} was asked for, nothing answered"]
    return [] if hits else [f"cache: {name} answered but never had a hit"]
