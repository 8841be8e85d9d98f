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
    """A ping that is not answered for so long ends the connection."""
    messages_per_second: int = 5
    """Of a client, pings and pongs included; more than that in a second end the connection."""
    max_streams: int = 1024
    max_message_bytes: int = 64 * 1024
    """No request of the protocol is near it: 1,024 stream names are about 30 KB."""
    lifetime_seconds: float = 86_400.0
    """A connection is closed after so long."""
    notice_seconds: float = 600.0
    """`serverShutdown` is told so long before the end of the lifetime."""
    deflate: bool = True
    """Whether permessage-deflate is accepted where a client offers it."""


SPOT: Final = Rules()
USDM: Final = Rules(ping_seconds=180.0, pong_seconds=600.0, messages_per_second=10)
