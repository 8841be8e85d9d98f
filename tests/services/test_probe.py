from __future__ import annotations

import socket
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from harness.errors import ServiceError
from harness.services.probe import redis_process, redis_product

if TYPE_CHECKING:
    from collections.abc import Iterator

VALKEY = "# Server\r\nredis_version:7.2.4\r\nserver_name:valkey\r\nvalkey_version:9.1.2\r\n"


def bulk(text: str) -> bytes:
    return f"${len(text)}\r\n{text}\r\n".encode()


@contextmanager
def answering(*replies: bytes) -> Iterator[int]:
    """The port of a server that gives these replies, one a request, and closes."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                for reply in replies:
                    connection.recv(4096)
                    connection.sendall(reply)

        thread = threading.Thread(target=serve)
        thread.start()
        yield listener.getsockname()[1]
        thread.join(30)


@pytest.mark.parametrize(
    ("info", "product"),
    [
        (VALKEY, "Redis-compatible: Valkey 9.1.2"),
        ("redis_version:7.4.1\r\nredis_mode:standalone\r\n", "Redis 7.4.1"),
        ("redis_version:7.4.0\r\ndragonfly_version:df-v1.30.0\r\n", "Redis-compatible: Dragonfly df-v1.30.0"),
        ("uptime:1\r\n", "Redis-compatible: a server that does not tell its version"),
    ],
)
def test_a_server_is_called_by_its_own_name_and_version(info: str, product: str) -> None:
    with answering(b"+PONG\r\n", bulk(info)) as port:
        assert redis_product(f"redis://127.0.0.1:{port}") == product


def test_a_server_that_refuses_to_tell_is_not_an_error() -> None:
    with answering(b"+PONG\r\n", b"-NOPERM this user has no permissions to run 'info'\r\n") as port:
        assert redis_product(f"redis://127.0.0.1:{port}").startswith("Redis-compatible")


@pytest.mark.parametrize("reply", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"$x\r\n", b"\xff\xfe\r\n", b""])
def test_something_else_that_answers_is_an_error(reply: bytes) -> None:
    with answering(reply) as port, pytest.raises(ServiceError, match="no Redis answers"):
        redis_product(f"redis://127.0.0.1:{port}")


def test_the_process_that_answers_is_told() -> None:
    with answering(bulk("redis_version:7.4.1\r\nprocess_id:4711\r\n")) as port:
        assert redis_process(port) == 4711
    with answering(b"-LOADING\r\n") as port:
        assert redis_process(port) is None
    assert redis_process(port) is None
