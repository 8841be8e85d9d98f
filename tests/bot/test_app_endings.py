"""How a market or an account ends, by a server of the websockets library."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from websockets.asyncio.server import ServerConnection, serve

from harness.bot import trading
from harness.bot.app import Bot
from harness.bot.settings import BotSettings
from harness.errors import ConfigError

if TYPE_CHECKING:
    from harness.bot.metrics import BotReport
    from harness.bot.plan import Plan, Probe
    from tests.bot.conftest import Watched

#: No run here takes a tenth of it.
LIMIT_S = 60.0

Handler = Callable[[ServerConnection], Any]

TRADE = '{"stream":"btcusdt@trade","data":{"e":"trade","E":5,"s":"BTCUSDT","t":1,"p":"1","q":"1","m":true}}'


async def against(handler: Handler, plan: Callable[[str], Plan], probe: Probe) -> BotReport:
    async with serve(handler, "127.0.0.1", 0, compression=None) as server:
        port = server.sockets[0].getsockname()[1]
        return await asyncio.wait_for(Bot(plan(f"ws://127.0.0.1:{port}"), probe).run(), LIMIT_S)


async def test_a_market_that_closes_in_order_is_the_end(plan_of: Callable[..., Plan], watched: type[Watched]) -> None:
    async def market(connection: ServerConnection) -> None:
        for _ in range(3):
            await connection.send(TRADE)

    report = await against(market, plan_of, watched())
    assert (report.frames, report.counters["symbols"]) == (3, 1)


async def test_whole_books_without_a_rest_interface_are_refused(
    plan_of: Callable[..., Plan], watched: type[Watched]
) -> None:
    plan = plan_of("ws://127.0.0.1:9/stream", settings=BotSettings(book=True))
    with pytest.raises(ConfigError, match="--rest-url"):
        await asyncio.wait_for(Bot(plan, watched()).run(), LIMIT_S)


async def test_a_market_that_breaks_off_is_an_error(plan_of: Callable[..., Plan], watched: type[Watched]) -> None:
    async def market(connection: ServerConnection) -> None:
        for _ in range(3):
            await connection.send(TRADE)
        connection.transport.abort()

    with pytest.raises(ConnectionError, match="broke off"):
        await against(market, plan_of, watched())


@pytest.mark.parametrize("code", [1008, 1011, 4_000])
async def test_a_market_that_throws_the_bot_out_is_an_error(
    code: int, plan_of: Callable[..., Plan], watched: type[Watched]
) -> None:
    async def market(connection: ServerConnection) -> None:
        await connection.send(TRADE)
        await connection.close(code, "no more")

    with pytest.raises(ConnectionError, match="no more"):
        await against(market, plan_of, watched())


async def test_a_market_where_nobody_listens_is_an_error(plan_of: Callable[..., Plan], watched: type[Watched]) -> None:
    async with serve(lambda connection: connection.wait_closed(), "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
    with pytest.raises(OSError, match=r"refused|failed"):
        await asyncio.wait_for(Bot(plan_of(f"ws://127.0.0.1:{port}"), watched()).run(), LIMIT_S)


async def test_frames_of_all_kinds_and_none_do_not_end_the_bot(
    plan_of: Callable[..., Plan], watched: type[Watched]
) -> None:
    frames: list[str | bytes] = [
        TRADE,
        TRADE.encode(),
        b"\xff\x00",
        "",
        "hello",
        "[" * 2_000,
        "\u5e01" * 10,
        '{"result":null,"id":1}',
        TRADE.replace('"p":"1"', '"p":"0"'),
        TRADE.replace('"p":"1"', '"p":"-1"'),
        TRADE.replace('"E":5', '"E":99999999999999999'),
    ]

    async def market(connection: ServerConnection) -> None:
        for frame in frames:
            await connection.send(frame)

    report = await against(market, plan_of, watched())
    assert report.frames == len(frames)
    assert report.counters["malformed"] == 7
    assert report.counters["unread_stream"] == 1
    assert report.counters["prices_ignored"] == 1


async def test_what_a_probe_raises_ends_the_run(plan_of: Callable[..., Plan], watched: type[Watched]) -> None:
    def stop() -> None:
        raise RuntimeError("stop here")

    async def market(connection: ServerConnection) -> None:
        with contextlib.suppress(Exception):
            while True:
                await connection.send(TRADE)

    with pytest.raises(RuntimeError, match="stop here"):
        await against(market, plan_of, watched(2, stop))


async def test_an_account_that_never_closes_is_not_waited_for_long(
    plan_of: Callable[..., Plan], monkeypatch: pytest.MonkeyPatch, watched: type[Watched]
) -> None:
    monkeypatch.setattr(trading, "ACCOUNT_GRACE_S", 0.01)
    asked: list[str | bytes] = []

    async def exchange(connection: ServerConnection) -> None:
        assert connection.request is not None
        if connection.request.path == "/ws-api/v3":
            asked.append(await connection.recv())
            await connection.send('{"id":"account","status":200,"result":{"subscriptionId":0}}')
            await connection.send('{"subscriptionId":0,"event":{"e":"balanceUpdate","E":1,"a":"X","d":"1","T":1}}')
            await connection.wait_closed()
        else:
            await connection.send(TRADE)

    def plan(address: str) -> Plan:
        return plan_of(f"{address}/stream?streams=btcusdt@trade", account_url=f"{address}/ws-api/v3")

    report = await against(exchange, plan, watched())
    assert report.frames == 1
    assert [json.loads(request)["method"] for request in asked] == ["userDataStream.subscribe"]


async def test_an_account_that_breaks_off_is_an_error(plan_of: Callable[..., Plan], watched: type[Watched]) -> None:
    async def exchange(connection: ServerConnection) -> None:
        assert connection.request is not None
        if connection.request.path == "/ws-api/v3":
            await connection.recv()
            connection.transport.abort()
        else:
            await connection.send(TRADE)

    def plan(address: str) -> Plan:
        return plan_of(f"{address}/stream?streams=btcusdt@trade", account_url=f"{address}/ws-api/v3")

    with pytest.raises(ConnectionError, match="broke off"):
        await against(exchange, plan, watched())


async def test_a_market_that_is_away_leaves_no_account_connection(
    plan_of: Callable[..., Plan], watched: type[Watched]
) -> None:
    left = asyncio.Event()

    async def exchange(connection: ServerConnection) -> None:
        await connection.wait_closed()
        left.set()

    def plan(address: str) -> Plan:
        return plan_of("ws://127.0.0.1:9/stream", account_url=f"{address}/ws-api/v3")

    with pytest.raises(OSError, match=r"refused|failed"):
        await against(exchange, plan, watched())
    await asyncio.wait_for(left.wait(), LIMIT_S)


async def test_a_cancellation_that_is_lost_on_the_way_is_asked_for_again() -> None:
    """As asyncio.wait_for loses one before Python 3.12: the first is swallowed, the task goes on."""
    swallowed = 0

    async def stubborn() -> None:
        nonlocal swallowed
        while True:
            try:
                await asyncio.sleep(3600)
            except asyncio.CancelledError:
                if swallowed:
                    raise
                swallowed += 1

    task = asyncio.create_task(stubborn())
    await asyncio.sleep(0)
    await asyncio.wait_for(trading.cancel(task), 30)
    assert task.cancelled()
    assert swallowed == 1
