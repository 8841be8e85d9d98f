"""The exchange's rules for a connection, each a number that a test or an experiment may change.

Source: Binance, web-socket-streams.md (spot), websocket-market-streams (USD-M), as of 2026.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What a server grants a client."""

    ping_seconds: float = 20.0
    """Between two pings of the server."""
    pong_seconds: float = 60.0
    """A ping that is not answered for so long ends the connection with 1008 `Pong timeout`."""
    any_pong_counts: bool = False
    """Whether a pong that answers no ping keeps the connection alive too, as on USD-M."""
    messages_per_second: int = 5
    """Of a client, pings and pongs included; more than that in a second end a market connection. 0: any number."""
    max_streams: int = 1024
    max_message_bytes: int = 64 * 1024
    """Of a request, after inflation. None of the protocol is near it: 1,024 stream names are about 30 KB."""
    max_head_bytes: int = 16 * 1024
    """Of the opening request; its lines may have 8 KiB each."""
    handshake_seconds: float = 10.0
    """The opening request must be whole by then. An assumption: Binance states none."""
    closing_seconds: float = 10.0
    """A client that does not answer a close frame for so long is not waited for. An assumption too."""
    lifetime_seconds: float = 86_400.0
    """A connection is closed after so long."""
    notice_seconds: float = 600.0
    """`serverShutdown` is told so long before the end of the lifetime."""
    shutdown_notice: bool = True
    """Whether `serverShutdown` is told at all; USD-M documents none."""
    deflate: bool = True
    """Whether permessage-deflate is accepted where a client offers it."""


SPOT: Final = Rules()
USDM: Final = Rules(
    ping_seconds=180.0, pong_seconds=600.0, any_pong_counts=True, messages_per_second=10, shutdown_notice=False
)
