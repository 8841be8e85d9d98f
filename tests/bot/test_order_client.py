"""The order client against a real order gateway, which is cut, killed, frozen and misused."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from websockets.asyncio.server import ServerConnection, serve

from harness.backends.registry import registry
from harness.bot.orders.client import OrderClient
from harness.clock import ManualClock
from harness.errors import ConfigError
from harness.exchange.orders import Order, Side
from harness.replay.orders.account import Faults
from harness.replay.orders.log import read_log
from harness.replay.orders.process import OrderGatewayProcess
from harness.units import seconds

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

    from harness.backends.contracts import Connection

    Start = Callable[..., OrderGatewayProcess]
    Trading = Callable[..., AbstractAsyncContextManager["Trader"]]

#: Nothing here is timed; a peer that hangs must not hang the tests.
PATIENCE_S = 60.0


def order(number: int) -> Order:
    side = Side.BUY if number % 2 else Side.SELL
    return Order(
        client_order_id=f"1-{number}-{side[0]}",
        symbol="BTCUSDT",
        side=side,
        quantity=Decimal("0.5"),
        price=Decimal(30000) + number,
        time_ms=1_700_000_000_000 + number,
    )


async def soon(_: float) -> None:
    """A sleep for those who only sleep to be polite."""
    await asyncio.sleep(0.005)


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not condition():  # noqa: ASYNC110 - another's state, which tells nobody
            await asyncio.sleep(0.005)


class Trader:
    """A client, and what its exchange told."""

    def __init__(self, url: str, **options: Any) -> None:
        self.frames: list[bytes] = []
        self._heard = asyncio.Event()
        transport = options.pop("transport", None) or registry().transport("websockets")
        self.client = OrderClient(url, transport, self.hear, **{"sleep": soon, **options})

    def hear(self, frame: bytes) -> None:
        self.frames.append(frame)
        self._heard.set()

    @property
    def ends(self) -> list[tuple[str, str]]:
        """Client order id and last state of each order, in the order they became known."""
        events = [json.loads(frame)["event"] for frame in self.frames]
        return [(event["c"], event["X"]) for event in events if event["X"] != "NEW"]

    def send(self, *numbers: int) -> None:
        for number in numbers:
            self.client.send(order(number))

    async def until(self, condition: Callable[[], object]) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while not condition():
                self._heard.clear()
                await self._heard.wait()

    async def until_ended(self, *numbers: int) -> None:
        wanted = {order(number).client_order_id for number in numbers}
        await self.until(lambda: wanted <= {end[0] for end in self.ends})


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "orders.jsonl"


@pytest.fixture
def start(log: Path) -> Iterator[Start]:
    started: list[OrderGatewayProcess] = []

    def begin(port: int = 0, **faults: int) -> OrderGatewayProcess:
        started.append(OrderGatewayProcess.start(log, port=port, faults=Faults(**faults)))
        return started[-1]

    yield begin
    for gateway in started:
        gateway.stop()


@contextlib.asynccontextmanager
async def trading(url: str, **options: Any) -> AsyncIterator[Trader]:
    trader = Trader(url, **options)
    await trader.client.open()
    try:
        yield trader
    finally:
        await trader.client.close()


def ids_in(log: Path) -> list[str]:
    return [line.client_order_id for line in read_log(log)]


def ids_of(*numbers: int) -> list[str]:
    return [order(number).client_order_id for number in numbers]


async def test_orders_go_out_in_their_order_and_come_back_as_reports(start: Start, log: Path) -> None:
    async with trading(start().url) as trader:
        trader.send(1, 2, 3)
        await trader.until_ended(1, 2, 3)
        statistics = trader.client.statistics
    assert trader.ends == [(one, "FILLED") for one in ids_of(1, 2, 3)]
    assert ids_in(log) == ids_of(1, 2, 3)
    first = read_log(log)[0]
    assert (first.side, first.quantity, first.price, first.order_ms) == (
        Side.BUY,
        Decimal("0.5"),
        Decimal(30001),
        1_700_000_000_001,
    )
    assert (statistics.sent, statistics.waiting, statistics.refused, statistics.reconnects) == (3, 0, 0, 0)


@pytest.mark.parametrize("faults", [{"drop_before": 3}, {"drop_after": 3}, {"drop_before": 1, "drop_after": 5}])
async def test_a_cut_loses_and_doubles_no_order(start: Start, log: Path, faults: dict[str, int]) -> None:
    numbers = range(1, 11)
    async with trading(start(**faults).url) as trader:
        trader.send(*numbers)
        await trader.until_ended(*numbers)
        assert trader.client.statistics.reconnects == len(faults)
        assert trader.client.statistics.resent >= len(faults)
    assert sorted(trader.ends) == sorted((one, "FILLED") for one in ids_of(*numbers))
    assert ids_in(log) == ids_of(*numbers)


async def test_a_gateway_that_is_killed_and_comes_back_has_every_order_once(start: Start, log: Path) -> None:
    gateway = start()
    async with trading(gateway.url) as trader:
        trader.send(*range(1, 101))
        await trader.until_ended(1)
        gateway.kill()
        trader.send(*range(101, 111))
        start(port=gateway.port)
        await trader.until_ended(*range(1, 111))
    assert ids_in(log) == ids_of(*range(1, 111))


async def test_an_exchange_that_is_away_is_waited_for(
    start: Start, log: Path, caplog: pytest.LogCaptureFixture
) -> None:
    gateway = start()
    gateway.kill()
    tried = asyncio.Event()

    async def rest(seconds_: float) -> None:
        assert 0 < seconds_ <= 5
        tried.set()
        await soon(seconds_)

    async with trading(gateway.url, sleep=rest) as trader:
        trader.send(1)
        await tried.wait()
        start(port=gateway.port)
        await trader.until_ended(1)
    assert ids_in(log) == ids_of(1)
    assert caplog.text.count("does not answer") == 1


async def test_the_next_life_of_a_bot_sends_again_and_makes_no_second_order(start: Start, log: Path) -> None:
    gateway = start()
    async with trading(gateway.url) as first:
        first.send(1, 2)
        await first.until_ended(1, 2)
    async with trading(gateway.url) as second:
        second.send(1, 2, 3)
        await second.until_ended(1, 2, 3)
    assert ids_in(log) == ids_of(1, 2, 3)
    told = {event["c"]: event for frame in second.frames if (event := json.loads(frame)["event"])["X"] == "FILLED"}
    lost = {event["c"]: event for frame in first.frames if (event := json.loads(frame)["event"])["X"] == "FILLED"}
    assert {one: told[one] for one in lost} == lost


async def test_an_order_given_twice_is_one_order(start: Start, log: Path) -> None:
    async with trading(start().url) as trader:
        trader.send(1, 1)
        await trader.until_ended(1)
        trader.send(1)
        await trader.until(lambda: len(trader.ends) == 2)
    assert ids_in(log) == ids_of(1)


async def test_an_order_that_is_refused_or_expires_is_told_so(start: Start, log: Path) -> None:
    async with trading(start(reject_every=2, expire_every=3).url) as trader:
        trader.send(1, 2, 3)
        await trader.until_ended(1, 2, 3)
        assert trader.client.statistics.refused == 1
    assert sorted(trader.ends) == sorted(zip(ids_of(1, 2, 3), ("FILLED", "REJECTED", "EXPIRED"), strict=True))
    assert ids_in(log) == ids_of(1, 3)


async def test_closing_waits_for_what_is_under_way(start: Start) -> None:
    async with trading(start(late_ms=50).url, grace_s=PATIENCE_S) as trader:
        trader.send(1)
    assert trader.ends == [(ids_of(1)[0], "FILLED")]
    with pytest.raises(RuntimeError, match="open the gateway first"):
        trader.send(2)


async def test_closing_does_not_wait_for_ever(start: Start) -> None:
    gateway = start()
    os.kill(gateway.pid, signal.SIGSTOP)
    try:
        async with trading(gateway.url, grace_s=0.01) as trader:
            trader.send(1)
        assert trader.client.statistics.waiting == 1
    finally:
        os.kill(gateway.pid, signal.SIGCONT)


async def test_a_full_client_says_so_and_drops_nothing(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.bot.orders.client.LIMIT", 2)
    async with trading(start().url) as trader:
        full = []
        for number in (1, 2, 3):
            full.append(trader.client.is_full)
            trader.send(number)
        assert [*full, trader.client.is_full] == [False, False, True, True]
        await trader.until_ended(1, 2, 3)
        assert not trader.client.is_full
        assert trader.client.statistics.peak == 3


async def test_a_bug_of_whoever_hears_is_not_retried_but_raised(start: Start) -> None:
    def hear(_: bytes) -> None:
        raise ZeroDivisionError("a bug")

    client = OrderClient(start().url, registry().transport("websockets"), hear)
    await client.open()
    client.send(order(1))
    assert client._task is not None
    await until(client._task.done)
    with pytest.raises(ZeroDivisionError):
        client.send(order(2))
    with pytest.raises(ZeroDivisionError):
        await client.close()


@contextlib.asynccontextmanager
async def answering(handler: Callable[[ServerConnection], Any]) -> AsyncIterator[str]:
    async with serve(handler, "127.0.0.1", 0, close_timeout=1) as server:
        yield f"ws://127.0.0.1:{next(iter(server.sockets)).getsockname()[1]}/ws-api/v3"


async def test_an_exchange_that_takes_everything_and_says_nothing_is_left_and_tried_again() -> None:
    clock, connected, placed = ManualClock(), asyncio.Event(), 0

    async def mute(connection: ServerConnection) -> None:
        nonlocal placed
        async for message in connection:
            placed += "order.place" in str(message)
            connected.set()

    async with answering(mute) as url, trading(url, clock=clock, patience_s=8.0, grace_s=0.0) as trader:
        trader.send(1)
        async with asyncio.timeout(PATIENCE_S):
            while placed < 3:
                connected.clear()
                clock.advance(seconds(9))
                await connected.wait()
        assert trader.client.statistics.reconnects >= 1


@pytest.mark.parametrize(
    "words", [{"event": {"e": "serverShutdown", "E": 5}}, {"status": 503, "error": {"code": -1001, "msg": "later"}}]
)
async def test_an_exchange_that_wants_to_be_left_is_left_and_tried_again(words: dict[str, Any]) -> None:
    connections = 0

    async def going(connection: ServerConnection) -> None:
        nonlocal connections
        connections += 1
        async for message in connection:
            request = json.loads(message)
            if request["method"] == "order.place":
                await connection.send(json.dumps({"id": request["id"], **words}))

    async with answering(going) as url, trading(url, grace_s=0.0, clock=ManualClock()) as trader:
        trader.send(1)
        await until(lambda: connections >= 3 or not trader.client.statistics.waiting)
        assert trader.client.statistics.waiting == 1


async def test_a_client_with_nothing_under_way_does_not_wait_to_close() -> None:
    async with asyncio.timeout(PATIENCE_S), trading("ws://127.0.0.1:1/x", transport=Asked(), grace_s=1e6):
        pass


async def test_pauses_between_tries_grow_and_begin_again_after_a_connection_that_worked() -> None:
    pauses: list[float] = []
    count = 0

    async def moody(connection: ServerConnection) -> None:
        nonlocal count
        count += 1
        if count == 4:
            request = json.loads(await connection.recv())
            await connection.send(json.dumps({"id": request["id"], "status": 200, "result": {"subscriptionId": 0}}))
        await connection.close()

    async def rest(pause: float) -> None:
        if pause != 2.5:  # that is how often the answers are looked at
            pauses.append(round(pause, 3))
        await asyncio.sleep(0.005)

    async with answering(moody) as url, trading(url, sleep=rest, chance=lambda: 1.0):
        await until(lambda: len(pauses) >= 5)
    assert pauses[:5] == [0.1, 0.2, 0.4, 0.1, 0.2]


class Asked:
    """A transport that only notes where it was sent."""

    def __init__(self) -> None:
        self.urls: list[str] = []

    async def connect(self, url: str, on_frame: Callable[[bytes], object]) -> Connection:
        del on_frame
        self.urls.append(url)
        raise ConnectionError("no")


@pytest.mark.parametrize("url", ["wss://ws-api.binance.com:443/ws-api/v3", "ws://203.0.113.7:80/ws-api/v3"])
async def test_an_address_that_is_not_on_this_machine_is_never_connected_to(url: str) -> None:
    transport = Asked()
    client = OrderClient(url, transport, print)
    with pytest.raises(ConfigError):
        await client.open()
    with pytest.raises(RuntimeError, match="open the gateway first"):
        client.send(order(1))
    await client.close()
    assert transport.urls == []


async def test_a_host_is_resolved_once_and_each_of_its_addresses_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = [["127.0.0.1", "127.0.0.2"], ["203.0.113.7"]]

    async def resolve(host: str, port: int, **_: Any) -> list[Any]:
        assert host == "mine.example"
        return [(2, 1, 6, "", (address, port)) for address in answers.pop(0)]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", resolve)
    transport = Asked()
    async with trading("ws://mine.example:9444/ws-api/v3", transport=transport, grace_s=0.0):
        await until(lambda: len(transport.urls) >= 3)
    first, second = "ws://127.0.0.1:9444/ws-api/v3", "ws://127.0.0.2:9444/ws-api/v3"
    assert transport.urls[:3] == [first, second, first]
    assert answers == [["203.0.113.7"]]


@contextlib.asynccontextmanager
async def untouched() -> AsyncIterator[int]:
    """The port of a listener that no one may connect to."""
    callers = 0

    def note(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal callers
        callers += 1
        writer.close()

    server = await asyncio.start_server(note, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]
        await asyncio.sleep(0)
    assert callers == 0


async def test_a_proxy_of_the_environment_is_passed_by(
    start: Start, log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with untouched() as port:
        for name in ("http_proxy", "https_proxy", "all_proxy", "ws_proxy", "socks_proxy"):
            for variable in (name, name.upper()):
                monkeypatch.setenv(variable, f"http://127.0.0.1:{port}")
        for variable in ("no_proxy", "NO_PROXY"):
            monkeypatch.delenv(variable, raising=False)
        async with trading(start().url) as trader:
            trader.send(1)
            await trader.until_ended(1)
    assert ids_in(log) == ids_of(1)


@pytest.mark.parametrize("status", ["301 Moved Permanently", "302 Found", "307 Temporary Redirect"])
async def test_a_redirect_is_not_followed(status: str) -> None:
    asked = 0

    async def redirect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal asked
        asked += 1
        with contextlib.suppress(asyncio.IncompleteReadError):  # the client ends in the middle of a try
            await reader.readuntil(b"\r\n\r\n")
        head = f"HTTP/1.1 {status}\r\nLocation: ws://127.0.0.1:{port}/ws-api/v3\r\nContent-Length: 0\r\n\r\n"
        writer.write(head.encode())
        writer.close()

    async with untouched() as port:
        server = await asyncio.start_server(redirect, "127.0.0.1", 0)
        url = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/ws-api/v3"
        async with server, trading(url, grace_s=0.0) as trader:
            trader.send(1)
            await until(lambda: asked >= 2)
            assert trader.client.statistics.waiting == 1
