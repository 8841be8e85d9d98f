"""What the bot can be told: parameters by TOML, addresses by the environment."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from msgspec import Meta

from harness.redact import redact

if TYPE_CHECKING:
    from collections.abc import Mapping

Span = Annotated[int, Meta(ge=1, le=1_000_000)]
Period = Annotated[int, Meta(ge=2, le=10_000)]
Count = Annotated[int, Meta(ge=0)]
Share = Annotated[float, Meta(ge=0.0, le=1.0)]
Amount = Annotated[float, Meta(ge=0.0, le=1e12)]


class _Strict(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An unknown key is an error."""


class MarketSettings(_Strict, frozen=True, kw_only=True):
    """What is kept of every symbol, whichever strategy looks at it."""

    fast: Span = 8
    """Span of the fast average, in price observations; also that of the takers' flow."""
    slow: Span = 40
    """Span of the slow average; also that of the mean move."""
    interval: str = "1m"
    """Candles of this interval feed the indicators and are a reason to decide; others only have indicators."""
    rsi: Period = 14
    """Period of the relative strength index, in closed candles."""
    atr: Period = 14
    """Period of the average true range."""
    bollinger: Period = 20
    """Period of the Bollinger bands."""
    band_width: Annotated[float, Meta(gt=0.0, le=100.0)] = 2.0
    """Half the width of the bands, in standard deviations."""


class MomentumSettings(_Strict, frozen=True, kw_only=True, tag_field="name", tag="momentum"):
    """Parameters of the momentum strategy; thresholds are in units of the symbol's own mean move."""

    warm_up: Span = 30
    """Price observations of a symbol before it is judged."""
    entry: float = 1.5
    """Enter above this momentum, in mean absolute moves."""
    exit: float = 0.5
    """Leave below minus this momentum."""
    flow: float = 0.0
    """Enter only when the signed trade flow (-1 to 1) is above this."""


class ReversionSettings(_Strict, frozen=True, kw_only=True, tag_field="name", tag="mean-reversion"):
    """Parameters of the mean-reversion strategy; it waits for its indicators, so for some twenty closed candles."""

    oversold: Annotated[float, Meta(ge=0.0, le=100.0)] = 30.0
    """Enter only with a relative strength index below this."""
    entry: float = 0.0
    """Enter below this place in the Bollinger bands: 0 is the lower band, 1 the upper."""
    exit: float = 0.5
    """Leave above this place."""


class PluggedSettings(_Strict, frozen=True, kw_only=True, tag_field="name", tag="plugin"):
    """A strategy of another package, by the name of its entry point."""

    plugin: str
    parameters: dict[str, Any] = {}
    """Given to the strategy as they are."""


StrategySettings = MomentumSettings | ReversionSettings | PluggedSettings


class RiskSettings(_Strict, frozen=True, kw_only=True):
    """Limits, all in event time; amounts are in the quote asset."""

    capital: Annotated[float, Meta(gt=0.0, le=1e12)] = 25_000.0
    """What the bot begins with; profits and losses are added to it."""
    risk_fraction: Annotated[float, Meta(gt=0.0, le=1.0)] = 0.0002
    """Share of the capital that a position may lose at its stop-loss: with the stop it gives the position's size."""
    maximum_notional: Annotated[float, Meta(gt=0.0, le=1e12)] = 1_000.0
    """No position is larger."""
    maximum_open: Count = 10
    """Positions open at once."""
    minimum_confidence: Share = 0.0
    """Enter only on signals of at least this confidence."""
    cool_down_ms: Count = 1_000
    """Pause of a symbol after it was closed."""
    maximum_hold_ms: Count = 15_000
    """A position is closed after this long."""
    stop_loss: Annotated[float, Meta(gt=0.0, le=1.0)] = 0.004
    """Close when this share below the entry."""
    take_profit: Annotated[float, Meta(ge=0.0)] = 0.004
    """Close when this share above the entry."""
    daily_loss_limit: Amount = 2_500.0
    """Enter nothing more on a UTC day on which this much was lost; 0 for no limit."""


class CostSettings(_Strict, frozen=True, kw_only=True):
    """What trading costs on paper."""

    fee_rate: Annotated[Decimal, Meta()] = Decimal("0.001")
    """Binance's spot taker fee without discounts."""
    slippage: Annotated[Decimal, Meta()] = Decimal("0.0001")
    """How much worse than the best opposite price an order fills, as a share of it."""

    def __post_init__(self) -> None:
        for name in ("fee_rate", "slippage"):
            value: Decimal = getattr(self, name)
            if not value.is_finite() or not 0 <= value <= Decimal("0.5"):
                raise ValueError(f"{name} must be between 0 and 0.5")


class BotSettings(_Strict, frozen=True, kw_only=True):
    """All parameters that decide; equal settings and equal frames give equal decisions."""

    market: MarketSettings = MarketSettings()
    strategy: StrategySettings = MomentumSettings()
    risk: RiskSettings = RiskSettings()
    costs: CostSettings = CostSettings()
    book: bool = False
    """Keep the whole order book of every symbol with a depth stream; it wants a REST server for snapshots."""
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
