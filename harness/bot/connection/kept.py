"""A connection that is made again whenever it is lost, or one that is made once."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
from collections import Counter
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

from harness.backends.backoff import Backoff
from harness.bot.connection.policy import ConnectionPolicy, ConnectionStatistics, Reason
from harness.bot.connection.rate_limit import RateLimit
from harness.bot.connection.watchdog import Watchdog
from harness.clock import MonotonicClock
from harness.redact import redact
from harness.units import NS_PER_S, Nanoseconds, seconds

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterable

    from harness.backends.contracts import Connection, Transport
    from harness.bot.connection.subscriptions import Answer, Subscription
    from harness.clock import Clock

_log = logging.getLogger(__name__)

#: Binance takes 5 messages a second, pongs among them (BINANCE.md, section 2); one is left for these.
_MESSAGES, _MESSAGES_SPAN_S = 4, 1.0
#: A connection that does not close is left alone after this; a transport's own limit is to be shorter.
_CLOSE_LIMIT_S = 10.0
_MOST_TOLD = 300


class KeptConnection:
    """Connects, subscribes, and hands frames to `on_frame` until it is stopped, or its policy says that it is over.

    Without a policy it is made once and its end is the end: frames go straight from the transport to `on_frame` when
    the URL says all that is subscribed. With one, frames arrive through a counter, and whatever ends the connection
    is followed by another one. Between two connections frames are lost as the exchange does not send them again.
    """

    def __init__(
        self,
        transport: Transport,
        on_frame: Callable[[bytes], object],
        subscription: Subscription,
        *,
        name: str,
        policy: ConnectionPolicy | None = None,
        watchdog: Watchdog | None = None,
        clock: Clock | None = None,
        chance: Callable[[], float] = random.random,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        """`name` is for the log; `chance` gives numbers from 0 to 1."""
        self.connection: Connection | None = None
        """The one in use; None while there is none."""
        self.last_connection: Connection | None = None
        """The one in use, or else the last one that was: the proof of what carried the frames."""
        self._transport = transport
        self._on_frame = on_frame
        self._subscription = subscription
        self._name = name
        self._policy = policy
        self._clock = clock or MonotonicClock()
        self._sleep = sleep
        self._watchdog = watchdog or Watchdog(self._clock)
        self._messages = RateLimit(_MESSAGES, _MESSAGES_SPAN_S, self._clock)
        limits = policy or ConnectionPolicy()
        self._attempts = RateLimit(limits.attempts, limits.attempts_span_s, self._clock)
        self._backoff = Backoff(limits.first_pause_s, limits.longest_pause_s, chance=chance)
        self._work: asyncio.Task[None] | None = None
        self._wanted_end: asyncio.Future[_End] | None = None
        self._again: dict[str, None] = {}
        self._fault: Exception | None = None
        self._stopped = False
        self._paused = False
        self._connects = self._failed_attempts = self._silent_periods = self._resubscribed = self._refused = 0
        self._reconnects: Counter[str] = Counter()
        self._since: Nanoseconds | None = None
        self._asked_at = self._clock.now()
        self._lost_at: Nanoseconds | None = None
        self._last_close = ""

    async def run(self) -> None:
        """Return when it was stopped, or when the peer closed in order and that is the end.

        Without a policy raises OSError or ConnectionError for any other end. Always raises what `on_frame` raised.
        """
        work = self._work = asyncio.ensure_future(self._keep(self._policy) if self._policy else self._once())
        if self._stopped:
            work.cancel()
        try:
            await asyncio.wait({work})
        finally:
            await _end(work)
        if not (work.cancelled() and self._stopped):
            work.result()

    def stop(self) -> None:
        """Close, and let `run` return, whatever it waits for; there is no way back."""
        self._stopped = True
        if self._work:
            self._work.cancel()

    def pause(self) -> None:
        """Let nothing come until `resume`; a connection made meanwhile is paused as well."""
        self._paused = True
        if self.connection:
            self.connection.pause()

    def resume(self) -> None:
        """Read on."""
        self._paused = False
        self._watchdog.forgive()
        self._asked_at = self._clock.now()
        if self.connection:
            self.connection.resume()

    def reconnect_now(self, reason: str = Reason.SHUTDOWN) -> None:
        """Leave the connection in order and make another one, at once when it had lasted; may be called by `on_frame`.

        Without effect while there is no connection, and without a policy.
        """
        self._leave(_End(reason, reason, is_planned=True))

    @property
    def statistics(self) -> ConnectionStatistics:
        """Of this moment."""
        return ConnectionStatistics(
            connects=self._connects,
            failed_attempts=self._failed_attempts,
            reconnects=MappingProxyType({str(reason): count for reason, count in self._reconnects.items()}),
            frames=self._watchdog.frames,
            silent_periods=self._silent_periods,
            resubscribed=self._resubscribed,
            refused_requests=self._refused,
            connected_since=self._since,
            last_close=self._last_close,
        )

    async def _once(self) -> None:
        handler = self._on_frame if self._subscription.is_in_url else self._received
        connection = await self._transport.connect(self._subscription.url, handler)
        async with self._in_use(connection):
            await self._send(connection, self._subscription.opening(), None)
            await connection.wait_closed()

    async def _keep(self, policy: ConnectionPolicy) -> None:
        handler = self._watchdog.watch(self._received)
        while True:
            await self._wait(self._attempts.take())
            pause_s = await self._attempt(policy, handler)
            if pause_s is None:
                return
            await self._wait(pause_s)

    async def _attempt(self, policy: ConnectionPolicy, handler: Callable[[bytes], object]) -> float | None:
        """One connection from its handshake to its end: seconds until the next, or None when it was the last."""
        try:
            connection = await self._transport.connect(self._subscription.url, handler)
        except OSError as error:
            self._failed_attempts += 1
            self._lost(f"not made: {str(error) or type(error).__name__}")
            return self._backoff.next_s()
        async with self._in_use(connection):
            self._opened()
            end = await self._until_end(connection, policy)
            lasted = self._clock.now() - (self._since or 0)
        return self._pause_after(end, policy, is_stable=lasted >= seconds(policy.stable_s))

    def _pause_after(self, end: _End, policy: ConnectionPolicy, *, is_stable: bool) -> float | None:
        if end.reason == Reason.CLOSED and policy.after_orderly_close == "end":
            self._last_close = end.told
            return None
        self._reconnects[end.reason] += 1
        if is_stable:
            self._backoff.reset()
        if end.is_planned:
            self._last_close = end.told
            _log.info("the %s connection is left for a new one: %s", self._name, end.told)
        else:
            self._lost(end.told)
        # A peer that sends us away again and again is not run against: only what had lasted is replaced at once.
        return 0.0 if end.is_planned and is_stable else self._backoff.next_s()

    @contextlib.asynccontextmanager
    async def _in_use(self, connection: Connection) -> AsyncIterator[None]:
        self.connection = self.last_connection = connection
        self._connects += 1
        self._since = self._clock.now()
        self._watchdog.forgive()
        if self._paused:
            connection.pause()
        try:
            yield
        finally:
            self.connection = self._since = None
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_CLOSE_LIMIT_S):
                    await connection.close()

    async def _until_end(self, connection: Connection, policy: ConnectionPolicy) -> _End:
        closed = asyncio.ensure_future(connection.wait_closed())
        tended = asyncio.ensure_future(self._tend(connection, policy))
        wanted = self._wanted_end = asyncio.get_running_loop().create_future()
        try:
            await asyncio.wait({closed, tended, wanted}, return_when=asyncio.FIRST_COMPLETED)
            if self._fault:
                raise self._fault
            if closed.done():
                return _how_closed(closed)
            return wanted.result() if wanted.done() else tended.result()
        finally:
            self._wanted_end = None
            wanted.cancel()
            await _end(closed, tended)

    async def _tend(self, connection: Connection, policy: ConnectionPolicy) -> _End:
        """Subscribe, and look after the connection until it is to be left."""
        try:
            await self._send(connection, self._subscription.opening(), policy.answer_s)
            while True:
                await self._sleep(policy.check_s)
                end = self._look(policy)
                if end:
                    return end
                await self._send(connection, self._subscription.again(self._to_renew()), policy.answer_s)
        except TimeoutError:
            return _End(Reason.BROKEN, f"a request could not be sent within {policy.answer_s:g} s")

    def _look(self, policy: ConnectionPolicy) -> _End | None:
        now = self._clock.now()
        age = 0 if self._since is None else now - self._since
        if policy.longest_life_s and age >= seconds(policy.longest_life_s):
            return _End(Reason.AGE, f"it is {policy.longest_life_s:g} s old", is_planned=True)
        if self._paused:
            return None
        if self._watchdog.is_silent():
            self._silent_periods += 1
            return _End(Reason.SILENT, f"nothing came for {policy.silent_s:g} s")
        if self._subscription.requests.awaited and now - self._asked_at > seconds(policy.answer_s):
            return _End(Reason.UNANSWERED, f"a request was not answered within {policy.answer_s:g} s")
        return None

    def _to_renew(self) -> list[str]:
        """Streams to be subscribed anew."""
        silent = [] if self._paused else self._watchdog.silent_streams()
        if silent:
            _log.warning("%d streams are silent and are subscribed anew: %s", len(silent), ", ".join(silent[:3]))
        names = list(self._again | dict.fromkeys(silent))
        self._again.clear()
        self._resubscribed += len(names)
        return names

    async def _send(self, connection: Connection, requests: Iterable[bytes], limit_s: float | None) -> None:
        for request in requests:
            await self._wait(self._messages.take())
            # A connection that has ended meanwhile is for `wait_closed` to tell of.
            with contextlib.suppress(ConnectionError):
                async with asyncio.timeout(limit_s):
                    await connection.send(request)
            self._asked_at = self._clock.now()

    async def _wait(self, pause_s: float) -> None:
        if pause_s:
            await self._sleep(pause_s)

    def _received(self, frame: bytes) -> None:
        """Hand a frame on, unless it is the answer to a request of ours."""
        if self._subscription.requests.awaited:
            answer = self._subscription.requests.take(frame)
            if answer:
                self._answered(answer)
                return
        try:
            self._on_frame(frame)
        except Exception as error:
            # Kept apart: it may be an OSError, and is no matter of the network.
            self._fault = error
            raise

    def _answered(self, answer: Answer) -> None:
        if not answer.error:
            return
        self._refused += 1
        if self._policy is None:
            raise ConnectionError(f"{answer.request} was refused with {answer.error}")
        _log.error("%s was refused on the %s connection with %s", answer.request, self._name, answer.error)
        if self._subscription.is_vital:
            self._leave(_End(Reason.REFUSED, f"{answer.request} was refused with {answer.error}"))

    def _leave(self, end: _End) -> None:
        if self._wanted_end and not self._wanted_end.done():
            self._wanted_end.set_result(end)

    def _lost(self, told: str) -> None:
        self._last_close = redact(told)[:_MOST_TOLD]
        # Once an outage: its further attempts are counted.
        level = logging.WARNING if self._lost_at is None else logging.DEBUG
        _log.log(level, "no %s connection, it is made anew until one holds: %s", self._name, self._last_close)
        if self._lost_at is None:
            self._lost_at = self._clock.now()

    def _opened(self) -> None:
        if self._lost_at is None:
            _log.info("the %s connection is open", self._name)
            return
        away_s = (self._clock.now() - self._lost_at) / NS_PER_S
        _log.warning("the %s connection is open again after %.1f s", self._name, away_s)
        self._lost_at = None


class _End(NamedTuple):
    """Why a connection was left."""

    reason: str
    told: str
    is_planned: bool = False


def _how_closed(closed: asyncio.Future[None]) -> _End:
    """The peer's doing; raises what is no matter of the network."""
    error = closed.exception()
    if error is None:
        return _End(Reason.CLOSED, "closed in order")
    if isinstance(error, OSError):
        return _End(Reason.BROKEN, str(error) or type(error).__name__)
    raise error


async def _end(*tasks: asyncio.Future[Any]) -> None:
    """Cancel the tasks and return when they are done; what they raised is not told."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
