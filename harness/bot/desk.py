"""The bot without I/O: a market frame in; decisions booked, digested, and handed to the outbox."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from harness.bot import strategy
from harness.bot.decision import Decision, SignalRecord
from harness.bot.depth_feed import DepthFeed
from harness.bot.digest import TRAIL_EVERY, DecisionDigest
from harness.bot.feeds import KlineFeed, PriceFeed
from harness.bot.ledger import Ledger
from harness.bot.market import Market
from harness.bot.risk import Refusal, Risk
from harness.bot.signal import Signal
from harness.exchange.fills import FillRules, fill, limit_price
from harness.exchange.filters import filters_for
from harness.exchange.orders import Order, Side

if TYPE_CHECKING:
    from collections.abc import Callable
    from decimal import Decimal

    from harness.bot.ledger import Position
    from harness.bot.market import SymbolState
    from harness.bot.settings import BotSettings
    from harness.bot.wire import Wire
    from harness.exchange.filters import SymbolFilters
    from harness.exchange.orders import Fill

_ENTER = Signal.ENTER
#: Levels a side of a whole book: what snapshots are asked for with. The deepest would weigh five times as much against
#: the exchange's limits.
BOOK_DEPTH = 1_000


class Desk:
    """bytes -> wire -> market -> strategy -> risk -> orders; only a shell around it awaits."""

    def __init__(
        self,
        wire: Wire,
        settings: BotSettings,
        filters: dict[str, SymbolFilters],
        decide: Callable[[Decision], None],
        *,
        epoch: int = 1,
        request_snapshot: Callable[[str], None] | None = None,
        trace: bool = False,
        trail: bool = True,
    ) -> None:
        """`decide` takes what a frame decided and must not wait; `epoch` tells this life of the bot from others.

        With `request_snapshot` whole books are kept (see DepthFeed).
        """
        self.frames = 0
        self.market = Market(settings.market)
        self.ledger = Ledger()
        self.strategy = strategy.made(settings.strategy)
        self.digest = DecisionDigest(self.strategy.features, trace=trace, trail=trail)
        self.risk = Risk(settings.risk, self.ledger)
        self.refusals: Counter[str] = Counter()
        self.depth = DepthFeed(request_snapshot, depth=BOOK_DEPTH)
        self._message = wire.market_message
        self._handlers = {
            kind: handle
            for feed in (PriceFeed(self.market), KlineFeed(self.market), self.depth)
            for kind, handle in feed.handlers().items()
        }
        self._judge = self.strategy.judge
        self._evaluated = self.digest.evaluation
        self._positions = self.ledger.positions
        self._rules = FillRules(fee_rate=settings.costs.fee_rate, slippage=settings.costs.slippage)
        self._filters = filters
        self._decide = decide
        self._epoch = epoch

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
                self._evaluate(kind, state)
        if self.frames % TRAIL_EVERY == 0:
            self.digest.checkpoint()

    def finish(self) -> str:
        """The digest, final positions included; nothing may come after."""
        return self.digest.finish(self.ledger, self.frames)

    def _evaluate(self, kind: str, state: SymbolState) -> None:
        time_ms = self.market.time_ms
        signal, features = self._judge(state)
        self._evaluated((self.frames, time_ms, kind, state.symbol, signal, features))
        position = self._positions.get(state.symbol)
        if position is not None:
            reason = self.risk.exit_of(position, state.price, signal, time_ms)
            if reason is not None:
                self._leave(position, state, signal, features, reason)
        elif signal is _ENTER:
            self._consider_entry(state, signal, features)

    def _leave(
        self, position: Position, state: SymbolState, signal: Signal, features: tuple[float, ...], reason: str
    ) -> None:
        order = self._order(state, Side.SELL, position.entry.order.quantity)
        sold = self._booked(order, reason)
        trade = self.ledger.close(sold, reason)
        left_by_signal = signal is Signal.LEAVE
        record = self._signal(state, signal, features, order.client_order_id) if left_by_signal else None
        state.outcome = ""
        self._decide(Decision(order=order, trade=trade, signal=record))

    def _consider_entry(self, state: SymbolState, signal: Signal, features: tuple[float, ...]) -> None:
        confidence = self.strategy.confidence(signal, features)
        filters = filters_for(state.symbol, self._filters)
        size = self.risk.size_of(state, filters, self.market.time_ms, confidence)
        if isinstance(size, Refusal):
            self._refuse(state, signal, features, size)
            return
        order = self._order(state, Side.BUY, size)
        named = dict(zip(self.strategy.features, features, strict=True))
        trade = self.ledger.open(self.risk.position(self._booked(order, "entry"), named, self.strategy.name))
        state.outcome = ""
        self._decide(
            Decision(order=order, trade=trade, signal=self._signal(state, signal, features, order.client_order_id))
        )

    def _refuse(self, state: SymbolState, signal: Signal, features: tuple[float, ...], refusal: Refusal) -> None:
        """Every refusal counts; it is recorded when it is not the one that the symbol met last."""
        self.refusals[refusal] += 1
        self.digest.refusal(refusal)
        if state.outcome != refusal:
            state.outcome = refusal
            self._decide(Decision(signal=self._signal(state, signal, features, f"refused {refusal}")))

    def _booked(self, order: Order, reason: str) -> Fill:
        booked = fill(order, self._rules)
        self.digest.fill(booked, reason)
        return booked

    def _order(self, state: SymbolState, side: Side, quantity: Decimal) -> Order:
        best_opposite = (state.ask if side is Side.BUY else state.bid) or state.price
        return Order(
            # The id follows from the deciding frame: a repeated run books the same trades under the same ids, and a
            # frame decides one order at most.
            client_order_id=f"{self._epoch}-{self.frames}-{side[0]}",
            symbol=state.symbol,
            side=side,
            quantity=quantity,
            price=limit_price(side, best_opposite, filters_for(state.symbol, self._filters), self._rules),
            time_ms=self.market.time_ms,
        )

    def _signal(self, state: SymbolState, signal: Signal, features: tuple[float, ...], outcome: str) -> SignalRecord:
        return SignalRecord(
            signal_id=f"{self._epoch}-{self.frames}",
            symbol=state.symbol,
            strategy=self.strategy.name,
            signal=signal.name,
            confidence=self.strategy.confidence(signal, features),
            features=dict(zip(self.strategy.features, features, strict=True)),
            outcome=outcome,
            time_ms=self.market.time_ms,
        )
