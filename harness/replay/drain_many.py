"""Many clients that only count bytes, in one process: the far side of a fan-out (`-m harness.replay.drain_many`).

One request as JSON on stdin; on stdout a line once all have subscribed, and one once all were closed.
"""

from __future__ import annotations

import selectors
import socket
import sys
from typing import TYPE_CHECKING, Final

import msgspec

from harness.replay.drain import subscribe

if TYPE_CHECKING:
    from collections.abc import Sequence

_BUFFER_BYTES: Final = 1024 * 1024
#: Close, code 1000, masked with zeros: the answer to the server's.
_ANSWER: Final = b"\x88\x82\x00\x00\x00\x00\x03\xe8"
_LAST_WORD: Final = b"\x88\x02\x03\xe8"


class Crowd(msgspec.Struct, frozen=True, kw_only=True):
    """So many connections, each subscribed to all of `streams`."""

    host: str
    port: int
    streams: tuple[str, ...]
    connections: int


class Subscribed(msgspec.Struct, frozen=True, kw_only=True, tag_field="said", tag="subscribed"):
    """All are there."""


class Emptied(msgspec.Struct, frozen=True, kw_only=True, tag_field="said", tag="emptied"):
    """All were closed by the server."""

    bytes: list[int]
    """Of data frames with their headers, by connection."""


def empty(sockets: Sequence[socket.socket]) -> list[int]:
    """Read all to their ends; returns the bytes of data frames that each received."""
    counts = [0] * len(sockets)
    tails = [b""] * len(sockets)
    buffer = bytearray(_BUFFER_BYTES)
    with selectors.DefaultSelector() as selector:
        for number, sock in enumerate(sockets):
            sock.setblocking(False)
            selector.register(sock, selectors.EVENT_READ, number)
        while selector.get_map():
            for key, _ in selector.select():
                number, sock = key.data, sockets[key.data]
                size = sock.recv_into(buffer)
                counts[number] += size
                tails[number] = (tails[number] + bytes(buffer[max(0, size - 4) : size]))[-4:]
                closed = tails[number] == _LAST_WORD
                if closed:
                    counts[number] -= len(_LAST_WORD)
                    sock.setblocking(True)
                    sock.sendall(_ANSWER)
                if closed or not size:
                    selector.unregister(sock)
    return counts


def main() -> int:
    """The crowd on stdin, from its first connection to its last byte."""
    crowd = msgspec.json.decode(sys.stdin.buffer.read(), type=Crowd)
    sockets = [socket.create_connection((crowd.host, crowd.port), timeout=60) for _ in range(crowd.connections)]
    for sock in sockets:
        subscribe(sock, crowd.host, crowd.port, crowd.streams)
    _say(Subscribed())
    _say(Emptied(bytes=empty(sockets)))
    for sock in sockets:
        sock.close()
    return 0


def _say(words: Subscribed | Emptied) -> None:
    sys.stdout.buffer.write(msgspec.json.encode(words) + b"\n")
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    sys.exit(main())
