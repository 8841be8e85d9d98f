"""What is listed of a connection is what its client received, to the byte."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from websockets.sync.client import connect

from harness.replay.frames import strip_of
from harness.replay.protocol.selection import Selection, Wrapping

if TYPE_CHECKING:
    from websockets.sync.client import ClientConnection

    from harness.replay.tape import Tape
    from tests.replay.side.conftest import Door

#: Published by Binance as an example of a listen key.
KEY = "pqia91ma19a5s61cv6a81va65sdf19v8a65a1a5s61cv6a81va65sdf19v8a65a1"
TRADES, TICKERS, DEPTH = "btcusdt@trade", "ethusdt@bookTicker", "bnbusdt@depth@100ms"


def bodies(wire: memoryview) -> list[str]:
    """The texts of unmasked frames (RFC 6455, 5.2)."""
    found = []
    while wire:
        size, start = wire[1], 2
        if size > 125:
            start = 4 if size == 126 else 10
            size = int.from_bytes(wire[2:start])
        found.append(bytes(wire[start : start + size]).decode())
        wire = wire[start + size :]
    return found


def listed(tape: Tape, connection: dict[str, Any]) -> list[str]:
    """What the listing says that a connection was sent, made anew from the tape."""
    texts = []
    for stretch in connection["sent"]:
        assert stretch["turn"] == 0
        selection = Selection(
            wrapping=Wrapping(stretch["wrapping"]), streams=frozenset(stretch["streams"]), account=stretch["account"]
        )
        strip = strip_of(tape, selection)
        first, end = strip.before(stretch["first"]), strip.before(stretch["end"])
        texts += bodies(strip.blob[strip.offsets[first] : strip.offsets[end]])
    return texts


def change(door: Door, client: ClientConnection, method: str, stream: str, now: set[str]) -> None:
    """Ask for something else, and wait until the replay has seen it."""
    client.send(json.dumps({"method": method, "params": [stream], "id": 1}))
    door.wait(lambda _: set(door.connections()[0]["sent"][-1]["streams"]) == now)


def test_each_connection_is_listed_with_what_it_received(door: Door) -> None:
    path = f"/stream?streams={TRADES}/{DEPTH}"
    with connect(f"{door.url}{path}", proxy=None, compression=None) as client:
        door.wait(lambda state: state["connections"] == 1)
        with connect(f"{door.url}/ws/{KEY}", proxy=None, compression=None) as account:
            door.wait(lambda state: state["connections"] == 2)
            door.play_to(30)
            change(door, client, "SUBSCRIBE", TICKERS, {TRADES, TICKERS, DEPTH})
            door.play_to(61)
            change(door, client, "UNSUBSCRIBE", TRADES, {TICKERS, DEPTH})
            door.post("seek", frame=50)
            door.play_to(70)
            one, two = door.connections()
            assert [(each["number"] > 0, each["open"]) for each in (one, two)] == [(True, True)] * 2
            door.post("start")
            got = [message for message in client if "result" not in json.loads(message)]
            told = list(account)
    ended = door.connections()
    assert [each["open"] for each in ended] == [False, False]
    assert (ended[0]["path"], ended[1]["path"]) == (path, "/ws/***")
    assert ended[0]["frames"] == len(got) > 60
    assert listed(door.tape, ended[0]) == got
    assert [stretch["account"] for stretch in ended[1]["sent"]] == [True, True]
    assert ended[1]["frames"] == len(told)
    assert listed(door.tape, ended[1]) == told
    assert len(ended[0]["sent"]) == 4, "two changes and a seek"


def test_a_listen_key_is_told_to_nobody(door: Door) -> None:
    with connect(f"{door.url}/ws/{KEY}", proxy=None, compression=None):
        door.wait(lambda state: state["connections"] == 1)
        for path in ("", "/state", "/connections", "/metrics"):
            told = door.http.get(f"/tickproof{path}").text
            assert KEY[:24] not in told
        assert "/ws/***" in door.http.get("/tickproof").text
