"""One account that trades in the generated market: orders, fills, balances, as user-data events."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from harness.recordings.format import MARKET, USER
from harness.recordings.generate import wire
from harness.recordings.generate.book import ASK, BID
from harness.recordings.generate.profile import UNITS

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.recordings.generate.dice import Dice
    from harness.recordings.generate.instrument import Instrument, Print

#: 0.1 %, the exchange's rate without discounts.
_COMMISSION_DIVISOR: Final = 1_000
_QUOTE_ASSET: Final = "USDT"
#: What the account begins with: this much USDT, and bases worth so much each.
_START_USDT: Final = 250_000
_START_BASE_USDT: Final = 25_000


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


class Account:
    """Balances, free and locked, and a counter of orders."""

    def __init__(self, instruments: list[Instrument], dice: Dice) -> None:
        self._instruments = instruments
        self._dice = dice
        self._free = {_QUOTE_ASSET: _START_USDT * UNITS}
        self._locked = {_QUOTE_ASSET: 0}
        for instrument in instruments:
            price = instrument.price(instrument.spec.start_tick)
            lots = _START_BASE_USDT * UNITS * UNITS // price // instrument.spec.step_units
            self._free[instrument.spec.base] = instrument.quantity(lots)
            self._locked[instrument.spec.base] = 0
        self._order_id = 5_340_000_000 + dice.below(100_000_000)
        self._execution_id = 2 * self._order_id

    def order(self, ms: int) -> tuple[list[tuple[str, bytes]], Callable[[int], list[bytes]] | None]:
        """A new order: its frames, and for one that rests in the book what cancels it later."""
        instrument = self._instruments[self._dice.below(len(self._instruments))]
        buys = self._dice.chance(500)
        if self._dice.chance(40):
            return [(USER, self._deposit(ms))], None
        if self._dice.chance(350):
            return self._rest(instrument, ms, buys=buys)
        return self._take(instrument, ms, buys=buys), None

    def _take(self, instrument: Instrument, ms: int, *, buys: bool) -> list[tuple[str, bytes]]:
        """An order that trades at once, within the two best levels."""
        sign = ASK if buys else BID
        side = instrument.book.side(sign)
        lots = min(self._lots(instrument), side.at(0).lots + side.at(1).lots)
        order = self._new(instrument, instrument.price(side.at(1).tick), lots, ms, buys=buys)
        frames = [(USER, body) for body in self._accept(order, ms)]
        prints, market = instrument.trade(sign, lots, ms)
        frames += [(MARKET, body) for body in market]
        for tape in prints:
            frames += [(USER, body) for body in self._fill(order, tape, ms)]
        return frames

    def _rest(
        self, instrument: Instrument, ms: int, *, buys: bool
    ) -> tuple[list[tuple[str, bytes]], Callable[[int], list[bytes]]]:
        """An order half a percent away from the touch, where nobody meets it."""
        best = instrument.book.side(BID if buys else ASK).best.tick
        away = 1 + best // 200
        tick = best - away if buys else best + away
        order = self._new(instrument, instrument.price(tick), self._lots(instrument), ms, buys=buys)
        return [(USER, body) for body in self._accept(order, ms)], lambda then: self._cancel(order, then)

    def _lots(self, instrument: Instrument) -> int:
        """Worth 50 to a few thousand USDT."""
        price = instrument.price(instrument.book.asks.best.tick)
        return 1 + (50 + self._dice.spread(250, 0.9)) * UNITS * UNITS // price // instrument.spec.step_units

    def _new(self, instrument: Instrument, price: int, lots: int, ms: int, *, buys: bool) -> Order:
        self._order_id += 1 + self._dice.below(40)
        return Order(
            instrument=instrument,
            side="BUY" if buys else "SELL",
            order_id=self._order_id,
            client_id=f"x-tickproof-{self._order_id:x}",
            price=price,
            quantity=instrument.quantity(lots),
            created_ms=ms,
        )

    def _accept(self, order: Order, ms: int) -> list[bytes]:
        asset, amount = self._stake(order, order.quantity)
        self._free[asset] -= amount
        self._locked[asset] += amount
        return [self._report(order, ms, "NEW", "NEW"), self._position(order, ms)]

    def _fill(self, order: Order, tape: Print, ms: int) -> list[bytes]:
        instrument = order.instrument
        price, quantity = instrument.price(tape.tick), instrument.quantity(tape.lots)
        value = price * quantity // UNITS
        order.filled += quantity
        order.spent += value
        base = instrument.spec.base
        asset, staked = self._stake(order, quantity)
        self._locked[asset] -= staked
        if order.side == "BUY":
            fee, fee_asset = quantity // _COMMISSION_DIVISOR, base
            self._free[base] += quantity - fee
            self._free[_QUOTE_ASSET] += staked - value
        else:
            fee, fee_asset = value // _COMMISSION_DIVISOR, _QUOTE_ASSET
            self._free[_QUOTE_ASSET] += value - fee
        status = "FILLED" if order.filled == order.quantity else "PARTIALLY_FILLED"
        fill = wire.Execution(
            price=price, quantity=quantity, value=value, fee=fee, fee_asset=fee_asset, trade_id=tape.last
        )
        return [self._report(order, ms, "TRADE", status, fill), self._position(order, ms)]

    def _cancel(self, order: Order, ms: int) -> list[bytes]:
        asset, amount = self._stake(order, order.quantity)
        self._locked[asset] -= amount
        self._free[asset] += amount
        return [self._report(order, ms, "CANCELED", "CANCELED"), self._position(order, ms)]

    def _stake(self, order: Order, quantity: int) -> tuple[str, int]:
        """What an order of that quantity locks: the quote at the limit price, or the base itself."""
        if order.side == "BUY":
            return _QUOTE_ASSET, order.price * quantity // UNITS
        return order.instrument.spec.base, quantity

    def _report(self, order: Order, ms: int, execution: str, status: str, fill: wire.Execution | None = None) -> bytes:
        self._execution_id += 1 + self._dice.below(20)
        return wire.user_envelope(
            wire.execution_report(
                event_ms=ms + 1,
                symbol=order.instrument.spec.symbol,
                client_id=order.client_id,
                side=order.side,
                quantity=order.quantity,
                price=order.price,
                execution=execution,
                status=status,
                order_id=order.order_id,
                filled=order.filled,
                spent=order.spent,
                ms=ms,
                created_ms=order.created_ms,
                execution_id=self._execution_id,
                fill=fill,
            )
        )

    def _position(self, order: Order, ms: int) -> bytes:
        assets = (order.instrument.spec.base, _QUOTE_ASSET)
        return wire.user_envelope(
            wire.account_position(
                event_ms=ms + 1, ms=ms, balances=[(name, self._free[name], self._locked[name]) for name in assets]
            )
        )

    def _deposit(self, ms: int) -> bytes:
        amount = (100 + self._dice.below(900)) * UNITS
        self._free[_QUOTE_ASSET] += amount
        return wire.user_envelope(wire.balance_update(event_ms=ms + 1, asset=_QUOTE_ASSET, change=amount, ms=ms))
