"""What the bot can be told: parameters by TOML, addresses by the environment."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import msgspec
from msgspec import Meta

from harness.redact import redact

if TYPE_CHECKING:
    from collections.abc import Mapping

Span = Annotated[int, Meta(ge=1, le=1_000_000)]
Count = Annotated[int, Meta(ge=0)]
Share = Annotated[float, Meta(ge=0.0, le=1.0)]


class StrategySettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Parameters of the momentum strategy; thresholds are in units of the symbol's own volatility."""

    fast: Span = 8
    """Span of the fast average, in price observations."""
    slow: Span = 40
    """Span of the slow average."""
    warm_up: Span = 30
    """Observations of a symbol before it is judged."""
    entry: float = 1.5
    """Enter above this momentum, in mean absolute moves."""
    exit: float = 0.5
    """Leave below minus this momentum."""
    flow: float = 0.0
    """Enter only when the signed trade flow (-1 to 1) is above this."""


class RiskSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Limits, all in event time."""

    notional: Annotated[float, Meta(gt=0.0, le=1e12)] = 1_000.0
    """Size of a position in the quote asset."""
    maximum_open: Count = 10
    """Positions open at once."""
    cool_down_ms: Count = 1_000
    """Pause of a symbol after it was closed."""
    maximum_hold_ms: Count = 15_000
    """A position is closed after this long."""
    stop_loss: Share = 0.004
    """Close when this share below the entry."""
    take_profit: Annotated[float, Meta(ge=0.0)] = 0.004
    """Close when this share above the entry."""


class BotSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All parameters that decide; equal settings and equal frames give equal decisions."""

    strategy: StrategySettings = StrategySettings()
    risk: RiskSettings = RiskSettings()
    minimum_decisions: Count = 20
    """Fewer decisions on a recording are an error: equality of nothing proves nothing."""


class Addresses(msgspec.Struct, frozen=True, kw_only=True):
    """Where the servers are. `repr` and `str` never show a password."""

    database_url: str
    redis_url: str | None = None

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> Addresses:
        """`DATABASE_URL` and `REDIS_URL`; an empty one counts as not set."""
        return cls(database_url=environ.get("DATABASE_URL", ""), redis_url=environ.get("REDIS_URL") or None)

    def __repr__(self) -> str:
        """Redacted."""
        return f"Addresses({redact(self.database_url)}, {redact(self.redis_url or 'no redis')})"

    __str__ = __repr__
