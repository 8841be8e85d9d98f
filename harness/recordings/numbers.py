"""Which integers of a frame are times or ids, so that a loop can move them on.

A letter means another thing in each event: `t` is a trade id in `trade` and a time in a kline; `u` an update id in
`depthUpdate` and a time in `outboundAccountPosition`. Prices, quantities and lists bear the same letters, but only
whole numbers without quotes are ever touched. Field meanings: Binance web-socket-streams.md and user-data-stream.md
(spot), websocket-market-streams (USD-M).
"""

from __future__ import annotations

import re
from enum import Enum
from typing import TYPE_CHECKING, Final, NamedTuple

from harness.recordings.format import REST

if TYPE_CHECKING:
    from collections.abc import Iterator


class Role(Enum):
    """What a number counts; ids of one role and symbol share one sequence."""

    TIME = "time"
    BOOK = "book"
    TRADE = "trade"
    AGGREGATE = "aggregate"
    ORDER = "order"
    EXECUTION = "execution"
    BLOCK = "block"


class Number(NamedTuple):
    """An integer in a frame's body."""

    start: int
    end: int
    key: str
    role: Role
    value: int


class Place(NamedTuple):
    """What a frame is about; `stream` is "" without a combined envelope, `event` "" where the payload names none."""

    stream: str
    event: str
    symbol: str


_TICKER: Final = {"O": Role.TIME, "C": Role.TIME, "F": Role.TRADE, "L": Role.TRADE}
_KLINE: Final = {"t": Role.TIME, "f": Role.TRADE, "L": Role.TRADE}
_FILL: Final = {"t": Role.TRADE, "i": Role.ORDER}
#: Beside `E` and `T`, which are times in every event.
_ROLES: Final[dict[str, dict[str, Role]]] = {
    # bookTicker and partial depth of spot, and REST snapshots, bear no event type
    "": {"u": Role.BOOK, "lastUpdateId": Role.BOOK},
    "bookTicker": {"u": Role.BOOK},
    "depthUpdate": {"U": Role.BOOK, "u": Role.BOOK, "pu": Role.BOOK},
    "aggTrade": {"a": Role.AGGREGATE, "f": Role.TRADE, "l": Role.TRADE},
    "trade": {"t": Role.TRADE, "a": Role.ORDER, "b": Role.ORDER},
    "blockTrade": {"t": Role.BLOCK},
    "kline": _KLINE,
    "continuous_kline": _KLINE,
    "24hrMiniTicker": {},
    "24hrTicker": _TICKER,
    "1hTicker": _TICKER,
    "4hTicker": _TICKER,
    "1dTicker": _TICKER,
    "referencePrice": {"t": Role.TIME},
    "executionReport": {
        "t": Role.TRADE, "i": Role.ORDER, "I": Role.EXECUTION, "O": Role.TIME, "W": Role.TIME, "D": Role.TIME,
    },
    "outboundAccountPosition": {"u": Role.TIME},
    "listStatus": {"i": Role.ORDER},
    "ORDER_TRADE_UPDATE": _FILL,
    "TRADE_LITE": _FILL,
    "EquityUpdate": {"t": Role.TIME},
}  # fmt: skip
_ALWAYS: Final = {"E": Role.TIME, "T": Role.TIME}

_NUMBER: Final = re.compile(rb'"(lastUpdateId|pu|[A-Za-z])":(\d{1,18})(?=[,}])')
_STREAM: Final = re.compile(rb'\{"stream":"([^"]*)"')
_EVENT: Final = re.compile(rb'"e":"([^"]*)"')
_SYMBOL: Final = re.compile(rb'"s":"([^"]*)"')
_QUERY_SYMBOL: Final = re.compile(r"[?&]symbol=([^&]*)")


def place_of(connection: str, body: bytes) -> Place:
    """What the frame is about, read by pattern: the body is not decoded."""
    stream_match = _STREAM.match(body)
    stream = stream_match[1].decode() if stream_match else ""
    if connection.startswith(REST):
        query = _QUERY_SYMBOL.search(connection)
        return Place(stream, "", query[1] if query else "")
    event = _EVENT.search(body)
    symbol = _SYMBOL.search(body)
    named = symbol[1].decode() if symbol else stream.partition("@")[0].upper()
    return Place(stream, event[1].decode() if event else "", named)


def numbers_of(place: Place, body: bytes) -> Iterator[Number]:
    """The times and ids in a body, in order."""
    roles = _ROLES.get(place.event, {})
    for match in _NUMBER.finditer(body):
        key = match[1].decode()
        role = roles.get(key) or _ALWAYS.get(key)
        if role is not None:
            yield Number(match.start(2), match.end(2), key, role, int(match[2]))
