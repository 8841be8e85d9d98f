"""What had been sent on the market when an order arrived: the other half of tick-to-order."""

from __future__ import annotations

import weakref
from bisect import bisect_left
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from harness.exchange import streams
from harness.replay.orders.stamps import FrameNames, Stamps

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from harness.exchange.orders import Order
    from harness.replay.frames import Strip
    from harness.replay.hand_overs import HandOvers
    from harness.replay.tape import Tape

#: Symbols whose frames are found once and kept, over all strips.
_KEPT: Final = 4_096


class Sent(NamedTuple):
    """What one market connection was sent so far."""

    tape: Tape
    strip: Strip
    base: int
    """More by this than the connection's data frames are the frames of the strip before the next one."""
    overs: HandOvers


class _Found(NamedTuple):
    """Frames of a strip, which is known by its positions and not kept alive."""

    position: weakref.ref[NDArray[np.int64]]
    numbers: list[int]


class MarketSent:
    """Stamps for orders, from what `connections` tells of the market connections that are open."""

    def __init__(self, names: FrameNames, connections: Callable[[], Sequence[Sent]]) -> None:
        self._names = names
        self._connections = connections
        self._found: dict[tuple[int, str], _Found] = {}

    def __call__(self, order: Order, received_ns: int) -> Stamps:
        """The stamps of an order that arrived then.

        The frame that its id names is counted on the client's market connection; with several open it is not known
        which of them that is, and when it was sent neither. The last frame of the symbol is the last on any of them.
        """
        open_now = self._connections()
        frame = self._names.frame_in(order.client_order_id)
        trigger = open_now[0].overs.sent_ns(frame) if frame is not None and len(open_now) == 1 else None
        lasts = [self._last(sent, order.symbol, received_ns) for sent in open_now]
        return Stamps(
            trigger_frame=frame,
            trigger_sent_ns=trigger,
            last_sent_ns=max((last for last in lasts if last is not None), default=None),
        )

    def _last(self, sent: Sent, symbol: str, received_ns: int) -> int | None:
        numbers = self._numbers(sent, symbol)
        for place in range(bisect_left(numbers, sent.base + sent.overs.reached) - 1, -1, -1):
            at = sent.overs.sent_ns(numbers[place] + 1 - sent.base)
            if at is None or at <= received_ns:
                return at
        return None

    def _numbers(self, sent: Sent, symbol: str) -> list[int]:
        """The numbers of the strip's frames that are about a symbol, from 0."""
        position = sent.strip.position
        key = id(position), symbol
        found = self._found.get(key)
        if found is None or found.position() is not position:  # another strip may come to lie where one was
            if len(self._found) >= _KEPT:
                self._found.clear()
            wanted = [number for number, name in enumerate(sent.tape.names) if streams.parse(name).symbol == symbol]
            about = np.isin(sent.tape.stream[position], wanted)
            found = self._found[key] = _Found(weakref.ref(position), np.flatnonzero(about).tolist())
        return found.numbers
