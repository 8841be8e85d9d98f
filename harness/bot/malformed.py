"""Frames that could not be read: counted by kind, and the first of each kind logged without its secrets."""

from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING, Final, Literal

from harness.bot.tally import Tally
from harness.exchange import streams
from harness.exchange.account_events import ACCOUNT_SHAPES
from harness.redact import MASK, redact

if TYPE_CHECKING:
    from collections.abc import Mapping

Connection = Literal["market", "account"]

_log = logging.getLogger(__name__)

#: Nobody looks further into a frame than this.
_LOOKED_AT: Final = 2_000
_SHOWN: Final = 200
_STREAM = re.compile(rb'"stream"\s*:\s*"([^"\\]{1,128})"')
_EVENT = re.compile(rb'"e"\s*:\s*"(\w{1,64})"')
#: A listen key is the name of the account's stream; one that was cut in two no pattern of secrets would know.
_LISTEN_KEY = re.compile(r'("(?:stream|listenKey)"\s*:\s*")[^"]*')

#: Events that a raw connection sends without a stream's name, to the kind of stream that would carry them.
KIND_OF_EVENT: Final = {
    "aggTrade": "aggTrade",
    "trade": "trade",
    "bookTicker": "bookTicker",
    "kline": "kline",
    "24hrMiniTicker": "miniTicker",
    "24hrTicker": "ticker",
    "depthUpdate": "depth",
    "markPriceUpdate": "markPrice",
}


class MalformedFrames:
    """What was refused, and of which kind it looked to be."""

    def __init__(self) -> None:
        self._tally = Tally()

    @property
    def counts(self) -> Mapping[str, int]:
        """By kind of stream or name of event where these can be told, else `market` or `account`."""
        return self._tally.counts

    def add(self, connection: Connection, frame: bytes, error: Exception) -> None:
        """Count it, and log the first of its kind: a feed that turns bad would fill the disk."""
        start = frame[:_LOOKED_AT]
        kind = _market_kind(start) if connection == "market" else _account_kind(start)
        if self._tally.add(kind):
            _log.warning(
                "malformed %s frame, more of these are only counted (%s): %r",
                kind,
                _cut(str(error)),
                _shown(connection, start),
            )


def _market_kind(start: bytes) -> str:
    found = _STREAM.search(start)
    if found:
        stream = streams.parse(found[1].decode(errors="replace"))
        return stream.label if stream.is_known else "market"
    event = _EVENT.search(start)
    return KIND_OF_EVENT.get(event[1].decode(errors="replace"), "market") if event else "market"


def _account_kind(start: bytes) -> str:
    event = _EVENT.search(start)
    name = event[1].decode(errors="replace") if event else ""
    return name if name in ACCOUNT_SHAPES else "account"


def _shown(connection: Connection, start: bytes) -> str:
    text = start.decode(errors="backslashreplace")
    return _cut(_LISTEN_KEY.sub(rf"\g<1>{MASK}", text) if connection == "account" else text)


def _cut(text: str) -> str:
    """Redacted first: half a secret would not be seen as one."""
    told = redact(text)
    return told if len(told) <= _SHOWN else f"{told[:_SHOWN]}..."
