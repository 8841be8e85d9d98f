"""What the account does: orders that trade at once, orders that rest and are cancelled, and now and then a deposit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

from harness.recordings.format import MARKET, USER
from harness.recordings.generate.book import ASK, BID
from harness.recordings.generate.profile import UNITS

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.recordings.generate.dice import Dice
    from harness.recordings.generate.happenings import Print
    from harness.recordings.generate.instrument import Instrument


@dataclass(slots=True, kw_only=True)
class Order:
    """A limit order and what it got so far; money in 1e-8 units."""

    instrument: Instrument
    side: Literal["BUY", "SELL"]
    order_id: int
    client_id: str
    price: int
    quantity: int
    created_ms: int
    filled: int = 0
    spent: int = 0

    @property
    def status(self) -> str:
        """Of an order that has just traded."""
        return "FILLED" if self.filled == self.quantity else "PARTIALLY_FILLED"


class Ledger(Protocol):
    """What an account owns, and the events that tell of it; every method returns bodies of the user connection."""

    def affords(self, order: Order) -> bool:
        """Whether the account has what the order needs."""

    def accept(self, order: Order, ms: int) -> list[bytes]:
        """The order is in the book."""

    def fill(self, order: Order, tape: Print, ms: int) -> list[bytes]:
        """The order traded; its `filled` and `spent` count this trade already."""

    def cancel(self, order: Order, ms: int) -> list[bytes]:
        """The order is taken out of the book."""

    def deposit(self, amount: int, ms: int) -> list[bytes]:
        """So many units of USDT came in."""


class Trader:
    """Places orders; balances are the ledger's."""

    def __init__(self, instruments: list[Instrument], dice: Dice, ledger: Ledger) -> None:
        self._instruments = instruments
        self._dice = dice
        self._ledger = ledger
        self._order_id = 5_340_000_000 + dice.below(100_000_000)

    def order(self, ms: int) -> tuple[list[tuple[str, bytes]], Callable[[int], list[bytes]] | None]:
        """A new order: its frames, and for one that rests in the book what cancels it later."""
        instrument = self._instruments[self._dice.below(len(self._instruments))]
        buys = self._dice.chance(500)
        if self._dice.chance(40):
            return self._deposit(ms), None
        if self._dice.chance(350):
            return self._rest(instrument, ms, buys=buys)
        return self._take(instrument, ms, buys=buys), None

    def _deposit(self, ms: int) -> list[tuple[str, bytes]]:
        return _to_user(self._ledger.deposit((100 + self._dice.below(900)) * UNITS, ms))

    def _take(self, instrument: Instrument, ms: int, *, buys: bool) -> list[tuple[str, bytes]]:
        """An order that trades at once, within the two best levels."""
        sign = ASK if buys else BID
        side = instrument.book.side(sign)
        lots = min(self._lots(instrument), side.at(0).lots + side.at(1).lots)
        order = self._new(instrument, side.at(1).tick, lots, ms, buys=buys)
        if not self._ledger.affords(order):
            return self._deposit(ms)
        frames = _to_user(self._ledger.accept(order, ms))
        prints, market = instrument.trade(sign, lots, ms)
        frames += [(MARKET, body) for body in market]
        for tape in prints:
            quantity = instrument.quantity(tape.lots)
            order.filled += quantity
            order.spent += instrument.price(tape.tick) * quantity // UNITS
            frames += _to_user(self._ledger.fill(order, tape, ms))
        return frames

    def _rest(
        self, instrument: Instrument, ms: int, *, buys: bool
    ) -> tuple[list[tuple[str, bytes]], Callable[[int], list[bytes]] | None]:
        """An order half a percent away from the touch, where nobody meets it."""
        best = instrument.book.side(BID if buys else ASK).best.tick
        away = 1 + best // 200
        tick = best - away if buys else best + away
        order = self._new(instrument, tick, self._lots(instrument), ms, buys=buys)
        if not self._ledger.affords(order):
            return self._deposit(ms), None
        return _to_user(self._ledger.accept(order, ms)), lambda then: self._ledger.cancel(order, then)

    def _lots(self, instrument: Instrument) -> int:
        """Worth 50 to a few thousand USDT."""
        price = instrument.price(instrument.book.asks.best.tick)
        return 1 + (50 + self._dice.spread(250, 0.9)) * UNITS * UNITS // price // instrument.spec.step_units

    def _new(self, instrument: Instrument, tick: int, lots: int, ms: int, *, buys: bool) -> Order:
        self._order_id += 1 + self._dice.below(40)
        return Order(
            instrument=instrument,
            side="BUY" if buys else "SELL",
            order_id=self._order_id,
            client_id=f"x-tickproof-{self._order_id:x}",
            price=instrument.price(tick),
            quantity=instrument.quantity(lots),
            created_ms=ms,
        )


def _to_user(bodies: list[bytes]) -> list[tuple[str, bytes]]:
    return [(USER, body) for body in bodies]
