"""Past candles: as the recording's kline streams left them, or made from its trades."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any, Final

import msgspec
from msgspec import Meta, field

from harness.exchange.events import Integer

if TYPE_CHECKING:
    from harness.recordings.format import Market
    from harness.replay.rest.index import TapeIndex

_SECOND: Final = 1_000
_MINUTE: Final = 60 * _SECOND
_HOUR: Final = 60 * _MINUTE
_DAY: Final = 24 * _HOUR
_UNITS: Final = {"s": _SECOND, "m": _MINUTE, "h": _HOUR, "d": _DAY}
#: Of spot (web-socket-streams.md); USD-M has no 1s.
INTERVALS: Final = frozenset(
    {"1s", "1m", "3m", "5m", "15m", "30m", "1h", "2h", "4h", "6h", "8h", "12h", "1d", "3d", "1w", "1M"}
)
#: 1970-01-01 was a Thursday, and weeks begin on Monday.
_MONDAY: Final = 4 * _DAY
#: From here on times are microseconds (`timeUnit=MICROSECOND`).
_MICROSECONDS_FROM: Final = 10**14
_FIXED: Final = re.compile(r"(\d+)([smhd])")

Text = Annotated[str, Meta(pattern=r"^\d{1,20}(\.\d{1,20})?$")]
Moment = Annotated[int, Meta(ge=0, lt=10**17)]
"""Milliseconds, or microseconds."""
Row = list[Any]
"""Open time, open, high, low, close, volume, close time, quote volume, trades, taker volumes base and quote, "0"."""


class _Candle(msgspec.Struct, frozen=True, gc=False):
    t: Moment
    T: Moment
    o: Text
    c: Text
    h: Text
    l: Text  # noqa: E741 - Binance's name
    v: Text
    n: Integer
    q: Text
    V: Text
    Q: Text

    def row(self) -> Row:
        opens, closes = _ms(self.t), _ms(self.T)
        return [opens, self.o, self.h, self.l, self.c, self.v, closes, self.q, self.n, self.V, self.Q, "0"]


class _Kline(msgspec.Struct, frozen=True, gc=False):
    k: _Candle


class _Trade(msgspec.Struct, frozen=True, gc=False):
    """A trade or an aggregate of trades."""

    p: Text
    q: Text
    T: Moment
    is_sale: bool = field(name="m")
    f: Integer = 0
    l: Integer = 0  # noqa: E741 - Binance's name


class Candles:
    """The candles of one symbol and interval on one tape, moved along its stream. Not thread-safe.

    A kline stream of the interval is followed where the tape holds one, else the aggregate trades, else the trades;
    then a candle knows only what was traded since the tape's start, and minutes without a trade have none.
    """

    def __init__(self, index: TapeIndex, symbol: str, interval: str, market: Market) -> None:
        self._index = index
        self._interval = interval
        self._market = market
        klines = [name for name in index.names(symbol, "kline") if index.stream(name).option == interval]
        trades = index.names(symbol, "aggTrade") or index.names(symbol, "trade")
        self._from_trades = not klines
        self._stream = next(iter(klines or trades), None)
        self._restart()

    def _restart(self) -> None:
        self._taken = 0
        self._rows: dict[int, Row] = {}
        self._sums: dict[int, _Sum] = {}

    def before(self, position: int, *, start_ms: int | None, end_ms: int | None, limit: int) -> list[Row]:
        """Candles that opened within the times, both included, as of that position, oldest first.

        At most `limit`: the first ones when a start is given, else the last ones.
        """
        if self._stream is None:
            return []
        count = self._index.before(self._stream, position)
        if count < self._taken:
            self._restart()
        for number in range(self._taken, count):
            self._take(self._index.payload(self._stream, number))
        self._taken = count
        opened = sorted(
            at
            for at in (self._sums if self._from_trades else self._rows)
            if (start_ms is None or at >= start_ms) and (end_ms is None or at <= end_ms)
        )
        chosen = opened[:limit] if start_ms is not None else opened[-limit:]
        return [self._sums[at].row(self._market) if self._from_trades else self._rows[at] for at in chosen]

    def _take(self, payload: bytes) -> None:
        try:
            if self._from_trades:
                self._add(_decode_trade(payload))
            else:
                row = _decode_kline(payload).k.row()
                self._rows[row[0]] = row
        except (msgspec.MsgspecError, UnicodeDecodeError):
            return

    def _add(self, trade: _Trade) -> None:
        opens = opens_ms(_ms(trade.T), self._interval)
        found = self._sums.get(opens)
        if found is None:
            found = self._sums[opens] = _Sum(opens, closes_ms(opens, self._interval), trade)
        found.add(trade)


class _Sum:
    """A candle made of trades, in their texts' exact decimals."""

    __slots__ = (
        "_base",
        "_bought_base",
        "_bought_quote",
        "_first",
        "_high",
        "_last",
        "_low",
        "_quote",
        "_times",
        "_trades",
    )

    def __init__(self, opens: int, closes: int, first: _Trade) -> None:
        self._times = opens, closes
        self._first = self._last = first.p
        self._high = self._low = Decimal(first.p)
        self._base = self._quote = self._bought_base = self._bought_quote = Decimal(0)
        self._trades = 0

    def add(self, trade: _Trade) -> None:
        price, quantity = Decimal(trade.p), Decimal(trade.q)
        self._last = trade.p
        self._high, self._low = max(self._high, price), min(self._low, price)
        self._base += quantity
        self._quote += price * quantity
        if not trade.is_sale:
            self._bought_base += quantity
            self._bought_quote += price * quantity
        self._trades += max(1, trade.l - trade.f + 1)

    def row(self, market: Market) -> Row:
        def text(value: Decimal) -> str:
            return f"{value:.8f}" if market == "spot" else f"{value:f}"

        opens, closes = self._times
        prices = [self._first, text(self._high), text(self._low), self._last]
        volumes = [text(self._bought_base), text(self._bought_quote), "0"]
        return [opens, *prices, text(self._base), closes, text(self._quote), self._trades, *volumes]


_decode_kline = msgspec.json.Decoder(_Kline).decode
_decode_trade = msgspec.json.Decoder(_Trade).decode


def _ms(moment: int) -> int:
    return moment if moment < _MICROSECONDS_FROM else moment // 1_000


def opens_ms(at_ms: int, interval: str) -> int:
    """When the candle opened in which a moment lies, UTC."""
    if interval == "1w":
        return (at_ms - _MONDAY) // (7 * _DAY) * (7 * _DAY) + _MONDAY
    if interval == "1M":
        day = datetime.fromtimestamp(at_ms / 1_000, UTC)
        return int(datetime(day.year, day.month, 1, tzinfo=UTC).timestamp()) * 1_000
    length = _length_ms(interval)
    return at_ms // length * length


def closes_ms(opens: int, interval: str) -> int:
    """The last millisecond of the candle that opens then."""
    if interval == "1w":
        return opens + 7 * _DAY - 1
    if interval == "1M":
        return opens_ms(opens + 31 * _DAY, "1M") - 1
    return opens + _length_ms(interval) - 1


def _length_ms(interval: str) -> int:
    match = _FIXED.fullmatch(interval)
    if match is None:
        raise ValueError(f"{interval!r} is no interval")
    return int(match[1]) * _UNITS[match[2]]
