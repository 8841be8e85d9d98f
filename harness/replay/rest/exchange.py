"""What Binance's public REST paths answer, of the pass being replayed."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from harness.replay.rest.books import Books, Choice
from harness.replay.rest.candles import INTERVALS, Candles
from harness.replay.rest.index import TapeIndex
from harness.replay.rest.parameters import Refusal, invalid
from harness.replay.rest.tickers import Tickers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from harness.recordings.format import Frame, Market
    from harness.replay.rest.parameters import Parameters
    from harness.replay.tape import Tape

#: USD-M takes no other limits of a snapshot (BINANCE.md, section 6).
USDM_DEPTHS = (5, 10, 20, 50, 100, 500, 1_000)
SPOT_DEEPEST = 5_000
MOST_TRADES = 1_000
_MOST_CANDLES: dict[Market, int] = {"spot": 1_000, "usdm": 1_500}
#: Ways to say UTC, the only zone whose candles are known.
_UTC = frozenset({"0", "0:00", "00:00", "+0:00", "+00:00", "-0:00"})


class Pass:
    """One pass of the recording: its tape, and what was worked out of it. Not thread-safe."""

    def __init__(self, tape: Tape, bodies: Iterable[Frame], market: Market) -> None:
        self.tape = tape
        self.index = TapeIndex(tape)
        self.books = Books(self.index, bodies, market)
        self.tickers = Tickers(self.index, market)
        self._market = market
        self._candles: dict[tuple[str, str], Candles] = {}

    def candles(self, symbol: str, interval: str) -> Candles:
        """The candles of a symbol and interval; Refusal (-1120) for an interval that the exchange has not."""
        if interval not in INTERVALS or (interval == "1s" and self._market == "usdm"):
            raise Refusal(-1120, "Invalid interval.")
        key = symbol, interval
        if key not in self._candles:
            self._candles[key] = Candles(self.index, symbol, interval, self._market)
        return self._candles[key]


class MarketData:
    """The answers that depend on where the replay stands; each takes the pass, the position and the parameters."""

    def __init__(self, market: Market, snapshots: Choice) -> None:
        self._market = market
        self._snapshots = snapshots

    def depth(self, held: Pass, position: int, asked: Parameters) -> Any:
        """`depth`: spot takes any limit up to 5,000 and cuts larger ones, USD-M takes seven."""
        symbol = asked.symbol()
        limit = asked.limit(100, SPOT_DEEPEST) if self._market == "spot" else _usdm_limit(asked)
        if self._snapshots == "fixed":
            return held.books.fixed(symbol, limit)
        return held.books.current(symbol, position, limit)

    def klines(self, held: Pass, position: int, asked: Parameters) -> Any:
        """`klines` and `uiKlines`: up to the position, UTC only."""
        symbol, interval = asked.symbol(), asked.required("interval")
        if asked.text("timeZone") not in {None, *_UTC}:
            raise invalid("timeZone")
        return held.candles(symbol, interval).before(
            position,
            start_ms=asked.integer("startTime"),
            end_ms=asked.integer("endTime"),
            limit=asked.limit(500, _MOST_CANDLES[self._market]),
        )

    def day(self, held: Pass, position: int, asked: Parameters) -> Any:
        """`ticker/24hr`."""
        return _each(asked, lambda symbol: held.tickers.day(symbol, position))

    def best(self, held: Pass, position: int, asked: Parameters) -> Any:
        """`ticker/bookTicker`."""
        return _each(asked, lambda symbol: held.tickers.best(symbol, position))

    def price(self, held: Pass, position: int, asked: Parameters) -> Any:
        """`ticker/price`."""
        return _each(asked, lambda symbol: held.tickers.price(symbol, position))

    def average(self, held: Pass, position: int, asked: Parameters) -> Any:
        """`avgPrice`."""
        return held.tickers.average(asked.symbol(), position)

    def aggregates(self, held: Pass, position: int, asked: Parameters) -> Any:
        """`aggTrades`: of the last 1,000 before the position, those that the parameters ask for."""
        symbol, limit = asked.symbol(), asked.limit(500, MOST_TRADES)
        start, end, first = asked.integer("startTime"), asked.integer("endTime"), asked.integer("fromId")
        told = held.tickers.trades(symbol, "aggTrade", position, MOST_TRADES)
        wanted = ("a", "p", "q", "f", "l", "T", "m", *(["M"] if self._market == "spot" else []))
        chosen = [
            {name: trade.get(name) for name in wanted}
            for trade in told
            if _within(trade.get("T"), start, end) and _within(trade.get("a"), first, None)
        ]
        return chosen[:limit] if start is not None or first is not None else chosen[-limit:]

    def trades(self, held: Pass, position: int, asked: Parameters) -> Any:
        """`trades`: the last ones of the trade stream."""
        symbol, limit = asked.symbol(), asked.limit(500, MOST_TRADES)
        return [_trade(trade, self._market) for trade in held.tickers.trades(symbol, "trade", position, limit)]


def _each(asked: Parameters, told: Callable[[str], Any]) -> Any:
    """One object for `symbol`, a list for `symbols` or for all of them."""
    symbols = asked.symbols()
    if symbols is not None and asked.text("symbol") is not None:
        return told(symbols[0])
    return [told(symbol) for symbol in (asked.known if symbols is None else symbols)]


def _usdm_limit(asked: Parameters) -> int:
    limit = asked.integer("limit", 500)
    if limit not in USDM_DEPTHS:
        raise Refusal(-4021, f"{limit} is not valid depth limit")
    return limit


def _within(value: Any, least: int | None, most: int | None) -> bool:
    if not isinstance(value, int):
        return False
    return (least is None or value >= least) and (most is None or value <= most)


def _trade(told: dict[str, Any], market: Market) -> dict[str, Any]:
    price, quantity = told.get("p", "0"), told.get("q", "0")
    trade = {
        "id": told.get("t"),
        "price": price,
        "qty": quantity,
        "quoteQty": _product(price, quantity, market),
        "time": told.get("T"),
        "isBuyerMaker": told.get("m"),
    }
    return trade | {"isBestMatch": True} if market == "spot" else trade


def _product(price: Any, quantity: Any, market: Market) -> str:
    try:
        product = Decimal(price) * Decimal(quantity)
    except (TypeError, ValueError, ArithmeticError):
        return "0"
    return f"{product:.8f}" if market == "spot" else f"{product:f}"
