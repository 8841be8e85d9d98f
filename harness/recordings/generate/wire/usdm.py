"""Market events of one symbol in the field order of the USD-M wire of 2026: with `ps`, `st`, `nq`, `ap`, `pu` and `T`.

Order: the frames of gocryptotrader's test data of 2026-10, and websocket-market-streams. Prices have as many decimals
as the tick size is written with, quantities as the lot step.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from harness.recordings.generate.wire.text import UNIT_DECIMALS, envelope, flag, number, thousandths

if TYPE_CHECKING:
    from collections.abc import Iterable
    from decimal import Decimal

    from harness.recordings.generate.book import Level, Touch
    from harness.recordings.generate.candle import Candle, Day
    from harness.recordings.generate.happenings import Aggregate, Liquidation, Mark, Print
    from harness.recordings.generate.profile import SymbolProfile

#: The symbol type of USD-M contracts.
_TYPE: Final = '"st":1'


class UsdmWire:
    """All events name event type, event time and, where something was traded or quoted, transaction time."""

    def __init__(self, spec: SymbolProfile) -> None:
        self._symbol = spec.symbol
        self._pair = f'"s":"{spec.symbol}","ps":"{spec.symbol}"'
        self._lower = spec.symbol.lower()
        self._tick_units = spec.tick_units
        self._step_units = spec.step_units
        self.price_decimals = decimals_of(spec.tick_size)
        self.quantity_decimals = decimals_of(spec.lot_step)
        self._quote_decimals = min(self.price_decimals + self.quantity_decimals, UNIT_DECIMALS)

    def agg_trade(self, aggregate: Aggregate, ms: int) -> bytes:
        """`aggTrade`; `nq` is the quantity without RPI orders."""
        return self._frame(
            "aggTrade",
            f'{{"e":"aggTrade","E":{ms},"a":{aggregate.agg_id},"s":"{self._symbol}",'
            f'"p":"{self._price(aggregate.tick)}","q":"{self._quantity(aggregate.lots)}",'
            f'"nq":"{self._quantity(aggregate.plain_lots)}","f":{aggregate.first},"l":{aggregate.last},'
            f'"T":{aggregate.ms},"m":{flag(aggregate.buyer_is_maker)},{_TYPE}}}',
        )

    def trade(self, tape: Print, ms: int) -> bytes:
        """`trade`, which is not documented and has no symbol type."""
        return self._frame(
            "trade",
            f'{{"e":"trade","E":{ms},"T":{tape.ms},"s":"{self._symbol}","t":{tape.first},'
            f'"p":"{self._price(tape.tick)}","q":"{self._quantity(tape.lots)}","X":"MARKET",'
            f'"m":{flag(tape.buyer_is_maker)}}}',
        )

    def book_ticker(self, touch: Touch, ms: int) -> bytes:
        """`bookTicker`."""
        return self._frame(
            "bookTicker",
            f'{{"e":"bookTicker","u":{touch.update_id},{self._pair},"b":"{self._price(touch.bid.tick)}",'
            f'"B":"{self._quantity(touch.bid.lots)}","a":"{self._price(touch.ask.tick)}",'
            f'"A":"{self._quantity(touch.ask.lots)}","T":{ms - 1},"E":{ms},{_TYPE}}}',
        )

    def depth(
        self, ids: tuple[int, int, int], bids: list[Level], asks: list[Level], *, transaction_ms: int, ms: int
    ) -> bytes:
        """`depthUpdate`; `pu` is the last id of the event before."""
        before, first, last = ids
        return self._frame(
            "depth@100ms",
            f'{{"e":"depthUpdate","E":{ms},"T":{transaction_ms},{self._pair},"U":{first},"u":{last},"pu":{before},'
            f'"b":{self._levels(bids)},"a":{self._levels(asks)},{_TYPE}}}',
        )

    def snapshot(self, update_id: int, bids: list[Level], asks: list[Level], ms: int) -> tuple[str, bytes]:
        """GET /fapi/v1/depth."""
        body = (
            f'{{"lastUpdateId":{update_id},"E":{ms},"T":{ms - 1},'
            f'"bids":{self._levels(bids)},"asks":{self._levels(asks)}}}'
        )
        return f"/fapi/v1/depth?symbol={self._symbol}&limit=1000", body.encode()

    def kline(self, kind: str, candle: Candle, ms: int, *, closed: bool) -> bytes:
        """`kline`."""
        return self._frame(
            kind,
            f'{{"e":"kline","E":{ms},"s":"{self._symbol}","k":{{"t":{candle.open_ms},'
            f'"T":{candle.open_ms + candle.length_ms - 1},"s":"{self._symbol}","i":"{kind.removeprefix("kline_")}",'
            f'"f":{candle.first},"L":{candle.last},"o":"{self._money(candle.open)}","c":"{self._money(candle.close)}",'
            f'"h":"{self._money(candle.high)}","l":"{self._money(candle.low)}","v":"{self._volume(candle.base)}",'
            f'"n":{candle.count},"x":{flag(closed)},"q":"{self._value(candle.quote)}",'
            f'"V":"{self._volume(candle.taker_base)}","Q":"{self._value(candle.taker_quote)}","B":"0"}}}}',
        )

    def mini_ticker(self, day: Day, ms: int) -> bytes:
        """`24hrMiniTicker`."""
        return self._frame(
            "miniTicker",
            f'{{"e":"24hrMiniTicker","E":{ms},{self._pair},"c":"{self._money(day.close)}",{self._range(day)},{_TYPE}}}',
        )

    def ticker(self, day: Day, touch: Touch, *, opened_ms: int, ms: int) -> bytes:
        """`24hrTicker`, which has no best bid and ask."""
        del touch
        return self._frame(
            "ticker",
            f'{{"e":"24hrTicker","E":{ms},{self._pair},"p":"{self._money(day.change)}",'
            f'"P":"{thousandths(day.change_percent_thousandths)}","w":"{self._money(day.average)}",'
            f'"c":"{self._money(day.close)}","Q":"{self._volume(day.last_quantity)}",{self._range(day)},'
            f'"O":{opened_ms},"C":{ms},"F":{day.first},"L":{day.last},"n":{day.count},{_TYPE}}}',
        )

    def mark_price(self, kind: str, mark: Mark, ms: int) -> bytes:
        """`markPriceUpdate`, on the stream of that kind; prices have eight decimals here."""
        return self._frame(
            kind,
            f'{{"e":"markPriceUpdate","E":{ms},"s":"{self._symbol}","p":"{number(mark.price)}",'
            f'"i":"{number(mark.index)}","P":"{number(mark.settle)}","r":"{number(mark.funding)}",'
            f'"ap":"{number(mark.average)}","T":{mark.next_funding_ms},{_TYPE}}}',
        )

    def force_order(self, order: Liquidation, ms: int) -> bytes:
        """`forceOrder`."""
        return self._frame(
            "forceOrder",
            f'{{"e":"forceOrder","E":{ms},"o":{{"s":"{self._symbol}","S":"{order.side}","o":"LIMIT","f":"IOC",'
            f'"q":"{self._quantity(order.lots)}","p":"{self._price(order.tick)}","ap":"{self._money(order.average)}",'
            f'"X":"FILLED","l":"{self._quantity(order.last_lots)}","z":"{self._quantity(order.lots)}",'
            f'"T":{order.ms},"ps":"{self._symbol}",{_TYPE}}}}}',
        )

    def _frame(self, kind: str, payload: str) -> bytes:
        return envelope(f"{self._lower}@{kind}", payload)

    def _money(self, units: int) -> str:
        return number(units, self.price_decimals)

    def _volume(self, units: int) -> str:
        return number(units, self.quantity_decimals)

    def _value(self, units: int) -> str:
        return number(units, self._quote_decimals)

    def _price(self, tick: int) -> str:
        return number(tick * self._tick_units, self.price_decimals)

    def _quantity(self, lots: int) -> str:
        return number(lots * self._step_units, self.quantity_decimals)

    def _range(self, day: Day) -> str:
        return (
            f'"o":"{self._money(day.open)}","h":"{self._money(day.high)}","l":"{self._money(day.low)}",'
            f'"v":"{self._volume(day.base)}","q":"{self._money(day.quote)}"'
        )

    def _levels(self, levels: Iterable[Level]) -> str:
        return "[" + ",".join(f'["{self._price(tick)}","{self._quantity(lots)}"]' for tick, lots in levels) + "]"


def decimals_of(step: Decimal) -> int:
    """How many decimals a step is written with: 2 for 0.10, at most eight."""
    exponent = step.as_tuple().exponent
    return min(max(0, -exponent), UNIT_DECIMALS) if isinstance(exponent, int) else UNIT_DECIMALS
