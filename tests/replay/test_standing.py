from __future__ import annotations

import json
from queue import SimpleQueue
from typing import TYPE_CHECKING

import pytest
from websockets.exceptions import ConnectionClosedError, ConnectionClosedOK
from websockets.sync.client import connect

from harness.errors import ConfigError, PortTaken
from harness.replay.pacing import Pace
from harness.replay.reel import Reel
from harness.replay.side.showing import About
from harness.replay.standing import Exchange, Standing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from harness.replay.tape import Tape


ABOUT = About(recording="made", title="Made", market="spot", source="generated", sha256="0" * 64, pace="as recorded")


@pytest.fixture
def notices() -> SimpleQueue[str]:
    return SimpleQueue()


@pytest.fixture
def standing(tape: Tape, notices: SimpleQueue[str]) -> Iterator[Standing]:
    with Standing(Reel(tape), Pace(speed=20.0), about=ABOUT, host="127.0.0.1", port=0, notice=notices.put) as made:
        yield made


def test_the_recording_begins_with_the_first_client_and_again_when_all_have_read_it(
    standing: Standing, notices: SimpleQueue[str]
) -> None:
    url = f"{standing.url}/stream?streams=btcusdt@trade"
    for _ in range(2):
        with connect(url, proxy=None, compression=None) as client:
            assert [json.loads(text)["data"]["n"] for text in client] == list(range(0, 120, 3))
            assert client.close_code == 1000
        told = [notices.get(timeout=20) for _ in range(2)]
        assert told == ["a client subscribed to 1 streams", "a client got all of it: 40 frames"]
    with connect(f"{standing.url}/ws-api/v3", proxy=None, compression=None) as account:
        account.send('{"id":1,"method":"userDataStream.subscribe"}')
        assert len(list(account)) == 25
    assert notices.get(timeout=20) == "a client subscribed to account events"


def test_in_a_flood_each_client_gets_the_recording_from_its_start(tape: Tape, notices: SimpleQueue[str]) -> None:
    with Standing(Reel(tape), Pace(), about=ABOUT, host="127.0.0.1", port=0, notice=notices.put) as standing:
        url = f"{standing.url}/stream?streams=btcusdt@trade"
        with connect(url, proxy=None, compression=None) as first, connect(url, proxy=None, compression=None) as second:
            for client in (second, first):
                assert [json.loads(text)["data"]["n"] for text in client] == list(range(0, 120, 3))


def test_a_client_may_subscribe_bit_by_bit(make_tape: Callable[..., Tape], notices: SimpleQueue[str]) -> None:
    reel = Reel(make_tape(200, 10_000_000))
    with (
        Standing(reel, Pace(speed=4.0), about=ABOUT, host="::1", port=0, notice=notices.put) as standing,
        connect(f"{standing.url}/ws", proxy=None, compression=None) as client,
    ):
        client.send('{"method":"SUBSCRIBE","params":["btcusdt@trade"],"id":1}')
        seen = [client.recv(timeout=20) for _ in range(3)]
        assert seen[0] == '{"result":null,"id":1}'
        client.send('{"method":"UNSUBSCRIBE","params":["btcusdt@trade"],"id":2}')
        while client.recv(timeout=20) != '{"result":null,"id":2}':
            pass
        client.send('{"method":"SUBSCRIBE","params":["ethusdt@bookTicker"],"id":3}')
        later = [json.loads(text) for text in client]
    assert later[0]["n"] % 3 == 0 if "n" in later[0] else later[0] == {"result": None, "id": 3}
    assert {message["n"] % 3 for message in later[2:]} == {1}


def test_a_client_that_leaves_is_told_of_and_the_next_is_served(tape: Tape, notices: SimpleQueue[str]) -> None:
    with Standing(Reel(tape), Pace(speed=0.1), about=ABOUT, host="127.0.0.1", port=0, notice=notices.put) as standing:
        for _ in range(2):
            with connect(f"{standing.url}/ws/btcusdt@trade", proxy=None, compression=None) as client:
                client.recv(timeout=20)
            assert notices.get(timeout=20) == "a client subscribed to 1 streams"
            assert "the client of a market connection closed with 1000, after" in notices.get(timeout=20)


def test_closing_cuts_clients_off(tape: Tape, notices: SimpleQueue[str]) -> None:
    standing = Standing(Reel(tape), Pace(speed=0.001), about=ABOUT, host="127.0.0.1", port=0, notice=notices.put)
    with connect(f"{standing.url}/ws/btcusdt@trade", proxy=None, compression=None) as client:
        client.recv(timeout=20)
        standing.close()
        with pytest.raises(Exception, match="close") as caught:
            client.recv(timeout=20)
        assert not isinstance(caught.value, ConnectionClosedOK)


def test_a_taken_port_and_a_foreign_host_are_refused(standing: Standing, tape: Tape) -> None:
    port = int(standing.url.rpartition(":")[2])
    for host, error in (("127.0.0.1", PortTaken), ("10.0.0.1", ConfigError)):
        with pytest.raises(error):
            Standing(Reel(tape), Pace(speed=None), about=ABOUT, host=host, port=port, notice=print)


def test_a_replay_that_takes_orders_begins_with_the_market_and_leaves_the_order_client_connected(
    tape: Tape, stand: Callable[..., Standing]
) -> None:
    standing = stand(tape, Pace(speed=20.0), exchange=lambda _: Exchange(orders=()))
    with connect(f"{standing.url}/ws-api/v3", proxy=None, compression=None) as account:
        account.send('{"id":1,"method":"userDataStream.subscribe"}')
        assert json.loads(account.recv(timeout=20))["result"] == {"subscriptionId": 0}
        with connect(f"{standing.url}/stream?streams=btcusdt@trade", proxy=None, compression=None) as market:
            assert [json.loads(text)["data"]["n"] for text in market] == list(range(0, 120, 3))
        events = [json.loads(account.recv(timeout=20))["event"]["n"] for _ in range(24)]
        assert events == list(range(4, 120, 5))
        account.send('{"id":2,"method":"ping"}')
        assert json.loads(account.recv(timeout=20))["id"] == 2


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_replay_that_can_send_no_more_says_so_and_keeps_nobody_waiting(
    tape: Tape, stand: Callable[..., Standing], monkeypatch: pytest.MonkeyPatch
) -> None:
    standing = stand(tape, Pace(speed=20.0))
    monkeypatch.setattr(standing.stage, "_play", lambda: 1 / 0)
    url = f"{standing.url}/ws/btcusdt@trade"
    with connect(url, proxy=None, compression=None) as client, pytest.raises(ConnectionClosedError):
        client.recv(timeout=20)
    assert "ended with ZeroDivisionError" in standing.server.broken
