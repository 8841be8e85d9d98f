"""Market events of one symbol in the field order of today's spot wire (web-socket-streams.md of 2026-07)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.recordings.generate.wire.text import envelope, flag, number, thousandths

if TYPE_CHECKING:
    from collections.abc import Iterable

    from harness.recordings.generate.book import Level, Touch
    from harness.recordings.generate.candle import Candle, Day
    from harness.recordings.generate.happenings import Aggregate, Print
    from harness.recordings.generate.profile import SymbolProfile


class SpotWire:
    """Prices and quantities have eight decimals; best bid and ask come without event type and time."""

    def __init__(self, spec: SymbolProfile) -> None:
        self._symbol = spec.symbol
        self._lower = spec.symbol.lower()
        self._tick_units = spec.tick_units
        self._step_units = spec.step_units

    def agg_trade(self, aggregate: Aggregate, ms: int) -> bytes:
        """`aggTrade`."""
        return self._frame(
            "aggTrade",
            f'{{"e":"aggTrade","E":{ms},"s":"{self._symbol}","a":{aggregate.agg_id},'
            f'"p":"{self._price(aggregate.tick)}","q":"{self._quantity(aggregate.lots)}",'
            f'"f":{aggregate.first},"l":{aggregate.last},"T":{aggregate.ms},'
            f'"m":{flag(aggregate.buyer_is_maker)},"M":true}}',
        )

    def trade(self, tape: Print, ms: int) -> bytes:
        """`trade`, without the order ids that went in 2025."""
        return self._frame(
            "trade",
            f'{{"e":"trade","E":{ms},"s":"{self._symbol}","t":{tape.first},"p":"{self._price(tape.tick)}",'
            f'"q":"{self._quantity(tape.lots)}","T":{tape.ms},"m":{flag(tape.buyer_is_maker)},"M":true}}',
        )

    def book_ticker(self, touch: Touch, ms: int) -> bytes:
        """`bookTicker`, which carries neither event type nor time."""
        del ms
        return self._frame("bookTicker", f'{{"u":{touch.update_id},"s":"{self._symbol}",{self._touch(touch)}}}')

    def depth(
        self, ids: tuple[int, int, int], bids: list[Level], asks: list[Level], *, transaction_ms: int, ms: int
    ) -> bytes:
        """`depthUpdate`, which has neither transaction time nor the last id before it."""
        del transaction_ms
        _, first, last = ids
        return self._frame(
            "depth@100ms",
            f'{{"e":"depthUpdate","E":{ms},"s":"{self._symbol}","U":{first},"u":{last},'
            f'"b":{self._levels(bids)},"a":{self._levels(asks)}}}',
        )

    def snapshot(self, update_id: int, bids: list[Level], asks: list[Level], ms: int) -> tuple[str, bytes]:
        """GET /api/v3/depth."""
        del ms
        body = f'{{"lastUpdateId":{update_id},"bids":{self._levels(bids)},"asks":{self._levels(asks)}}}'
        return f"/api/v3/depth?symbol={self._symbol}&limit=1000", body.encode()

    def kline(self, kind: str, candle: Candle, ms: int, *, closed: bool) -> bytes:
        """`kline`."""
        return self._frame(
            kind,
            f'{{"e":"kline","E":{ms},"s":"{self._symbol}","k":{{"t":{candle.open_ms},'
            f'"T":{candle.open_ms + candle.length_ms - 1},"s":"{self._symbol}","i":"{kind.removeprefix("kline_")}",'
            f'"f":{candle.first},"L":{candle.last},"o":"{number(candle.open)}","c":"{number(candle.close)}",'
            f'"h":"{number(candle.high)}","l":"{number(candle.low)}","v":"{number(candle.base)}","n":{candle.count},'
            f'"x":{flag(closed)},"q":"{number(candle.quote)}","V":"{number(candle.taker_base)}",'
            f'"Q":"{number(candle.taker_quote)}","B":"0"}}}}',
        )

    def mini_ticker(self, day: Day, ms: int) -> bytes:
        """`24hrMiniTicker`."""
        return self._frame(
            "miniTicker",
            f'{{"e":"24hrMiniTicker","E":{ms},"s":"{self._symbol}","c":"{number(day.close)}",'
            f'"o":"{number(day.open)}","h":"{number(day.high)}","l":"{number(day.low)}",'
            f'"v":"{number(day.base)}","q":"{number(day.quote)}"}}',
        )

    def ticker(self, day: Day, touch: Touch, *, opened_ms: int, ms: int) -> bytes:
        """`24hrTicker`."""
        return self._frame(
            "ticker",
            f'{{"e":"24hrTicker","E":{ms},"s":"{self._symbol}","p":"{number(day.change)}",'
            f'"P":"{thousandths(day.change_percent_thousandths)}","w":"{number(day.average)}",'
            f'"x":"{number(day.before)}","c":"{number(day.close)}","Q":"{number(day.last_quantity)}",'
            f'{self._touch(touch)},"o":"{number(day.open)}","h":"{number(day.high)}","l":"{number(day.low)}",'
            f'"v":"{number(day.base)}","q":"{number(day.quote)}","O":{opened_ms},"C":{ms},'
            f'"F":{day.first},"L":{day.last},"n":{day.count}}}',
        )

    def _frame(self, kind: str, payload: str) -> bytes:
        return envelope(f"{self._lower}@{kind}", payload)

    def _price(self, tick: int) -> str:
        return number(tick * self._tick_units)

    def _quantity(self, lots: int) -> str:
        return number(lots * self._step_units)

    def _touch(self, touch: Touch) -> str:
        return (
            f'"b":"{self._price(touch.bid.tick)}","B":"{self._quantity(touch.bid.lots)}",'
            f'"a":"{self._price(touch.ask.tick)}","A":"{self._quantity(touch.ask.lots)}"'
        )

    def _levels(self, levels: Iterable[Level]) -> str:
        return "[" + ",".join(f'["{self._price(tick)}","{self._quantity(lots)}"]' for tick, lots in levels) + "]"
