"""Where orders go: what a gateway promises, and the one that trades on paper within the bot's own process."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

from harness.exchange.matching import DUPLICATE, Accepted, Exchange
from harness.exchange.reports import rejected, reports_of, wrapped

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from harness.exchange.fills import FillRules
    from harness.exchange.filters import SymbolFilters
    from harness.exchange.matching import Refusal
    from harness.exchange.orders import Order

#: So many orders without an end, and the outbox is asked to hold back.
LIMIT: Final = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayStatistics:
    """What a gateway did so far, and what it waits for."""

    sent: int
    """Orders given to it, each counted once."""
    waiting: int
    """Orders whose end is not known yet."""
    peak: int
    """The most that ever waited."""
    resent: int
    """How often an order was sent again under its own id."""
    refused: int
    """Orders that the exchange did not take."""
    reconnects: int


class Gateway(Protocol):
    """Takes orders; what becomes of them comes back as the exchange's own frames, never as a return value."""

    @property
    def name(self) -> str:
        """For the start-up line and the metrics."""
        ...

    @property
    def statistics(self) -> GatewayStatistics:
        """What happened so far."""
        ...

    @property
    def is_full(self) -> bool:
        """Whether whoever sends should hold back. An order sent all the same is taken and kept: none is dropped."""
        ...

    async def open(self) -> None:
        """Ready to send; raises TickproofError for an address that no order may go to."""
        ...

    def send(self, order: Order) -> None:
        """Send the order soon; never waits.

        A second send under the same client order id makes no second order, in this life of the bot or another: it
        has the order's last report handed on once more.
        """
        ...

    async def close(self) -> None:
        """Hand on what has come, and end. An order whose end is still unknown is the journal's to send again."""
        ...


class PaperGateway:
    """Orders filled at once by the simulated exchange's rules; its reports go to `on_frame` as bytes of JSON.

    They come in a later turn of the event loop, as a network's would, so that nobody is called from within `send`.
    The time of the exchange is the order's own event time: equal orders have equal reports.
    """

    name = "paper"

    def __init__(
        self,
        on_frame: Callable[[bytes], object],
        *,
        rules: FillRules | None = None,
        filters: Mapping[str, SymbolFilters] | None = None,
    ) -> None:
        self._on_frame = on_frame
        self._exchange = Exchange(rules, filters)
        self._frames: deque[tuple[bytes, ...]] = deque()
        """Of each order that waits."""
        self._loop: asyncio.AbstractEventLoop | None = None
        self._sent = self._peak = self._resent = self._refused = 0

    @property
    def statistics(self) -> GatewayStatistics:
        """What happened so far."""
        return GatewayStatistics(
            sent=self._sent,
            waiting=len(self._frames),
            peak=self._peak,
            resent=self._resent,
            refused=self._refused,
            reconnects=0,
        )

    @property
    def is_full(self) -> bool:
        """Whether whoever sends should hold back until the event loop has turned."""
        return len(self._frames) >= LIMIT

    async def open(self) -> None:
        """Deliver on the running loop from now on."""
        self._loop = asyncio.get_running_loop()

    def send(self, order: Order) -> None:
        """Trade on paper; raises RuntimeError before `open`."""
        if self._loop is None:
            raise RuntimeError("open the gateway first")
        frames = self._trade(order)
        if not self._frames:
            self._loop.call_soon(self._deliver)
        self._frames.append(frames)
        self._peak = max(self._peak, len(self._frames))

    async def close(self) -> None:
        """Deliver what has not been."""
        self._deliver()

    def _trade(self, order: Order) -> tuple[bytes, ...]:
        answer = self._exchange.place(order, order.time_ms)
        if not isinstance(answer, Accepted) and answer.msg == DUPLICATE:
            self._resent += 1
            answer = self._exchange.status(order.symbol, order.client_order_id)
            return self._reports(order, answer)[-1:]
        self._sent += 1
        return self._reports(order, answer)

    def _reports(self, order: Order, answer: Accepted | Refusal) -> tuple[bytes, ...]:
        if isinstance(answer, Accepted):
            return tuple(wrapped(report) for report in reports_of(answer))
        self._refused += 1
        return (wrapped(rejected(order, f"{answer.code} {answer.msg}", order.time_ms)),)

    def _deliver(self) -> None:
        try:
            while self._frames:
                for frame in self._frames.popleft():
                    self._on_frame(frame)
        finally:
            if self._frames and self._loop:  # whoever heard raised: the others still come
                self._loop.call_soon(self._deliver)
