"""`.raw` files, as cryptofeed's raw data collection writes them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from harness.errors import RecordingError
from harness.recordings.importers.items import Item, Told, check_json
from harness.recordings.importers.texts import lines
from harness.recordings.records import MARKET, check_connection
from harness.units import NS_PER_S

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from harness.recordings.importers.items import Wanted
    from harness.recordings.records import Market

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


def is_cryptofeed(line: bytes) -> bool:
    """Whether a file with such a line is one of cryptofeed's."""
    forms = (_FRAME_LINE, _REST_LINE, _CONNECT_LINE)
    return line.startswith(_CONFIGURATION) or any(form.fullmatch(line) for form in forms)


class CryptofeedReader:
    """One `.raw` file; its connect URLs tell market and streams."""

    def __init__(self, path: Path, wanted: Wanted) -> None:
        del wanted  # the connect URLs tell all that there is
        self.told = Told()
        self._path = path
        self._line = 0

    def items(self, on_progress: Callable[[int], None] | None) -> Iterator[Item]:
        """Frames and REST bodies."""
        for number, line in lines(self._path, on_progress):
            self._line = number
            if connect := _CONNECT_LINE.fullmatch(line):
                url = connect["url"].decode(errors="replace")
                self._settle(self._market(url))
                self.told.streams.update(dict.fromkeys(_streams(url)))
            elif item := self._item(line):
                yield item

    def _settle(self, market: Market) -> None:
        if self.told.market not in {None, market}:
            raise self._error("frames of several markets in one file; import them from files of their own")
        self.told.market = market

    def _item(self, line: bytes) -> Item | None:
        """The frame of a line, None for a line that holds none."""
        if not line or line.startswith(_CONFIGURATION):
            return None
        if match := _REST_LINE.fullmatch(line):
            url = urlsplit(match["url"].decode(errors="replace"))
            connection = f"rest:{url.path}" + (f"?{url.query}" if url.query else "")
            if not check_connection(connection):
                raise self._error(f"a REST path that no recording can hold: {connection[:80]!r}")
        elif match := _FRAME_LINE.fullmatch(line):
            connection = MARKET
        else:
            raise self._error("neither `<time>: <frame>` nor a connect, REST or configuration line")
        check_json(self._path, self._line, match["body"])
        fraction = (match["fraction"] or b"").ljust(9, b"0")
        return Item(int(match["seconds"]) * NS_PER_S + int(fraction), connection, match["body"], self._line)

    def _market(self, url: str) -> Market:
        host = urlsplit(url).hostname or ""
        for prefix, market in _MARKETS.items():
            if host.startswith(prefix):
                return market
        raise RecordingError(self._path, 1, f"unknown market {host!r}; known: stream.* (spot) and fstream.* (USD-M)")

    def _error(self, problem: str) -> RecordingError:
        return RecordingError(self._path, self._line, problem)


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
