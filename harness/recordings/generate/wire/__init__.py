"""What a market's wire says of one symbol: the same simulation is told of as spot or as USD-M."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from harness.recordings.generate.book import Level, Touch
    from harness.recordings.generate.candle import Candle, Day
    from harness.recordings.generate.happenings import Aggregate, Print


class Wire(Protocol):
    """Frames of one symbol, in the envelope of a combined connection; `ms` is the event's unix time."""

    def agg_trade(self, aggregate: Aggregate, ms: int) -> bytes:
        """`aggTrade`."""

    def trade(self, tape: Print, ms: int) -> bytes:
        """`trade`."""

    def book_ticker(self, touch: Touch, ms: int) -> bytes:
        """`bookTicker`."""

    def depth(
        self, ids: tuple[int, int, int], bids: list[Level], asks: list[Level], *, transaction_ms: int, ms: int
    ) -> bytes:
        """`depthUpdate`; `ids` are the last one of the event before, and the first and the last of this one."""

    def snapshot(self, update_id: int, bids: list[Level], asks: list[Level], ms: int) -> tuple[str, bytes]:
        """The REST path of the book, and the body of its answer."""

    def kline(self, kind: str, candle: Candle, ms: int, *, closed: bool) -> bytes:
        """`kline`, on the stream of that kind."""

    def mini_ticker(self, day: Day, ms: int) -> bytes:
        """`24hrMiniTicker`."""

    def ticker(self, day: Day, touch: Touch, *, opened_ms: int, ms: int) -> bytes:
        """`24hrTicker`."""
