"""What one connection wants of a recording."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Wrapping(Enum):
    """How a frame is wrapped on the wire."""

    COMBINED = "combined"
    """`{"stream":"<name>","data":<payload>}`: on `/stream`; account events bear the listenKey as the name."""
    RAW = "raw"
    """The payload alone: on `/ws`, account events on a listenKey path among them."""
    API = "api"
    """`{"subscriptionId":0,"event":<payload>}`: account events on the WebSocket API."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """A set of market streams, the account's events, or both; equal selections share their wire bytes."""

    wrapping: Wrapping
    streams: frozenset[str] = frozenset()
    """Those of the subscribed ones that the connection's route carries."""
    account: bool = False
    events: frozenset[str] = frozenset()
    """The types of account events that are wanted; all when empty."""
    listen_key: str = ""
    """What account events bear as their stream in the combined envelope; empty in every other."""
    deflated: bool = False
    """Whether each frame is compressed by itself (permessage-deflate, `server_no_context_takeover`)."""
    microseconds: bool = False
    """Whether times are written in microseconds (`timeUnit=MICROSECOND`)."""

    @property
    def empty(self) -> bool:
        """Whether nothing at all is wanted."""
        return not (self.account or self.streams)
