"""A scripted exchange, and a time that passes when a test says so."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from harness.backends.transports import WebsocketsTransport
from harness.bot.connection.market import ConnectionPolicy, MarketConnection
from harness.clock import ManualClock, MonotonicClock
from harness.units import NS_PER_S, seconds

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine

    from harness.backends.contracts import Connection, Transport
    from harness.clock import Clock
    from tests.bot.peers import ScriptedPeer, Visit

    Beside = Callable[[Coroutine[Any, Any, None]], contextlib.AbstractAsyncContextManager[asyncio.Task[None]]]
    Kept = Callable[..., MarketConnection]

#: How often a kept connection is looked at here; other pauses are told from it by their length.
CHECK_S = 1.0 - 2.0**-6
#: Over when the peer closes in order, as a replay is.
REPLAY = ConnectionPolicy(after_orderly_close="end", silent_s=0.0, check_s=CHECK_S)
LIMIT_S = 30.0


class ManualTime(ManualClock):
    """A clock and a sleep that go together. A test waits until somebody sleeps, and lets the time pass."""

    def __init__(self, *, skips_pauses: bool = False) -> None:
        """`skips_pauses`: all but the regular look passes at once, as if nobody had to wait."""
        super().__init__()
        self.slept: list[float] = []
        """Pauses asked for, but for the regular looks."""
        self._skips = skips_pauses
        self._sleepers: list[tuple[int, asyncio.Future[None]]] = []
        self._begun = asyncio.Event()

    async def sleep(self, pause_s: float) -> None:
        if pause_s != CHECK_S:
            self.slept.append(pause_s)
            if self._skips:
                self.advance(seconds(pause_s))
                await asyncio.sleep(0)
                return
        waiter = asyncio.get_running_loop().create_future()
        self._sleepers.append((self.now() + seconds(pause_s), waiter))
        self._begun.set()
        await waiter

    async def asleep(self) -> None:
        """Return when somebody sleeps."""
        while not any(not waiter.done() for _, waiter in self._sleepers):
            self._begun.clear()
            await self._begun.wait()

    async def passes(self, span_s: float) -> None:
        """Let this much pass in steps of a look, waiting before each until somebody sleeps."""
        left = seconds(span_s)
        while left > 0:
            await self.asleep()
            step = min(left, seconds(CHECK_S))
            left = seconds((left - step) / NS_PER_S)
            self.advance(seconds(step / NS_PER_S))
            for due, waiter in self._sleepers:
                if due <= self.now() and not waiter.done():
                    waiter.set_result(None)
            self._sleepers = [(due, waiter) for due, waiter in self._sleepers if not waiter.done()]
            for _ in range(5):
                await asyncio.sleep(0)


@pytest.fixture
async def time() -> ManualTime:
    return ManualTime()


@pytest.fixture
async def quick_time() -> ManualTime:
    return ManualTime(skips_pauses=True)


def _peers() -> Any:
    name = "tickproof_scripted_peers"
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, Path(__file__).parents[1] / "peers.py")
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)
    return sys.modules[name]


@pytest.fixture
def scripted() -> type[ScriptedPeer]:
    kind: type[ScriptedPeer] = _peers().ScriptedPeer
    return kind


@pytest.fixture
def visit() -> type[Visit]:
    kind: type[Visit] = _peers().Visit
    return kind


class Seen(list[bytes]):
    """What came, and a way to wait for it."""

    def __init__(self) -> None:
        super().__init__()
        self._changed = asyncio.Event()

    def on_frame(self, frame: bytes) -> None:
        self.append(frame)
        self._changed.set()

    async def reaches(self, wanted: int) -> None:
        while len(self) < wanted:
            self._changed.clear()
            await self._changed.wait()


@pytest.fixture
async def seen() -> Seen:
    return Seen()


class Recording:
    """A transport that notes what it was given and when something was sent, and refuses as it is told."""

    def __init__(self, refusals: list[Exception] | None = None, clock: Clock | None = None) -> None:
        self.handlers: list[object] = []
        self.sent_at: list[int] = []
        self._refusals = refusals or []
        self._clock = clock or MonotonicClock()

    async def connect(self, url: str, on_frame: Callable[[bytes], object]) -> Connection:
        self.handlers.append(on_frame)
        if self._refusals:
            raise self._refusals.pop(0)
        connection = await WebsocketsTransport().connect(url, on_frame)
        send = connection.send

        async def timed(data: bytes) -> None:
            self.sent_at.append(self._clock.now())
            await send(data)

        connection.send = timed  # type: ignore[method-assign]
        return connection


@pytest.fixture
def recording() -> type[Recording]:
    return Recording


def _kept(
    peer: ScriptedPeer,
    seen: Seen,
    time: ManualTime,
    policy: ConnectionPolicy | None = REPLAY,
    *,
    target: str = "/stream?streams=btcusdt@trade",
    streams: tuple[str, ...] = (),
    transport: Transport | None = None,
) -> MarketConnection:
    return MarketConnection(
        transport or WebsocketsTransport(),
        peer.url(target),
        seen.on_frame,
        streams=streams,
        policy=policy,
        clock=time,
        chance=lambda: 1.0,
        sleep=time.sleep,
    )


@pytest.fixture
def kept() -> Kept:
    """Makes a market connection to a scripted peer, in the time of the test and without chance."""
    return _kept


@contextlib.asynccontextmanager
async def _beside(work: Coroutine[Any, Any, None]) -> AsyncIterator[asyncio.Task[None]]:
    task = asyncio.ensure_future(work)
    try:
        async with asyncio.timeout(LIMIT_S):
            yield task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@pytest.fixture
def beside() -> Beside:
    """Runs a coroutine beside the block, with a limit that no test reaches, and ends it."""
    return _beside
