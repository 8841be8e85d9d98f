"""The account's events, spot and USD-M. They reconcile and are counted; they never decide."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from harness.bot.tally import Tally
from harness.exchange.account_events import (
    AccountPosition,
    AccountUpdate,
    ExecutionReport,
    ListenKeyExpired,
    MarginCall,
    OrderTradeUpdate,
    EventStreamTerminated,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from harness.bot.wire import Wire
    from harness.exchange.events import Event

K = TypeVar("K")

_log = logging.getLogger(__name__)

#: Assets and positions that are remembered: an account of Binance has some hundred.
MOST_KEPT = 5_000


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderReport:
    """What became of an order, of whichever market; amounts are the exchange's own text."""

    client_order_id: str
    """Of the order itself, also when it is the answer to a cancellation."""
    symbol: str
    side: str
    execution: str
    """What happened: NEW, TRADE, CANCELED, REJECTED, EXPIRED ..."""
    status: str
    """What the order is now: NEW, PARTIALLY_FILLED, FILLED, CANCELED ..."""
    reject_reason: str
    last_quantity: str
    last_price: str
    filled: str
    """Of all trades so far, in the base asset."""
    commission: str
    commission_asset: str | None
    order_id: int
    trade_id: int
    time_ms: int


class AccountFeed:
    """Handler of the account connection, and of what the order gateway tells."""

    def __init__(
        self,
        wire: Wire,
        on_report: Callable[[OrderReport], None] = lambda _: None,
        on_end: Callable[[str], None] = lambda _: None,
    ) -> None:
        """`on_report` takes what becomes of orders; `on_end` is told why no more events will come."""
        self._wire = wire
        self._on_report = on_report
        self._on_end = on_end
        self._events = Tally()
        self._statuses = Tally()
        self._executions = Tally()
        self._reasons = Tally()
        self.balances: dict[str, float] = {}
        """By asset, as last told: free on spot, the wallet's on USD-M."""
        self.positions: dict[tuple[str, str], float] = {}
        """USD-M: amounts by symbol and side (BOTH, LONG, SHORT)."""

    @property
    def counts(self) -> Mapping[str, int]:
        """Events by kind."""
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
        self._events.add(type(event).__name__)
        if isinstance(event, ExecutionReport | OrderTradeUpdate):
            self._report(_spot(event) if isinstance(event, ExecutionReport) else _futures(event))
        else:
            self._take(event)

    def _report(self, report: OrderReport) -> None:
        self._statuses.add(report.status)
        self._executions.add(report.execution)
        self._on_report(report)

    def _take(self, event: Event) -> None:
        """TRADE_LITE is only counted: the ORDER_TRADE_UPDATE that follows it tells the same trade."""
        if isinstance(event, AccountPosition):
            _keep(self.balances, {balance.asset: float(balance.free) for balance in event.balances})
        elif isinstance(event, AccountUpdate):
            account = event.change
            self._reasons.add(account.reason)
            _keep(self.balances, {balance.asset: float(balance.wallet) for balance in account.balances})
            _keep(self.positions, {(one.symbol, one.side): float(one.amount) for one in account.positions})
        elif isinstance(event, MarginCall):
            _log.warning("margin call for %s", ", ".join(one.symbol for one in event.positions[:10]))
        elif isinstance(event, EventStreamTerminated | ListenKeyExpired):
            _log.warning("the account's stream ends: %s", type(event).__name__)
            self._on_end(type(event).__name__)


def _keep(known: dict[K, float], told: Mapping[K, float]) -> None:
    for key, amount in told.items():
        if key in known or len(known) < MOST_KEPT:
            known[key] = amount


def _spot(event: ExecutionReport) -> OrderReport:
    cancelled = event.execution == "CANCELED" and event.original_client_order_id
    return OrderReport(
        client_order_id=(cancelled or event.client_order_id),
        symbol=event.symbol,
        side=event.side,
        execution=event.execution,
        status=event.status,
        reject_reason=event.reject_reason,
        last_quantity=event.last_quantity,
        last_price=event.last_price,
        filled=event.filled,
        commission=event.commission,
        commission_asset=event.commission_asset,
        order_id=event.order_id,
        trade_id=event.trade_id,
        time_ms=event.time or event.event_time,
    )


def _futures(event: OrderTradeUpdate) -> OrderReport:
    order = event.order
    return OrderReport(
        client_order_id=order.client_order_id,
        symbol=order.symbol,
        side=order.side,
        execution=order.execution,
        status=order.status,
        reject_reason="",
        last_quantity=order.last_quantity,
        last_price=order.last_price,
        filled=order.filled,
        commission=order.commission,
        commission_asset=order.commission_asset,
        order_id=order.order_id,
        trade_id=order.trade_id,
        time_ms=order.time or event.event_time,
    )
