"""What all drivers share: requests in as JSON lines, answers out as JSON lines, what was received into a file.

A driver is a program of its own, run by the interpreter of an environment that holds one client library and nothing of
ours; it imports the standard library, its client and this module. Requests are `{"do": "open", "streams": [...]}` and
so on (see `Driver`), each answered by `{"done": "open", "messages": n}` or `{"failed": "..."}`. What a client reports
besides (errors, notices) goes out as `{"note": "..."}` at any time. Every message that the client handed to its user is
a line of the file: `{"text": "..."}` exactly as it was received, or `{"value": ...}` where the client hands over only
what it made of it.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import threading
import traceback
from abc import ABC, abstractmethod
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, TextIO

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Where the replay is."""

    streams: str
    """The root of the WebSocket side, `ws://127.0.0.1:9443`, or `wss://localhost:9444` for a client that wants TLS."""
    rest: str
    """The root of the REST side, `http://127.0.0.1:9443`."""
    market: str
    """`spot` or `usdm`."""


class Recorder:
    """Counts and writes what was received; may be called from any thread."""

    def __init__(self, file: TextIO) -> None:
        self._file = file
        self._lock = threading.Lock()
        self.messages = 0

    def text(self, text: str) -> None:
        """A message as it was received."""
        self._write({"text": text})

    def value(self, value: Any) -> None:
        """A message as the client parsed it."""
        self._write({"value": value})

    def flush(self) -> int:
        """How many messages are in the file now."""
        with self._lock:
            self._file.flush()
            return self.messages

    def _write(self, line: dict[str, Any]) -> None:
        with self._lock:
            self.messages += 1
            self._file.write(json.dumps(line) + "\n")


class Driver(ABC):
    """One client library, told what to do in the words of the exchange: stream names such as `btcusdt@aggTrade`."""

    #: Names of the distributions whose versions are reported, the client first.
    distributions: ClassVar[tuple[str, ...]]

    def __init__(self, settings: Settings, recorder: Recorder) -> None:
        self.settings = settings
        self.recorder = recorder

    @abstractmethod
    async def open(self, streams: Sequence[str]) -> None:
        """Connect for the first time, or again after `close`, and subscribe."""

    @abstractmethod
    async def subscribe(self, streams: Sequence[str]) -> None:
        """Subscribe to more, in the client's own way, while connected."""

    @abstractmethod
    async def unsubscribe(self, streams: Sequence[str]) -> None:
        """Give some up, in the client's own way, while connected."""

    @abstractmethod
    async def recover(self, streams: Sequence[str]) -> None:
        """Come back after the connection was cut; nothing for a client that does so by itself."""

    @abstractmethod
    async def close(self) -> None:
        """Close all connections."""


def say(answer: dict[str, Any]) -> None:
    """One line to whoever conducts."""
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


def note(text: object) -> None:
    """Something that the client reported besides data."""
    say({"note": str(text)[:500]})


def symbol_of(stream: str) -> str:
    """`btcusdt` of `btcusdt@depth@100ms`."""
    return stream.partition("@")[0]


def channel_of(stream: str) -> str:
    """`depth@100ms` of `btcusdt@depth@100ms`."""
    return stream.partition("@")[2]


def by_symbol(streams: Sequence[str]) -> dict[str, list[str]]:
    """The streams of each symbol, in their order."""
    found: dict[str, list[str]] = {}
    for stream in streams:
        found.setdefault(symbol_of(stream), []).append(stream)
    return found


def route_of(stream: str) -> str:
    """USD-M: `public` for book data, `market` for the rest; the exchange splits them over two addresses."""
    channel = channel_of(stream)
    return "public" if channel.startswith(("depth", "bookTicker")) else "market"


async def until(condition: Callable[[], object], seconds: float = 20.0) -> None:
    """Return once the condition holds; raises TimeoutError."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - what is waited for belongs to the client and sets no event
            await asyncio.sleep(0.02)


def main(make: Callable[[Settings, Recorder], Driver]) -> None:
    """Run a driver until `end` is asked for or standard input ends."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--streams", required=True)
    parser.add_argument("--rest", required=True)
    parser.add_argument("--market", required=True, choices=["spot", "usdm"])
    parser.add_argument("--received", required=True, type=Path)
    given = parser.parse_args()
    settings = Settings(streams=given.streams, rest=given.rest, market=given.market)
    with given.received.open("w", encoding="utf-8") as file:
        recorder = Recorder(file)
        driver = make(settings, recorder)
        say({"ready": {name: version(name) for name in driver.distributions}})
        asyncio.run(_serve(driver, recorder))


async def _serve(driver: Driver, recorder: Recorder) -> None:
    while line := await asyncio.to_thread(sys.stdin.readline):
        request = json.loads(line)
        what = request["do"]
        if what == "end":
            say({"done": "end", "messages": recorder.flush()})
            return
        try:
            await _do(driver, what, request.get("streams", []))
        except Exception:  # noqa: BLE001 - whatever a client raises is reported
            say({"failed": traceback.format_exc(limit=-6)})
        else:
            say({"done": what, "messages": recorder.flush()})


async def _do(driver: Driver, what: str, streams: list[str]) -> None:
    if what == "close":
        await driver.close()
    elif what in {"open", "subscribe", "unsubscribe", "recover"}:
        await getattr(driver, what)(streams)
    elif what != "count":
        raise ValueError(f"no such request: {what}")
