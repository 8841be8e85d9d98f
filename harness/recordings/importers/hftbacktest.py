"""Files of hftbacktest's collector, and of the collector before it (collect-binancefutures).

A line is `<receive time> <JSON>`: the time in nanoseconds (`.gz`, the collector) or in microseconds (`.dat`, the older
one). The JSON is a frame, or the body of a depth request, which bears no stream. A file is of one symbol.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from harness.errors import RecordingError
from harness.recordings.importers.items import DEPTH_PATHS, Item, Told, check_json, note
from harness.recordings.importers.texts import lines
from harness.recordings.records import MARKET

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from harness.recordings.importers.items import Wanted

#: 16 digits are microseconds, 19 are nanoseconds.
_LINE: Final = re.compile(rb"(?P<time>\d{16}(?:\d{3})?) (?P<body>\{.*)")
_MICROSECOND_DIGITS: Final = 16
_SNAPSHOT: Final = re.compile(rb'\{\s*"lastUpdateId"\s*:')
#: An answer to a request that was refused, as `{"code":-1121,"msg":"..."}`.
_REFUSAL: Final = re.compile(rb'\{\s*"code"\s*:')
#: How many levels both collectors ask for.
_LIMIT: Final = 1_000
_NAME: Final = re.compile(r"(?P<symbol>[A-Za-z0-9_]+?)_\d{8}\.")


def is_hftbacktest(line: bytes) -> bool:
    """Whether a file with such a line is one of hftbacktest's."""
    return _LINE.fullmatch(line) is not None


class HftbacktestReader:
    """One file of one symbol, which its frames tell, else its name (`btcusdt_20220811.dat`)."""

    def __init__(self, path: Path, wanted: Wanted) -> None:
        self.told = Told()
        self._wanted = wanted
        self._path = path
        named = _NAME.match(path.name)
        self._symbol = wanted.symbol or (named["symbol"] if named else "")

    def items(self, on_progress: Callable[[int], None] | None) -> Iterator[Item]:
        """Frames and depth snapshots; answers that are errors are left out."""
        for number, line in lines(self._path, on_progress):
            match = _LINE.fullmatch(line)
            if match is None:
                raise RecordingError(self._path, number, "not `<time in 16 or 19 digits> <JSON>`")
            body = match["body"]
            check_json(self._path, number, body)
            factor = 1_000 if len(match["time"]) == _MICROSECOND_DIGITS else 1
            at = int(match["time"]) * factor
            if _REFUSAL.match(body):
                self.told.left_out += 1
            elif _SNAPSHOT.match(body):
                yield Item(at, self._rest(), body, number)
            else:
                note(self.told, self._path, number, body)
                yield Item(at, MARKET, body, number)

    def _rest(self) -> str:
        symbol = (self.told.symbol or self._symbol).upper()
        market = self.told.market or self._wanted.market or "spot"
        return f"rest:{DEPTH_PATHS[market]}?symbol={symbol}&limit={_LIMIT}"
