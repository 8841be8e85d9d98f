"""The order gateway as a process of its own, over real WebSockets on loopback."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Origin

from harness.replay.errors import ReplayFailed
from harness.replay.orders.account import Faults
from harness.replay.orders.gateway import main
from harness.replay.orders.log import read_log
from harness.replay.orders.process import OrderGatewayProcess
from harness.spawn import python_environment

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    Start = Callable[..., OrderGatewayProcess]
    ClientOf = Callable[[OrderGatewayProcess], "Client"]

#: Nothing here is timed; a peer that hangs must not hang the tests.
PATIENCE_S = 30.0


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "orders.jsonl"


@pytest.fixture
def start(log: Path) -> Iterator[Callable[..., OrderGatewayProcess]]:
    """Starts gateways on the test's own log, and ends them."""
    started: list[OrderGatewayProcess] = []

    def begin(port: int = 0, **faults: int) -> OrderGatewayProcess:
        started.append(OrderGatewayProcess.start(log, port=port, faults=Faults(**faults)))
        return started[-1]

    yield begin
    for gateway in started:
        gateway.stop()


class Client:
    """One connection that asks and hears."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection
        self.events: list[dict[str, Any]] = []

    def send(self, method: str, **params: Any) -> None:
        self.connection.send(json.dumps({"id": 7, "method": method, "params": params}))

    def place(self, number: int, side: str = "BUY") -> None:
        self.send(
            "order.place",
            symbol="BTCUSDT",
            side=side,
            type="LIMIT",
            timeInForce="IOC",
            price="30000.25",
            quantity="0.5",
            newClientOrderId=f"1-{number}-{side[0]}",
            timestamp=5,
        )

    def answer(self) -> dict[str, Any]:
        """The next answer; events before it are kept."""
        while True:
            message: dict[str, Any] = json.loads(self.connection.recv(PATIENCE_S))
            if "event" not in message:
                return message
            self.events.append(message)

    def answers(self) -> Iterator[str]:
        """Client order ids that were answered before the connection was lost."""
        with contextlib.suppress(ConnectionClosed):
            while True:
                yield self.answer()["result"]["clientOrderId"]

    def event(self) -> dict[str, Any]:
        while not self.events:
            message = json.loads(self.connection.recv(PATIENCE_S))
            assert "event" in message
            self.events.append(message)
        wrapped = self.events.pop(0)
        assert wrapped["subscriptionId"] == 0
        event: dict[str, Any] = wrapped["event"]
        return event

    def ask(self, method: str, **params: Any) -> dict[str, Any]:
        self.send(method, **params)
        return self.answer()

    def told(self, count: int) -> list[tuple[str, str]]:
        return [(event["c"], event["X"]) for event in (self.event() for _ in range(count))]


@pytest.fixture
def client_of() -> Iterator[Callable[[OrderGatewayProcess], Client]]:
    with contextlib.ExitStack() as opened:
        yield lambda gateway: Client(opened.enter_context(connect(gateway.url, proxy=None, compression=None)))


def ids_in(log: Path) -> list[str]:
    return [order.client_order_id for order in read_log(log)]


def test_an_accepted_order_is_in_the_log_before_it_is_answered(start: Start, client_of: ClientOf, log: Path) -> None:
    client = client_of(start())
    for number in range(5):
        client.place(number)
        assert client.answer()["result"]["orderId"] == number + 1
        assert ids_in(log)[-1] == f"1-{number}-B"
    first = read_log(log)[0]
    assert (first.symbol, str(first.quantity), str(first.price), first.order_ms) == ("BTCUSDT", "0.5", "30000.25", 5)
    assert first.received_ns > 0
    assert first.received_ms > 1_700_000_000_000


def test_reports_go_to_every_connection_that_subscribed_and_to_no_other(start: Start, client_of: ClientOf) -> None:
    gateway = start()
    trader, listener, deaf = client_of(gateway), client_of(gateway), client_of(gateway)
    for one in (trader, listener):
        assert one.ask("userDataStream.subscribe")["result"] == {"subscriptionId": 0}
    trader.place(1)
    trader.answer()
    for one in (trader, listener):
        assert one.told(2) == [("1-1-B", "NEW"), ("1-1-B", "FILLED")]
    assert deaf.ask("ping")["result"] == {}
    assert deaf.events == []


def test_orders_sent_without_waiting_are_answered_in_order_and_all_written(
    start: Start, client_of: ClientOf, log: Path
) -> None:
    client = client_of(start())
    for number in range(500):
        client.place(number)
    assert [client.answer()["result"]["clientOrderId"] for _ in range(500)] == [f"1-{n}-B" for n in range(500)]
    assert ids_in(log) == [f"1-{number}-B" for number in range(500)]


def test_its_memory_outlives_a_kill(start: Start, client_of: ClientOf, log: Path) -> None:
    gateway = start()
    client = client_of(gateway)
    client.place(1)
    client.answer()
    assert gateway.kill() == -signal.SIGKILL
    with log.open("ab") as file:
        file.write(b'{"v":1,"client_order_id":"1-2')  # as if the kill had come in the middle of a write
    client = client_of(start(port=gateway.port))
    client.place(1)
    assert client.answer()["error"] == {"code": -2010, "msg": "Duplicate order sent."}
    status = client.ask("order.status", symbol="BTCUSDT", origClientOrderId="1-1-B")["result"]
    assert client.ask("myTrades", symbol="BTCUSDT", orderId=status["orderId"])["result"][0]["qty"] == "0.50000000"
    client.place(2)
    assert client.answer()["result"]["orderId"] == 2
    assert ids_in(log) == ["1-1-B", "1-2-B"]


def test_a_cut_before_acceptance_loses_that_order_and_all_behind_it(
    start: Start, client_of: ClientOf, log: Path
) -> None:
    gateway = start(drop_before=2)
    client = client_of(gateway)
    for number in (1, 2, 3):
        client.place(number)
    answered = list(client.answers())
    assert answered in ([], ["1-1-B"]), "a cut takes answers with it that were under way"
    assert ids_in(log) == ["1-1-B"]
    client = client_of(gateway)
    client.place(2)
    assert client.answer()["status"] == 200


def test_a_cut_after_acceptance_answers_nothing_and_the_order_stands(
    start: Start, client_of: ClientOf, log: Path
) -> None:
    gateway = start(drop_after=1)
    client, listener = client_of(gateway), client_of(gateway)
    listener.ask("userDataStream.subscribe")
    client.place(1)
    client.place(2)
    with pytest.raises(ConnectionClosed):
        client.answer()
    assert listener.told(2) == [("1-1-B", "NEW"), ("1-1-B", "FILLED")]
    assert ids_in(log) == ["1-1-B"]


def test_an_order_refused_or_expired_on_purpose_is_told_so(start: Start, client_of: ClientOf, log: Path) -> None:
    client = client_of(start(reject_every=2, expire_every=3, late_ms=1))
    client.ask("userDataStream.subscribe")
    answers = []
    for number in (1, 2, 3):
        client.place(number)
        answers.append(client.answer()["status"])
    assert answers == [200, 400, 200]
    assert client.told(4) == [("1-1-B", "NEW"), ("1-1-B", "FILLED"), ("1-3-B", "NEW"), ("1-3-B", "EXPIRED")]
    assert [order.status for order in read_log(log)] == ["FILLED", "EXPIRED"]


@pytest.mark.parametrize(("path", "status"), [("/ws-api/v3x", 404), ("/ws/btcusdt@trade", 404), ("/", 404)])
def test_only_the_websocket_api_is_served(start: Start, path: str, status: int) -> None:
    url = f"ws://127.0.0.1:{start().port}{path}"
    with pytest.raises(InvalidStatus) as refused, connect(url, proxy=None):
        pass
    assert refused.value.response.status_code == status


def test_a_page_in_a_browser_cannot_trade(start: Start) -> None:
    page = Origin("https://example.com")
    with pytest.raises(InvalidStatus) as refused, connect(start().url, proxy=None, origin=page):
        pass
    assert refused.value.response.status_code == 403


@pytest.mark.parametrize("message", ["hello", b"{}", "x" * 70_000], ids=["text", "bytes", "large"])
def test_what_is_no_request_closes_its_own_connection_only(
    start: Start, client_of: ClientOf, message: str | bytes
) -> None:
    gateway = start()
    bad, good = client_of(gateway), client_of(gateway)
    bad.connection.send(message)
    with pytest.raises(ConnectionClosed) as closed:
        bad.connection.recv(PATIENCE_S)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == (1009 if len(message) > 65_536 else 1008)
    assert good.ask("ping")["result"] == {}


def test_an_id_that_no_text_can_hold_is_answered_as_json_escapes_it(start: Start, client_of: ClientOf) -> None:
    client = client_of(start())
    client.connection.send('{"id":"\\ud800","method":"ping","params":{"returnRateLimits":false}}')
    assert client.answer() == {"id": "\ud800", "status": 200, "result": {}}


@pytest.mark.parametrize("end", ["stdin", "SIGTERM", "SIGINT"])
def test_it_ends_in_order_however_it_is_asked_to(start: Start, client_of: ClientOf, log: Path, end: str) -> None:
    gateway = start()
    client = client_of(gateway)
    client.place(1)
    client.answer()
    if end != "stdin":
        os.kill(gateway.pid, getattr(signal, end))
    assert gateway.stop() == 0
    assert gateway.stop() == 0
    with pytest.raises(ConnectionClosed) as closed:
        client.answer()
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1001
    assert ids_in(log) == ["1-1-B"]


def test_why_it_did_not_start_is_told(start: Start, log: Path, tmp_path: Path) -> None:
    gateway = start()
    with pytest.raises(ReplayFailed, match=r"did not start: .*another order gateway writes to it"):
        start()
    with pytest.raises(ReplayFailed, match=f"port {gateway.port} on 127.0.0.1 is taken"):
        OrderGatewayProcess.start(tmp_path / "other.jsonl", port=gateway.port)
    with pytest.raises(ReplayFailed, match="not ready within 0 s"):
        OrderGatewayProcess.start(tmp_path / "other.jsonl", timeout=0)
    assert log.read_bytes() == b""


def test_a_gateway_that_is_not_on_loopback_or_has_odd_faults_is_refused(
    log: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--log", str(log), "--host", "0.0.0.0"]) == 2  # noqa: S104 - refused
    assert "not a loopback address" in capsys.readouterr().err
    assert main(["--log", str(log), "--faults", '{"typo":1}']) != 0
    assert "typo" in capsys.readouterr().err


def test_a_log_on_a_full_disk_ends_it_and_nobody_was_told(tmp_path: Path) -> None:
    """A limit on the size of its files stands for the disk."""
    program = (
        "import resource, signal, sys; from harness.replay.orders.gateway import main\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN); resource.setrlimit(resource.RLIMIT_FSIZE, (600, 600))\n"
        "sys.exit(main(sys.argv[1:]))"
    )
    log = tmp_path / "orders.jsonl"
    process = subprocess.Popen(
        [sys.executable, "-c", program, "--log", str(log)],
        env=python_environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    with process:
        assert process.stdout is not None
        port = json.loads(process.stdout.readline())["port"]
        with connect(f"ws://127.0.0.1:{port}/ws-api/v3", proxy=None) as connection:
            client = Client(connection)
            client.place(0)
            assert client.answer()["status"] == 200
            with contextlib.suppress(ConnectionClosed):
                for number in range(1, 20):
                    client.place(number)
            answered = ["1-0-B", *client.answers()]
        assert process.wait(PATIENCE_S) == 4
    assert answered == ids_in(log)[: len(answered)], "nobody was told of an order that is not there"
