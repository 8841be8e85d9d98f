"""The decision digest: a chained hash of all that the bot decided, equal across stacks or no speed-up counts."""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING

from msgspec import msgpack

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.bot.ledger import Ledger
    from harness.bot.signal import Signal
    from harness.exchange.orders import Fill

    Evaluation = tuple[int, int, str, str, Signal, tuple[float, ...]]
    """Frame number, event time (ms), kind of event, symbol, signal, features."""

#: A hash is kept for every so many frames: where two stacks part can then be found.
TRAIL_EVERY = 1_000


class DecisionDigest:
    """Takes every evaluation, in order, and what came of it.

    They are hashed as MessagePack, which writes a float by its exact bits and everything else in one way only.
    """

    def __init__(self, features: tuple[str, ...], *, trace: bool = False, trail: bool = True) -> None:
        """`features` are the strategy's; without `trail` nothing grows, however long the bot runs."""
        self._hash = blake2b(" ".join(features).encode(), digest_size=16)
        self._pending: list[object] = []
        self._encode = msgpack.Encoder().encode
        self._keeps_trail = trail
        self.trail: list[str] = []
        self.decisions = 0
        """Orders and refusals."""
        self.trace: list[str] | None = [] if trace else None
        """Every evaluation in words, when asked for: slow, for finding the first divergence."""
        self.evaluation: Callable[[Evaluation], None] = self._traced if trace else self._pending.append
        """Takes one judgement of the strategy. The list's own method: this is nearly every frame."""

    def _traced(self, evaluation: Evaluation) -> None:
        frame, _, kind, symbol, signal, features = evaluation
        self._pending.append(evaluation)
        if self.trace is not None:
            self.trace.append(f"frame {frame}: {kind} {symbol} {signal.name} {[value.hex() for value in features]}")

    def refusal(self, name: str) -> None:
        """A wish that was not granted, by name."""
        self._decided(f"refused {name}")

    def fill(self, fill: Fill, reason: str) -> None:
        """An order and its fill."""
        order = fill.order
        ordered = f"{order.client_order_id} {order.side} {order.symbol} {order.quantity}"
        self._decided(f"{ordered} @ {fill.price} fee {fill.fee} {reason}")

    def _decided(self, text: str) -> None:
        self.decisions += 1
        self._pending.append(text)
        if self.trace is not None:
            self.trace.append(text)

    def checkpoint(self) -> None:
        """Hash what is pending and keep the state of the chain."""
        self._hash.update(self._encode(self._pending))
        self._pending.clear()
        if self._keeps_trail:
            self.trail.append(self._hash.hexdigest())

    def finish(self, ledger: Ledger, frames: int) -> str:
        """The digest of all, final positions included."""
        for symbol, position in sorted(ledger.positions.items()):
            self._pending.append(f"open {symbol} {position.entry.order.quantity} @ {position.entry.price}")
        self._pending.append(f"frames {frames} closed {ledger.trades_closed}")
        self.checkpoint()
        return self._hash.hexdigest()
