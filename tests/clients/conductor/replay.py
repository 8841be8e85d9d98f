"""The replay server as a process that was told to hold, and its control over HTTP."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import urllib.request
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from harness.recordings.catalogue import find
from harness.recordings.format import load
from harness.replay.envelope import payload_of
from harness.replay.tape import tape_of
from harness.services.program import free_port
from harness.spawn import python_environment, spawn, stop

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from harness.replay.tape import Tape

_START_SECONDS = 60.0
_ANSWER_SECONDS = 10.0
_LOOPBACK = "127.0.0.1"


class ReplayFailed(Exception):
    """The server did not start, did not answer, or did not get where it was told to go."""


@dataclass(frozen=True, slots=True)
class Connection:
    """What the server says of one WebSocket connection."""

    number: int
    path: str
    open: bool
    streams: frozenset[str]
    """Those subscribed now; of one that ended, none."""
    stretches: tuple[Stretch, ...]


@dataclass(frozen=True, slots=True)
class Stretch:
    """All frames of these streams at places `first` to `end` (exclusive) of the tape were sent."""

    streams: frozenset[str]
    combined: bool
    first: int
    end: int


class Replay:
    """A server of its own for one client; a context manager that ends it by its process id."""

    def __init__(self, recording: str, *, speed: float, log: Path, tls_folder: Path | None = None) -> None:
        """With TLS as well where there is a folder for the certificate."""
        self.port = free_port()
        self.tls_port = free_port()
        self.recording = load(find(recording))
        self.tape: Tape = tape_of(self.recording.frames)
        self._log = log
        argv = [sys.executable, "-m", "harness.cli.main", "replay", "serve", recording, "--hold"]
        argv += ["--speed", str(speed), "--port", str(self.port)]
        if tls_folder is not None:
            argv += ["--tls", "--tls-port", str(self.tls_port), "--tls-folder", str(tls_folder)]
        with log.open("wb") as file:
            self._process = spawn(argv, env=python_environment(), stdout=file.fileno(), stderr=subprocess.STDOUT)

    @property
    def market(self) -> str:
        """`spot` or `usdm`."""
        return str(self.recording.header.market)

    def __enter__(self) -> Self:
        until = time.monotonic() + _START_SECONDS
        while True:
            try:
                self._ask("state")
            except ReplayFailed as error:
                if time.monotonic() > until or self._process.poll() is not None:
                    stop(self._process)
                    raise ReplayFailed(f"the replay server did not start\n{self._last_words()}") from error
                time.sleep(0.05)
            else:
                return self

    def __exit__(self, *_: object) -> None:
        stop(self._process)

    def place_of(self, market_frame: int) -> int:
        """The place on the tape of the n-th market frame, from 1."""
        places = [place for place, stream in enumerate(self.tape.stream.tolist()) if stream != -2]
        return int(places[market_frame - 1])

    def play_to(self, market_frame: int, *, seconds: float) -> None:
        """Play up to and with that market frame, counted from 1, and hold again."""
        self._ask("start", {"until_frame": market_frame})
        until = time.monotonic() + seconds
        while True:
            state = self._ask("state")
            if state["state"] != "playing" and state["market_frame"] >= market_frame:
                return
            if time.monotonic() > until:
                raise ReplayFailed(f"the replay did not reach frame {market_frame}: {state}")
            time.sleep(0.02)

    def connections(self) -> list[Connection]:
        """All that there were, in the order in which they came."""
        return [_connection(said) for said in self._ask("connections")]

    def served(self, connection: Connection, first: int, end: int) -> list[str]:
        """The texts that this connection was sent of the places `first` to `end` (exclusive) of the tape."""
        texts = []
        for stretch in connection.stretches:
            for place in range(max(first, stretch.first), min(end, stretch.end)):
                stream = int(self.tape.stream[place])
                if stream >= 0 and self.tape.names[stream] in stretch.streams:
                    body = self.tape.bodies[place]
                    texts.append((body if stretch.combined else payload_of(body)).decode())
        return texts

    def _ask(self, what: str, body: dict[str, Any] | None = None) -> Any:
        request = urllib.request.Request(f"http://{_LOOPBACK}:{self.port}/tickproof/{what}")
        if body is not None:
            request.data = json.dumps(body).encode()
            request.add_header("Content-Type", "application/json")
        try:
            with _OPENER.open(request, timeout=_ANSWER_SECONDS) as answer:
                return json.loads(answer.read())
        except OSError as error:
            raise ReplayFailed(f"{what}: {error}") from error

    def _last_words(self) -> str:
        return self._log.read_bytes()[-2000:].decode(errors="replace").strip()


#: No proxy: what is asked is on this machine.
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def _connection(said: dict[str, Any]) -> Connection:
    stretches = tuple(
        Stretch(frozenset(one["streams"]), one["wrapping"] == "combined", one["first"], one["end"])
        for one in said["sent"]
    )
    streams = stretches[-1].streams if said["open"] and stretches else frozenset()
    return Connection(said["number"], said["path"], said["open"], streams, stretches)


def subscribed(connections: Sequence[Connection]) -> frozenset[str]:
    """The streams of all connections that are open."""
    return frozenset(stream for connection in connections for stream in connection.streams)
