"""What a perpetual contract has beside its book: a mark price with funding, and positions closed by force."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from harness.recordings.generate.book import BID, Sign
from harness.recordings.generate.happenings import Liquidation, Mark

if TYPE_CHECKING:
    from harness.recordings.generate.dice import Dice
    from harness.recordings.generate.instrument import Instrument
    from harness.recordings.generate.schedule import Schedule
    from harness.recordings.generate.wire.usdm import UsdmWire

_FUNDING_PERIOD_MS: Final = 8 * 3_600_000
#: At most one forced order a symbol is told of in this time: the largest.
_FORCED_US: Final = 1_000_000
#: Weight of a new mark price in its moving average: one in so many.
_MEMORY: Final = 16
#: How far the index may stand from the mark price, in 0.01 basis points.
_WIDEST_BASIS: Final = 600


class Contract:
    """Mark price and liquidations of one symbol."""

    def __init__(
        self,
        instrument: Instrument,
        dice: Dice,
        schedule: Schedule,
        *,
        wire: UsdmWire,
        kinds: frozenset[str],
    ) -> None:
        """`kinds`: which streams the symbol has."""
        self._instrument = instrument
        self._dice = dice
        self._schedule = schedule
        self._wire = wire
        self._kinds = kinds
        self._average = instrument.worth
        self._basis = dice.below(_WIDEST_BASIS) - _WIDEST_BASIS // 2
        self._largest: Liquidation | None = None

    def marks(self, ms: int, kind: str) -> list[bytes]:
        """The mark price, on the stream of that kind if there is one."""
        if kind not in self._kinds:
            return []
        price = self._instrument.worth
        self._average += (price - self._average) // _MEMORY
        self._basis = max(-_WIDEST_BASIS, min(_WIDEST_BASIS, self._basis + self._dice.below(21) - 10))
        index = price + price * self._basis // 1_000_000
        mark = Mark(
            price=price,
            index=index,
            settle=index + index * (self._dice.below(41) - 20) // 1_000_000,
            average=self._average,
            # An eighth of the distance, and the interest of 0.01 % that is paid every eight hours.
            funding=10_000 - self._basis * 100 // 8,
            next_funding_ms=(ms // _FUNDING_PERIOD_MS + 1) * _FUNDING_PERIOD_MS,
        )
        return [self._wire.mark_price(kind, mark, ms)]

    def liquidate(self, ms: int) -> list[bytes]:
        """A position is closed at the market, on the side that has just lost: its trades, and later what is told."""
        sign: Sign = self._instrument.losing_side
        lots = self._instrument.taker_lots(12)
        prints, frames = self._instrument.trade(sign, lots, ms)
        got = sum(tape.lots for tape in prints)
        if not got:
            return frames
        spec = self._instrument.spec
        found = Liquidation(
            side="SELL" if sign == BID else "BUY",
            tick=prints[-1].tick - sign * (1 + prints[-1].tick // 500),
            lots=got,
            last_lots=prints[-1].lots,
            average=sum(tape.tick * tape.lots for tape in prints) * spec.tick_units // got,
            ms=prints[-1].ms,
        )
        if self._largest is None:
            self._schedule.after(_FORCED_US, self._tell)
            self._largest = found
        elif found.lots > self._largest.lots:
            self._largest = found
        return frames

    def _tell(self, ms: int) -> list[bytes]:
        largest, self._largest = self._largest, None
        if largest is None or "forceOrder" not in self._kinds:
            return []
        return [self._wire.force_order(largest, ms)]
