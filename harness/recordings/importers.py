"""Recordings of other tools, made into ours: the `.raw` files of cryptofeed."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

import msgspec

from harness.errors import RecordingError
from harness.recordings.format import MARKET, MAX_LINE_BYTES, Frame, Header, Market, Writer, check_connection
from harness.units import NS_PER_MS, NS_PER_S, Nanoseconds

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

_TIME: Final = rb"(?P<seconds>\d{9,11})(?:\.(?P<fraction>\d{1,9})\d*)?"
#: `<unix seconds>: <frame>`, perhaps with the name of a connection before it.
_FRAME_LINE: Final = re.compile(rb"(?:[^\s{\[]+[: ]\s*)??" + _TIME + rb": (?P<body>[{\[].*)")
#: `<url> -> <unix seconds>: <body>`
_REST_LINE: Final = re.compile(rb"(?P<url>https?://\S+) -> " + _TIME + rb": (?P<body>.*)")
#: `<url> <-> <unix seconds>` for a connection, `<url> <- ...` for what was sent on it.
_CONNECT_LINE: Final = re.compile(rb"(?P<url>wss?://\S+)(?: .*)?")
_CONFIGURATION: Final = b"configuration: "

#: How the host tells the market; COIN-M (dstream) and options have shapes that nothing here reads.
_MARKETS: Final[dict[str, Market]] = {"stream.": "spot", "data-stream.": "spot", "fstream.": "usdm"}
_ROUTES: Final = ("/public", "/market", "/private")


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """What an import wrote."""

    market: Market
    frames: int
    rest_bodies: int
    held_times: int
    """Frames whose clock ran back; they keep their place and got the time of their predecessor."""


def import_raw(source: Path, target: Path, on_progress: Callable[[int], None] | None = None) -> Imported:
    """Write the `.raw` file `source` of cryptofeed as a recording; `on_progress` gets the bytes read so far.

    Frames keep their order and go on the market connection; REST bodies become `rest:<path?query>` lines. A frame
    whose clock ran back gets the time of its predecessor. Exchange filters are not in such files: none are written.
    Raises RecordingError with the line for a cut or malformed line, for an unknown market, and where no frame is.
    """
    raw = _Raw(source)
    # Twice through the file: the header, with market and streams, comes before the first frame.
    header = raw.survey()
    frames = rest = held = 0
    at = Nanoseconds(0)
    with Writer(target, header) as writer:
        for line in raw.frames(on_progress):
            since = Nanoseconds(line.at - header.start_ms * NS_PER_MS)
            held += since < at
            at = max(at, since)
            writer.write(Frame(at, line.connection, line.body))
            frames += line.connection == MARKET
            rest += line.connection != MARKET
    return Imported(market=header.market, frames=frames, rest_bodies=rest, held_times=held)


class _Raw:
    """One `.raw` file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._number = 0

    def survey(self) -> Header:
        """The header for the recording: market and streams from the connect URLs, the start from the first line."""
        urls: list[str] = []
        first: Frame | None = None
        seen = False
        for line in self._lines(None):
            if connect := _CONNECT_LINE.fullmatch(line):
                urls.append(connect["url"].decode())
            elif frame := self._frame(line):
                first = first or frame
                seen = seen or frame.connection == MARKET
        if first is None or not seen:
            raise RecordingError(
                self._path, max(1, self._number), "the file holds no frame of a WebSocket; there is nothing to replay"
            )
        if not urls:
            raise RecordingError(self._path, 1, "no line with the connect URL (wss://...); the market is not known")
        markets = {self._market(url) for url in urls}
        if len(markets) > 1:
            raise RecordingError(
                self._path, 1, "frames of several markets in one file; import them from files of their own"
            )
        return Header(
            market=markets.pop(),
            streams=tuple(dict.fromkeys(name for url in urls for name in _streams(url))),
            start_ms=first.at // NS_PER_MS,
            source="imported",
            title=self._path.stem,
            note=f"Imported from {self._path.name} (cryptofeed). Exchange filters are not known.",
        )

    def frames(self, on_progress: Callable[[int], None] | None) -> Iterator[Frame]:
        """Frames and REST bodies, with `at` in unix nanoseconds."""
        for line in self._lines(on_progress):
            if not _CONNECT_LINE.fullmatch(line) and (frame := self._frame(line)):
                yield frame

    def _lines(self, on_progress: Callable[[int], None] | None) -> Iterator[bytes]:
        self._number = 0
        done = 0
        try:
            with self._path.open("rb") as file:
                while line := file.readline(MAX_LINE_BYTES + 1):
                    self._number += 1
                    if len(line) > MAX_LINE_BYTES:
                        raise self._error(f"the line is longer than {MAX_LINE_BYTES:,} bytes")
                    done += len(line)
                    yield line.rstrip(b"\r\n")
                    if on_progress is not None:
                        on_progress(done)
        except OSError as error:
            raise self._error(f"cannot be read: {error.strerror or error}") from error

    def _frame(self, line: bytes) -> Frame | None:
        """The frame of a line, None for a line that holds none."""
        if not line or line.startswith(_CONFIGURATION):
            return None
        if match := _REST_LINE.fullmatch(line):
            url = urlsplit(match["url"].decode())
            connection = f"rest:{url.path}" + (f"?{url.query}" if url.query else "")
            if not check_connection(connection):
                raise self._error(f"a REST path that no recording can hold: {connection[:80]!r}")
        elif match := _FRAME_LINE.fullmatch(line):
            connection = MARKET
        else:
            raise self._error("neither `<time>: <frame>` nor a connect, REST or configuration line")
        self._check_json(match["body"])
        fraction = (match["fraction"] or b"").ljust(9, b"0")
        return Frame(Nanoseconds(int(match["seconds"]) * NS_PER_S + int(fraction)), connection, match["body"])

    def _check_json(self, body: bytes) -> None:
        try:
            msgspec.json.decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise self._error(f"cut or malformed: the frame is not JSON ({error})") from error

    def _market(self, url: str) -> Market:
        host = urlsplit(url).hostname or ""
        for prefix, market in _MARKETS.items():
            if host.startswith(prefix):
                return market
        raise RecordingError(self._path, 1, f"unknown market {host!r}; known: stream.* (spot) and fstream.* (USD-M)")

    def _error(self, problem: str) -> RecordingError:
        return RecordingError(self._path, max(1, self._number), problem)


def _streams(url: str) -> list[str]:
    """The streams that a connect URL asks for, in its combined (`?streams=`) or raw (`/ws/<a>/<b>`) form."""
    parts = urlsplit(url)
    for item in parts.query.split("&"):
        key, _, names = item.partition("=")
        if key == "streams":
            return [name for name in names.split("/") if name]
    path = parts.path
    for route in _ROUTES:
        path = path.removeprefix(route)
    return [name for name in path.removeprefix("/ws").split("/") if "@" in name or name.startswith("!")]
