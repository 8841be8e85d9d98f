"""One account before many connections, each with a thread of its own."""

from __future__ import annotations

import json
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from harness.replay.accounts import published_test_keys as published
from harness.replay.accounts.desk import AccountDesk
from harness.replay.accounts.keys import Keyring
from harness.replay.accounts.listen_keys import ListenKeys
from harness.replay.orders.account import Cut, Faults, WitnessedAccount
from harness.replay.orders.log import OrderLog, read_log
from harness.units import NS_PER_S

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from harness.replay.protocol.api_requests import ApiRequests

NOW_MS = 1_790_134_675_605
THREADS, ORDERS = 8, 40


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "orders.jsonl"


@pytest.fixture
def log(path: Path) -> Iterator[OrderLog]:
    with OrderLog(path) as opened:
        yield opened


def desk_of(log: OrderLog | None = None, *, require_keys: bool = False, **faults: int) -> AccountDesk:
    orders = None if log is None else WitnessedAccount(log, faults=Faults(**faults), wall_ms=lambda: NOW_MS)
    keys = ListenKeys(valid_seconds=60)
    return AccountDesk(
        "spot", keys=Keyring(), require_keys=require_keys, orders=orders, listen_keys=keys, wall_ms=lambda: NOW_MS
    )


def place(requests: ApiRequests, name: str, tif: str = "IOC") -> dict[str, Any]:
    params = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": tif, "price": "1", "quantity": "1"}
    request = {"id": name, "method": "order.place", "params": {**params, "newClientOrderId": name, "timestamp": 1}}
    answer: dict[str, Any] = json.loads(requests.answer(json.dumps(request), 7))
    return answer


def told(events: list[bytes]) -> list[tuple[str, str]]:
    return [(event["c"], event["X"]) for event in map(json.loads, events)]


def test_what_was_accepted_is_on_the_disk_when_it_is_told(log: OrderLog, path: Path) -> None:
    desk = desk_of(log)
    requests = desk.api_requests()
    place(requests, "a")
    assert read_log(path) == []
    assert told(desk.settle()) == [("a", "NEW"), ("a", "FILLED")]
    assert [line.client_order_id for line in read_log(path)] == ["a"]
    assert desk.settle() == []


def test_connections_share_the_account_and_not_their_subscriptions(log: OrderLog) -> None:
    desk = desk_of(log)
    one, other = desk.api_requests(), desk.api_requests()
    one.answer('{"id":1,"method":"userDataStream.subscribe"}', 0)
    assert (one.selection.account, other.selection.account) == (True, False)
    place(one, "a")
    assert place(other, "a")["error"]["msg"] == "Duplicate order sent."
    counts = [limit["count"] for limit in place(other, "b")["rateLimits"]]
    assert counts == [3, 3, 5], "counts are of all connections"


def test_a_desk_without_orders_takes_none() -> None:
    desk = desk_of()
    assert place(desk.api_requests(), "a")["error"]["code"] == -1020
    assert desk.settle() == []


def test_orders_want_a_signature_where_keys_are_required(log: OrderLog) -> None:
    answer = place(desk_of(log, require_keys=True).api_requests(), "a")
    assert (answer["status"], answer["error"]["code"]) == (401, -2014)


def test_a_cut_leaves_the_desk_to_the_others(log: OrderLog) -> None:
    desk = desk_of(log, drop_after=1)
    with pytest.raises(Cut):
        place(desk.api_requests(), "a")
    assert place(desk.api_requests(), "b")["status"] == 200
    assert len(desk.settle()) == 4


def test_listen_keys_that_ran_out_are_not_admitted_and_strange_ones_only_without_keys() -> None:
    for require_keys in (True, False):
        desk = desk_of(require_keys=require_keys)
        start = {"id": 1, "method": "userDataStream.start", "params": {"apiKey": published.HMAC_API_KEY}}
        key = json.loads(desk.api_requests().answer(json.dumps(start), 0))["result"]["listenKey"]
        assert desk.admits(key, 59 * NS_PER_S)
        assert not desk.admits(key, 60 * NS_PER_S)
        assert desk.admits("x" * 64, 0) is not require_keys


def test_many_threads_lose_nothing_and_nobody_is_told_too_early(log: OrderLog, path: Path) -> None:
    desk = desk_of(log)
    heard: list[tuple[str, str]] = []
    start = threading.Barrier(THREADS)

    def converse(thread: int) -> list[str]:
        requests = desk.api_requests()
        missing = []
        start.wait(30)
        for number in range(ORDERS):
            name = f"{thread}-{number}-B"
            assert place(requests, name)["status"] == 200
            desk.settle(lambda events: heard.extend(told(events)))
            if f'"{name}"' not in path.read_text():
                missing.append(name)
        return missing

    with ThreadPoolExecutor(THREADS) as pool:
        assert [missing for thread in pool.map(converse, range(THREADS)) for missing in thread] == []
    lines = read_log(path)
    assert [line.order_id for line in lines] == list(range(1, THREADS * ORDERS + 1))
    names = [line.client_order_id for line in lines]
    assert heard == [(name, state) for name in names for state in ("NEW", "FILLED")], "in the order of the log"


def test_requests_are_answered_while_another_connection_waits_for_the_disk(
    log: OrderLog, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = desk_of(log)
    waits, goes_on = threading.Event(), threading.Event()

    def slow(_: int) -> None:
        waits.set()
        assert goes_on.wait(30)

    first = desk.api_requests()
    place(first, "a", "GTC")
    with monkeypatch.context() as patched, ThreadPoolExecutor(2) as pool:
        patched.setattr(os, "fsync", slow)
        writing = pool.submit(desk.settle)
        assert waits.wait(30)
        other = desk.api_requests()
        assert place(other, "b")["status"] == 200
        cancel = '{"id":1,"method":"order.cancel","params":{"symbol":"BTCUSDT","orderId":1,"newClientOrderId":"c"}}'
        assert json.loads(other.answer(cancel, 0))["status"] == 200
        later = pool.submit(desk.settle)
        assert not later.done()
        goes_on.set()
        assert told(writing.result(30)) == [("a", "NEW")]
        assert told(later.result(30)) == [("b", "NEW"), ("b", "FILLED"), ("c", "CANCELED")]
    assert [line.status for line in read_log(path)] == ["CANCELED", "FILLED"]


def test_no_answer_tells_a_secret(log: OrderLog) -> None:
    requests = desk_of(log, require_keys=True).api_requests()
    params = {"apiKey": published.HMAC_API_KEY, "signature": "s3cr3t", "timestamp": 1}
    answer = requests.answer(json.dumps({"id": 1, "method": "order.place", "params": params}), 0)
    assert "s3cr3t" not in answer
    assert published.HMAC_API_KEY not in answer
