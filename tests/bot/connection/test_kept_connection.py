"""Lost, left, paused and stopped: real WebSocket connections over loopback; only the time is ours."""

from __future__ import annotations

import asyncio
import logging
import socket
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from harness.backends.transports import WebsocketsTransport
from harness.bot.connection.market import ConnectionPolicy, MarketConnection

if TYPE_CHECKING:
    from tests.bot.connection.conftest import Beside, Kept, ManualTime, Recording, Seen
    from tests.bot.peers import ScriptedPeer, Visit

FRAMES = [f'{{"stream":"btcusdt@trade","data":{{"t":{number}}}}}'.encode() for number in range(210)]
#: Looked at as often as conftest.py says.
LIVE = ConnectionPolicy(silent_s=0.0, check_s=1.0 - 2.0**-6)
REPLAY = replace(LIVE, after_orderly_close="end")


# Lost and made again.


async def test_cut_twenty_times_every_frame_comes_once_and_in_order(
    kept: Kept, scripted: type[ScriptedPeer], visit: type[Visit], seen: Seen, quick_time: ManualTime
) -> None:
    ways: list[Any] = ["end", "abort", "close"]
    cuts = [visit(10 * number, ways[number % 3], 1011) for number in range(1, 21)]
    async with scripted(FRAMES, cuts).serving() as peer:
        market = kept(peer, seen, quick_time)
        await market.run()
    assert seen == FRAMES
    statistics = market.statistics
    assert statistics.connects == 21
    assert statistics.reconnects == {"broken": 20}
    assert statistics.frames == len(FRAMES)
    assert statistics.connected_since is None
    assert statistics.last_close == "closed in order"


@pytest.mark.parametrize(
    ("end", "code", "reason"),
    [("close", 1000, "closed"), ("close", 1001, "closed"), ("close", 1008, "broken"), ("abort", 0, "broken")],
)
async def test_an_exchange_that_ends_a_connection_gets_another(
    kept: Kept,
    end: Any,
    code: int,
    reason: str,
    scripted: type[ScriptedPeer],
    visit: type[Visit],
    seen: Seen,
    quick_time: ManualTime,
    beside: Beside,
) -> None:
    script = [visit(100, end, code, "Pong timeout"), visit(end="stay")]
    async with scripted(FRAMES, script).serving() as peer:
        market = kept(peer, seen, quick_time, LIVE)
        async with beside(market.run()):
            await seen.reaches(len(FRAMES))
            assert market.statistics.reconnects == {reason: 1}
            assert ("Pong timeout" in market.statistics.last_close) == (code == 1008)
            assert market.statistics.connected_since is not None
    assert seen == FRAMES


async def test_refused_handshakes_are_tried_again_after_growing_pauses(
    kept: Kept, scripted: type[ScriptedPeer], visit: type[Visit], seen: Seen, quick_time: ManualTime
) -> None:
    async with scripted(FRAMES, [visit(end="refuse")] * 10).serving() as peer:
        market = kept(peer, seen, quick_time)
        await market.run()
    assert quick_time.slept == [0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0, 30.0]
    assert market.statistics.failed_attempts == 10
    assert market.statistics.reconnects == {}
    assert seen == FRAMES


async def test_a_host_that_is_not_found_is_looked_for_again(
    recording: type[Recording], scripted: type[ScriptedPeer], seen: Seen, quick_time: ManualTime
) -> None:
    transport = recording([socket.gaierror("no such host"), TimeoutError(), ConnectionRefusedError("nobody there")])
    async with scripted(FRAMES).serving() as peer:
        market = MarketConnection(
            transport, peer.url(), seen.on_frame, policy=REPLAY, clock=quick_time, sleep=quick_time.sleep
        )
        await market.run()
    assert market.statistics.failed_attempts == 3
    assert len(transport.handlers) == 4


async def test_a_connection_that_lasted_brings_the_first_pause_back(
    kept: Kept, scripted: type[ScriptedPeer], visit: type[Visit], seen: Seen, time: ManualTime, beside: Beside
) -> None:
    script = [visit(end="refuse"), visit(end="refuse"), visit(end="stay"), visit(end="refuse"), visit()]
    async with scripted(FRAMES, script).serving() as peer:
        market = kept(peer, seen, time)
        async with beside(market.run()) as run:
            await time.passes(0.25)
            await time.passes(0.5)
            await seen.reaches(len(FRAMES))
            await time.passes(20.0)
            market.reconnect_now()
            await peer.until(lambda peer: len(peer.targets) == 4)
            await time.passes(0.25)
            await run
    assert time.slept == [0.25, 0.5, 0.25]


async def test_not_more_attempts_are_made_than_the_exchange_allows(
    kept: Kept, scripted: type[ScriptedPeer], visit: type[Visit], seen: Seen, quick_time: ManualTime
) -> None:
    policy = replace(REPLAY, first_pause_s=0.5, longest_pause_s=0.5, attempts=5, attempts_span_s=60.0)
    async with scripted(FRAMES, [visit(end="refuse")] * 5).serving() as peer:
        await kept(peer, seen, quick_time, policy).run()
    assert quick_time.slept == [0.5] * 5 + [57.5]


async def test_an_outage_is_logged_once_and_so_is_its_end(
    kept: Kept,
    scripted: type[ScriptedPeer],
    visit: type[Visit],
    seen: Seen,
    quick_time: ManualTime,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, "harness.bot.connection.kept")
    script = [visit(5, "close", 1008, "go away, ?token=hidden"), *[visit(end="refuse")] * 5, visit(9, "end")]
    async with scripted(FRAMES, script).serving() as peer:
        await kept(peer, seen, quick_time).run()
    told = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    lost, back, lost_again, back_again = told
    assert "no market connection" in lost
    assert "go away" in lost
    assert "hidden" not in caplog.text
    # 0.25 + 0.5 + 1 + 2 + 4 + 8
    assert back == "the market connection is open again after 15.8 s"
    assert "no market connection" in lost_again
    assert back_again == "the market connection is open again after 16.0 s"


@pytest.mark.parametrize("error", [LookupError("a bug"), OSError("a bug"), ConnectionError("a bug")])
async def test_what_the_handler_raises_ends_the_run(
    error: Exception, scripted: type[ScriptedPeer], time: ManualTime
) -> None:
    def on_frame(_: bytes) -> None:
        raise error

    async with scripted(FRAMES).serving() as peer:
        market = MarketConnection(WebsocketsTransport(), peer.url(), on_frame, policy=REPLAY, clock=time)
        with pytest.raises(type(error), match="a bug"):
            await market.run()
    assert len(peer.targets) == 1


# Paused and stopped.


async def test_what_is_paused_stays_paused_on_the_next_connection(
    kept: Kept, scripted: type[ScriptedPeer], visit: type[Visit], seen: Seen, quick_time: ManualTime, beside: Beside
) -> None:
    async with scripted(FRAMES, [visit(50, "stay"), visit(60, "abort"), visit()]).serving() as peer:
        market = kept(peer, seen, quick_time)
        async with beside(market.run()) as run:
            await seen.reaches(50)
            market.pause()
            market.reconnect_now()
            # The second connection is reset when all its frames have reached this side.
            await peer.until(lambda peer: len(peer.close_codes) == 2)
            assert market.statistics.reconnects == {"serverShutdown": 1}
            assert len(seen) == 50
            market.resume()
            await run
    assert seen == FRAMES


async def test_a_connection_that_is_paused_is_not_taken_for_silent(
    kept: Kept, scripted: type[ScriptedPeer], visit: type[Visit], seen: Seen, time: ManualTime, beside: Beside
) -> None:
    async with scripted(FRAMES, [visit(50, "stay"), visit()]).serving() as peer:
        market = kept(peer, seen, time, replace(REPLAY, silent_s=5.0))
        async with beside(market.run()):
            await seen.reaches(50)
            await time.passes(2.0)
            market.pause()
            await time.passes(60.0)
            market.resume()
            await time.passes(5.0)
            assert market.statistics.silent_periods == 0


async def test_an_answer_is_not_missed_while_it_is_paused(
    kept: Kept, scripted: type[ScriptedPeer], visit: type[Visit], seen: Seen, time: ManualTime, beside: Beside
) -> None:
    async with scripted(FRAMES, [visit(0, "stay")], answer=lambda _: None).serving() as peer:
        market = kept(peer, seen, time, replace(LIVE, answer_s=20.0), target="/stream", streams=("btcusdt@trade",))
        async with beside(market.run()):
            await peer.until(lambda peer: peer.requests and peer.requests[0])
            market.pause()
            await time.passes(60.0)
            market.resume()
            await time.passes(20.0)
            assert market.statistics.reconnects == {}


async def test_the_time_without_a_connection_is_no_silence(
    kept: Kept, scripted: type[ScriptedPeer], visit: type[Visit], seen: Seen, quick_time: ManualTime, beside: Beside
) -> None:
    script = [visit(50, "stay"), *[visit(end="refuse")] * 6, visit(50, "stay")]
    async with scripted(FRAMES, script).serving() as peer:
        market = kept(peer, seen, quick_time, replace(LIVE, silent_s=5.0))
        async with beside(market.run()):
            await seen.reaches(50)
            await quick_time.passes(2.0)
            market.reconnect_now()
            await peer.until(lambda peer: len(peer.requests) == 2)
            await quick_time.passes(2.0)
            assert sum(quick_time.slept) > 5.0
            assert market.statistics.silent_periods == 0


async def test_it_can_be_stopped_while_it_waits_for_the_next_attempt(
    kept: Kept, scripted: type[ScriptedPeer], visit: type[Visit], seen: Seen, time: ManualTime, beside: Beside
) -> None:
    async with scripted(FRAMES, [visit(end="refuse")] * 9).serving() as peer:
        market = kept(peer, seen, time)
        async with beside(market.run()) as run:
            await time.asleep()
            market.stop()
            await run
    assert len(peer.targets) == 1


async def test_it_can_be_stopped_within_a_handshake(seen: Seen, time: ManualTime, beside: Beside) -> None:
    knocked = asyncio.Event()

    async def mute(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        knocked.set()
        await reader.read()
        while await reader.read(1_000):
            pass
        writer.close()

    async with await asyncio.start_server(mute, "127.0.0.1", 0) as server:
        url = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/stream"
        market = MarketConnection(WebsocketsTransport(), url, seen.on_frame, policy=REPLAY, clock=time)
        async with beside(market.run()) as run:
            await knocked.wait()
            market.stop()
            await run
    assert market.statistics.connects == 0


async def test_it_can_be_stopped_by_its_own_handler(scripted: type[ScriptedPeer], time: ManualTime) -> None:
    came = []

    def on_frame(frame: bytes) -> None:
        came.append(frame)
        market.stop()

    async with scripted(FRAMES).serving() as peer:
        market = MarketConnection(WebsocketsTransport(), peer.url(), on_frame, policy=REPLAY, clock=time)
        await market.run()
    assert came[0] == FRAMES[0]


async def test_one_that_is_cancelled_closes_its_connection(
    kept: Kept, scripted: type[ScriptedPeer], visit: type[Visit], seen: Seen, time: ManualTime, beside: Beside
) -> None:
    async with scripted(FRAMES, [visit(end="stay")]).serving() as peer:
        market = kept(peer, seen, time)
        async with beside(market.run()) as run:
            await seen.reaches(len(FRAMES))
            run.cancel()
            with pytest.raises(asyncio.CancelledError):
                await run
        await peer.until(lambda peer: peer.close_codes == [1000])


# Left before it is lost.


async def test_a_silent_connection_is_left_for_another(
    kept: Kept, scripted: type[ScriptedPeer], visit: type[Visit], seen: Seen, time: ManualTime, beside: Beside
) -> None:
    async with scripted(FRAMES, [visit(50, "silent"), visit(end="stay")]).serving() as peer:
        market = kept(peer, seen, time, replace(LIVE, silent_s=30.0))
        async with beside(market.run()):
            await seen.reaches(50)
            await time.passes(30.0)
            assert len(peer.targets) == 1
            await time.passes(2.0)
            # A peer that does not answer the close either; then the pause.
            await time.passes(0.25)
            await seen.reaches(len(FRAMES))
            assert market.statistics.silent_periods == 1
            assert market.statistics.reconnects == {"silent": 1}
    assert seen == FRAMES


async def test_a_connection_that_speaks_now_and_then_is_kept(
    kept: Kept, scripted: type[ScriptedPeer], visit: type[Visit], seen: Seen, time: ManualTime, beside: Beside
) -> None:
    script = [visit(10, "stay", requests=0)]
    async with scripted(FRAMES, script, answer=lambda _: {"stream": "btcusdt@trade", "data": {}}).serving() as peer:
        market = kept(peer, seen, time, replace(LIVE, silent_s=30.0))
        async with beside(market.run()):
            await seen.reaches(10)
            for number in range(1, 6):
                await time.passes(29.0)
                assert market.connection is not None
                await market.connection.send(b'{"method":"speak","id":"x"}')
                await seen.reaches(10 + number)
            assert market.statistics.silent_periods == 0
            assert len(peer.targets) == 1


async def test_a_server_that_announces_its_end_is_left_at_once(
    scripted: type[ScriptedPeer], visit: type[Visit], seen: Seen, time: ManualTime, beside: Beside
) -> None:
    farewell = b'{"stream":"!serverShutdown","data":{"e":"serverShutdown","E":5}}'
    frames = [*FRAMES[:20], farewell, *FRAMES[20:]]

    def on_frame(frame: bytes) -> None:
        seen.on_frame(frame)
        if b"serverShutdown" in frame:
            market.reconnect_now("serverShutdown")

    async with scripted(
        frames, [visit(20, "stay", requests=0), visit(21, "stay"), visit(end="stay")]
    ).serving() as peer:
        market = MarketConnection(
            WebsocketsTransport(),
            peer.url(),
            on_frame,
            policy=replace(LIVE, stable_s=0.0),
            clock=time,
            sleep=time.sleep,
        )
        async with beside(market.run()):
            await seen.reaches(20)
            market.reconnect_now("a test")
            await seen.reaches(len(frames))
            assert market.statistics.reconnects == {"a test": 1, "serverShutdown": 1}
            await peer.until(lambda peer: peer.close_codes == [1000, 1000])
    assert seen == frames
    assert time.slept == []


async def test_a_server_that_sends_away_again_and_again_is_not_run_against(
    scripted: type[ScriptedPeer], visit: type[Visit], seen: Seen, quick_time: ManualTime, beside: Beside
) -> None:

    def on_frame(frame: bytes) -> None:
        seen.on_frame(frame)
        market.reconnect_now()

    script = [visit(number, "stay") for number in range(1, 6)]
    async with scripted(FRAMES[:5], script).serving() as peer:
        market = MarketConnection(
            WebsocketsTransport(),
            peer.url(),
            on_frame,
            policy=REPLAY,
            clock=quick_time,
            chance=lambda: 1.0,
            sleep=quick_time.sleep,
        )
        async with beside(market.run()) as run:
            await run
    assert quick_time.slept == [0.25, 0.5, 1.0, 2.0, 4.0]


async def test_a_connection_is_left_before_the_exchange_cuts_it_off(
    kept: Kept, scripted: type[ScriptedPeer], visit: type[Visit], seen: Seen, time: ManualTime, beside: Beside
) -> None:
    policy = replace(LIVE, longest_life_s=100.0)
    async with scripted(FRAMES, [visit(50, "stay"), visit(end="stay")]).serving() as peer:
        market = kept(peer, seen, time, policy)
        async with beside(market.run()):
            await seen.reaches(50)
            await time.passes(99.0)
            assert len(peer.targets) == 1
            await time.passes(2.0)
            await seen.reaches(len(FRAMES))
            assert market.statistics.reconnects == {"age": 1}
    assert time.slept == []


def test_the_planned_end_comes_ten_minutes_before_24_hours() -> None:
    assert ConnectionPolicy().longest_life_s == 24 * 3600 - 600
