from __future__ import annotations

import pytest

from harness.recordings.numbers import Place, Role, numbers_of, place_of

TIME, BOOK, TRADE, AGGREGATE, ORDER = Role.TIME, Role.BOOK, Role.TRADE, Role.AGGREGATE, Role.ORDER


def _roles(body: bytes, connection: str = "market") -> list[tuple[str, Role, int]]:
    place = place_of(connection, body)
    return [(number.key, number.role, number.value) for number in numbers_of(place, body)]


@pytest.mark.parametrize(
    ("body", "roles"),
    [
        (
            b'{"e":"trade","E":10,"s":"A","t":20,"p":"1","q":"2","T":9,"m":true,"M":true}',
            [("E", TIME, 10), ("t", TRADE, 20), ("T", TIME, 9)],
        ),
        (
            (
                b'{"e":"kline","E":10,"s":"A","k":{"t":5,"T":9,"s":"A","i":"1m","f":1,"L":2,"o":"1","c":"1","h":"1","l":"1",'
                b'"v":"1","n":2,"x":false,"q":"1","V":"1","Q":"1","B":"0"}}'
            ),
            [("E", TIME, 10), ("t", TIME, 5), ("T", TIME, 9), ("f", TRADE, 1), ("L", TRADE, 2)],
        ),
        (
            b'{"e":"aggTrade","E":10,"s":"A","a":7,"p":"1","q":"1","f":1,"l":2,"T":9,"m":false,"M":true}',
            [("E", TIME, 10), ("a", AGGREGATE, 7), ("f", TRADE, 1), ("l", TRADE, 2), ("T", TIME, 9)],
        ),
        (
            b'{"e":"depthUpdate","E":10,"T":9,"s":"A","U":1,"u":3,"pu":0,"b":[["1","2"]],"a":[["3","4"]]}',
            [("E", TIME, 10), ("T", TIME, 9), ("U", BOOK, 1), ("u", BOOK, 3), ("pu", BOOK, 0)],
        ),
        (b'{"u":3,"s":"A","b":"1","B":"2","a":"3","A":"4"}', [("u", BOOK, 3)]),
        (b'{"lastUpdateId":3,"bids":[],"asks":[]}', [("lastUpdateId", BOOK, 3)]),
        (
            b'{"e":"24hrTicker","E":10,"s":"A","p":"1","O":1,"C":2,"F":3,"L":4,"n":5}',
            [("E", TIME, 10), ("O", TIME, 1), ("C", TIME, 2), ("F", TRADE, 3), ("L", TRADE, 4)],
        ),
        (
            b'{"subscriptionId":0,"event":{"e":"outboundAccountPosition","E":10,"u":9,"B":[]}}',
            [("E", TIME, 10), ("u", TIME, 9)],
        ),
        (
            b'{"subscriptionId":0,"event":{"e":"executionReport","E":10,"s":"A","g":-1,"i":5,"T":9,"t":-1,"I":6,"O":8,"W":8}}',
            [
                ("E", TIME, 10),
                ("i", ORDER, 5),
                ("T", TIME, 9),
                ("I", Role.EXECUTION, 6),
                ("O", TIME, 8),
                ("W", TIME, 8),
            ],
        ),
    ],
)
def test_a_letter_means_what_its_event_says(body: bytes, roles: list[tuple[str, Role, int]]) -> None:
    assert _roles(body) == roles


def test_text_and_lists_are_never_numbers() -> None:
    assert _roles(b'{"e":"trade","E":"10","t":[1],"T":1.5,"s":"\\"E\\":5"}') == []


def test_a_symbol_comes_from_payload_stream_or_query() -> None:
    assert place_of("market", b'{"stream":"a@trade","data":{"e":"trade","s":"A"}}') == Place("a@trade", "trade", "A")
    assert place_of("market", b'{"stream":"a@depth5","data":{"lastUpdateId":1}}') == Place("a@depth5", "", "A")
    assert place_of("rest:/api/v3/depth?symbol=AB&limit=5", b'{"lastUpdateId":1}') == Place("", "", "AB")
    assert place_of("user", b'{"event":{"e":"balanceUpdate"}}') == Place("", "balanceUpdate", "")
