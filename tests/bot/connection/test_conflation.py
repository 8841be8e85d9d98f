from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.backends.transports import WebsocketsTransport
from harness.bot.connection.conflation import STATE_LIKE, Conflation
from harness.bot.connection.market import MarketConnection

if TYPE_CHECKING:
    from tests.bot.connection.conftest import Beside
    from tests.bot.peers import ScriptedPeer

CONFLATED = ("btcusdt@bookTicker", "ethusdt@miniTicker", "btcusdt@ticker_1h", "btcusdt@markPrice@1s", "btcusdt@depth5")
KEPT = ("btcusdt@trade", "btcusdt@aggTrade", "btcusdt@depth@100ms", "!miniTicker@arr", "btcusdt@forceOrder")


def frame(stream: str, number: int, more: str = "") -> bytes:
    return f'{{"stream":"{stream}","data":{{"n":{number}{more}}}}}'.encode()


def candle(number: int, *, closed: bool) -> bytes:
    return frame("btcusdt@kline_1m", number, f',"k":{{"x":{str(closed).lower()}}}')


class Behind:
    """A consumer that is behind until it is told to catch up."""

    def __init__(self, **options: Any) -> None:
        self.seen: list[bytes] = []
        self.calls: list[str] = []
        self.queue = Conflation(
            self.seen.append, lambda: self.calls.append("pause"), lambda: self.calls.append("resume"), **options
        )
        self.queue.pause()

    def after(self, *frames: bytes) -> Behind:
        for each in frames:
            self.queue.on_frame(each)
        return self

    async def caught_up(self) -> list[bytes]:
        run = asyncio.ensure_future(self.queue.run())
        self.queue.resume()
        await self.queue.drained()
        run.cancel()
        await asyncio.gather(run, return_exceptions=True)
        return self.seen


async def test_a_bot_that_keeps_up_sees_every_frame_in_order(beside: Beside) -> None:
    frames = [frame(stream, number) for number in range(100) for stream in (*CONFLATED, *KEPT)]
    seen: list[bytes] = []
    queue = Conflation(seen.append, lambda: None, lambda: None)
    async with beside(queue.run()):
        for each in frames:
            queue.on_frame(each)
            await queue.drained()
    assert seen == frames
    assert queue.statistics.conflated == {}
    assert queue.statistics.peak == 1


@pytest.mark.parametrize("stream", CONFLATED)
async def test_of_a_state_only_the_newest_waits(stream: str) -> None:
    behind = Behind().after(*(frame(stream, number) for number in range(10)))
    assert behind.queue.statistics.waiting == 1
    assert sum(behind.queue.statistics.conflated.values()) == 9
    assert await behind.caught_up() == [frame(stream, 9)]


@pytest.mark.parametrize("stream", KEPT)
async def test_what_happened_is_never_replaced(stream: str) -> None:
    frames = [frame(stream, number) for number in range(10)]
    behind = Behind().after(*frames)
    assert await behind.caught_up() == frames
    assert behind.queue.statistics.conflated == {}


async def test_the_newer_takes_the_place_of_the_older() -> None:
    behind = Behind().after(
        frame("btcusdt@bookTicker", 1),
        frame("btcusdt@trade", 2),
        frame("ethusdt@bookTicker", 3),
        frame("btcusdt@bookTicker", 4),
        frame("btcusdt@trade", 5),
    )
    assert await behind.caught_up() == [
        frame("btcusdt@bookTicker", 4),
        frame("btcusdt@trade", 2),
        frame("ethusdt@bookTicker", 3),
        frame("btcusdt@trade", 5),
    ]
    assert behind.queue.statistics.conflated == {"bookTicker": 1}


async def test_a_closed_candle_is_kept_and_the_next_is_not_told_before_it() -> None:
    behind = Behind().after(
        candle(1, closed=False),
        candle(2, closed=False),
        candle(3, closed=True),
        candle(4, closed=False),
        candle(5, closed=False),
        candle(6, closed=True),
        candle(7, closed=True),
    )
    assert await behind.caught_up() == [
        candle(2, closed=False),
        candle(3, closed=True),
        candle(5, closed=False),
        candle(6, closed=True),
        candle(7, closed=True),
    ]
    assert behind.queue.statistics.conflated == {"kline": 2}


async def test_frames_that_tell_no_stream_are_kept() -> None:
    frames = [b"", b"{}", b'{"e":"trade"}', b'{"stream":"btcusdt\\u0040bookTicker","data":{}}', b"x" * 100_000] * 2
    assert await Behind().after(*frames).caught_up() == frames


async def test_names_without_end_fill_no_memory() -> None:
    behind = Behind(maximum=100_000)
    for number in range(6_000):
        behind.after(frame(f"x{number}usdt@bookTicker", 1), b'{"stream":"' + b"y" * 5_000 + str(number).encode())
    assert len(behind.queue._kind_of) <= 4_096
    assert max(map(len, behind.queue._kind_of)) < 200


async def test_only_kinds_that_are_asked_for_are_conflated() -> None:
    frames = [frame("btcusdt@bookTicker", number) for number in range(3)]
    assert await Behind(kinds=["kline"]).after(*frames).caught_up() == frames


@pytest.mark.parametrize("kind", ["trade", "aggTrade", "depth", "other", "nonsense"])
def test_a_kind_of_which_every_frame_counts_is_refused(kind: str) -> None:
    with pytest.raises(ValueError, match=f"{kind}: each frame counts"):
        Behind(kinds=[kind, "bookTicker"])
    assert kind not in STATE_LIKE


def test_a_queue_without_room_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one"):
        Behind(maximum=0)


async def test_a_full_queue_holds_the_exchange_back_until_it_is_half_empty() -> None:
    frames = [frame("btcusdt@trade", number) for number in range(10)]
    behind = Behind(maximum=10).after(*frames[:9])
    assert behind.calls == []
    behind.after(frames[9])
    assert behind.calls == ["pause"]
    seen_at_resume: list[int] = []
    behind.queue._resume_source = lambda: seen_at_resume.append(len(behind.seen))
    await behind.caught_up()
    # The fifth is on its way then, and five are left.
    assert seen_at_resume == [4]
    statistics = behind.queue.statistics
    assert (statistics.peak, statistics.capacity, statistics.pauses, statistics.waiting) == (10, 10, 1, 0)


async def test_what_a_frame_decides_can_hold_the_very_next_one(beside: Beside) -> None:
    seen: list[bytes] = []

    def on_frame(each: bytes) -> None:
        seen.append(each)
        if len(seen) == 3:
            queue.pause()

    queue = Conflation(on_frame, lambda: None, lambda: None)
    frames = [frame("btcusdt@trade", number) for number in range(10)]
    async with beside(queue.run()):
        for each in frames:
            queue.on_frame(each)
        for _ in range(20):
            await asyncio.sleep(0)
        assert len(seen) == 3
        queue.resume()
        await queue.drained()
    assert seen == frames


async def test_a_bug_of_the_bot_ends_the_run() -> None:
    def on_frame(_: bytes) -> None:
        raise LookupError("a bug")

    queue = Conflation(on_frame, lambda: None, lambda: None)
    queue.on_frame(b"{}")
    with pytest.raises(LookupError, match="a bug"):
        await queue.run()


async def test_a_flood_that_is_not_taken_waits_at_the_exchange(scripted: type[ScriptedPeer], beside: Beside) -> None:
    # More than the buffers of two sockets and a library hold.
    frames = [frame("btcusdt@trade", number, f',"x":"{"x" * 50_000}"') for number in range(400)]
    seen: list[bytes] = []
    async with scripted(frames).serving() as peer:
        queue = Conflation(seen.append, lambda: market.pause(), lambda: market.resume(), maximum=20)  # noqa: PLW0108
        market = MarketConnection(WebsocketsTransport(), peer.url(), queue.on_frame)
        queue.pause()
        async with beside(queue.run()), beside(market.run()) as run:
            before, looks = -1, 0
            while looks < 20:
                before, looks = peer.position, looks + 1 if peer.position == before else 0
                await asyncio.sleep(0.01)
            assert queue.statistics.waiting == queue.statistics.peak == 20
            assert peer.position < len(frames)
            queue.resume()
            await run
            await queue.drained()
    assert seen == frames
    assert queue.statistics.peak == 20


@given(
    st.lists(
        st.one_of(
            st.builds(frame, st.sampled_from((*CONFLATED, *KEPT)), st.integers(0, 99)),
            st.builds(candle, st.integers(0, 99), closed=st.booleans()),
            st.just(None),
        )
    )
)
def test_whatever_comes_each_stream_stays_in_order_and_ends_with_its_newest(plan: list[bytes | None]) -> None:
    numbered = [None if each is None else each[:-1] + b',"at":%d}' % at for at, each in enumerate(plan)]
    frames = [each for each in numbered if each is not None]
    seen: list[bytes] = []
    queue = Conflation(seen.append, lambda: None, lambda: None, maximum=1_000)
    for each in numbered:
        if each is None:
            queue._hand_over_batch()
        else:
            queue.on_frame(each)
    while queue.statistics.waiting:
        queue._hand_over_batch()
    for stream in {each.partition(b'","data"')[0] for each in frames}:
        came = [each for each in frames if each.startswith(stream + b'"')]
        left = [each for each in seen if each.startswith(stream + b'"')]
        assert left == [each for each in came if each in set(left)]
        assert left[-1:] == came[-1:]
        assert all(each in left for each in came if b'"x":true' in each)
    assert len(seen) + sum(queue.statistics.conflated.values()) == len(frames)
