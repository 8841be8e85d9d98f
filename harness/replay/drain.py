"""A client that does as little as a client can: the other side of the ceiling. `python -m harness.replay.drain`.

One request as JSON on stdin, a JSON line per pass on stdout. It speaks blocking sockets, without any WebSocket library.
"""

from __future__ import annotations

import hashlib
import secrets
import socket
import sys
import time
from base64 import b64encode
from typing import TYPE_CHECKING, Final, Literal

import msgspec

from harness.replay.walk import walk

if TYPE_CHECKING:
    from collections.abc import Sequence

_BUFFER_BYTES: Final = 4 * 1024 * 1024
#: Close, code 1000, unmasked: what the server says last. It cannot end a JSON text.
_LAST_WORD: Final = b"\x88\x02\x03\xe8"
#: The same from a client: masked with zeros.
_ANSWER: Final = b"\x88\x82\x00\x00\x00\x00\x03\xe8"

Kind = Literal["checking", "counting", "parsing"]


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """What to do: one connection for each of `passes`, subscribed to all of `streams`."""

    port: int
    host: str
    streams: tuple[str, ...]
    passes: tuple[Kind, ...]


class Drained(msgspec.Struct, frozen=True, kw_only=True):
    """One pass; `frames` is None for a pass that only counted bytes."""

    bytes: int
    """Of data frames, headers included."""
    ended_ns: int
    """`time.monotonic_ns` when the last byte had been read."""
    frames: int | None = None
    sha256: str | None = None


def drain(order: Order, kind: Kind) -> Drained:
    """One connection read to its close frame; raises OSError or EOFError when it breaks."""
    with socket.create_connection((order.host, order.port), timeout=60) as sock:
        subscribe(sock, order.host, order.port, order.streams)
        sock.setblocking(True)
        drained = _count(sock) if kind == "counting" else _parse(sock, check=kind == "checking")
        sock.sendall(_ANSWER)
        sock.settimeout(10)
        while sock.recv(_BUFFER_BYTES):
            pass
    return drained


def subscribe(sock: socket.socket, host: str, port: int, streams: Sequence[str]) -> None:
    """The handshake of `/stream` and one SUBSCRIBE, answered; raises OSError or EOFError when it is not."""
    key = b64encode(secrets.token_bytes(16)).decode()
    sock.sendall(
        f"GET /stream HTTP/1.1\r\nHost: {host}:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
    )
    answer = b""
    while b"\r\n\r\n" not in answer:
        answer += _some(sock.recv(1))
    if b" 101 " not in answer.split(b"\r\n", 1)[0]:
        raise ConnectionError(f"the handshake was answered with {answer[:80]!r}")
    request = msgspec.json.encode({"method": "SUBSCRIBE", "params": streams, "id": 1})
    # Masked with zeros, the payload travels as it is.
    sock.sendall(b"\x81\xff" + len(request).to_bytes(8, "big") + bytes(4) + request)
    header = _some(sock.recv(2, socket.MSG_WAITALL))
    sock.recv(header[1], socket.MSG_WAITALL)


def _count(sock: socket.socket) -> Drained:
    buffer = bytearray(_BUFFER_BYTES)
    receive_into = sock.recv_into
    total = 0
    tail = b""
    while tail != _LAST_WORD:
        size = receive_into(buffer)
        if not size:
            raise EOFError("the server went away")
        total += size
        tail = (tail + bytes(buffer[max(0, size - 4) : size]))[-4:]
    return Drained(bytes=total - len(_LAST_WORD), ended_ns=time.monotonic_ns())


def _parse(sock: socket.socket, *, check: bool) -> Drained:
    buffer = bytearray(_BUFFER_BYTES)
    view = memoryview(buffer)
    digest = hashlib.sha256()
    filled = frames = total = 0
    closed = False
    while not closed:
        size = sock.recv_into(view[filled:])
        if not size:
            raise EOFError("the server went away, or a frame is larger than the buffer")
        filled += size
        behind, found, closed = walk(buffer, 0, filled)
        frames += found
        total += behind
        if check:
            digest.update(view[: behind - len(_LAST_WORD) if closed else behind])
        filled -= behind
        view[:filled] = view[behind : behind + filled]
    ended = time.monotonic_ns()
    sha256 = digest.hexdigest() if check else None
    return Drained(bytes=total - len(_LAST_WORD), ended_ns=ended, frames=frames, sha256=sha256)


def _some(data: bytes) -> bytes:
    if not data:
        raise EOFError("the server went away during the handshake")
    return data


def main() -> int:
    """All passes of the order on stdin."""
    order = msgspec.json.decode(sys.stdin.buffer.read(), type=Order)
    for kind in order.passes:
        sys.stdout.buffer.write(msgspec.json.encode(drain(order, kind)) + b"\n")
        sys.stdout.buffer.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())
