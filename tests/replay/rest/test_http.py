from __future__ import annotations

import json
from typing import TYPE_CHECKING

import h11
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.errors import ServiceError
from harness.replay.rest.http import HttpAnswer, HttpRequest, HttpRules, HttpSession
from harness.units import NS_PER_S

if TYPE_CHECKING:
    from collections.abc import Iterable

END = b""
GET = b"GET /api/v3/ping?a=1&a=2&b= HTTP/1.1\r\nHost: 127.0.0.1:80\r\n\r\n"


class Asked:
    """Answers every request with its path, and remembers it."""

    def __init__(self) -> None:
        self.requests: list[HttpRequest] = []

    def __call__(self, request: HttpRequest, now_ns: int) -> HttpAnswer:
        self.requests.append(request)
        if request.path == "/broken":
            raise ServiceError("/home/somebody/recording.jsonl is gone")
        return HttpAnswer(body=request.path.encode(), headers=(("X-Now", str(now_ns)),))


@pytest.fixture
def asked() -> Asked:
    return Asked()


@pytest.fixture
def http(asked: Asked) -> HttpSession:
    return HttpSession(asked, now_ns=0)


def statuses(sent: Iterable[bytes], methods: Iterable[str] = ()) -> list[int]:
    """What a client of these methods (GET by default) reads in what was sent, all of it being answers."""
    client = h11.Connection(h11.CLIENT)
    client.receive_data(b"".join(sent))
    wanted, found = list(methods), []
    while client.trailing_data[0]:
        method = wanted.pop(0) if wanted else "GET"
        client.send(h11.Request(method=method, target="/", headers=[("Host", "localhost")]))
        client.send(h11.EndOfMessage())
        while not isinstance(event := client.next_event(), h11.EndOfMessage):
            assert event is not h11.NEED_DATA
            if isinstance(event, h11.Response):
                found.append(event.status_code)
        if client.our_state is h11.MUST_CLOSE:
            assert not client.trailing_data[0]
            break
        client.start_next_cycle()
    return found


def head(*lines: bytes, host: bytes = b"localhost") -> bytes:
    return b"\r\n".join([*lines, b"Host: " + host, b"", b""])


def test_a_request_is_answered_and_the_connection_stays(http: HttpSession, asked: Asked) -> None:
    assert statuses(http.receive(GET, 7)) == [200]
    assert asked.requests[0] == HttpRequest(
        method="GET", path="/api/v3/ping", query={"a": "1", "b": ""}, headers={"host": "127.0.0.1:80"}
    )
    sent = http.receive(GET, 9)
    assert sent[0].endswith(b"\r\n\r\n/api/v3/ping")
    assert b"X-Now: 9\r\n" in sent[0]
    assert not http.over


@pytest.mark.parametrize("size", [1, 2, 7, 64])
def test_requests_may_come_in_pieces_and_several_in_one(http: HttpSession, asked: Asked, size: int) -> None:
    post = head(b"POST /x HTTP/1.1", b"Content-Length: 7") + b"a=b&c=d"
    data = GET + post + GET
    sent = [part for start in range(0, len(data), size) for part in http.receive(data[start : start + size], 1)]
    assert statuses(sent) == [200, 200, 200]
    assert [request.method for request in asked.requests] == ["GET", "POST", "GET"]
    assert asked.requests[1].form == {"a": "b", "c": "d"}
    assert not http.over


def test_the_answer_to_a_head_request_has_no_body_but_its_length(http: HttpSession, asked: Asked) -> None:
    sent = http.receive(head(b"HEAD /abc HTTP/1.1"), 1)
    assert sent[0].endswith(b"\r\n\r\n")
    assert b"Content-Length: 4\r\n" in sent[0]
    assert asked.requests[0].method == "GET"
    assert statuses(http.receive(b"no http\r\n\r\n", 2)) == [400]


@pytest.mark.parametrize(
    "request_head",
    [head(b"GET / HTTP/1.1", b"Connection: close"), head(b"GET / HTTP/1.0")],
    ids=["connection: close", "http/1.0"],
)
def test_the_connection_ends_where_the_client_asks_for_it(http: HttpSession, request_head: bytes) -> None:
    sent = http.receive(request_head + GET, 1)
    assert sent[-1] is END
    assert statuses(sent) == [200]
    assert http.over
    assert http.receive(GET, 2) == http.receive_end(3) == http.tick(10**15) == []


def test_a_client_that_half_closes_gets_its_answers_and_the_end(http: HttpSession) -> None:
    assert statuses(http.receive(GET, 1)) == [200]
    assert http.receive_end(2) == [END]
    assert http.over


def test_a_request_that_is_cut_by_a_half_close_is_refused(http: HttpSession) -> None:
    http.receive(GET[:20], 1)
    sent = http.receive_end(2)
    assert statuses(sent) == [400]
    assert sent[-1] is END


def test_a_client_that_waits_for_100_gets_it(http: HttpSession) -> None:
    sent = http.receive(head(b"POST / HTTP/1.1", b"Content-Length: 2", b"Expect: 100-continue"), 1)
    assert sent[0].startswith(b"HTTP/1.1 100 ")
    assert statuses(http.receive(b"{}", 2)) == [200]


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost localhost\r\n\r\n", 400),
        (head(b"GET /%ff HTTP/1.1"), 400),
        (head(b"GET /?" + b"&".join(b"a=1" for _ in range(65)) + b" HTTP/1.1"), 400),
        (head(b"GET /?a=%ff HTTP/1.1"), 400),
        (head(b"GET /" + b"a" * 65_536 + b" HTTP/1.1"), 414),
        (head(b"GET / HTTP/1.1", b"X: " + b"a" * 16_384), 431),
        (head(b"POST / HTTP/1.1", b"Content-Length: 65537"), 413),
        (head(b"POST / HTTP/1.1", b"Transfer-Encoding: chunked") + b"10001\r\n" + b"a" * 65_537, 413),
        (head(b"BREW / HTTP/1.1"), 405),
        (head(b"CONNECT localhost:1 HTTP/1.1"), 405),
        (head(b"GET / HTTP/1.1", host=b"evil.example"), 403),
        (b"GET / HTTP/1.0\r\n\r\n", 403),
        (head(b"POST / HTTP/1.1", b"Origin: http://evil.example"), 403),
        (head(b"DELETE / HTTP/1.1", b"Origin: null"), 403),
        (head(b"PUT / HTTP/1.1", b"Origin: http://localhost:3000"), 403),
    ],
)
def test_what_is_not_served_is_refused_and_ends_the_connection(
    http: HttpSession, asked: Asked, data: bytes, status: int
) -> None:
    sent = http.receive(data + GET, 1)
    assert statuses(sent) == [status]
    assert sent[-1] is END
    assert set(json.loads(sent[0].partition(b"\r\n\r\n")[2])) == {"code", "msg"}
    assert http.over
    assert asked.requests == []


def test_a_head_without_end_is_refused_before_it_fills_the_memory(http: HttpSession) -> None:
    assert http.receive(b"GET /" + b"a" * 70_000, 1) == []
    assert statuses(http.receive(b"a" * 20_000, 2)) == [431]


def test_long_queries_are_served(http: HttpSession, asked: Asked) -> None:
    names = "%22,%22".join(f"SYMBOL{number}" for number in range(3_000))
    assert statuses(http.receive(head(f"GET /x?symbols=[%22{names}%22] HTTP/1.1".encode()), 1)) == [200]
    assert len(json.loads(asked.requests[0].query["symbols"])) == 3_000


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:80", "127.0.0.1", "127.1.2.3:9", "[::1]:80", "localhost."])
def test_loopback_names_are_served(http: HttpSession, host: str) -> None:
    assert statuses(http.receive(head(b"GET / HTTP/1.1", host=host.encode()), 1)) == [200]


@pytest.mark.parametrize(
    "host",
    ["localhost.evil.example", "127.0.0.1.evil.example", "a@localhost", "10.0.0.1", "[::2]", "[::1", "", "192.168.0.1"],
)
def test_other_names_are_not(http: HttpSession, host: str) -> None:
    assert statuses(http.receive(head(b"GET / HTTP/1.1", host=host.encode()), 1)) == [403]


def test_a_page_of_the_server_itself_may_change_things_and_a_foreign_one_may_look(http: HttpSession) -> None:
    own = head(b"POST / HTTP/1.1", b"Origin: http://localhost:80", b"Content-Length: 0", host=b"localhost:80")
    foreign = head(b"GET / HTTP/1.1", b"Origin: http://evil.example")
    assert statuses(http.receive(own + foreign, 1)) == [200, 200]


def test_a_request_for_an_upgrade_that_is_none_here_is_answered_as_any_other(http: HttpSession) -> None:
    data = head(b"GET / HTTP/1.1", b"Connection: Upgrade", b"Upgrade: h2c")
    assert statuses(http.receive(data, 1) + http.receive(GET, 2)) == [200, 200]


def test_an_absolute_target_means_its_path(http: HttpSession, asked: Asked) -> None:
    http.receive(head(b"GET http://localhost/a/b?c=d HTTP/1.1") + head(b"GET //[x HTTP/1.1"), 1)
    assert [(request.path, request.query) for request in asked.requests] == [("/a/b", {"c": "d"}), ("//[x", {})]


def test_an_error_of_ours_is_told_without_its_words(http: HttpSession) -> None:
    sent = http.receive(head(b"GET /broken HTTP/1.1") + GET, 1)
    assert statuses(sent) == [500, 200]
    assert b"recording" not in b"".join(sent)


def test_one_read_cannot_ask_for_many_answers(http: HttpSession, asked: Asked) -> None:
    sent = http.receive(GET * 1_000, 1)
    assert statuses(sent) == [200] * 16 + [429]
    assert (len(asked.requests), http.over) == (16, True)


SECOND = NS_PER_S


def test_a_slow_request_is_refused_after_its_time(asked: Asked) -> None:
    http = HttpSession(asked, now_ns=0, rules=HttpRules(request_seconds=2, idle_seconds=5))
    assert statuses(http.receive(GET, SECOND)) == [200]
    assert http.receive(GET[:1], 4 * SECOND) == []
    assert http.receive(GET[1:5], 6 * SECOND - 2) == http.tick(6 * SECOND - 1) == []
    sent = http.tick(6 * SECOND)
    assert statuses(sent) == [408]
    assert sent[-1] is END


def test_a_slow_body_is_refused_after_its_time(asked: Asked) -> None:
    http = HttpSession(asked, now_ns=0, rules=HttpRules(request_seconds=2))
    assert http.receive(head(b"POST / HTTP/1.1", b"Content-Length: 9") + b"a", SECOND) == []
    assert http.receive(b"b", 2 * SECOND - 1) == []
    assert statuses(http.tick(2 * SECOND)) == [408]


def test_a_connection_on_which_nothing_comes_ends(asked: Asked) -> None:
    silent = HttpSession(asked, now_ns=SECOND, rules=HttpRules(request_seconds=2, idle_seconds=5))
    assert silent.tick(3 * SECOND - 1) == []
    assert statuses(silent.tick(3 * SECOND)) == [408]
    idle = HttpSession(asked, now_ns=0, rules=HttpRules(request_seconds=2, idle_seconds=5))
    idle.receive(GET, SECOND)
    assert idle.tick(6 * SECOND - 1) == []
    assert idle.tick(6 * SECOND) == [END]


PIECES = st.lists(
    st.one_of(
        st.binary(max_size=40),
        st.sampled_from([
            GET, b"GET ", b"HEAD / HTTP/1.1\r\n", b"POST /x HTTP/1.1\r\n", b"Host: localhost\r\n", b"\r\n", b"\r\n\r\n",
            b"Content-Length: 5\r\n", b"Transfer-Encoding: chunked\r\n", b"5\r\nhello\r\n", b"0\r\n\r\n", b"hello",
            b"Expect: 100-continue\r\n", b"Connection: close\r\n", b"Upgrade: x\r\n", b"Origin: y\r\n", b"HTTP/1.0\r\n",
            b"CONNECT x:1 HTTP/1.1\r\n",
        ]),
    ),
    max_size=30,
)  # fmt: skip


@settings(max_examples=400)
@given(PIECES, st.booleans())
def test_no_bytes_raise_and_what_is_sent_is_http(pieces: list[bytes], ends: bool) -> None:  # noqa: FBT001
    http = HttpSession(Asked(), now_ns=0)
    sent: list[bytes] = []
    for number, piece in enumerate(pieces):
        sent += http.receive(piece, number)
    sent += http.receive_end(99) if ends else http.tick(10**15)
    assert http.over
    assert sent[-1] is END
    assert sent.count(END) == 1
    answered = [int(part[9:12]) for part in sent if part.startswith(b"HTTP/1.1 ")]
    assert all(100 <= status < 600 for status in answered)
    assert b"".join(sent).count(b"Traceback") == 0
