"""A delay proxy in front of a server's URL: a relay in a process of its own.

`python -m harness.services.delay_proxy --target 127.0.0.1:5432 --round-trip-ms 15` prints one JSON line `{"port": N}`,
takes lines `{"round_trip_ms": 5}` on its standard input, answers each with the same line once it holds, and ends when
its standard input does.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import gc
import os
import select
import subprocess
import sys
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, TypeVar
from urllib.parse import urlsplit, urlunsplit

import msgspec

from harness.errors import ServiceError
from harness.redact import redact
from harness.services.relay import LOOPBACK, Relay
from harness.spawn import python_environment, spawn, stop
from harness.units import milliseconds

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_ANSWER_SECONDS = 10.0
_DEFAULT_PORTS = {"redis": 6379, "postgresql": 5432, "postgres": 5432}
#: prctl(2): how late a sleep of this thread may end, in ns (50,000 unless told).
_PR_SET_TIMERSLACK = 29


class _Listening(msgspec.Struct, frozen=True, kw_only=True):
    port: int


class _Delay(msgspec.Struct, frozen=True, kw_only=True):
    round_trip_ms: float


T = TypeVar("T")


class DelayProxy:
    """A running delay proxy; `url` is the server's with the proxy's host and port."""

    def __init__(self, url: str, port: int, process: subprocess.Popen[bytes], round_trip_ms: float) -> None:
        self.url = url
        self.port = port
        self._process = process
        self._round_trip_ms = round_trip_ms

    @property
    def round_trip_ms(self) -> float:
        """The round trip that is added to each exchange."""
        return self._round_trip_ms

    @property
    def pid(self) -> int:
        """The proxy's process."""
        return self._process.pid

    def set_round_trip(self, round_trip_ms: float) -> None:
        """Add another round trip to what is sent from now on; it holds when this returns.

        Raises ServiceError when the proxy has died, ValueError when the round trip is negative.
        """
        _check(round_trip_ms)
        control = _pipe(self._process.stdin)
        try:
            control.write(msgspec.json.encode(_Delay(round_trip_ms=round_trip_ms)) + b"\n")
            control.flush()
        except OSError as error:
            raise ServiceError(f"the delay proxy has died ({error}); start the run again") from None
        _answer_of(self._process, _Delay)
        self._round_trip_ms = round_trip_ms


@contextmanager
def open_delay_proxy(url: str, round_trip_ms: float, *, cores: Sequence[int] = ()) -> Iterator[DelayProxy]:
    """A proxy in front of the server at `url` that adds a round trip, half each way; stopped on exit.

    The TCP handshake counts too: what a new connection sends first waits one round trip more. Call it in the main
    thread. Raises ServiceError for a URL without one host and port, or when the proxy does not start.
    """
    _check(round_trip_ms)
    host, port = address_of(url)
    process = spawn(
        [
            *(sys.executable, "-m", "harness.services.delay_proxy"),
            *("--target", f"{host}:{port}", "--round-trip-ms", repr(float(round_trip_ms))),
        ],
        cores=cores,
        env=python_environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    try:
        listening = _answer_of(process, _Listening)
        yield DelayProxy(with_address(url, listening.port), listening.port, process, round_trip_ms)
    finally:
        stop(process)
        with contextlib.suppress(BrokenPipeError):  # a control line that a dead proxy never read
            _pipe(process.stdin).close()
        _pipe(process.stdout).close()


def address_of(url: str) -> tuple[str, int]:
    """Host and port of a server's URL; raises ServiceError where it names none or several, or a Unix socket."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port or _DEFAULT_PORTS.get(parts.scheme)
    except ValueError:
        host, port = None, None
    if not host or not port or "," in host:
        raise ServiceError(f"a delay can only be put before a URL with one host and port, not {redact(url)}")
    return host, port


def with_address(url: str, port: int) -> str:
    """The URL with this port of loopback instead of its host and port."""
    parts = urlsplit(url)
    userinfo, at, _ = parts.netloc.rpartition("@")
    return urlunsplit(parts._replace(netloc=f"{userinfo}{at}{LOOPBACK}:{port}"))


def _check(round_trip_ms: float) -> None:
    if not 0 <= round_trip_ms < float("inf"):
        raise ValueError(f"a round trip of {round_trip_ms} ms: it must be 0 or more")


def _answer_of(process: subprocess.Popen[bytes], shape: type[T]) -> T:
    """The next line of the proxy; one line is outstanding at most, so nothing is left in a buffer."""
    answers = _pipe(process.stdout)
    readable, _, _ = select.select([answers], [], [], _ANSWER_SECONDS)
    line = answers.readline() if readable else b""
    if not line:
        raise ServiceError(f"the delay proxy does not answer (status {process.poll()}); start the run again")
    return msgspec.json.decode(line, type=shape)


def _pipe(pipe: IO[bytes] | None) -> IO[bytes]:
    if pipe is None:
        raise TypeError("the proxy was started without pipes")
    return pipe


class _Control:
    """Reads control lines and answers them."""

    def __init__(self, relay: Relay) -> None:
        self._relay = relay
        self._pending = b""

    def on_readable(self) -> None:
        data = os.read(0, 4096)
        if not data:
            self._relay.close()
            self._relay.unwatch_file(0)
            return
        *lines, self._pending = (self._pending + data).split(b"\n")
        for line in lines:
            delay = msgspec.json.decode(line, type=_Delay)
            self._relay.round_trip = milliseconds(delay.round_trip_ms)
            _say(delay)


def _say(message: msgspec.Struct) -> None:
    os.write(1, msgspec.json.encode(message) + b"\n")


def _wake_punctually() -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_TIMERSLACK, 1)
    gc.freeze()


def main() -> None:
    """The process: relay until standard input ends."""
    parser = argparse.ArgumentParser(description="Adds a round trip to a TCP connection.")
    parser.add_argument("--target", required=True, metavar="HOST:PORT")
    parser.add_argument("--round-trip-ms", type=float, required=True)
    arguments = parser.parse_args()
    host, _, port = arguments.target.rpartition(":")
    relay = Relay((host, int(port)), milliseconds(arguments.round_trip_ms))
    relay.watch_file(0, _Control(relay).on_readable)
    _wake_punctually()
    _say(_Listening(port=relay.port))
    relay.run()


if __name__ == "__main__":
    main()
