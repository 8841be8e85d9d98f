"""Clients that behave badly, over raw sockets."""

from __future__ import annotations

import json
import socket
import time
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from harness.replay.conversation import House
from harness.replay.protocol.rules import SPOT
from harness.replay.rest.http import HttpAnswer

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.replay.server import Server

HANDSHAKE = (
    b"Host: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)
GET = b"GET /echo HTTP/1.1\r\nHost: localhost\r\n\r\n"


@pytest.fixture
def port(make_server: Callable[..., Server]) -> int:
    return _server(make_server).port


def _server(make_server: Callable[..., Server]) -> Server:
    rules = replace(SPOT, messages_per_second=0)
    return make_server(house=House(rules=rules, answer=lambda request, _: HttpAnswer(body=request.path.encode())))


def dial(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=20)


def rest_of(client: socket.socket) -> bytes:
    read = b""
    while data := client.recv(1 << 16):
        read += data
    return read


def test_a_head_comes_byte_by_byte_and_a_frame_too(port: int) -> None:
    request = b'{"id":5,"method":"LIST_SUBSCRIPTIONS"}'
    frame = bytes((0x81, 0x80 | len(request))) + bytes(4) + request
    with dial(port) as client:
        for byte in b"GET /ws/a@trade HTTP/1.1\r\n" + HANDSHAKE + frame:
            client.sendall(bytes((byte,)))
        read = b""
        while not read.endswith(b'{"result":["a@trade"],"id":5}'):
            read += client.recv(1 << 16)


def test_requests_sent_ahead_are_answered_and_the_half_closed_connection_is_ended(port: int) -> None:
    with dial(port) as client:
        client.sendall(GET * 10)
        client.shutdown(socket.SHUT_WR)
        assert rest_of(client).count(b"/echo") == 10


def test_an_upgrade_after_http_is_answered_as_http(port: int) -> None:
    with dial(port) as client:
        client.sendall(GET)
        assert client.recv(1 << 16).startswith(b"HTTP/1.1 200")
        client.sendall(b"GET /ws/a@trade HTTP/1.1\r\n" + HANDSHAKE)
        assert client.recv(1 << 16).startswith(b"HTTP/1.1 200")


def _ask_on(client: socket.socket, request: bytes) -> None:
    while True:
        client.sendall(request)


@pytest.mark.parametrize("garbage", [b"\x16\x03\x01\x02\x00\r\n\r\n", b"\r\n\r\n", b"GET /\r\n\r\n", b"\xff" * 100_000])
def test_garbage_is_refused_and_the_connection_ended(port: int, garbage: bytes) -> None:
    with dial(port) as client:
        client.sendall(garbage)
        client.shutdown(socket.SHUT_WR)
        with suppress(ConnectionResetError):
            assert b" 200 " not in rest_of(client)


def test_whoever_does_not_read_its_answers_holds_nobody_else_up(make_server: Callable[..., Server]) -> None:
    server = _server(make_server)
    names = json.dumps([f"{'x' * 40}{n}@trade" for n in range(1_000)])
    request = f'{{"id":1,"method":"SUBSCRIBE","params":{names}}}'.encode()
    head = bytes((0x81, 0xFE)) + len(request).to_bytes(2, "big") + bytes(4)
    ask = b'{"id":5,"method":"LIST_SUBSCRIPTIONS"}'
    asked = bytes((0x81, 0x80 | len(ask))) + bytes(4) + ask
    with dial(server.port) as lazy:
        lazy.settimeout(1.0)
        lazy.sendall(b"GET /ws HTTP/1.1\r\n" + HANDSHAKE + head + request)
        with pytest.raises(TimeoutError):
            _ask_on(lazy, asked * 1_000)
        with dial(server.port) as other:
            other.sendall(GET)
            assert other.recv(1 << 16).startswith(b"HTTP/1.1 200")
    end = time.monotonic() + 20
    while [one for one in server.connections if not one.wait_gone(0)]:
        assert time.monotonic() < end
        time.sleep(0.005)
