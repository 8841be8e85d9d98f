"""A recording opened as a whole exchange: streams, REST, orders, account events and TLS, over sockets."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import httpx
import msgspec
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from harness.errors import ConfigError, TickproofError
from harness.recordings.format import load
from harness.recordings.generate import find_profile, generate
from harness.replay.accounts.payloads import payload_of
from harness.replay.accounts.published_test_keys import ED25519_API_KEY, HMAC_API_KEY, HMAC_SECRET, ed25519_private_pem
from harness.replay.opening import Choices, Opened
from harness.replay.orders.log import read_log
from harness.replay.pacing import Pace
from harness.replay.protocol.rules import USDM

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from websockets.sync.client import ClientConnection

    from harness.recordings.format import Recording

USDM_FAST = replace(USDM, messages_per_second=0, ping_seconds=0.8, pong_seconds=8.0)


@pytest.fixture
def spot(make_recording: Callable[..., Path]) -> Recording:
    return load(make_recording(240))


@pytest.fixture(scope="module")
def usdm(tmp_path_factory: pytest.TempPathFactory) -> Recording:
    target = tmp_path_factory.mktemp("usdm") / "short.jsonl"
    generate(msgspec.structs.replace(find_profile("usdm-10-symbols"), name="short", duration_ms=1_500), target)
    return load(target)


@pytest.fixture
def opened() -> Iterator[Callable[..., Opened]]:
    made: list[Opened] = []

    def make(recording: Recording, **choices: Any) -> Opened:
        made.append(Opened(recording, Choices(**{"pace": Pace(), **choices}), lambda _: None))
        return made[-1]

    yield make
    for one in made:
        one.close()


def dial(opened: Opened, path: str) -> ClientConnection:
    return connect(f"{opened.url}{path}", proxy=None, compression=None, max_size=None, max_queue=None)


def http(opened: Opened) -> httpx.Client:
    return httpx.Client(base_url=opened.url.replace("ws", "http", 1), timeout=20, trust_env=False)


def asked(client: ClientConnection, method: str, params: dict[str, Any] | list[str] | None = None) -> dict[str, Any]:
    """The answer; what comes before it is left out."""
    client.send(json.dumps({"id": 7, "method": method, "params": params} if params else {"id": 7, "method": method}))
    while True:
        told: dict[str, Any] = json.loads(client.recv(timeout=20))
        if told.get("id") == 7:
            return told


def order(client_order_id: str, symbol: str = "BTCUSDT") -> dict[str, Any]:
    return {
        "symbol": symbol, "side": "BUY", "type": "LIMIT", "timeInForce": "IOC", "quantity": "1", "price": "100",
        "newClientOrderId": client_order_id, "timestamp": time.time_ns() // 1_000_000,
    }  # fmt: skip


def test_streams_rest_and_a_listen_key_on_one_port(usdm: Recording, opened: Callable[..., Opened]) -> None:
    made = opened(usdm, rules=USDM_FAST, listen_key_seconds=1.5, pace=Pace(), hold=True)
    with http(made) as rest:
        key = rest.post("/fapi/v1/listenKey", headers={"X-MBX-APIKEY": HMAC_API_KEY}).json()["listenKey"]
        assert rest.get("/fapi/v1/exchangeInfo").json()["symbols"]
        with (
            dial(made, f"/private/ws/{key}") as bare,
            dial(made, f"/private/stream?streams={key}") as wrapped,
            dial(made, "/stream?streams=" + made.tape.names[0]) as market,
        ):
            rest.post("/tickproof/start", json={"until_frame": 200})
            for _ in range(int((made.tape.stream[:150] == 0).sum())):
                assert json.loads(market.recv(timeout=20))["stream"] == made.tape.names[0]
            for client, combined in ((bare, False), (wrapped, True)):
                *_, last = list(client)
                told = json.loads(last)["data"] if combined else json.loads(last)
                assert (told["e"], told["listenKey"]) == ("listenKeyExpired", key)
                assert client.close_code == 1000


def test_a_key_that_was_subscribed_to_by_message_ends_as_well(usdm: Recording, opened: Callable[..., Opened]) -> None:
    made = opened(usdm, rules=USDM_FAST, listen_key_seconds=0.6, hold=True)
    with http(made) as rest, dial(made, "/private/ws") as client, dial(made, "/ws/btcusdt@aggTrade") as other:
        key = rest.post("/fapi/v1/listenKey", headers={"X-MBX-APIKEY": HMAC_API_KEY}).json()["listenKey"]
        assert asked(client, "SUBSCRIBE", [key])["result"] is None
        assert [json.loads(text)["e"] for text in client] == ["listenKeyExpired"]
        assert asked(other, "LIST_SUBSCRIPTIONS")["result"] == ["btcusdt@aggTrade"]


def test_reports_follow_their_answers_whoever_else_orders(
    spot: Recording, opened: Callable[..., Opened], tmp_path: Path
) -> None:
    made = opened(spot, orders=tmp_path / "orders.jsonl", hold=True)

    def trade(who: int) -> list[str]:
        with dial(made, "/ws-api/v3") as client:
            asked(client, "userDataStream.subscribe")
            told: list[str] = []
            for number in range(20):
                client.send(json.dumps({"id": number, "method": "order.place", "params": order(f"{who}-{number}")}))
            while sum(f"{who}-19" in text and '"FILLED"' in text for text in told) < 2:
                told.append(str(client.recv(timeout=20)))
            return [text for text in told if f'"{who}-' in text]

    with ThreadPoolExecutor(4) as pool:
        for who, told in enumerate(pool.map(trade, range(4))):
            for number in range(20):
                about = [json.loads(text) for text in told if f'"{who}-{number}"' in text]
                assert [("result" in one, one.get("event", {}).get("X")) for one in about] == [
                    (True, None), (False, "NEW"), (False, "FILLED"),
                ]  # fmt: skip
    assert len(list(read_log(tmp_path / "orders.jsonl"))) == 80


def test_an_order_is_stamped_by_its_frame_also_after_a_cut(
    spot: Recording, opened: Callable[..., Opened], tmp_path: Path
) -> None:
    (tmp_path / "plan.toml").write_text('[[fault]]\nkind = "cut"\nhow = "clean"\nat = 30\n')
    from harness.replay.faults.plan import read_plan  # noqa: PLC0415

    log = tmp_path / "orders.jsonl"
    made = opened(spot, orders=log, pace=Pace(rate=500.0), faults=read_plan(tmp_path / "plan.toml"))
    frame = 0
    with dial(made, "/ws-api/v3") as orders:
        for _ in range(2):
            with dial(made, "/stream?streams=btcusdt@trade/ethusdt@bookTicker/bnbusdt@depth@100ms") as market:
                for _text in market:
                    frame += 1
                    if frame % 10 == 3:
                        assert asked(orders, "order.place", order(f"1-{frame}-B"))["status"] == 200
    assert frame == 240
    lines = list(read_log(log))
    assert [line.trigger_frame for line in lines] == list(range(3, 240, 10))
    assert all(line.trigger_sent_ns is not None and line.trigger_sent_ns <= line.received_ns for line in lines)
    assert all(line.last_sent_ns is None or line.last_sent_ns <= line.received_ns for line in lines)
    assert sum(line.last_sent_ns is not None for line in lines) >= 23
    told = made.tick_to_order()
    assert told is not None
    assert told.named is not None
    assert (told.named.count, told.impossible) == (24, 0)
    with http(made) as rest:
        assert rest.get("/tickproof/state").json()["tick_to_order"]["named"]["count"] == 24


@pytest.mark.parametrize(("key", "secret"), [(HMAC_API_KEY, HMAC_SECRET), (ED25519_API_KEY, None)])
def test_who_must_sign_signs(spot: Recording, opened: Callable[..., Opened], key: str, secret: str | None) -> None:
    made = opened(spot, require_keys=True, hold=True)
    written = {"apiKey": key, "timestamp": str(time.time_ns() // 1_000_000)}
    signature = signed(payload_of(written), secret)
    params: dict[str, Any] = {"apiKey": key, "timestamp": int(written["timestamp"])}
    with dial(made, "/ws-api/v3") as client:
        assert asked(client, "userDataStream.subscribe")["status"] != 200
        wrong = signature[:-6] + ("AAAA==" if signature[-6:] != "AAAA==" else "BBBB==")
        assert asked(client, "userDataStream.subscribe.signature", {**params, "signature": wrong})["status"] != 200
        told = asked(client, "userDataStream.subscribe.signature", {**params, "signature": signature})
        assert (told["status"], told["result"]) == (200, {"subscriptionId": 0})


def signed(payload: bytes, secret: str | None) -> str:
    import base64  # noqa: PLC0415
    import hashlib  # noqa: PLC0415
    import hmac  # noqa: PLC0415

    from cryptography.hazmat.primitives.serialization import load_pem_private_key  # noqa: PLC0415

    if secret is not None:
        return hmac.new(secret.encode(), payload, hashlib.sha256).hexdigest()
    private: Any = load_pem_private_key(ed25519_private_pem().encode(), None)
    return base64.b64encode(private.sign(payload)).decode()


def test_rest_and_orders_over_tls(spot: Recording, opened: Callable[..., Opened], tmp_path: Path) -> None:
    made = opened(spot, orders=tmp_path / "orders.jsonl", hold=True, tls=tmp_path / "tls")
    certificate = tmp_path / "tls" / "replay-certificate.pem"
    import ssl  # noqa: PLC0415

    context = ssl.create_default_context(cafile=str(certificate))
    assert made.tls_url is not None
    with httpx.Client(base_url=made.tls_url.replace("wss", "https"), verify=context, trust_env=False) as rest:
        assert rest.get("/api/v3/ping").json() == {}
        assert rest.post("/tickproof/pause", headers={"Origin": "https://evil.example"}).status_code == 403
    with connect(f"{made.tls_url}/ws-api/v3", ssl=context, proxy=None) as client:
        assert asked(client, "order.place", order("over-tls"))["status"] == 200


def test_a_log_in_use_and_a_file_of_keys_that_is_none_are_named(
    spot: Recording, opened: Callable[..., Opened], tmp_path: Path
) -> None:
    opened(spot, orders=tmp_path / "orders.jsonl")
    with pytest.raises(ConfigError, match="another order gateway"):
        opened(spot, orders=tmp_path / "orders.jsonl")
    (tmp_path / "keys.toml").write_text("nonsense = 1\n")
    with pytest.raises(TickproofError, match="keys"):
        opened(spot, keys=tmp_path / "keys.toml")


def test_a_full_disk_ends_it_and_nobody_is_told(
    spot: Recording, opened: Callable[..., Opened], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from threading import Event  # noqa: PLC0415

    from harness.replay.orders.log import OrderLog  # noqa: PLC0415

    def full(_: object, lines: list[object]) -> None:
        if lines:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(OrderLog, "append", full)
    made = opened(spot, orders=tmp_path / "orders.jsonl", hold=True)
    with dial(made, "/ws-api/v3") as client, pytest.raises(ConnectionClosed):
        asked(client, "order.place", order("lost"))
    assert "No space left" in made.wait(Event())
