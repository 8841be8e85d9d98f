"""What is subscribed and where frames go: real WebSocket connections over loopback; only the time is ours."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from harness.backends.transports import WebsocketsTransport
from harness.bot.connection.market import AccountConnection, ConnectionPolicy, MarketConnection
from harness.bot.connection.subscriptions import MAX_REQUEST_BYTES
from harness.units import seconds

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.bot.connection.conftest import Beside, Kept, ManualTime, Recording, Seen
    from tests.bot.peers import ScriptedPeer, Visit

FRAMES = [f'{{"stream":"btcusdt@trade","data":{{"t":{number}}}}}'.encode() for number in range(210)]
#: Looked at as often as conftest.py says.
LIVE = ConnectionPolicy(silent_s=0.0, check_s=1.0 - 2.0**-6)
REPLAY = replace(LIVE, after_orderly_close="end")


# Without a policy: the measured way.


@pytest.mark.parametrize("code", [1000, 1001])
async def test_without_a_policy_a_close_in_order_is_the_end(
    kept: Kept, code: int, scripted: type[ScriptedPeer], visit: type[Visit], seen: Seen, time: ManualTime
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
    kept: Kept, end: Any, scripted: type[ScriptedPeer], visit: type[Visit], seen: Seen, time: ManualTime
) -> None:
    async with scripted(FRAMES, [visit(100, end, 1008)]).serving() as peer:
        with pytest.raises(ConnectionError, match="broke off"):
            await kept(peer, seen, time, None).run()
    assert seen == FRAMES[:100]
    assert len(peer.targets) == 1


async def test_without_a_policy_a_refused_handshake_is_an_error(
    kept: Kept, scripted: type[ScriptedPeer], visit: type[Visit], seen: Seen, time: ManualTime
) -> None:
    async with scripted(FRAMES, [visit(end="refuse")]).serving() as peer:
        with pytest.raises(ConnectionError, match="refused the WebSocket"):
            await kept(peer, seen, time, None).run()


async def test_without_a_policy_the_transport_gets_the_handler_itself(
    recording: type[Recording], scripted: type[ScriptedPeer], seen: Seen
) -> None:
    transport, handler = recording(), seen.on_frame
    async with scripted(FRAMES).serving() as peer:
        await MarketConnection(transport, peer.url(), handler).run()
    assert transport.handlers == [handler]
    assert transport.handlers[0] is handler
    assert seen == FRAMES


async def test_without_a_policy_it_can_be_paused_and_stopped(
    kept: Kept, scripted: type[ScriptedPeer], visit: type[Visit], seen: Seen, time: ManualTime, beside: Beside
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
    kept: Kept, scripted: type[ScriptedPeer], seen: Seen, time: ManualTime
) -> None:
    async with scripted(FRAMES).serving() as peer:
        for policy in (None, REPLAY):
            market = kept(peer, seen, time, policy)
            market.stop()
            await market.run()
    assert peer.targets == []


# Subscriptions.


async def test_a_thousand_streams_are_subscribed_on_every_connection_within_the_limits(
    kept: Kept,
    recording: type[Recording],
    scripted: type[ScriptedPeer],
    visit: type[Visit],
    seen: Seen,
    quick_time: ManualTime,
) -> None:
    names = tuple(f"symbol{number}usdt@bookTicker" for number in range(1_000))
    transport = recording(clock=quick_time)
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
    kept: Kept, scripted: type[ScriptedPeer], visit: type[Visit], seen: Seen, quick_time: ManualTime
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
    kept: Kept, scripted: type[ScriptedPeer], visit: type[Visit], seen: Seen, time: ManualTime, beside: Beside
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
    kept: Kept, scripted: type[ScriptedPeer], visit: type[Visit], seen: Seen, time: ManualTime
) -> None:
    def refuse(request: dict[str, Any]) -> dict[str, Any]:
        return {"error": {"code": 2, "msg": "Invalid request"}, "id": request["id"]}

    async with scripted(FRAMES, [visit(0, "stay")], answer=refuse).serving() as peer:
        with pytest.raises(ConnectionError, match="SUBSCRIBE was refused with 2: 'Invalid request'"):
            await kept(peer, seen, time, None, target="/ws", streams=("btcusdt@trade",)).run()


async def test_a_refused_subscription_is_logged_and_counted_and_the_rest_goes_on(
    kept: Kept,
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
    kept: Kept, scripted: type[ScriptedPeer], seen: Seen, time: ManualTime
) -> None:
    frames = [b'{"result":null,"id":1}', b'{"code":2,"msg":"x"}']
    async with scripted(frames).serving() as peer:
        await kept(peer, seen, time).run()
    assert seen == frames


async def test_a_request_without_an_answer_makes_the_connection_anew(
    kept: Kept, scripted: type[ScriptedPeer], visit: type[Visit], seen: Seen, time: ManualTime, beside: Beside
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
    kept: Kept,
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
    kept: Kept, scripted: type[ScriptedPeer], visit: type[Visit], seen: Seen, time: ManualTime, beside: Beside
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
