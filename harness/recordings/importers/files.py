"""Files of other tools into one recording: read twice, merged by time, written."""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from harness.errors import RecordingError
from harness.recordings.format import DEFAULT_MAX_BYTES, Frame, Gap, Header, Writer
from harness.recordings.importers.detection import READERS, detect
from harness.recordings.importers.items import Wanted
from harness.recordings.records import MARKED_VERSION, MARKET, VERSION
from harness.units import NS_PER_MS, Nanoseconds

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from harness.recordings.importers.detection import Format
    from harness.recordings.importers.items import Item, Told
    from harness.recordings.records import Market

#: Where nothing tells the market.
_MARKET_UNKNOWN: Final[dict[Format, str]] = {
    "cryptofeed": "no line with the connect URL (wss://...)",
    "hftbacktest": "no frame of a shape that only one market has",
    "tardis": "no frame of a shape that only one market has",
    "binance-csv": "neither folder nor columns tell spot from USD-M",
}
#: What a line of a recording has besides its frame, at most.
_LINE_BYTES: Final = 40
_SUFFIXES: Final = (".gz", ".zst", ".zip", ".csv", ".dat", ".raw", ".json")
_MAX_NAMES_TOLD: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """What an import wrote."""

    market: Market
    frames: int
    rest_bodies: int
    held_times: int
    """Frames whose clock ran back; they keep their place and got the time of their predecessor."""
    gaps: int = 0
    """Times in which a connection was away, as the files tell; the recording has a mark for each."""
    left_out: int = 0
    """Lines that are no traffic of the exchange's."""


@dataclass(slots=True)
class _Counts:
    frames: int = 0
    rest: int = 0
    held: int = 0
    gaps: int = 0
    lines: int = 0
    first_ns: int | None = None
    latest_ns: int = 0


@dataclass(slots=True)
class _File:
    """One source: surveyed first, then read for good with what the survey found."""

    path: Path
    form: Format
    wanted: Wanted
    told: Told | None = None
    counts: _Counts = field(default_factory=_Counts)

    def items(self, on_progress: Callable[[int], None] | None) -> Iterator[Item]:
        """Those in the wanted time, with times that never run back; `told` and `counts` are complete at the end."""
        reader = READERS[self.form](self.path, self.wanted)
        self.told, self.counts = reader.told, _Counts()
        counts = self.counts
        for item in reader.items(on_progress):
            counts.lines = item.line
            if self.wanted.until_ns is not None and item.at >= self.wanted.until_ns:
                break
            if self.wanted.from_ns is not None and item.at < self.wanted.from_ns:
                continue
            counts.held += item.at < counts.latest_ns
            counts.latest_ns = max(counts.latest_ns, item.at)
            counts.first_ns = counts.latest_ns if counts.first_ns is None else counts.first_ns
            counts.frames += item.connection == MARKET
            counts.rest += item.connection != MARKET
            counts.gaps += item.lost_at is not None
            yield item._replace(at=counts.latest_ns)


def import_raw(source: Path, target: Path, on_progress: Callable[[int], None] | None = None) -> Imported:
    """Write the `.raw` file `source` of cryptofeed as a recording; `on_progress` gets the bytes read so far.

    Frames keep their order and go on the market connection; REST bodies become `rest:<path?query>` lines. A frame
    whose clock ran back gets the time of its predecessor. Exchange filters are not in such files: none are written.
    Raises RecordingError with the line for a cut or malformed line, for an unknown market, and where no frame is.
    """
    return import_files([source], target, form="cryptofeed", on_progress=on_progress)


def import_files(
    sources: Sequence[Path],
    target: Path,
    *,
    form: Format | None = None,
    wanted: Wanted | None = None,
    on_progress: Callable[[int], None] | None = None,
) -> Imported:
    """Write files of another tool as one recording, in the order of their times.

    `form` None finds the format of each file by its content. `on_progress` gets how much of the files' bytes is done;
    they are read twice, since the header comes first. Frames whose clock ran back are held, as in `import_raw`. Raises
    RecordingError with file and line for a cut or malformed line, where the market or symbol is neither told nor
    wanted, for files of several markets, where no frame is, and for more text than a recording may hold.
    """
    wanted = wanted or Wanted()
    files = [_File(path, form or detect(path), wanted) for path in sources]
    progress = _Progress(len(files), on_progress)
    for number, file in enumerate(files):
        for _ in file.items(progress.of(number)):
            pass
    header = _header(files)
    for file in files:
        assert file.told is not None  # noqa: S101  # it was surveyed
        file.wanted = replace(wanted, market=header.market, symbol=wanted.symbol or file.told.symbol)
    with Writer(target, header) as writer:
        _write(writer, header, target, files, progress)
    counts = [file.counts for file in files]
    return Imported(
        market=header.market,
        frames=sum(each.frames for each in counts),
        rest_bodies=sum(each.rest for each in counts),
        held_times=sum(each.held for each in counts),
        gaps=sum(each.gaps for each in counts),
        left_out=sum(file.told.left_out for file in files if file.told),
    )


def _write(writer: Writer, header: Header, target: Path, files: Sequence[_File], progress: _Progress) -> None:
    start_ns = header.start_ms * NS_PER_MS
    text_bytes = 0
    each = [file.items(progress.of(number, again=True)) for number, file in enumerate(files)]
    numbered = [((number, item) for item in items) for number, items in enumerate(each, 1)]
    for number, item in heapq.merge(*numbered, key=lambda pair: pair[1].at):
        at = Nanoseconds(item.at - start_ns)
        if item.lost_at is not None:
            writer.mark(at, _gap(files, number, lost_at=item.lost_at - start_ns, back_at=at))
        text_bytes += len(item.body) + _LINE_BYTES
        if text_bytes > DEFAULT_MAX_BYTES:
            allowed = f"more than the {DEFAULT_MAX_BYTES:,} bytes that a recording may hold"
            raise RecordingError(target, writer.frames + 2, f"{allowed}; take less of it (--from, --until)")
        writer.write(Frame(at, item.connection, item.body))


def _gap(files: Sequence[_File], number: int, *, lost_at: int, back_at: int) -> Gap:
    told = files[number - 1].told
    alone = len(files) == 1 or told is None
    return Gap(
        connection="market",
        number=0 if alone else number,
        streams=() if told is None or alone else tuple(told.streams),
        lost_at_ns=lost_at,
        back_at_ns=back_at,
        reason="the recorder was disconnected",
    )


def _header(files: Sequence[_File]) -> Header:
    market = _market(files)
    seen = [file.counts for file in files]
    starts = [counts.first_ns for counts in seen if counts.first_ns is not None]
    streams = dict.fromkeys(name for file in files if file.told for name in file.told.streams)
    names = [file.path.name for file in files[:_MAX_NAMES_TOLD]]
    more = f" and {len(files) - len(names)} more" if len(files) > len(names) else ""
    forms = ", ".join(dict.fromkeys(file.form for file in files))
    return Header(
        version=MARKED_VERSION if any(counts.gaps for counts in seen) else VERSION,
        market=market,
        streams=tuple(streams),
        start_ms=min(starts) // NS_PER_MS,
        source="imported",
        title=_title(files),
        note=f"Imported from {', '.join(names)}{more} ({forms}). Exchange filters are not known.",
    )


def _market(files: Sequence[_File]) -> Market:
    """The one market of all files; raises RecordingError where there is none, several, or no frame at all."""
    if not any(file.counts.frames for file in files):
        first = files[0]
        problem = "the file holds no frame of a WebSocket; there is nothing to replay"
        raise RecordingError(first.path, max(1, first.counts.lines), problem)
    found: Market | None = None
    for file in files:
        market = (file.told.market if file.told else None) or file.wanted.market
        if market is None and not file.counts.frames:
            continue  # REST bodies only: they are of the market of the other files
        if market is None:
            told = f"{_MARKET_UNKNOWN[file.form]}; the market is not known: give it (--market)"
            raise RecordingError(file.path, 1, told)
        wanted = file.wanted.market or found or market
        if market != wanted:
            raise RecordingError(file.path, 1, f"the file is of {market}, not of {wanted}")
        found = market
    assert found is not None  # noqa: S101  # a file has a frame
    return found


def _title(files: Sequence[_File]) -> str:
    name = files[0].path.name
    while name.endswith(_SUFFIXES):
        name = name.rpartition(".")[0]
    return name if len(files) == 1 else f"{name} and {len(files) - 1} more"


class _Progress:
    """Bytes of all files, each of which counts half in either reading."""

    def __init__(self, files: int, on_progress: Callable[[int], None] | None) -> None:
        self._done = [[0, 0] for _ in range(files)]
        self._on_progress = on_progress

    def of(self, number: int, *, again: bool = False) -> Callable[[int], None] | None:
        """What takes the bytes read of one file in one reading."""
        on_progress = self._on_progress
        if on_progress is None:
            return None

        def advance(done: int) -> None:
            self._done[number][again] = done
            on_progress(sum(map(sum, self._done)) // 2)

        return advance
