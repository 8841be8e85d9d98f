"""What a frame made the bot decide, as one record: it is journalled whole or not at all."""

from __future__ import annotations

from dataclasses import dataclass

from harness.bot.ledger import TradeRecord  # noqa: TC001 - msgspec reads the annotations of these records at run time
from harness.exchange.orders import Order  # noqa: TC001 - as above


@dataclass(frozen=True, slots=True, kw_only=True)
class SignalRecord:
    """A signal that was acted upon or refused, as the database keeps it."""

    signal_id: str
    symbol: str
    strategy: str
    signal: str
    """ENTER or LEAVE."""
    confidence: float
    """0 to 1."""
    features: dict[str, float]
    """The strategy's feature vector by name."""
    outcome: str
    """The client order id that came of it, or `refused <name>`."""
    time_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """Any of the three may be missing, not all."""

    order: Order | None = None
    trade: TradeRecord | None = None
    signal: SignalRecord | None = None
