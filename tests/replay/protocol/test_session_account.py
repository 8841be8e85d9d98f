"""Account events pushed into a session, and who decides about a listenKey."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from harness.replay.protocol.rules import USDM
from harness.replay.protocol.selection import Selection, Wrapping

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.replay.protocol.session import Requests
    from tests.replay.protocol.conftest import Client

    Connect = Callable[..., Client]

KEY = "a1B2" * 16
EVENT = b'{"e":"ORDER_TRADE_UPDATE","E":1790134675605,"T":1790134675604,"o":{"s":"BTCUSDT"}}'


class Parrot:
    """Requests that answer with what was asked and when, and have something to add."""

    selection = Selection(wrapping=Wrapping.API, account=True)

    def answer(self, text: str, now_ns: int) -> str:
        return f"{text} at {now_ns}"

    def pending(self) -> list[str]:
        return ["and more"]


class StubDesk:
    """A desk with the listen keys that a test gives it."""

    def __init__(self, *keys: str) -> None:
        self.keys = set(keys)
        self.asked_at: list[int] = []

    def api_requests(self) -> Requests:
        return Parrot()

    def admits(self, listen_key: str, now_ns: int) -> bool:
        self.asked_at.append(now_ns)
        return listen_key in self.keys


@pytest.mark.parametrize(
    ("path", "text"),
    [
        (f"/ws/{KEY}", EVENT),
        (f"/private/ws/{KEY}", EVENT),
        ("/private/ws?listenKey=short", EVENT),
        ("/private/stream?listenKey=short", b'{"stream":"short","data":' + EVENT + b"}"),
        (f"/stream?streams={KEY}", b'{"stream":"' + KEY.encode() + b'","data":' + EVENT + b"}"),
        (f"/ws/{KEY}?timeUnit=MICROSECOND", EVENT.replace(b"605", b"605000").replace(b"604", b"604000")),
    ],
)
def test_an_event_arrives_in_the_envelope_of_the_connection(connect: Connect, path: str, text: bytes) -> None:
    client = connect(path)
    client.hear(client.session.push(EVENT))
    assert client.texts() == [text]


@pytest.mark.parametrize("path", ["/ws/a@trade", "/ws-api/v3", "/public/ws?listenKey=short", f"/market/ws/{KEY}"])
def test_nothing_arrives_where_no_account_was_asked_for(connect: Connect, path: str) -> None:
    assert connect(path).session.push(EVENT) == []


def test_the_api_wraps_the_event_and_ends_with_the_subscription(connect: Connect) -> None:
    client = connect("/ws-api/v3")
    client.say(b'{"id":1,"method":"userDataStream.subscribe"}')
    client.hear(client.session.push(EVENT))
    assert client.texts()[1:] == [b'{"subscriptionId":0,"event":' + EVENT + b"}"]
    client.say(b'{"id":2,"method":"userDataStream.unsubscribe"}')
    assert client.session.push(EVENT) == []


def test_only_the_events_that_the_url_names_arrive(connect: Connect) -> None:
    session = connect("/private/ws?listenKey=k&events=ORDER_TRADE_UPDATE%2FMARGIN_CALL", USDM).session
    assert session.selection.events == {"ORDER_TRADE_UPDATE", "MARGIN_CALL"}
    assert session.push(EVENT) != []
    assert session.push(b'{"e":"ACCOUNT_UPDATE","E":1}') == []


def test_the_list_names_the_events_as_streams_of_the_listen_key(connect: Connect) -> None:
    client = connect("/private/ws?listenKey=k&events=A/B", USDM)
    assert client.say(b'{"method":"LIST_SUBSCRIPTIONS","id":1}') == [b'{"result":["k@A","k@B"],"id":1}']


def test_a_listen_key_may_be_subscribed_to_and_left_beside_market_streams(connect: Connect) -> None:
    client = connect("/stream?streams=a@trade")
    client.say(b'{"method":"SUBSCRIBE","params":["%s"],"id":1}' % KEY.encode())
    assert client.session.selection == Selection(
        wrapping=Wrapping.COMBINED, streams=frozenset({"a@trade"}), account=True, listen_key=KEY
    )
    client.say(b'{"method":"UNSUBSCRIBE","params":["%s"],"id":2}' % KEY.encode())
    assert not client.session.selection.account


def test_a_listen_key_that_the_desk_does_not_know_is_silent_until_it_does(connect: Connect) -> None:
    desk = StubDesk()
    client = connect(f"/ws/{KEY}", desk=desk)
    assert client.session.open
    assert client.session.push(EVENT) == []
    desk.keys.add(KEY)
    assert client.session.push(EVENT) != []


def test_the_desk_is_asked_with_the_time_of_the_last_turn(connect: Connect) -> None:
    desk = StubDesk(KEY)
    client = connect(f"/ws/{KEY}", desk=desk)
    client.wait(7)
    assert client.session.push(EVENT) != []
    assert desk.asked_at[-1] == client.now_ns


def test_of_several_listen_keys_the_first_good_one_counts(connect: Connect) -> None:
    path = "/private/stream?listenKey=old&events=A&listenKey=new&events=B/ORDER_TRADE_UPDATE"
    selection = connect(path, USDM, desk=StubDesk("new")).session.selection
    assert selection.listen_key == "new"
    assert selection.events == {"B", "ORDER_TRADE_UPDATE"}


def test_requests_of_the_api_go_to_the_desk_with_the_time_and_what_follows_is_sent(connect: Connect) -> None:
    client = connect("/ws-fapi/v1", desk=StubDesk())
    client.now_ns = 7
    assert client.say(b"anything") == [b"anything at 7", b"and more"]
