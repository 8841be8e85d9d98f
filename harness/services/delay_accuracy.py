"""How much a delay proxy really adds: exchanges of one byte with an echo, through it and past it, by turns."""

from __future__ import annotations

import socket
import statistics
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.services.delay_proxy import open_delay_proxy
from harness.services.relay import LOOPBACK

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_WARM_UP = 20
_BATCH = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class AddedRoundTrip:
    """A stated round trip and the one that was added, in ms: median through the proxy less median past it.

    `p90_ms` is the 90th percentile through the proxy less the same median; `n` the exchanges each way.
    """

    stated_ms: float
    p50_ms: float
    p90_ms: float
    n: int

    @property
    def error_ms(self) -> float:
        """By how much the median misses what was stated."""
        return self.p50_ms - self.stated_ms


def measure_added_round_trip(
    round_trips_ms: Sequence[float], *, exchanges: int = 200, cores: Sequence[int] = ()
) -> list[AddedRoundTrip]:
    """What one proxy adds at each stated round trip, on this machine now. Call it in the main thread.

    Takes about twice `exchanges` times the sum of the round trips. Raises ServiceError when the proxy does not start.
    """
    with (
        _echo() as port,
        open_delay_proxy(f"tcp://{LOOPBACK}:{port}", 0, cores=cores) as proxy,
        _connected(port) as past,
        _connected(proxy.port) as through,
    ):
        found = []
        for stated in round_trips_ms:
            proxy.set_round_trip(stated)
            found.append(_measure(past, through, stated, exchanges))
        return found


def _measure(past: socket.socket, through: socket.socket, stated_ms: float, exchanges: int) -> AddedRoundTrip:
    for _ in range(_WARM_UP):
        _exchange_ms(through)
    direct: list[float] = []
    delayed: list[float] = []
    while len(delayed) < exchanges:
        direct += [_exchange_after_ms(past, stated_ms) for _ in range(_BATCH)]
        delayed += [_exchange_ms(through) for _ in range(_BATCH)]
    base = statistics.median(direct)
    return AddedRoundTrip(
        stated_ms=stated_ms,
        p50_ms=statistics.median(delayed) - base,
        p90_ms=statistics.quantiles(delayed, n=10)[-1] - base,
        n=len(delayed),
    )


def _exchange_ms(connection: socket.socket) -> float:
    start = time.perf_counter_ns()
    connection.sendall(b"x")
    connection.recv(1)
    return (time.perf_counter_ns() - start) / 1e6


def _exchange_after_ms(connection: socket.socket, idle_ms: float) -> float:
    """An exchange whose ends were idle as long as they are on a delayed connection: waking them is not the proxy's."""
    time.sleep(idle_ms / 1e3)
    return _exchange_ms(connection)


@contextmanager
def _connected(port: int) -> Iterator[socket.socket]:
    with socket.create_connection((LOOPBACK, port), timeout=10) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        yield connection


@contextmanager
def _echo() -> Iterator[int]:
    """The port of a server that answers two connections with what they say, until they close."""
    with socket.create_server((LOOPBACK, 0)) as listener:
        threads = [threading.Thread(target=_echo_one, args=(listener,), daemon=True) for _ in range(2)]
        for thread in threads:
            thread.start()
        yield int(listener.getsockname()[1])
    for thread in threads:
        thread.join(1.0)


def _echo_one(listener: socket.socket) -> None:
    try:
        connection, _ = listener.accept()
    except OSError:
        return
    with connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        while data := connection.recv(4096):
            connection.sendall(data)
