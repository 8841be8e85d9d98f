from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import deque
from typing import TYPE_CHECKING

import pytest

from harness.bot.depth_feed import DepthFeed
from harness.bot.market import SymbolState
from harness.bot.rest import RateLimited
from harness.bot.snapshots import LONGEST_WAIT_S, Snapshots
from harness.errors import ServiceError
from harness.exchange.book_sync import Snapshot
from harness.exchange.events import DepthUpdate

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

SNAPSHOT = Snapshot(last_update_id=6, bids=[["10", "1"]], asks=[["11", "1"]])
AWAY = ServiceError("the exchange cannot be asked")


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not holds():  # noqa: ASYNC110 - what is looked at is the state itself, which has no event
            await asyncio.sleep(0)


class Exchange:
    """Answers snapshot requests as told, and writes down all that happens."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.answers: deque[Exception | Snapshot] = deque()
        """Before each request is answered well."""
        self.held = asyncio.Event()
        self.held.set()
        self.waits: list[float] = []
        self.market_paused = False
        self.snapshots = Snapshots(self.fetch, self.pause, self.resume, sleep=self.sleep, chance=lambda: 1.0)

    async def fetch(self, symbol: str) -> Snapshot:
        self.told.append(f"fetch {symbol}")
        await self.held.wait()
        answer = self.answers.popleft() if self.answers else SNAPSHOT
        if isinstance(answer, Exception):
            raise answer
        return answer

    def pause(self) -> None:
        assert not self.market_paused
        self.market_paused = True
        self.told.append("pause")

    def resume(self) -> None:
        assert self.market_paused
        self.market_paused = False
        self.told.append("resume")

    async def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        await asyncio.sleep(0)

    def take(self, symbol: str, snapshot: Snapshot) -> bool:
        self.told.append(f"take {symbol}")
        return snapshot is not SNAPSHOT

    async def served(self) -> None:
        """Until nothing waits any more."""
        await until(lambda: not self.snapshots.statistics.waiting)

    @contextlib.asynccontextmanager
    async def serving(self, take: Callable[[str, Snapshot], bool] | None = None) -> AsyncIterator[None]:
        task = asyncio.create_task(self.snapshots.serve(take or self.take))
        try:
            yield
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task


@pytest.fixture
def exchange() -> Exchange:
    return Exchange()


async def test_a_request_pauses_at_once_and_the_market_goes_on_when_it_is_served(exchange: Exchange) -> None:
    exchange.snapshots.request("AAA")
    assert exchange.told == ["pause"]
    async with exchange.serving():
        await exchange.served()
        assert exchange.told == ["pause", "fetch AAA", "take AAA", "resume"]
        exchange.snapshots.request("AAA")
        await exchange.served()
    assert exchange.told == ["pause", "fetch AAA", "take AAA", "resume"] * 2
    assert (exchange.snapshots.statistics.fetched, exchange.snapshots.statistics.pauses) == (2, 2)


async def test_requests_are_served_one_after_the_other_within_one_pause(exchange: Exchange) -> None:
    async with exchange.serving():
        for symbol in ("AAA", "BBB", "AAA"):
            exchange.snapshots.request(symbol)
        await exchange.served()
    assert exchange.told == ["pause", "fetch AAA", "take AAA", "fetch BBB", "take BBB", "resume"]
    assert (exchange.snapshots.statistics.peak, exchange.snapshots.statistics.waiting) == (2, 0)


async def test_a_request_made_while_one_is_fetched_waits_its_turn(exchange: Exchange) -> None:
    exchange.held.clear()
    async with exchange.serving():
        exchange.snapshots.request("AAA")
        await until(lambda: exchange.told[-1] == "fetch AAA")
        exchange.snapshots.request("BBB")
        exchange.held.set()
        await exchange.served()
    assert exchange.told == ["pause", "fetch AAA", "take AAA", "fetch BBB", "take BBB", "resume"]


async def test_a_failure_is_retried_with_growing_waits_and_logged_once(
    exchange: Exchange, caplog: pytest.LogCaptureFixture
) -> None:
    exchange.answers.extend([AWAY, OSError("no route"), AWAY])
    exchange.snapshots.request("AAA")
    with caplog.at_level(logging.INFO):
        async with exchange.serving():
            await exchange.served()
    assert exchange.waits == [0.25, 0.5, 1.0]
    assert exchange.told == ["pause", *["fetch AAA"] * 4, "take AAA", "resume"]
    assert exchange.snapshots.statistics.failed == 3
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]


async def test_each_outage_is_logged_again_and_waits_begin_small_again(
    exchange: Exchange, caplog: pytest.LogCaptureFixture
) -> None:
    async with exchange.serving():
        for _ in range(2):
            exchange.answers.append(AWAY)
            exchange.snapshots.request("AAA")
            await exchange.served()
    assert exchange.waits == [0.25, 0.25]
    assert len(caplog.records) == 2


async def test_waits_are_bounded_and_a_part_of_them_is_chance(exchange: Exchange) -> None:
    exchange.snapshots = Snapshots(
        exchange.fetch, exchange.pause, exchange.resume, sleep=exchange.sleep, chance=lambda: 0.0
    )
    exchange.answers.extend([AWAY] * 40)
    exchange.snapshots.request("AAA")
    async with exchange.serving():
        await exchange.served()
    assert (exchange.waits[0], exchange.waits[-1]) == (0.125, LONGEST_WAIT_S / 2)


async def test_a_rest_that_the_exchange_asks_for_is_kept(exchange: Exchange) -> None:
    exchange.answers.append(RateLimited("here", 90.0))
    exchange.snapshots.request("AAA")
    async with exchange.serving():
        await exchange.served()
    assert exchange.waits == [90.0]


async def test_a_snapshot_that_is_of_no_use_is_fetched_again(exchange: Exchange) -> None:
    old = Snapshot(last_update_id=1, bids=[], asks=[])
    exchange.answers.append(old)
    exchange.snapshots.request("AAA")
    async with exchange.serving():
        await exchange.served()
    assert exchange.told == ["pause", "fetch AAA", "take AAA", "fetch AAA", "take AAA", "resume"]
    assert (exchange.snapshots.statistics.useless, exchange.waits) == (1, [0.25])


async def test_one_symbol_that_fails_does_not_keep_the_others_from_their_turn(exchange: Exchange) -> None:
    exchange.answers.append(AWAY)
    exchange.snapshots.request("AAA")
    exchange.snapshots.request("BBB")
    async with exchange.serving():
        await exchange.served()
    assert exchange.told == ["pause", "fetch AAA", "fetch BBB", "take BBB", "fetch AAA", "take AAA", "resume"]


async def test_after_the_longest_pause_the_market_is_read_on_and_the_fetching_too(
    exchange: Exchange, caplog: pytest.LogCaptureFixture
) -> None:
    exchange.snapshots = Snapshots(exchange.fetch, exchange.pause, exchange.resume, longest_pause_s=0.0)
    exchange.held.clear()
    async with exchange.serving():
        exchange.snapshots.request("AAA")
        await until(lambda: exchange.snapshots.statistics.read_on == 1)
        exchange.snapshots.request("BBB")
        exchange.held.set()
        await exchange.served()
        assert sorted(exchange.told[:3]) == ["fetch AAA", "pause", "resume"]
        assert exchange.told[3:] == ["take AAA", "fetch BBB", "take BBB"]
        exchange.snapshots.request("AAA")
        assert exchange.told[-1] == "pause"
        await exchange.served()
    assert len(caplog.records) == exchange.snapshots.statistics.read_on


async def test_without_a_longest_pause_the_market_waits_however_often_it_fails(exchange: Exchange) -> None:
    exchange.answers.extend([AWAY] * 50)
    exchange.snapshots.request("AAA")
    async with exchange.serving():
        await exchange.served()
    assert exchange.told == ["pause", *["fetch AAA"] * 51, "take AAA", "resume"]


async def test_a_pause_that_is_served_in_time_is_not_cut_short_later(exchange: Exchange) -> None:
    exchange.snapshots = Snapshots(exchange.fetch, exchange.pause, exchange.resume, longest_pause_s=3600.0)
    async with exchange.serving():
        exchange.snapshots.request("AAA")
        timer = exchange.snapshots._timer
        await exchange.served()
    assert timer is not None
    assert timer.cancelled()
    assert exchange.snapshots.statistics.read_on == 0


async def test_a_cancellation_while_fetching_resumes_the_market_and_loses_no_request(exchange: Exchange) -> None:
    exchange.held.clear()
    async with exchange.serving():
        exchange.snapshots.request("AAA")
        exchange.snapshots.request("BBB")
        await until(lambda: exchange.told[-1] == "fetch AAA")
    assert not exchange.market_paused
    assert exchange.snapshots.statistics.waiting == 2
    exchange.held.set()
    exchange.told.clear()
    async with exchange.serving():
        await exchange.served()
    assert exchange.told == ["pause", "fetch AAA", "take AAA", "fetch BBB", "take BBB", "resume"]


async def test_an_error_of_ours_ends_the_serving_and_resumes_the_market(exchange: Exchange) -> None:
    exchange.answers.append(RuntimeError("a bug"))
    exchange.snapshots.request("AAA")
    with pytest.raises(RuntimeError, match="a bug"):
        await exchange.snapshots.serve(exchange.take)
    assert not exchange.market_paused


async def test_with_a_feed_no_event_is_lost_while_the_market_stands(exchange: Exchange) -> None:
    feed = DepthFeed(exchange.snapshots.request, depth=5)
    state = SymbolState("AAA")

    def frame(first: int, last: int) -> None:
        assert not exchange.market_paused
        event = DepthUpdate(event_time=1, symbol="AAA", first_id=first, last_id=last, bids=[["9", str(last)]], asks=[])
        feed.handlers()["depth"](state, event)

    exchange.answers.append(Snapshot(last_update_id=2, bids=[["10", "1"]], asks=[["11", "1"]]))
    async with exchange.serving(feed.on_snapshot):
        for first, last in ((5, 6), (7, 8), (12, 13), (14, 14)):
            if exchange.market_paused:
                # The second snapshot must lie behind the gap.
                exchange.answers.append(Snapshot(last_update_id=first - 1, bids=[["10", "1"]], asks=[["11", "1"]]))
                await exchange.served()
            frame(first, last)
    assert feed.statistics["depth_gaps"] == 1
    assert (feed.statistics["depth_stale"], feed.statistics["depth_snapshots"]) == (1, 3)
    assert state.book is not None
    assert state.book.bids(5) == [(10.0, 1.0), (9.0, 14.0)]
