"""What one connection wants of a recording."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Wrapping(Enum):
    """How a frame is wrapped on the wire."""

    COMBINED = "combined"
    """`{"stream":"<name>","data":<payload>}`: market data on `/stream`."""
    RAW = "raw"
    """The payload alone: market data on `/ws`, account events on a listenKey path."""
    API = "api"
    """`{"subscriptionId":0,"event":<payload>}`: account events on the WebSocket API."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """A set of market streams, or the account's events; equal selections share their wire bytes."""

    wrapping: Wrapping
    streams: frozenset[str] = frozenset()
    account: bool = False
    deflated: bool = False
    """Whether each frame is compressed by itself (permessage-deflate, `server_no_context_takeover`)."""
    microseconds: bool = False
    """Whether times are written in microseconds (`timeUnit=MICROSECOND`)."""

    @property
    def empty(self) -> bool:
        """Whether nothing at all is wanted."""
        return not (self.account or self.streams)
