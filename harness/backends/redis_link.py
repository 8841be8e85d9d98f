"""Whether the Redis server is there: found at the start, missed when it goes, and looked for until it is back."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from typing import TYPE_CHECKING, Any

from redis.exceptions import ResponseError

from harness.backends.backoff import Backoff
from harness.backends.redis_faults import Fault, fault_of, refusal_of, told
from harness.backends.time_limit import TimeLimit

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from redis.asyncio import Redis

    from harness.backends.contracts import CacheStatistics
    from harness.backends.patience import Patience

_log = logging.getLogger("harness.backends.redis_cache")

#: Connections made before the server is used, and all tried again before it is used after an outage: on a far server,
#: an operation that must first make one may not end within its limit.
CONNECTIONS = 4
#: A refusal that went on is told again only when there was none for so long.
_QUIET_S = 60.0
_TOLD = {
    Fault.AWAY: "Redis does not answer, going on without it until it does: %s",
    Fault.REFUSED: "Redis does not answer, going on without it until it does: %s",
    Fault.LOCKED: "Redis refuses the password, going on without it until it is accepted: %s",
}


class RedisLink:
    """A client while the server is in use, None while it is away.

    `settle(client)` is called before each use of a server that was found: what must be done there first.
    """

    def __init__(
        self,
        client: Redis,
        statistics: CacheStatistics,
        settle: Callable[[Redis], Awaitable[None]],
        patience: Patience,
    ) -> None:
        self.client: Redis | None = None
        self.session = 0
        """Another number after each outage: an operation that began before one has nothing to say after it."""
        self._client = client
        self._statistics = statistics
        self._settle = settle
        self._patience = patience
        self._pauses = Backoff(patience.first_pause_s, patience.longest_pause_s)
        self._locked_pauses = Backoff(patience.locked_pause_s, patience.locked_pause_s)
        self._returning: asyncio.Task[None] | None = None
        self._changed = time.monotonic()
        self._said: set[Fault] = set()
        self._refusals: dict[str, float] = {}
        statistics.away_now = True

    async def open(self) -> str:
        """What answered; an empty string when nobody did in a few tries, and from then on it is looked for."""
        error: Exception | None = None
        for number in range(self._patience.tries):
            if number:
                await asyncio.sleep(self._pauses.next_s())
            try:
                return await self._find(number)
            except Exception as caught:  # noqa: BLE001 - a server that is none makes the library raise anything
                error = caught
                if fault_of(caught) is Fault.LOCKED:
                    break
        if error is not None:
            self._statistics.errors += 1
            self._leave(error)
        return ""

    def failed(self, error: Exception, session: int) -> None:
        """An operation of that session failed: count it, and leave the server when it is not there."""
        self._statistics.errors += 1
        if fault_of(error) is Fault.REFUSED:
            self._tell_refusal(error)
        elif session == self.session and self.client is not None:
            self._leave(error)

    async def close(self) -> None:
        """Stop looking and disconnect."""
        if self._returning is not None:
            self._returning.cancel()
            await asyncio.wait({self._returning})
        self.client = None
        with contextlib.suppress(Exception), TimeLimit(self._patience.limit_s):
            await self._client.aclose()

    async def _find(self, number: int) -> str:
        """Connect at the try of that number, and put the server in use."""
        patience = self._patience
        with TimeLimit(max(min(patience.limit_s * 2.0**number, patience.longest_try_s), patience.limit_s)):
            answer = await _product(self._client)
            await _answered(*(self._client.ping() for _ in range(CONNECTIONS)))
            await self._settle(self._client)
        self.client = self._client
        self._statistics.away_now = False
        self._changed = time.monotonic()
        return answer

    def _leave(self, error: Exception) -> None:
        was_in_use, self.client = self.client is not None, None
        self.session += 1
        self._statistics.away_now = True
        self._statistics.outages += 1
        # A server that comes and goes is asked ever less often, one that was there for long at once.
        if was_in_use and time.monotonic() - self._changed > self._patience.longest_pause_s:
            self._pauses.reset()
        self._changed = time.monotonic()
        self._said.clear()
        self._tell(error)
        self._returning = asyncio.get_running_loop().create_task(self._return(fault_of(error)))

    async def _return(self, fault: Fault) -> None:
        """Look for the server until it is found."""
        left, number = self._changed, 0
        while True:
            pauses = self._locked_pauses if fault is Fault.LOCKED else self._pauses
            await asyncio.sleep(pauses.next_s())
            number = min(number + 1, 30)
            try:
                answer = await self._find(number)
            except Exception as error:  # noqa: BLE001 - as above
                fault = fault_of(error)
                if fault is Fault.LOCKED:
                    self._tell(error)
            else:
                _log.info("Redis is back after %.1f s, cache in use: %s", self._changed - left, answer)
                return

    def _tell(self, error: Exception) -> None:
        fault = fault_of(error)
        if fault not in self._said:
            self._said.add(fault)
            _log.warning(_TOLD[fault], told(error))

    def _tell_refusal(self, error: Exception) -> None:
        kind, now = refusal_of(error), time.monotonic()
        if now - self._refusals.get(kind, -_QUIET_S) >= _QUIET_S:
            _log.warning("Redis refuses an operation (%s), going on without its answer: %s", kind, told(error))
        self._refusals[kind] = now


async def _product(client: Redis) -> str:
    """What the server calls itself."""
    try:
        information: dict[str, Any] = await client.info("server")
    except ResponseError as error:
        if fault_of(error) is not Fault.REFUSED:
            raise
        return "Redis of unknown version"  # it may not tell everybody
    if "valkey_version" in information:
        return f"Valkey {information['valkey_version']}"
    return f"Redis {information.get('redis_version', 'of unknown version')}"


async def _answered(*operations: Awaitable[object]) -> None:
    """Raises what kept one of them from being answered; a refusal is an answer."""
    for outcome in await asyncio.gather(*operations, return_exceptions=True):
        if isinstance(outcome, BaseException) and not isinstance(outcome, ResponseError):
            raise outcome
