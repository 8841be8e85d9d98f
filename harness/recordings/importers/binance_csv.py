"""Binance's public CSV files (data.binance.vision): `aggTrades`, `klines` and `bookTicker` of spot and USD-M.

Columns: README.md of binance/binance-public-data, and the header lines that USD-M files bear. Each row becomes the
frame that the market's stream of 2026 would have carried. What a row does not tell is stated: E is the trade's time or
the first moment after the candle, a candle's trade ids are -1, and `nq` of USD-M is the whole quantity.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from harness.errors import RecordingError
from harness.recordings.importers.items import Item, Told
from harness.recordings.importers.texts import lines, member_name
from harness.recordings.records import MARKET
from harness.units import NS_PER_MS, NS_PER_S, NS_PER_US

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from harness.recordings.importers.items import Wanted
    from harness.recordings.records import Market

#: Milliseconds, or microseconds (spot since 2025-01-01).
_TIME: Final = rb"(\d{13}|\d{16})"
_DECIMAL: Final = rb"(\d{1,24}(?:\.\d{1,24})?)"
_ID: Final = rb"(-?\d{1,18})"
_FLAG: Final = rb"([Tt]rue|[Ff]alse)"
#: id, price, quantity, first id, last id, time, buyer is maker; spot has "best price match" besides.
_AGG_TRADE: Final = re.compile(b",".join((_ID, _DECIMAL, _DECIMAL, _ID, _ID, _TIME, _FLAG)) + b"(?:," + _FLAG + b")?")
#: open time, open, high, low, close, volume, close time, quote volume, count, taker volume, taker quote volume, ignore.
_KLINE: Final = re.compile(
    b",".join((_TIME, *[_DECIMAL] * 5, _TIME, _DECIMAL, _ID, _DECIMAL, _DECIMAL, rb"(-?[\d.]{1,40})"))
)
#: update id, bid price and quantity, ask price and quantity, transaction time, event time.
_BOOK_TICKER: Final = re.compile(b",".join((_ID, *[_DECIMAL] * 4, _TIME, _TIME)))
_HEADER: Final = re.compile(rb"(?:agg_?trade_?id|open_?time|update_?id)[\w, ]*", re.IGNORECASE)
_NAME: Final = re.compile(r"(?P<symbol>\w+)-(?:aggTrades|bookTicker|\d+(?:s|m|h|d|w|mo))-\d{4}-")
_SYMBOL: Final = re.compile(r"\w{1,40}")
#: COIN-M files are named like the others; their symbols tell.
_COIN_M: Final = re.compile(r"\w+USD_(?:PERP|\d{6})")
_FOLDERS: Final[dict[str, Market]] = {"/spot/": "spot", "/futures/um/": "usdm"}

_MINUTE: Final = 60_000
_HOUR: Final = 60 * _MINUTE
_DAY: Final = 24 * _HOUR
_INTERVALS: Final[dict[int, str]] = {
    1_000: "1s", _MINUTE: "1m", 3 * _MINUTE: "3m", 5 * _MINUTE: "5m", 15 * _MINUTE: "15m", 30 * _MINUTE: "30m",
    _HOUR: "1h", 2 * _HOUR: "2h", 4 * _HOUR: "4h", 6 * _HOUR: "6h", 8 * _HOUR: "8h", 12 * _HOUR: "12h",
    _DAY: "1d", 3 * _DAY: "3d", 7 * _DAY: "1w", 28 * _DAY: "1M", 29 * _DAY: "1M", 30 * _DAY: "1M", 31 * _DAY: "1M",
}  # fmt: skip
#: Rows a little out of order are held; more is a file that is not in order.
_MAX_BACK_NS: Final = 60 * NS_PER_S


def is_binance_csv(line: bytes) -> bool:
    """Whether a file with such a line is one of Binance's."""
    return any(form.fullmatch(line) for form in (_HEADER, _AGG_TRADE, _KLINE, _BOOK_TICKER))


class BinanceCsvReader:
    """One file of one symbol; its name tells the symbol, its folder or its columns the market where they can."""

    def __init__(self, path: Path, wanted: Wanted) -> None:
        named = _NAME.match(member_name(path)) or _NAME.match(path.name)
        symbol = wanted.symbol or (named["symbol"] if named else "")
        if not _SYMBOL.fullmatch(symbol):
            told = (
                f"{symbol!r} is no symbol" if symbol else "the file's name does not tell its symbol; give it (--symbol)"
            )
            raise RecordingError(path, 1, told)
        self._symbol = symbol.upper()
        if _COIN_M.fullmatch(self._symbol) or "/futures/cm/" in path.as_posix():
            raise RecordingError(path, 1, f"{self._symbol} is of COIN-M; known markets: spot, usdm")
        self.told = Told(symbol=self._symbol)
        self.told.market = next((market for folder, market in _FOLDERS.items() if folder in path.as_posix()), None)
        self._path = path
        self._wanted = wanted

    def items(self, on_progress: Callable[[int], None] | None) -> Iterator[Item]:
        """A frame for each row; raises RecordingError where rows run back by more than a minute."""
        latest = 0
        for number, line in lines(self._path, on_progress):
            if _HEADER.fullmatch(line) or not line:
                continue
            item = self._item(number, line)
            if item.at < latest - _MAX_BACK_NS:
                back = (latest - item.at) / NS_PER_S
                raise RecordingError(
                    self._path, number, f"time runs back by {back:,.0f} s; sort the rows by their time"
                )
            latest = max(latest, item.at)
            yield item

    def _item(self, number: int, line: bytes) -> Item:
        if match := _AGG_TRADE.fullmatch(line):
            stream, at, payload = self._agg_trade(match)
        elif match := _BOOK_TICKER.fullmatch(line):
            stream, at, payload = self._book_ticker(match)
        elif match := _KLINE.fullmatch(line):
            stream, at, payload = self._kline(number, match)
        else:
            raise RecordingError(self._path, number, "cut or malformed: not a row of aggTrades, klines or bookTicker")
        name = f"{self._symbol.lower()}@{stream}"
        self.told.streams.setdefault(name)
        return Item(at, MARKET, f'{{"stream":"{name}","data":{payload}}}'.encode(), number)

    def _market(self, guess: Market | None) -> Market:
        """What the folder told, else the columns; spot until the caller has said what neither tells."""
        if self.told.market is None:
            self.told.market = guess
        return self.told.market or self._wanted.market or "spot"

    def _agg_trade(self, row: re.Match[bytes]) -> tuple[str, int, str]:
        trade_id, price, quantity, first, last, time, maker = (part.decode() for part in row.groups()[:7])
        ms = _ms(time)
        flag = maker.lower()
        if self._market("usdm" if row[8] is None else "spot") == "spot":
            ids = f'"s":"{self._symbol}","a":{trade_id},"p":"{price}","q":"{quantity}","f":{first},"l":{last}'
            return "aggTrade", _ns(time), f'{{"e":"aggTrade","E":{ms},{ids},"T":{ms},"m":{flag},"M":true}}'
        ids = f'"a":{trade_id},"s":"{self._symbol}","p":"{price}","q":"{quantity}","nq":"{quantity}"'
        tail = f'"f":{first},"l":{last},"T":{ms},"m":{flag},"st":1'
        return "aggTrade", _ns(time), f'{{"e":"aggTrade","E":{ms},{ids},{tail}}}'

    def _book_ticker(self, row: re.Match[bytes]) -> tuple[str, int, str]:
        update, bid, bid_quantity, ask, ask_quantity, traded, event = (part.decode() for part in row.groups())
        touch = f'"b":"{bid}","B":"{bid_quantity}","a":"{ask}","A":"{ask_quantity}"'
        if self._market(self._wanted.market or "usdm") == "spot":
            return "bookTicker", _ns(event), f'{{"u":{update},"s":"{self._symbol}",{touch}}}'
        pair = f'"s":"{self._symbol}","ps":"{self._symbol.partition("_")[0]}"'
        times = f'"T":{_ms(traded)},"E":{_ms(event)}'
        return "bookTicker", _ns(event), f'{{"e":"bookTicker","u":{update},{pair},{touch},{times},"st":1}}'

    def _kline(self, number: int, row: re.Match[bytes]) -> tuple[str, int, str]:
        opened, o, h, low, c, volume, closed, quote, count, taker, taker_quote = (
            part.decode() for part in row.groups()[:11]
        )
        at = _ns(closed) + (NS_PER_MS if len(closed) == 13 else NS_PER_US)
        interval = _INTERVALS.get((at - _ns(opened)) // NS_PER_MS)
        if interval is None:
            raise RecordingError(self._path, number, f"a candle from {opened} to {closed}, which is no known interval")
        self._market("spot" if len(closed) == 16 else None)
        times = f'"t":{_ms(opened)},"T":{_ms(closed)},"s":"{self._symbol}","i":"{interval}","f":-1,"L":-1'
        prices = f'"o":"{o}","c":"{c}","h":"{h}","l":"{low}"'
        volumes = f'"v":"{volume}","n":{count},"x":true,"q":"{quote}","V":"{taker}","Q":"{taker_quote}","B":"0"'
        candle = f"{{{times},{prices},{volumes}}}"
        payload = f'{{"e":"kline","E":{at // NS_PER_MS},"s":"{self._symbol}","k":{candle}}}'
        return f"kline_{interval}", at, payload


def _ns(time: str) -> int:
    return int(time) * (NS_PER_MS if len(time) == 13 else NS_PER_US)


def _ms(time: str) -> int:
    return _ns(time) // NS_PER_MS
