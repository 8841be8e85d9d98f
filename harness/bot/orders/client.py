"""The gateway to an exchange over the WebSocket API: reconnects, sends again, and trades on this machine only.

It holds no key and no code that signs. Its host must resolve to loopback addresses alone, and is resolved once. What
it relies on is stricter than Binance: a client order id is taken once and for all (harness/exchange/matching.py).
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import random
from collections import deque
from typing import TYPE_CHECKING, Final

from harness.backends.backoff import Backoff
from harness.bot.orders.gateways import LIMIT
from harness.bot.orders.loopback import loopback_urls
from harness.bot.orders.talk import OrderTalk
from harness.clock import MonotonicClock
from harness.redact import redact
from harness.units import seconds

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from harness.backends.contracts import Connection, Transport
    from harness.bot.orders.gateways import GatewayStatistics
    from harness.clock import Clock
    from harness.exchange.orders import Order

_log = logging.getLogger(__name__)

_FIRST_DELAY_S: Final = 0.1
_LAST_DELAY_S: Final = 5.0
#: An order that nothing is heard of for so long: the connection is given up, and the order sent again on the next.
PATIENCE_S: Final = 10.0
#: At `close`, orders under way are waited for so long.
GRACE_S: Final = 5.0


class OrderClient:
    """A gateway whose exchange is another process on this machine.

    Account events, and reports made up for orders whose own were lost, go to `on_frame` as bytes of JSON.
    """

    name = "order client"

    def __init__(
        self,
        url: str,
        transport: Transport,
        on_frame: Callable[[bytes], object],
        *,
        patience_s: float = PATIENCE_S,
        grace_s: float = GRACE_S,
        clock: Clock | None = None,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
        chance: Callable[[], float] = random.random,
    ) -> None:
        """`url` is `ws://127.0.0.1:PORT/ws-api/v3`; `chance` gives numbers from 0 to 1."""
        self._url = url
        self._transport = transport
        self._on_frame = on_frame
        self._patience_s = patience_s
        self._grace_s = grace_s
        self._clock = clock or MonotonicClock()
        self._sleep = sleep
        self._backoff = Backoff(_FIRST_DELAY_S, _LAST_DELAY_S, chance=chance)
        self._talk = OrderTalk()
        self._outgoing: deque[bytes] = deque()
        self._filled = asyncio.Event()
        self._settled = asyncio.Event()
        """No order waits."""
        self._settled.set()
        self._unusable: asyncio.Future[str] | None = None
        """Of the present connection; its result says why."""
        self._connections = 0
        self._said: set[str] = set()
        self._task: asyncio.Task[None] | None = None

    @property
    def statistics(self) -> GatewayStatistics:
        """What happened so far."""
        return self._talk.statistics(max(0, self._connections - 1))

    @property
    def is_full(self) -> bool:
        """Whether so many orders wait that whoever sends should hold back; one sent all the same is kept."""
        return len(self._talk.waiting) >= LIMIT

    async def open(self) -> None:
        """Check the address, and connect in the background: an exchange that is away is waited for.

        Raises ConfigError for an address that is not on loopback, ServiceError for a host that does not resolve.
        """
        urls = await loopback_urls(self._url)
        self._task = asyncio.create_task(self._stay_connected(urls))

    def send(self, order: Order) -> None:
        """Send the order, now or when there is a connection again.

        Raises RuntimeError before `open` and after `close`, and what `on_frame` raised, should it ever have.
        """
        if self._task is None or self._task.cancelled():
            raise RuntimeError("open the gateway first")
        if self._task.done():
            self._task.result()
        self._push(self._talk.place(order, self._clock.now()))

    async def close(self) -> None:
        """Wait a little for what is under way, and disconnect; raises what `on_frame` raised, should it ever have."""
        if self._task is None:
            return
        settled = asyncio.create_task(self._settled.wait())
        await asyncio.wait({settled, self._task}, timeout=self._grace_s, return_when=asyncio.FIRST_COMPLETED)
        for task in (settled, self._task):
            task.cancel()
        await asyncio.wait({settled, self._task})
        if not self._task.cancelled():
            self._task.result()

    async def _stay_connected(self, urls: list[str]) -> None:
        for url in itertools.cycle(urls):
            try:
                connection = await self._transport.connect(url, self._take)
            except OSError as error:  # TimeoutError and ConnectionError are some
                self._say("away", f"the exchange does not answer: {error}")
            else:
                self._connections += 1
                self._say("lost", f"the connection was left: {await self._converse(connection)}")
                if self._talk.is_subscribed:
                    self._backoff.reset()
            await self._sleep(self._backoff.next_s())

    async def _converse(self, connection: Connection) -> str:
        """Talk until the connection is lost or of no further use; returns why."""
        self._unusable = asyncio.get_running_loop().create_future()
        self._outgoing.clear()
        self._push(self._talk.connected(self._clock.now()))
        tasks = [
            asyncio.create_task(work)
            for work in (_read_out(connection), self._send_all(connection), self._watch(), _wait(self._unusable))
        ]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            return next(task.result() for task in tasks if task in done)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            self._unusable = None
            await connection.close()

    def _take(self, frame: bytes) -> None:
        reaction = self._talk.receive(frame, self._clock.now())
        self._push(reaction.send)
        for event in reaction.hand_on:
            self._on_frame(event)
        if reaction.leave and self._unusable is not None and not self._unusable.done():
            self._unusable.set_result(reaction.leave)
        self._note_settled()

    def _push(self, requests: list[bytes]) -> None:
        # Without a connection they wait in vain, and no more of them than orders: the next one begins anew.
        self._outgoing.extend(requests)
        self._filled.set()
        self._note_settled()

    def _note_settled(self) -> None:
        if self._talk.waiting:
            self._settled.clear()
        else:
            self._settled.set()

    async def _send_all(self, connection: Connection) -> str:
        while True:
            self._filled.clear()
            while self._outgoing:
                try:
                    await connection.send(self._outgoing.popleft())
                except Exception as error:  # noqa: BLE001 - each library has errors of its own for a lost connection
                    return f"nothing can be sent: {error}"
            await self._filled.wait()

    async def _watch(self) -> str:
        patience = seconds(self._patience_s)
        while not self._talk.is_overdue(self._clock.now(), patience):
            await self._sleep(self._patience_s / 4)
        return f"nothing was heard of an order for {self._patience_s:g} s"

    def _say(self, kind: str, words: str) -> None:
        level = logging.DEBUG if kind in self._said else logging.WARNING
        self._said.add(kind)
        _log.log(level, "%s: %s; orders wait and are sent again", redact(self._url), redact(words))


async def _read_out(connection: Connection) -> str:
    try:
        await connection.wait_closed()
    except ConnectionError as error:
        return str(error)
    return "the exchange closed it"


async def _wait(reason: asyncio.Future[str]) -> str:
    return await reason
