"""Tick-to-order, told from nothing but the log: how long after a market frame was sent its order's bytes were there.

Sent is when the server handed the frame to its socket, arrived when it read the order from one: the client, its library
and both ways through the loopback are in it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from harness.units import NS_PER_US

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from harness.replay.orders.log import AcceptedOrder


@dataclass(frozen=True, slots=True, kw_only=True)
class Delays:
    """Quantiles in microseconds, between the two nearest orders by straight line (Hyndman and Fan 1996, type 7)."""

    count: int
    p50_us: float
    p90_us: float
    p99_us: float
    max_us: float


@dataclass(frozen=True, slots=True, kw_only=True)
class TickToOrder:
    """The delays by two rules; None where no order has the stamps for it."""

    named: Delays | None
    """After the frame that the client order id names: the delay of that very decision."""
    last: Delays | None
    """After the last frame of the order's symbol that was sent before the order came: the true delay or less, where an
    order answers a frame of its own symbol."""
    impossible: int
    """Stamps by which an order came before its frame was sent; they are left out."""


def tick_to_order(lines: Iterable[AcceptedOrder]) -> TickToOrder:
    """The delays of all orders of a log."""
    named: list[int] = []
    last: list[int] = []
    for line in lines:
        if line.trigger_sent_ns is not None:
            named.append(line.received_ns - line.trigger_sent_ns)
        if line.last_sent_ns is not None:
            last.append(line.received_ns - line.last_sent_ns)
    impossible = sum(delay < 0 for delay in (*named, *last))
    return TickToOrder(named=_delays(named), last=_delays(last), impossible=impossible)


def _delays(delays_ns: Sequence[int]) -> Delays | None:
    possible = np.array([delay for delay in delays_ns if delay >= 0], dtype=np.int64)
    if not possible.size:
        return None
    p50, p90, p99, most = (np.quantile(possible, [0.5, 0.9, 0.99, 1.0]) / NS_PER_US).tolist()
    return Delays(count=possible.size, p50_us=p50, p90_us=p90, p99_us=p99, max_us=most)
