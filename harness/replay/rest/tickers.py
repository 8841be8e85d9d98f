"""The last state of each symbol's market: tickers, last prices, recent trades, from the frames before a position."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

import msgspec

if TYPE_CHECKING:
    from harness.exchange.streams import Kind
    from harness.recordings.format import Market
    from harness.replay.rest.index import TapeIndex

#: Where a last price stands, by kind of stream.
_PRICES: Final[dict[Kind, tuple[str, ...]]] = {
    "trade": ("p",),
    "aggTrade": ("p",),
    "ticker": ("c",),
    "miniTicker": ("c",),
    "kline": ("k", "c"),
}
_ZERO: Final = "0.00000000"
#: Names of `24hrTicker` in REST, in REST's order; spot alone has `x` and the four of the best prices.
_DAY: Final = {
    "priceChange": "p",
    "priceChangePercent": "P",
    "weightedAvgPrice": "w",
    "prevClosePrice": "x",
    "lastPrice": "c",
    "lastQty": "Q",
    "bidPrice": "b",
    "bidQty": "B",
    "askPrice": "a",
    "askQty": "A",
    "openPrice": "o",
    "highPrice": "h",
    "lowPrice": "l",
    "volume": "v",
    "quoteVolume": "q",
    "openTime": "O",
    "closeTime": "C",
    "firstId": "F",
    "lastId": "L",
    "count": "n",
}
_SPOT_ONLY: Final = frozenset("xbBaA")
_COUNTS: Final = frozenset("OCFLn")
_DAY_MS: Final = 86_400_000


class Tickers:
    """What was last told on one tape. Not thread-safe."""

    def __init__(self, index: TapeIndex, market: Market) -> None:
        self._index = index
        self._market = market

    def day(self, symbol: str, position: int) -> dict[str, Any]:
        """`ticker/24hr`: of the last ticker frame, else of the last miniTicker, else zeros but for the last price."""
        told = self._last(symbol, "ticker", position, option="")
        if told is None:
            told = _of_mini(self._last(symbol, "miniTicker", position) or {})
            best = self._last(symbol, "bookTicker", position) or {}
            told |= {name: best[name] for name in "bBaA" if name in best}
            told.setdefault("c", self._latest(symbol, position)[0])
        wanted = {name: key for name, key in _DAY.items() if self._market == "spot" or key not in _SPOT_ONLY}
        return {"symbol": symbol} | {
            name: told.get(key, 0 if key in _COUNTS else _ZERO) for name, key in wanted.items()
        }

    def best(self, symbol: str, position: int) -> dict[str, Any]:
        """`ticker/bookTicker`: the last best prices; zeros where none was told."""
        told = self._last(symbol, "bookTicker", position) or {}
        best = {
            "symbol": symbol,
            "bidPrice": told.get("b", _ZERO),
            "bidQty": told.get("B", _ZERO),
            "askPrice": told.get("a", _ZERO),
            "askQty": told.get("A", _ZERO),
        }
        if self._market == "usdm":
            best |= {"time": told.get("T", 0), "lastUpdateId": told.get("u", 0)}
        return best

    def price(self, symbol: str, position: int) -> dict[str, Any]:
        """`ticker/price`: of the latest frame that tells one; zero where none does."""
        told = self._latest(symbol, position)
        price = {"symbol": symbol, "price": told[0]}
        return price | {"time": told[1]} if self._market == "usdm" else price

    def average(self, symbol: str, position: int) -> dict[str, Any]:
        """`avgPrice`: as recorded, else the last price."""
        told = self._last(symbol, "avgPrice", position)
        if told is not None:
            return {"mins": 5, "price": told.get("w", _ZERO), "closeTime": told.get("T", 0)}
        price, at = self._latest(symbol, position)
        return {"mins": 5, "price": price, "closeTime": at}

    def trades(self, symbol: str, kind: Kind, position: int, limit: int) -> list[dict[str, Any]]:
        """The last `limit` payloads of `trade` or `aggTrade`, oldest first."""
        name = next(iter(self._index.names(symbol, kind)), None)
        if name is None:
            return []
        count = self._index.before(name, position)
        payloads = [_document(self._index.payload(name, number)) for number in range(max(0, count - limit), count)]
        return [payload for payload in payloads if payload]

    def _latest(self, symbol: str, position: int) -> tuple[str, int]:
        """The last price told and its time in ms."""
        best = -1, _ZERO, 0
        for kind, path in _PRICES.items():
            for name in self._index.names(symbol, kind):
                count = self._index.before(name, position)
                if not count or (place := self._index.place(name, count - 1)) <= best[0]:
                    continue
                told = _document(self._index.payload(name, count - 1))
                value: Any = told
                for key in path:
                    value = value.get(key) if isinstance(value, dict) else None
                if isinstance(value, str):
                    best = place, value, told.get("E", 0)
        return best[1], best[2]

    def _last(self, symbol: str, kind: Kind, position: int, option: str | None = None) -> dict[str, Any] | None:
        """The payload of the stream's last frame before the position; None where there is none."""
        for name in self._index.names(symbol, kind):
            if option is not None and self._index.stream(name).option != option:
                continue
            count = self._index.before(name, position)
            if count and (told := _document(self._index.payload(name, count - 1))):
                return told
        return None


def _of_mini(mini: dict[str, Any]) -> dict[str, Any]:
    """A miniTicker with what follows from it: changes, the average, the times."""
    told = dict(mini)
    try:
        last, opened = Decimal(mini["c"]), Decimal(mini["o"])
        volume, quote = Decimal(mini["v"]), Decimal(mini["q"])
        told["p"] = f"{last - opened:f}"
        told["P"] = f"{(last - opened) / opened * 100:.3f}"
        told["w"] = f"{quote / volume:.8f}"
        told["C"] = int(mini["E"])
        told["O"] = told["C"] - _DAY_MS
    except (KeyError, TypeError, ValueError, ArithmeticError):
        return dict(mini)
    return told


def _document(payload: bytes) -> dict[str, Any]:
    """The payload where it is an object; empty for anything else."""
    try:
        document = msgspec.json.decode(payload)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return {}
    return document if isinstance(document, dict) else {}
