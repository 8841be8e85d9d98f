"""A real client on a real socket: one connection for many requests, and requests sent before answers are read."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
import time
from typing import TYPE_CHECKING

import httpx
import pytest

from harness.replay.rest.http import HttpAnswer, HttpRequest, HttpSession, refused

if TYPE_CHECKING:
    from collections.abc import Iterator


class Shell:
    """Serves connections with sessions, as short as it can be."""

    def __init__(self) -> None:
        self.connections = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._open: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()
        self.address: tuple[str, int] = self._listener.getsockname()
        self.url = f"http://127.0.0.1:{self.address[1]}"

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                self.connections += 1
                self._open.append(connection)
                self._threads.append(threading.Thread(target=self._serve, args=(connection,)))
                self._threads[-1].start()

    @staticmethod
    def _serve(connection: socket.socket) -> None:
        http = HttpSession(_answer, now_ns=time.monotonic_ns())
        with connection, contextlib.suppress(OSError):
            while not http.over:
                data = connection.recv(65_536)
                now = time.monotonic_ns()
                for part in http.receive(data, now) if data else http.receive_end(now):
                    connection.sendall(part) if part else connection.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for connection in self._open:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(10)


def _answer(request: HttpRequest, _now_ns: int) -> HttpAnswer:
    if request.path == "/long":
        return HttpAnswer(body=b"[" + b" " * 3_000_000 + b"]")
    if request.path != "/echo":
        return refused(404, -5000, "no")
    return HttpAnswer(body=json.dumps([request.method, dict(request.query), request.body.decode()]).encode())


@pytest.fixture
def shell() -> Iterator[Shell]:
    made = Shell()
    yield made
    made.close()


def test_one_connection_carries_many_requests(shell: Shell) -> None:
    with httpx.Client(base_url=shell.url, trust_env=False) as client:
        for number in range(20):
            assert client.get("/echo", params={"n": number, "s": '["A"]'}).json() == [
                "GET", {"n": str(number), "s": '["A"]'}, "",
            ]  # fmt: skip
        assert client.put("/echo", data={"a": "b c"}).json() == ["PUT", {}, "a=b+c"]
        assert client.post("/echo", content=iter([b"in ", b"chunks"])).json()[2] == "in chunks"
        assert client.head("/echo").headers["content-length"] == "15"
        assert client.get("/nothing").status_code == 404
        assert client.get("/long").json() == []
    assert shell.connections == 1


def test_a_client_that_is_refused_finds_the_connection_closed_and_comes_again(shell: Shell) -> None:
    with httpx.Client(base_url=shell.url, trust_env=False) as client:
        assert client.get("/echo", headers={"Host": "evil.example"}).status_code == 403
        assert client.post("/echo", content=b"x" * 70_000).status_code == 413
        assert client.get("/echo").status_code == 200
    assert shell.connections == 3


def test_requests_sent_ahead_are_answered_in_their_order(shell: Shell) -> None:
    requests = b"".join(b"GET /echo?n=%d HTTP/1.1\r\nHost: localhost\r\n\r\n" % number for number in range(10))
    with socket.create_connection(shell.address, timeout=10) as client:
        client.sendall(requests)
        client.shutdown(socket.SHUT_WR)
        answers = b""
        while data := client.recv(65_536):
            answers += data
    assert [answers.index(b'"n": "%d"' % number) for number in range(10)] == sorted(
        answers.index(b'"n": "%d"' % number) for number in range(10)
    )
