"""The connection that carries the market, kept or made once; and the account's, which is kept in the same way."""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING

from harness.bot.connection.kept import KeptConnection
from harness.bot.connection.policy import ConnectionPolicy, ConnectionStatistics, Reason
from harness.bot.connection.subscriptions import AccountStream, MarketStreams
from harness.bot.connection.watchdog import Watchdog
from harness.clock import MonotonicClock

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from harness.backends.contracts import Transport
    from harness.clock import Clock

__all__ = ["AccountConnection", "ConnectionPolicy", "ConnectionStatistics", "MarketConnection", "Reason"]


class MarketConnection(KeptConnection):
    """All market streams on one connection. `policy` None is the measured way: made once, and nothing is in between.

    `url` is `ws://host:port/stream?streams=...`, a bare `/stream` or `/ws`, or one without a path; see MarketStreams
    for where the `streams` go. Raises ConfigError for more streams than a connection carries.
    """

    def __init__(
        self,
        transport: Transport,
        url: str,
        on_frame: Callable[[bytes], object],
        *,
        streams: Iterable[str] = (),
        policy: ConnectionPolicy | None = None,
        clock: Clock | None = None,
        chance: Callable[[], float] = random.random,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        clock = clock or MonotonicClock()
        subscription = MarketStreams(url, streams)
        super().__init__(
            transport,
            on_frame,
            subscription,
            name="market",
            policy=policy,
            watchdog=_watchdog(subscription, policy, clock) if policy else None,
            clock=clock,
            chance=chance,
            sleep=sleep,
        )
        self.names = subscription.names
        """Every stream that is subscribed."""

    def resubscribe(self, streams: Iterable[str]) -> None:
        """Unsubscribe and subscribe these soon, within a second; names that are not subscribed are passed over.

        Without effect without a policy.
        """
        self._again.update(dict.fromkeys(name for name in streams if name in self.names))


class AccountConnection(KeptConnection):
    """The account's events on a WebSocket API (`ws://.../ws-api/v3`), subscribed anew on every connection.

    The account may be silent for as long as it likes: a policy's `silent_s` is not for it. Nothing is ever dropped or
    conflated; events of the time without a connection are not sent again by the exchange, so ask for the state.
    """

    def __init__(
        self,
        transport: Transport,
        url: str,
        on_frame: Callable[[bytes], object],
        *,
        policy: ConnectionPolicy | None = None,
        clock: Clock | None = None,
        chance: Callable[[], float] = random.random,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        super().__init__(
            transport,
            on_frame,
            AccountStream(url),
            name="account",
            policy=policy,
            clock=clock,
            chance=chance,
            sleep=sleep,
        )


def _watchdog(subscription: MarketStreams, policy: ConnectionPolicy, clock: Clock) -> Watchdog:
    if policy.stream_silent_s and not subscription.is_combined:
        raise ValueError("stream_silent_s wants frames that name their stream: connect to /stream, not to /ws")
    return Watchdog(clock, silent_s=policy.silent_s, stream_silent_s=policy.stream_silent_s, names=subscription.names)
