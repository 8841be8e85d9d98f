"""A spot account: balances, free and locked, and the events of the WebSocket API that tell of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from harness.recordings.generate.profile import QUOTE_ASSET, UNITS
from harness.recordings.generate.wire import spot_account as wire

if TYPE_CHECKING:
    from harness.recordings.generate.accounts.trader import Order
    from harness.recordings.generate.dice import Dice
    from harness.recordings.generate.happenings import Print
    from harness.recordings.generate.instrument import Instrument

#: 0.1 %, the exchange's rate without discounts.
_COMMISSION_DIVISOR: Final = 1_000
#: What the account begins with: this much USDT, and bases worth so much each.
_START_USDT: Final = 250_000
_START_BASE_USDT: Final = 25_000


class SpotLedger:
    """Each asset's balance in 1e-8 units."""

    def __init__(self, instruments: list[Instrument], dice: Dice) -> None:
        self._dice = dice
        self._free = {QUOTE_ASSET: _START_USDT * UNITS}
        self._locked = {QUOTE_ASSET: 0}
        for instrument in instruments:
            spec = instrument.spec
            lots = _START_BASE_USDT * UNITS * UNITS // instrument.price(spec.start_tick) // spec.step_units
            self._free[spec.base] = instrument.quantity(lots)
            self._locked[spec.base] = 0
        self._execution_id = 11_000_000_000 + dice.below(500_000_000)

    def affords(self, order: Order) -> bool:
        """Whether enough of what it locks is free."""
        asset, amount = _stake(order, order.quantity)
        return self._free[asset] >= amount

    def accept(self, order: Order, ms: int) -> list[bytes]:
        """What the order needs is locked."""
        asset, amount = _stake(order, order.quantity)
        self._free[asset] -= amount
        self._locked[asset] += amount
        return [self._report(order, ms, "NEW", "NEW"), self._position(order, ms)]

    def fill(self, order: Order, tape: Print, ms: int) -> list[bytes]:
        """What was locked is spent; what came in is free, less the commission."""
        instrument = order.instrument
        price, quantity = instrument.price(tape.tick), instrument.quantity(tape.lots)
        value = price * quantity // UNITS
        base = instrument.spec.base
        asset, staked = _stake(order, quantity)
        self._locked[asset] -= staked
        if order.side == "BUY":
            fee, fee_asset = quantity // _COMMISSION_DIVISOR, base
            self._free[base] += quantity - fee
            self._free[QUOTE_ASSET] += staked - value
        else:
            fee, fee_asset = value // _COMMISSION_DIVISOR, QUOTE_ASSET
            self._free[QUOTE_ASSET] += value - fee
        fill = wire.Execution(
            price=price, quantity=quantity, value=value, fee=fee, fee_asset=fee_asset, trade_id=tape.last
        )
        return [self._report(order, ms, "TRADE", order.status, fill), self._position(order, ms)]

    def cancel(self, order: Order, ms: int) -> list[bytes]:
        """What was locked is free again."""
        asset, amount = _stake(order, order.quantity)
        self._locked[asset] -= amount
        self._free[asset] += amount
        return [self._report(order, ms, "CANCELED", "CANCELED"), self._position(order, ms)]

    def deposit(self, amount: int, ms: int) -> list[bytes]:
        """`balanceUpdate`."""
        self._free[QUOTE_ASSET] += amount
        return [wire.balance_update(asset=QUOTE_ASSET, change=amount, ms=ms)]

    def _report(self, order: Order, ms: int, execution: str, status: str, fill: wire.Execution | None = None) -> bytes:
        self._execution_id += 1 + self._dice.below(20)
        return wire.execution_report(
            order,
            ms=ms,
            execution=execution,
            status=status,
            execution_id=self._execution_id,
            fill=fill,
        )

    def _position(self, order: Order, ms: int) -> bytes:
        assets = (order.instrument.spec.base, QUOTE_ASSET)
        return wire.account_position(ms=ms, balances=[(name, self._free[name], self._locked[name]) for name in assets])


def _stake(order: Order, quantity: int) -> tuple[str, int]:
    """What an order of that quantity locks: the quote at the limit price, or the base itself."""
    if order.side == "BUY":
        return QUOTE_ASSET, order.price * quantity // UNITS
    return order.instrument.spec.base, quantity
