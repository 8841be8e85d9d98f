from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from websockets.sync.client import connect

from harness.replay.pacing import Pace

if TYPE_CHECKING:
    from collections.abc import Callable

    from websockets.sync.client import ClientConnection

    from tests.replay.side.conftest import Door

ALL = "/ws/btcusdt@trade/ethusdt@bookTicker/bnbusdt@depth@100ms"


def client_of(door: Door, path: str = ALL) -> ClientConnection:
    """A client whose subscription the replay has seen."""
    known = door.state()["connections"]
    client = connect(f"{door.url}{path}", proxy=None, compression=None)
    door.wait(lambda state: state["connections"] == known + 1)
    return client


def received(client: ClientConnection) -> list[int]:
    """The numbers of all frames that were sent until now: whatever comes before the answer to a question."""
    client.send('{"method":"LIST_SUBSCRIPTIONS","id":7}')
    numbers = []
    while (message := json.loads(client.recv(timeout=20))).get("id") != 7:
        numbers.append(message["n"])
    return numbers


def test_a_replay_that_is_held_sends_nothing_before_it_is_started(door: Door) -> None:
    with client_of(door) as client:
        assert received(client) == []
        assert door.state()["state"] == "held"
        door.post("start")
        assert [json.loads(client.recv(timeout=20))["n"] for _ in range(120)] == list(range(120))


def test_it_pauses_at_the_frame_that_was_named_and_goes_on_when_it_is_started_again(door: Door) -> None:
    with client_of(door) as client:
        door.play_to(10)
        assert received(client) == list(range(10))
        assert received(client) == []
        assert door.state()["sent_market_frames"] == 10
        door.play_to(11)
        assert received(client) == [10]


def test_a_flood_pauses_at_the_frame_that_was_named_too(open_door: Callable[..., Door]) -> None:
    door = open_door(pace=Pace(), hold=True)
    with client_of(door) as client:
        door.play_to(10)
        assert received(client) == list(range(10))
        door.post("start")
        assert [json.loads(text)["n"] for text in client] == list(range(10, 120))


def test_a_pause_lets_time_stand(open_door: Callable[..., Door]) -> None:
    door = open_door(2_000, 1_000_000, Pace(speed=0.5))
    with client_of(door) as client:
        client.recv(timeout=20)
        door.post("pause")
        stood = door.wait(lambda state: state["state"] == "paused")
        before = received(client)
        assert before == list(range(1, stood["market_frame"]))
        assert received(client) == []
        assert door.state()["place"] == stood["place"] < stood["frames"]
        door.post("start")
        door.post("seek", frame=2_000)
        assert {json.loads(text)["n"] for text in client} <= {*range(stood["market_frame"], 2_000)}


def test_frames_come_again_after_a_seek_back_and_are_left_out_by_one_ahead(door: Door) -> None:
    with client_of(door) as client:
        door.play_to(10)
        assert received(client) == list(range(10))
        door.post("seek", frame=4)
        door.play_to(6)
        assert received(client) == [3, 4, 5]
        door.post("seek", frame=100)
        door.play_to(101)
        assert received(client) == [99, 100]


def test_a_seek_to_seconds_goes_on_with_the_first_frame_from_there(door: Door) -> None:
    with client_of(door) as client:
        door.post("seek", seconds=0.0495)
        assert door.wait(lambda state: state["place"] > 0)["state"] == "held"
        door.play_to(52)
        assert received(client) == [50, 51]


def test_a_body_may_be_a_form_and_a_browser_is_led_back_to_the_page(door: Door) -> None:
    browser = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8", "Origin": str(door.http.base_url)}
    with client_of(door) as client:
        answer = door.http.post("/tickproof/start", data={"until_frame": "3"}, headers=browser)
        assert (answer.status_code, answer.headers["location"], answer.content) == (303, "/tickproof", b"")
        door.wait(lambda state: state["market_frame"] == 3 and state["state"] == "paused")
        assert received(client) == [0, 1, 2]
        assert door.http.post("/tickproof/seek", data={"frame": "2", "seconds": ""}).json()["state"] == "paused"
        assert door.http.post("/tickproof/start", data={"until_frame": ""}, headers=browser).status_code == 303
        assert [json.loads(text)["n"] for text in client] == list(range(1, 120))


def test_json_is_read_whatever_its_type_is_said_to_be(door: Door) -> None:
    as_curl = {"Content-Type": "application/x-www-form-urlencoded"}
    door.http.post("/tickproof/start", content='{"until_frame": 5}', headers=as_curl).raise_for_status()
    assert door.wait(lambda state: state["state"] == "paused")["market_frame"] == 5


WRONG = [
    ("start", b'{"until_frame":0}'),
    ("start", b'{"until_frame":"5"}'),
    ("start", b'{"until_frame":1.5}'),
    ("start", b'{"until_frame":99999999999999999999}'),
    ("start", b'{"frame":5}'),
    ("start", b"[]"),
    ("start", b"5"),
    ("start", b"{"),
    ("start", b"\xff\xfe"),
    ("pause", b'{"until_frame":5}'),
    ("seek", b""),
    ("seek", b"{}"),
    ("seek", b'{"frame":null}'),
    ("seek", b'{"frame":1,"seconds":1}'),
    ("seek", b'{"seconds":-0.5}'),
    ("seek", b'{"seconds":1e999}'),
]
WRONG_FORMS = [
    ("start", b"until_frame=five"),
    ("start", b"until_frame=-1"),
    ("start", b"frame="),
    ("start", b"garbage"),
    ("start", b"until_frame=%FF"),
    ("start", b"&".join(b"a%d=1" % number for number in range(100))),
    ("seek", b"frame=&seconds="),
    ("seek", b"seconds=nan"),
    ("seek", b"seconds=inf"),
]


@pytest.mark.parametrize(
    ("what", "body", "kind"),
    [(what, body, "application/json") for what, body in WRONG]
    + [(what, body, "application/x-www-form-urlencoded;charset=UTF-8") for what, body in WRONG_FORMS],
)
def test_a_wrong_body_is_refused_in_words_and_moves_nothing(door: Door, what: str, body: bytes, kind: str) -> None:
    answer = door.http.post(f"/tickproof/{what}", content=body, headers={"Content-Type": kind})
    assert answer.status_code == 400
    assert list(answer.json()) == ["error"]
    assert answer.json()["error"]
    state = door.state()
    assert (state["state"], state["place"]) == ("held", 0)


def test_what_is_not_there_or_not_asked_so_is_refused(door: Door) -> None:
    missing = door.http.get("/tickproof/nosuch")
    assert missing.status_code == 404
    assert "/tickproof/state" in missing.json()["error"]
    for method, path, allowed in (
        ("GET", "start", "POST"),
        ("POST", "state", "GET, HEAD"),
        ("DELETE", "", "GET, HEAD"),
        ("PUT", "seek", "POST"),
    ):
        answer = door.http.request(method, f"/tickproof/{path}")
        assert (answer.status_code, answer.headers["allow"]) == (405, allowed)
        assert "use " in answer.json()["error"]
    assert door.http.get("/tickproofed").json()["code"] == -1000, "only the corner itself is ours"


def test_a_page_of_another_origin_moves_nothing(door: Door) -> None:
    for headers in ({"Origin": "http://example.com"}, {"Origin": "null"}, {"Host": "example.com"}):
        assert door.http.post("/tickproof/start", headers=headers).status_code == 403
    assert door.state()["state"] == "held"


def test_a_head_request_gets_the_head_alone(door: Door) -> None:
    for path in ("/tickproof", "/tickproof/", "/tickproof/state", "/tickproof/connections", "/tickproof/metrics"):
        answer = door.http.head(path)
        assert (answer.status_code, answer.content) == (200, b"")
        assert int(answer.headers["content-length"]) > 1
        assert answer.headers["cache-control"] == "no-store"


def test_the_state_tells_what_is_served_and_where_it_is(door: Door) -> None:
    told: dict[str, Any] = door.state()
    assert told["recording"] == "made"
    assert told["sha256"] == "0" * 64
    assert told["frames"] == len(door.tape)
    assert told["url"] == door.url
    assert told["open_connections"] >= 1, "the one that asks"
    assert told["orders"] is told["tick_to_order"] is None
    assert told["lateness_us"] == [0.0, 0.0, 0.0]
