"""A USD-M account in one-way mode: a wallet of USDT, a crossed position a symbol, and the events that tell of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from harness.recordings.generate.profile import UNITS
from harness.recordings.generate.wire import usdm_account as wire

if TYPE_CHECKING:
    from harness.recordings.generate.accounts.trader import Order
    from harness.recordings.generate.happenings import Print
    from harness.recordings.generate.instrument import Instrument

#: 0.05 %, the exchange's rate for takers without discounts.
_COMMISSION_DIVISOR: Final = 2_000
_START_USDT: Final = 250_000
#: An order must leave this part of the wallet for others: no more than ten times the wallet is at stake.
_LEVERAGE: Final = 10


@dataclass(slots=True)
class Position:
    """One symbol's, in 1e-8 units; a short one has a quantity below zero."""

    quantity: int = 0
    cost: int = 0
    """What the position was opened for, with the quantity's sign."""
    realised: int = 0
    """Profit since the start, before commissions."""

    @property
    def entry(self) -> int:
        """Mean price of the opening; 0 without a position."""
        return self.cost * UNITS // self.quantity if self.quantity else 0

    def trade(self, quantity: int, price: int) -> int:
        """Take in a trade, below zero for a sale; the profit of what it closed."""
        profit = 0
        if self.quantity * quantity < 0:
            closed = min(abs(quantity), abs(self.quantity))
            cost = self.cost * closed // abs(self.quantity)
            sign = 1 if quantity > 0 else -1
            profit = -sign * price * closed // UNITS - cost
            self.cost -= cost
            self.quantity += sign * closed
            quantity -= sign * closed
        self.quantity += quantity
        self.cost += price * quantity // UNITS
        self.realised += profit
        return profit


class UsdmLedger:
    """The wallet in 1e-8 USDT, and positions by symbol."""

    def __init__(self, instruments: list[Instrument]) -> None:
        self._wallet = _START_USDT * UNITS
        self._positions = {instrument.spec.symbol: Position() for instrument in instruments}

    def affords(self, order: Order) -> bool:
        """Whether the positions with this order stay below ten times the wallet."""
        at_stake = sum(abs(position.cost) for position in self._positions.values())
        return at_stake + order.price * order.quantity // UNITS < _LEVERAGE * self._wallet

    def accept(self, order: Order, ms: int) -> list[bytes]:
        """An order that is not filled changes no balance."""
        return [wire.order_update(order, ms=ms, execution="NEW", status="NEW")]

    def fill(self, order: Order, tape: Print, ms: int) -> list[bytes]:
        """The fast notice, the order, and the account after it."""
        instrument = order.instrument
        price, quantity = instrument.price(tape.tick), instrument.quantity(tape.lots)
        fee = price * quantity // UNITS // _COMMISSION_DIVISOR
        position = self._positions[instrument.spec.symbol]
        profit = position.trade(quantity if order.side == "BUY" else -quantity, price)
        self._wallet += profit - fee
        fill = wire.Fill(price=price, quantity=quantity, fee=fee, profit=profit, trade_id=tape.last)
        return [
            wire.trade_lite(order, fill, ms=ms),
            wire.order_update(order, ms=ms, execution="TRADE", status=order.status, fill=fill),
            self._update("ORDER", 0, ms, order),
        ]

    def cancel(self, order: Order, ms: int) -> list[bytes]:
        """A cancelled order changes no balance either."""
        return [wire.order_update(order, ms=ms, execution="CANCELED", status="CANCELED")]

    def deposit(self, amount: int, ms: int) -> list[bytes]:
        """`ACCOUNT_UPDATE` without positions."""
        self._wallet += amount
        return [self._update("DEPOSIT", amount, ms, None)]

    def _update(self, reason: str, change: int, ms: int, order: Order | None) -> bytes:
        rows = []
        if order is not None:
            symbol = order.instrument.spec.symbol
            position = self._positions[symbol]
            worth = order.instrument.worth * position.quantity // UNITS
            rows.append(
                wire.Holding(
                    symbol=symbol,
                    decimals=wire.decimals_of(order.instrument.spec.lot_step),
                    quantity=position.quantity,
                    entry=position.entry,
                    realised=position.realised,
                    open_profit=worth - position.cost,
                )
            )
        return wire.account_update(reason=reason, wallet=self._wallet, change=change, holdings=rows, ms=ms)
