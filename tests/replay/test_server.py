from __future__ import annotations

import contextlib
import socket
from threading import Event
from typing import TYPE_CHECKING

import pytest

from harness.errors import ConfigError, PortTaken
from harness.replay.server import Server, loopback

if TYPE_CHECKING:
    from collections.abc import Callable


def test_a_taken_port_is_named(server: Server, make_server: Callable[..., Server]) -> None:
    with pytest.raises(PortTaken, match=str(server.port)):
        make_server(port=server.port)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.1", "example.com", ""])  # noqa: S104 - must be refused
def test_only_loopback_is_served(host: str) -> None:
    with pytest.raises(ConfigError, match="loopback"):
        Server(host)


@pytest.mark.parametrize(("host", "address"), [("localhost", "127.0.0.1"), ("127.0.0.9", "127.0.0.9"), ("::1", "::1")])
def test_every_loopback_address_will_do(host: str, address: str) -> None:
    assert loopback(host) == address


def test_a_closed_server_answers_no_more(make_server: Callable[..., Server]) -> None:
    server = make_server()
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as client:
        server.close()
        with contextlib.suppress(ConnectionResetError):
            assert client.recv(1) == b""
    with pytest.raises(OSError, match=r"."):
        socket.create_connection(("127.0.0.1", server.port), timeout=20)


def test_waiting_for_clients_ends_with_the_time_or_when_given_up(server: Server) -> None:
    assert server.wait_subscribed(1, 0.01, Event()) == []
    given_up = Event()
    given_up.set()
    assert server.wait_subscribed(1, 60, given_up) == []
