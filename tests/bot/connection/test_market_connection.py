"""Real WebSocket connections over loopback; only the time is ours."""

from __future__ import annotations

import asyncio
import logging
import socket
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from harness.backends.transports import WebsocketsTransport
from harness.bot.market_connection import AccountConnection, ConnectionPolicy, MarketConnection
from harness.bot.subscriptions import MAX_REQUEST_BYTES
from harness.clock import MonotonicClock
from harness.units import seconds

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from contextlib import AbstractAsyncContextManager

    from harness.backends.contracts import Connection, Transport
    from harness.clock import Clock
    from tests.bot.connection.conftest import ManualTime
    from tests.bot.peers import ScriptedPeer, Visit

    Beside = Callable[[Coroutine[Any, Any, None]], AbstractAsyncContextManager[asyncio.Task[None]]]

FRAMES = [f'{{"stream":"btcusdt@trade","data":{{"t":{number}}}}}'.encode() for number in range(210)]
#: See CHECK_S of conftest.py.
LIVE = ConnectionPolicy(silent_s=0.0, check_s=1.0 - 2.0**-6)
REPLAY = replace(LIVE, after_orderly_close="end")


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


def kept(
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


# Without a policy: the measured way.


@pytest.mark.parametrize("code", [1000, 1001])
async def test_without_a_policy_a_close_in_order_is_the_end(
    code: int, scripted: type[ScriptedPeer], visit: type[Visit], seen: Seen, time: ManualTime
) -> None:
    async with scripted(FRAMES, [visit(code=code)]).serving() as peer:
        market = kept(peer, seen, time, None)
        await market.run()
    assert seen == FRAMES
    assert market.connection is None
    assert market.last_connection is not None
    assert market.statistics.connects == 1


@pytest.mark.parametrize("end", ["end", "abort", "close"])
async def test_without_a_policy_any_other_end_is_an_error(
    end: Any, scripted: type[ScriptedPeer], visit: type[Visit], seen: Seen, time: ManualTime
) -> None:
    async with scripted(FRAMES, [visit(100, end, 1008)]).serving() as peer:
        with pytest.raises(ConnectionError, match="broke off"):
            await kept(peer, seen, time, None).run()
    assert seen == FRAMES[:100]
    assert len(peer.targets) == 1


async def test_without_a_policy_a_refused_handshake_is_an_error(
    scripted: type[ScriptedPeer], visit: type[Visit], seen: Seen, time: ManualTime
) -> None:
    async with scripted(FRAMES, [visit(end="refuse")]).serving() as peer:
        with pytest.raises(ConnectionError, match="refused the WebSocket"):
            await kept(peer, seen, time, None).run()


async def test_without_a_policy_the_transport_gets_the_handler_itself(scripted: type[ScriptedPeer], seen: Seen) -> None:
    transport, handler = Recording(), seen.on_frame
    async with scripted(FRAMES).serving() as peer:
        await MarketConnection(transport, peer.url(), handler).run()
    assert transport.handlers == [handler]
    assert transport.handlers[0] is handler
    assert seen == FRAMES


async def test_without_a_policy_it_can_be_paused_and_stopped(
    scripted: type[ScriptedPeer], visit: type[Visit], seen: Seen, time: ManualTime, beside: Beside
) -> None:
    async with scripted(FRAMES, [visit(end="stay")]).serving() as peer:
        market = kept(peer, seen, time, None)
        market.pause()
        async with beside(market.run()) as run:
            await peer.until(lambda peer: peer.position == len(FRAMES))
            assert seen == []
            market.resume()
            await seen.reaches(len(FRAMES))
            market.stop()
            await run
        await peer.until(lambda peer: peer.close_codes == [1000])


async def test_one_that_was_stopped_before_it_ran_does_not_connect(
    scripted: type[ScriptedPeer], seen: Seen, time: ManualTime
) -> None:
    async with scripted(FRAMES).serving() as peer:
        for policy in (None, REPLAY):
            market = kept(peer, seen, time, policy)
            market.stop()
            await market.run()
    assert peer.targets == []


# Lost and made again.


async def test_cut_twenty_times_every_frame_comes_once_and_in_order(
    scripted: type[ScriptedPeer], visit: type[Visit], seen: Seen, quick_time: ManualTime
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
    scripted: type[ScriptedPeer], visit: type[Visit], seen: Seen, quick_time: ManualTime
) -> None:
    async with scripted(FRAMES, [visit(end="refuse")] * 10).serving() as peer:
        market = kept(peer, seen, quick_time)
        await market.run()
    assert quick_time.slept == [0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0, 30.0]
    assert market.statistics.failed_attempts == 10
    assert market.statistics.reconnects == {}
    assert seen == FRAMES


async def test_a_host_that_is_not_found_is_looked_for_again(
    scripted: type[ScriptedPeer], seen: Seen, quick_time: ManualTime
) -> None:
    transport = Recording([socket.gaierror("no such host"), TimeoutError(), ConnectionRefusedError("nobody there")])
    async with scripted(FRAMES).serving() as peer:
        market = MarketConnection(
            transport, peer.url(), seen.on_frame, policy=REPLAY, clock=quick_time, sleep=quick_time.sleep
        )
        await market.run()
    assert market.statistics.failed_attempts == 3
    assert len(transport.handlers) == 4


async def test_a_connection_that_lasted_brings_the_first_pause_back(
    scripted: type[ScriptedPeer], visit: type[Visit], seen: Seen, time: ManualTime, beside: Beside
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
    scripted: type[ScriptedPeer], visit: type[Visit], seen: Seen, quick_time: ManualTime
) -> None:
    policy = replace(REPLAY, first_pause_s=0.5, longest_pause_s=0.5, attempts=5, attempts_span_s=60.0)
    async with scripted(FRAMES, [visit(end="refuse")] * 5).serving() as peer:
        await kept(peer, seen, quick_time, policy).run()
    assert quick_time.slept == [0.5] * 5 + [57.5]


async def test_an_outage_is_logged_once_and_so_is_its_end(
    scripted: type[ScriptedPeer],
    visit: type[Visit],
    seen: Seen,
    quick_time: ManualTime,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, "harness.bot.kept_connection")
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
    scripted: type[ScriptedPeer], visit: type[Visit], seen: Seen, quick_time: ManualTime, beside: Beside
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
    scripted: type[ScriptedPeer], visit: type[Visit], seen: Seen, time: ManualTime, beside: Beside
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
    scripted: type[ScriptedPeer], visit: type[Visit], seen: Seen, time: ManualTime, beside: Beside
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
    scripted: type[ScriptedPeer], visit: type[Visit], seen: Seen, quick_time: ManualTime, beside: Beside
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
    scripted: type[ScriptedPeer], visit: type[Visit], seen: Seen, time: ManualTime, beside: Beside
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
    scripted: type[ScriptedPeer], visit: type[Visit], seen: Seen, time: ManualTime, beside: Beside
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
    scripted: type[ScriptedPeer], visit: type[Visit], seen: Seen, time: ManualTime, beside: Beside
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
    scripted: type[ScriptedPeer], visit: type[Visit], seen: Seen, time: ManualTime, beside: Beside
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
    scripted: type[ScriptedPeer], visit: type[Visit], time: ManualTime, beside: Beside
) -> None:
    farewell = b'{"stream":"!serverShutdown","data":{"e":"serverShutdown","E":5}}'
    frames = [*FRAMES[:20], farewell, *FRAMES[20:]]
    came = Seen()

    def on_frame(frame: bytes) -> None:
        came.on_frame(frame)
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
            await came.reaches(20)
            market.reconnect_now("a test")
            await came.reaches(len(frames))
            assert market.statistics.reconnects == {"a test": 1, "serverShutdown": 1}
            await peer.until(lambda peer: peer.close_codes == [1000, 1000])
    assert came == frames
    assert time.slept == []


async def test_a_server_that_sends_away_again_and_again_is_not_run_against(
    scripted: type[ScriptedPeer], visit: type[Visit], quick_time: ManualTime, beside: Beside
) -> None:
    came = Seen()

    def on_frame(frame: bytes) -> None:
        came.on_frame(frame)
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
    scripted: type[ScriptedPeer], visit: type[Visit], seen: Seen, time: ManualTime, beside: Beside
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


# Subscriptions.


async def test_a_thousand_streams_are_subscribed_on_every_connection_within_the_limits(
    scripted: type[ScriptedPeer], visit: type[Visit], seen: Seen, quick_time: ManualTime
) -> None:
    names = tuple(f"symbol{number}usdt@bookTicker" for number in range(1_000))
    transport = Recording(clock=quick_time)
    script = [visit(100, "end", requests=7), visit(requests=7)]
    async with scripted(FRAMES, script).serving() as peer:
        market = kept(peer, seen, quick_time, target="/stream", streams=names, transport=transport)
        await market.run()
    assert market.names == names
    assert len(peer.requests) == 2
    for requests in peer.requests:
        assert {request["method"] for request in requests} == {"SUBSCRIBE"}
        assert tuple(name for request in requests for name in request["params"]) == names
    identities = [request["id"] for requests in peer.requests for request in requests]
    assert len(set(identities)) == len(identities)
    assert max(peer.sizes) <= MAX_REQUEST_BYTES
    sent_at = transport.sent_at
    assert len(sent_at) == 14
    assert all(later - earlier >= seconds(1.0) for earlier, later in zip(sent_at, sent_at[4:], strict=False))
    assert seen == FRAMES


async def test_without_a_policy_too_what_does_not_fit_the_url_is_subscribed(
    scripted: type[ScriptedPeer], visit: type[Visit], seen: Seen, quick_time: ManualTime
) -> None:
    names = tuple(f"symbol{number}usdt@bookTicker" for number in range(1_000))
    async with scripted(FRAMES, [visit(requests=5)]).serving() as peer:
        await kept(peer, seen, quick_time, None, target="/stream?streams=", streams=names).run()
    in_url = peer.targets[0].partition("streams=")[2].split("/")
    assert len(f"GET {peer.targets[0]} HTTP/1.1\r\n") < 8_192
    assert len(in_url) > 250
    assert (*in_url, *(name for request in peer.requests[0] for name in request["params"])) == names
    assert seen == FRAMES


async def test_a_peer_that_closes_in_order_while_we_subscribe_has_closed_in_order(
    scripted: type[ScriptedPeer], visit: type[Visit], seen: Seen, time: ManualTime, beside: Beside
) -> None:
    names = tuple(f"symbol{number}usdt@bookTicker" for number in range(1_000))
    async with scripted(FRAMES, [visit(requests=1)]).serving() as peer:
        market = kept(peer, seen, time, None, target="/stream", streams=names)
        async with beside(market.run()) as run:
            await peer.until(lambda peer: peer.close_codes == [1000])
            await time.passes(1.0)
            await run
    assert seen == FRAMES


async def test_without_a_policy_a_refused_subscription_is_an_error(
    scripted: type[ScriptedPeer], visit: type[Visit], seen: Seen, time: ManualTime
) -> None:
    def refuse(request: dict[str, Any]) -> dict[str, Any]:
        return {"error": {"code": 2, "msg": "Invalid request"}, "id": request["id"]}

    async with scripted(FRAMES, [visit(0, "stay")], answer=refuse).serving() as peer:
        with pytest.raises(ConnectionError, match="SUBSCRIBE was refused with 2: 'Invalid request'"):
            await kept(peer, seen, time, None, target="/ws", streams=("btcusdt@trade",)).run()


async def test_a_refused_subscription_is_logged_and_counted_and_the_rest_goes_on(
    scripted: type[ScriptedPeer],
    visit: type[Visit],
    seen: Seen,
    time: ManualTime,
    caplog: pytest.LogCaptureFixture,
) -> None:
    script = [visit(requests=1)]
    async with scripted(FRAMES, script, answer=lambda _: {"code": 2, "msg": "no\nsuch"}).serving() as peer:
        market = kept(peer, seen, time, target="/stream", streams=("btcusdt@trade",))
        await market.run()
    assert market.statistics.refused_requests == 1
    assert "SUBSCRIBE was refused on the market connection with 2: 'no\\nsuch'" in caplog.text
    assert seen == FRAMES


async def test_what_looks_like_an_answer_is_a_frame_when_none_is_awaited(
    scripted: type[ScriptedPeer], seen: Seen, time: ManualTime
) -> None:
    frames = [b'{"result":null,"id":1}', b'{"code":2,"msg":"x"}']
    async with scripted(frames).serving() as peer:
        await kept(peer, seen, time).run()
    assert seen == frames


async def test_a_request_without_an_answer_makes_the_connection_anew(
    scripted: type[ScriptedPeer], visit: type[Visit], seen: Seen, time: ManualTime, beside: Beside
) -> None:
    async with scripted(FRAMES, [visit(0, "stay"), visit(requests=1)], answer=lambda _: None).serving() as peer:
        policy = replace(REPLAY, answer_s=20.0)
        market = kept(peer, seen, time, policy, target="/stream", streams=("btcusdt@trade",))
        async with beside(market.run()) as run:
            await peer.until(lambda peer: peer.requests and peer.requests[0])
            await time.passes(20.0)
            assert len(peer.targets) == 1
            await time.passes(1.25)
            await run
            assert market.statistics.reconnects == {"unanswered": 1}
    assert seen == FRAMES


async def test_a_stream_that_falls_silent_is_subscribed_anew(
    scripted: type[ScriptedPeer],
    visit: type[Visit],
    seen: Seen,
    time: ManualTime,
    beside: Beside,
    caplog: pytest.LogCaptureFixture,
) -> None:
    policy = replace(LIVE, stream_silent_s={"trade": 10.0})
    names = ("btcusdt@trade", "ethusdt@trade", "btcusdt@bookTicker")
    async with scripted(FRAMES[:3], [visit(end="stay")]).serving() as peer:
        market = kept(peer, seen, time, policy, target="/stream?streams=", streams=names)
        async with beside(market.run()):
            await seen.reaches(3)
            # Seen at the first look, silent since then.
            await time.passes(11.0)
            assert peer.requests == [[]]
            await time.passes(1.0)
            await peer.until(lambda peer: len(peer.requests[0]) == 2)
            await time.passes(5.0)
            assert [(request["method"], request["params"]) for request in peer.requests[0]] == [
                ("UNSUBSCRIBE", ["btcusdt@trade"]),
                ("SUBSCRIBE", ["btcusdt@trade"]),
            ]
            assert market.statistics.resubscribed == 1
            assert market.statistics.connects == 1
    assert "1 streams are silent and are subscribed anew: btcusdt@trade" in caplog.text
    assert seen == FRAMES[:3]


async def test_streams_are_subscribed_anew_when_somebody_asks(
    scripted: type[ScriptedPeer], visit: type[Visit], seen: Seen, time: ManualTime, beside: Beside
) -> None:
    async with scripted(FRAMES, [visit(end="stay")]).serving() as peer:
        market = kept(peer, seen, time)
        async with beside(market.run()):
            await seen.reaches(len(FRAMES))
            market.resubscribe(["btcusdt@trade", "unknown@trade", "btcusdt@trade"])
            await time.passes(1.0)
            await peer.until(lambda peer: len(peer.requests[0]) == 2)
            assert {tuple(request["params"]) for request in peer.requests[0]} == {("btcusdt@trade",)}
            await time.passes(5.0)
            assert market.statistics.resubscribed == 1


def test_streams_can_only_be_watched_where_frames_name_them() -> None:
    policy = ConnectionPolicy(stream_silent_s={"trade": 1.0})
    with pytest.raises(ValueError, match="connect to /stream"):
        MarketConnection(WebsocketsTransport(), "ws://127.0.0.1:1/ws/btcusdt@trade", print, policy=policy)


@pytest.mark.parametrize(
    "wrong", [{"first_pause_s": 0.0}, {"attempts": 0}, {"silent_s": -1.0}, {"stream_silent_s": {"trade": -1.0}}]
)
def test_a_policy_that_makes_no_sense_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        ConnectionPolicy(**wrong)


# The account.


async def test_the_account_is_subscribed_on_every_connection(
    scripted: type[ScriptedPeer], visit: type[Visit], seen: Seen, quick_time: ManualTime
) -> None:
    script = [visit(70, "end", requests=1), visit(140, "abort", requests=1), visit(requests=1)]
    async with scripted(FRAMES, script).serving() as peer:
        account = AccountConnection(
            WebsocketsTransport(),
            peer.url("/ws-api/v3"),
            seen.on_frame,
            policy=REPLAY,
            clock=quick_time,
            sleep=quick_time.sleep,
        )
        await account.run()
    assert peer.requests == [[{"method": "userDataStream.subscribe", "id": "account"}]] * 3
    assert seen == FRAMES


async def test_an_account_that_is_refused_is_asked_for_again(
    scripted: type[ScriptedPeer], visit: type[Visit], seen: Seen, quick_time: ManualTime
) -> None:
    answers = [{"id": "account", "status": 429, "error": {"code": -1003, "msg": "Too many requests"}}]
    done = {"id": "account", "status": 200, "result": {"subscriptionId": 0}}
    script = [visit(0, "stay", requests=1), visit(requests=1)]
    answer: Callable[[dict[str, Any]], dict[str, Any]] = lambda _: answers.pop() if answers else done  # noqa: E731
    async with scripted(FRAMES, script, answer=answer).serving() as peer:
        account = AccountConnection(
            WebsocketsTransport(),
            peer.url("/ws-api/v3"),
            seen.on_frame,
            policy=REPLAY,
            clock=quick_time,
            sleep=quick_time.sleep,
        )
        await account.run()
    assert account.statistics.reconnects == {"refused": 1}
    assert account.statistics.refused_requests == 1
    assert seen == FRAMES
