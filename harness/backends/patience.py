"""How long a cache waits for its server, and how often it looks for one that is away."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """For the cache `redis`; the defaults are for a server near by."""

    limit_s: float = 0.05
    """An operation takes no longer: a server that hangs costs a query this much, once."""
    tries: int = 4
    """So often at the start, before it is looked for in the background. The first try has the limit of an operation,
    each further one twice as long, up to:"""
    longest_try_s: float = 1.0
    first_pause_s: float = 0.05
    """Between two tries; doubles, up to:"""
    longest_pause_s: float = 5.0
    locked_pause_s: float = 30.0
    """Between two tries with a password that was refused."""
