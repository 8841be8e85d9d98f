"""The account's events, spot and USD-M. They reconcile and are counted; they never decide."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Final, TypeVar

from harness.bot.tally import Tally
from harness.exchange.account_events import (
    ACCOUNT_SHAPES,
    AccountPosition,
    AccountUpdate,
    EventStreamTerminated,
    ExecutionReport,
    ListenKeyExpired,
    MarginCall,
    OrderTradeUpdate,
    ServerShutdown,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from harness.bot.wire import Wire
    from harness.exchange.events import Event

K = TypeVar("K")

_log = logging.getLogger(__name__)

#: Assets and positions that are remembered: an account of Binance has some hundred.
MOST_KEPT: Final = 5_000
#: Margin calls come again and again while the price runs; one a minute of event time is logged.
_CALLS_APART_MS: Final = 60_000
_MOST_TOLD: Final = 10

_NAMES: Final = {shape: name for name, shape in ACCOUNT_SHAPES.items()}
#: After these the stream must be made anew; a server that shuts down ends it within minutes.
_ENDS: Final = (EventStreamTerminated, ListenKeyExpired, ServerShutdown)


def ignore(told: object) -> None:
    """Whoever does not want to be told."""
    del told


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderReport:
    """What became of an order, on whichever market.

    Amounts are Decimal, made of the exchange's own text: they are compared with booked money to the last digit.
    """

    client_order_id: str
    """The order's own, also where the exchange tells that of the request to cancel or to change it."""
    symbol: str
    side: str
    execution: str
    """What happened: NEW, TRADE, CANCELED, REJECTED, EXPIRED ..."""
    status: str
    """What the order is now: NEW, PARTIALLY_FILLED, FILLED, CANCELED ..."""
    reject_reason: str
    """NONE where there is none; USD-M tells none."""
    last_quantity: Decimal
    last_price: Decimal
    filled: Decimal
    """Of all trades so far, in the base asset."""
    commission: Decimal
    """Of this trade; negative for a rebate."""
    commission_asset: str | None
    order_id: int
    trade_id: int
    """That of the exchange; below 1 for what is no trade."""
    time_ms: int
    """When the exchange did it."""


class AccountFeed:
    """Handler of the account connection, and of what the order gateway tells."""

    def __init__(
        self,
        wire: Wire,
        on_report: Callable[[OrderReport], None] = ignore,
        on_end: Callable[[str], None] = ignore,
    ) -> None:
        """`on_report` takes what becomes of orders.

        `on_end` is told, by the name of the event, that the stream has ended or is about to: no more events come until
        it is made anew. It is called from within a frame.
        """
        self._wire = wire
        self._on_report = on_report
        self._on_end = on_end
        self._events = Tally()
        self._statuses = Tally()
        self._executions = Tally()
        self._reasons = Tally()
        self._called_ms = -_CALLS_APART_MS
        self.stream_ended = False
        """Whether the last event was one that ends the stream."""
        self.balances: dict[str, Decimal] = {}
        """By asset, as last told: free on spot, the wallet's on USD-M."""
        self.positions: dict[tuple[str, str], Decimal] = {}
        """USD-M, those that are open: amounts by symbol and side (BOTH, LONG, SHORT), negative for short ones."""
        self.not_kept = 0
        """Balances and positions told beyond MOST_KEPT."""

    @property
    def counts(self) -> Mapping[str, int]:
        """Events by the exchange's name for them."""
        return self._events.counts

    @property
    def orders(self) -> Mapping[str, int]:
        """Order reports by the state that they tell."""
        return self._statuses.counts

    @property
    def executions(self) -> Mapping[str, int]:
        """Order reports by what happened."""
        return self._executions.counts

    @property
    def reasons(self) -> Mapping[str, int]:
        """USD-M: updates of the account by their reason."""
        return self._reasons.counts

    @property
    def events(self) -> int:
        """How many there were of all kinds."""
        return self._events.total()

    def on_frame(self, frame: bytes) -> None:
        """Take one frame; what cannot be read is the wire's to count."""
        event = self._wire.account_event(frame)
        if event is None:
            return
        name = _NAMES[type(event)]
        self._events.add(name)
        had_ended, self.stream_ended = self.stream_ended, isinstance(event, _ENDS)
        if isinstance(event, ExecutionReport | OrderTradeUpdate):
            self._report(_spot(event) if isinstance(event, ExecutionReport) else _futures(event))
        elif self.stream_ended:
            if not had_ended:
                _log.warning("the account's stream ends: %s", name)
            self._on_end(name)
        else:
            self._take(event)

    def _report(self, report: OrderReport) -> None:
        self._statuses.add(report.status)
        self._executions.add(report.execution)
        self._on_report(report)

    def _take(self, event: Event) -> None:
        """TRADE_LITE is only counted: the ORDER_TRADE_UPDATE that follows it tells the same trade."""
        if isinstance(event, AccountPosition):
            self._keep(self.balances, {balance.asset: balance.free for balance in event.balances})
        elif isinstance(event, AccountUpdate):
            change = event.change
            self._reasons.add(change.reason)
            self._keep(self.balances, {balance.asset: balance.wallet for balance in change.balances})
            self._keep(self.positions, {(one.symbol, one.side): one.amount for one in change.positions})
            for one in change.positions:
                if not self.positions.get((one.symbol, one.side)):
                    self.positions.pop((one.symbol, one.side), None)
        elif isinstance(event, MarginCall):
            self._called(event)

    def _called(self, call: MarginCall) -> None:
        if call.event_time - self._called_ms >= _CALLS_APART_MS:
            self._called_ms = call.event_time
            symbols = [one.symbol for one in call.positions]
            _log.warning("margin call for %d positions: %s", len(symbols), ", ".join(symbols[:_MOST_TOLD]))

    def _keep(self, known: dict[K, Decimal], told: Mapping[K, str]) -> None:
        for key, amount in told.items():
            if key in known or len(known) < MOST_KEPT:
                known[key] = Decimal(amount)
            else:
                self.not_kept += 1


def _spot(event: ExecutionReport) -> OrderReport:
    return OrderReport(
        client_order_id=event.original_client_order_id or event.client_order_id,
        symbol=event.symbol,
        side=event.side,
        execution=event.execution,
        status=event.status,
        reject_reason=event.reject_reason,
        last_quantity=Decimal(event.last_quantity),
        last_price=Decimal(event.last_price),
        filled=Decimal(event.filled),
        commission=Decimal(event.commission),
        commission_asset=event.commission_asset,
        order_id=event.order_id,
        trade_id=event.trade_id,
        time_ms=event.time,
    )


def _futures(event: OrderTradeUpdate) -> OrderReport:
    order = event.order
    return OrderReport(
        client_order_id=order.client_order_id,
        symbol=order.symbol,
        side=order.side,
        execution=order.execution,
        status=order.status,
        reject_reason="NONE",
        last_quantity=Decimal(order.last_quantity),
        last_price=Decimal(order.last_price),
        filled=Decimal(order.filled),
        commission=Decimal(order.commission),
        commission_asset=order.commission_asset,
        order_id=order.order_id,
        trade_id=order.trade_id,
        time_ms=order.time,
    )
