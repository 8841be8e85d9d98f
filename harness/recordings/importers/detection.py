"""Which tool a file is of, told by its first lines."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

from harness.errors import RecordingError
from harness.recordings.importers.binance_csv import BinanceCsvReader, is_binance_csv
from harness.recordings.importers.cryptofeed import CryptofeedReader, is_cryptofeed
from harness.recordings.importers.hftbacktest import HftbacktestReader, is_hftbacktest
from harness.recordings.importers.tardis import TardisReader, is_tardis
from harness.recordings.importers.texts import lines
from harness.recordings.records import FORMAT

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from harness.recordings.importers.items import Reader, Wanted

Format = Literal["cryptofeed", "hftbacktest", "tardis", "binance-csv"]

READERS: Final[dict[Format, Callable[[Path, Wanted], Reader]]] = {
    "cryptofeed": CryptofeedReader,
    "hftbacktest": HftbacktestReader,
    "tardis": TardisReader,
    "binance-csv": BinanceCsvReader,
}
FORMATS: Final = tuple(READERS)
_TESTS: Final[dict[Format, Callable[[bytes], bool]]] = {
    "hftbacktest": is_hftbacktest,
    "tardis": is_tardis,
    "binance-csv": is_binance_csv,
    "cryptofeed": is_cryptofeed,
}
#: A file may begin with a few lines that tell nothing, as empty ones.
_LINES_TRIED: Final = 20


def detect(path: Path) -> Format:
    """The format of a file by its content, packed or not; raises RecordingError for one that is of none."""
    for number, line in lines(path):
        if number == 1 and FORMAT.encode() in line[:200]:
            raise RecordingError(path, 1, "is a recording already; there is nothing to import")
        for name, test in _TESTS.items():
            if test(line):
                return name
        if number >= _LINES_TRIED:
            break
    raise RecordingError(path, 1, f"empty, or of no known format; known: {', '.join(FORMATS)} (--format)")
