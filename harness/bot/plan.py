"""What a bot shall do: where its market is, with which backends, and what it relies on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from harness.backends.stack import Stack
    from harness.bot.connection.market import ConnectionPolicy
    from harness.bot.rest import RestClient
    from harness.bot.settings import Addresses, BotSettings
    from harness.exchange.filters import SymbolFilters


class Probe(Protocol):
    """Whoever measures the bot stands here. The bot knows nothing else of it."""

    def watch(self, on_frame: Callable[[bytes], None]) -> Callable[[bytes], None]:
        """The handler to use instead: it calls the one given, once for every market frame."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """One life of a bot. The defaults are those of a measured trial."""

    stack: Stack
    market_url: str
    """`ws://host:port/stream?streams=...`, or one without streams and those in `streams`."""
    streams: tuple[str, ...] = ()
    account_url: str | None = None
    """`ws://host:port/ws-api/v3`; None for no account connection."""
    orders_url: str | None = None
    """An order gateway on loopback; None for paper."""
    addresses: Addresses
    schema: str
    journal: Path
    """The file of decisions that are not yet delivered."""
    settings: BotSettings
    filters: dict[str, SymbolFilters]
    poll_hz: float = 0.0
    """How often a second the dashboard asks its four questions; 0 for never."""
    policy: ConnectionPolicy | None = None
    """How the market connection is kept; None: its end is the bot's."""
    conflates: bool = False
    """When the bot is behind, newer prices take the place of waiting older ones; for live running only."""
    rest: RestClient | None = None
    """For snapshots of the book and for candles that warm up the indicators; None for neither."""
    warm_up: tuple[str, ...] = ()
    """Symbols whose past candles are taken in at the start."""
    patience_s: float = 0.0
    """How long PostgreSQL is waited for at the start."""
    drain_s: float = 30.0
    """How long the end waits until everything is sent, settled and delivered."""
    keeps_trail: bool = True
    """Keep the digest's trail; a bot that runs for days must not."""
    trace: bool = False
