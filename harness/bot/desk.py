"""The bot without I/O: a market frame in; decisions booked, digested, and trades left in the outbox."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from harness.bot.digest import TRAIL_EVERY, DecisionDigest
from harness.bot.execution import PaperExecution
from harness.bot.feeds import DepthFeed, KlineFeed, PriceFeed
from harness.bot.ledger import Ledger
from harness.bot.market import Market
from harness.bot.risk import Refusal, Risk
from harness.bot.strategy import Features, MomentumStrategy, Signal
from harness.exchange.filters import filters_for
from harness.exchange.orders import Order, Side

if TYPE_CHECKING:
    from collections.abc import Callable
    from decimal import Decimal

    from harness.bot.ledger import Position, TradeRecord
    from harness.bot.market import SymbolState
    from harness.bot.settings import BotSettings
    from harness.bot.wire import Wire
    from harness.exchange.filters import SymbolFilters


class Desk:
    """bytes -> wire -> market -> strategy -> risk -> orders; only a shell around it awaits."""

    def __init__(
        self,
        wire: Wire,
        settings: BotSettings,
        filters: dict[str, SymbolFilters],
        save: Callable[[TradeRecord], None],
        *,
        trace: bool = False,
    ) -> None:
        self.frames = 0
        self.market = Market(settings.strategy)
        self.ledger = Ledger()
        self.digest = DecisionDigest(trace=trace)
        self.refusals: Counter[str] = Counter()
        self._message = wire.market_message
        self._handlers = {
            kind: handle
            for feed in (PriceFeed(self.market), KlineFeed(self.market), DepthFeed(self.market))
            for kind, handle in feed.handlers().items()
        }
        self._strategy = MomentumStrategy(settings.strategy)
        self._risk = Risk(settings.risk, self.ledger)
        self._execution = PaperExecution(filters)
        self._filters = filters
        self._save = save

    def on_frame(self, frame: bytes) -> None:
        """Take one frame of the market connection; every frame counts, malformed ones too."""
        self.frames += 1
        message = self._message(frame)
        if message is not None:
            kind, symbol, event = message
            market = self.market
            state = market.symbols.get(symbol) or market.state(symbol)
            event_time: int = event.event_time  # type: ignore[attr-defined]  # every market payload has it
            if event_time > market.time_ms:  # noqa: PLR1730 - a call of max() costs more, and this is every frame
                market.time_ms = event_time
            if self._handlers[kind](state, event) and market.time_ms:
                self._judge(kind, state)
        if self.frames % TRAIL_EVERY == 0:
            self.digest.checkpoint()

    def finish(self) -> str:
        """The digest, final positions included; nothing may come after."""
        return self.digest.finish(self.ledger, self.frames)

    def _judge(self, kind: str, state: SymbolState) -> None:
        features = self._strategy.features(state)
        signal = self._strategy.signal(state, features)
        time_ms = self.market.time_ms
        self.digest.evaluation(self.frames, time_ms, kind, state.tag, signal, features)
        position = self.ledger.positions.get(state.symbol)
        if position is not None:
            self._consider_exit(position, state, signal, time_ms)
        elif signal is Signal.ENTER:
            self._consider_entry(state, features, time_ms)

    def _consider_exit(self, position: Position, state: SymbolState, signal: Signal, time_ms: int) -> None:
        reason = self._risk.exit_of(position, state, signal, time_ms)
        if reason is None:
            return
        order = self._order(state, Side.SELL, position.entry.order.quantity, time_ms)
        fill = self._execution.fill(order, state)
        self.digest.fill(fill, reason)
        self._save(self.ledger.close(fill, reason))

    def _consider_entry(self, state: SymbolState, features: Features, time_ms: int) -> None:
        size = self._risk.size_of(state, filters_for(state.symbol, self._filters), time_ms)
        if isinstance(size, Refusal):
            self.refusals[size] += 1
            self.digest.refusal(size)
            return
        fill = self._execution.fill(self._order(state, Side.BUY, size, time_ms), state)
        self.digest.fill(fill, "entry")
        self._save(self.ledger.open(fill, features))

    def _order(self, state: SymbolState, side: Side, quantity: Decimal, time_ms: int) -> Order:
        # The id follows from the deciding frame: a repeated run books the same trades under the same ids.
        client_order_id = f"{state.symbol}-{self.frames}-{side[0]}"
        return Order(
            client_order_id=client_order_id, symbol=state.symbol, side=side, quantity=quantity, time_ms=time_ms
        )
