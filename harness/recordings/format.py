"""The file of a recording: its header, its frames, its seal; read whole and verified, or not at all.

UTF-8 text, plain (`.jsonl`) or zstd (`.jsonl.zst`). Line 1 is the header as JSON. Then a line a frame:
`<ns since start> <connection> <frame exactly as received>`. The last line, `{"frames":N,"sha256":"..."}`, seals the
uncompressed text before it. A line whose connection is `mark:gap` is no frame: it tells, as JSON, of a time in which a
connection of the capture was away. Marks are in the hash, but not in the count.

Versions: 2 - may hold marks; 1 - first. What holds no marks is written as 1.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self

import msgspec
import zstandard

from harness.errors import RecordingError
from harness.exchange.filters import SymbolFilters
from harness.recordings.records import (
    FORMAT,
    GAP_MARK,
    MARKED_VERSION,
    MARKET,
    REST,
    USER,
    VERSION,
    Frame,
    Gap,
    Generator,
    Header,
    Mark,
    Market,
    Seal,
    Source,
    check_connection,
)
from harness.recordings.text import DEFAULT_MAX_BYTES, MAX_LINE_BYTES, is_compressed, lines_of
from harness.units import Nanoseconds

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from types import TracebackType
    from typing import BinaryIO

__all__ = [
    "DEFAULT_MAX_BYTES",
    "MARKED_VERSION",
    "MARKET",
    "MAX_LINE_BYTES",
    "REST",
    "USER",
    "VERSION",
    "Frame",
    "Gap",
    "Generator",
    "Header",
    "Mark",
    "Market",
    "Reader",
    "Recording",
    "Seal",
    "Source",
    "Summary",
    "SymbolFilters",
    "Writer",
    "check_connection",
    "is_compressed",
    "load",
    "recording_name",
    "verify",
]

#: 18 digits of nanoseconds are 31 years.
_MAX_TIME_DIGITS: Final = 18
#: A second for the shipped recording; level 19 takes thirty and saves 15 %.
_ZSTD_LEVEL: Final = 12
_READABLE: Final = (VERSION, MARKED_VERSION)
_GAP_MARK: Final = GAP_MARK.encode()


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """A whole, verified recording in memory."""

    path: Path
    name: str
    header: Header
    frames: list[Frame]
    sha256: str
    """Of the uncompressed text before the seal, in hex: what a result names the recording by."""
    gaps: tuple[Mark, ...] = ()
    """Times in which a connection of the capture was away."""

    @property
    def span_ns(self) -> Nanoseconds:
        """From the recording's start to its last frame."""
        return self.frames[-1].at


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """What `verify` found in a good recording, without holding its frames."""

    path: Path
    name: str
    header: Header
    frames: int
    frames_by_connection: dict[str, int]
    """REST bodies are counted together, under "rest"."""
    span_ns: Nanoseconds
    text_bytes: int
    """Of the uncompressed text, the seal included."""
    sha256: str
    gaps: tuple[Mark, ...] = ()


def recording_name(path: Path) -> str:
    """The file's name without `.jsonl` or `.jsonl.zst`."""
    return path.name.removesuffix(".zst").removesuffix(".jsonl")


def load(path: Path, *, max_bytes: int = DEFAULT_MAX_BYTES) -> Recording:
    """The recording, after all of it was verified.

    Raises RecordingError with file and line for one that is cut, edited, empty, oversized (uncompressed text beyond
    `max_bytes`), of another version, not UTF-8, or whose time runs back.
    """
    reader = Reader(path, lines_of(path, max_bytes=max_bytes))
    frames = list(reader.frames())
    return Recording(
        path=path,
        name=recording_name(path),
        header=reader.header,
        frames=frames,
        sha256=reader.seal.sha256,
        gaps=tuple(reader.gaps),
    )


def verify(path: Path, *, max_bytes: int = DEFAULT_MAX_BYTES) -> Summary:
    """As `load`, in constant memory: what the recording holds, or RecordingError."""
    reader = Reader(path, lines_of(path, max_bytes=max_bytes))
    by_connection: dict[str, int] = {}
    span = Nanoseconds(0)
    for frame in reader.frames():
        key = frame.connection.partition(":")[0]
        by_connection[key] = by_connection.get(key, 0) + 1
        span = frame.at
    return Summary(
        path=path,
        name=recording_name(path),
        header=reader.header,
        frames=reader.seal.frames,
        frames_by_connection=by_connection,
        span_ns=span,
        text_bytes=reader.text_bytes,
        sha256=reader.seal.sha256,
        gaps=tuple(reader.gaps),
    )


class Reader:
    """One reading of one file; `header`, `gaps` and `seal` are there once `frames()` is exhausted."""

    header: Header
    seal: Seal

    def __init__(self, path: Path, lines: Iterator[tuple[int, bytes]]) -> None:
        """`lines` are those of the file at `path`, which is named in errors."""
        self.text_bytes = 0
        self.gaps: list[Mark] = []
        self.frame_count = 0
        """Frames given so far."""
        self._path = path
        self._lines = lines
        self._digest = hashlib.sha256()
        self._connections: dict[bytes, str] = {}

    def frames(self) -> Iterator[Frame]:
        """Each frame as its line is read; nothing may be used before the end, which is where the seal is checked."""
        number, line = next(self._lines, (1, b""))
        self.header = self._header(line)
        self._take(line)
        before = 0
        for number, line in self._lines:
            if line.startswith(b"{"):
                self._finish(number, line)
                return
            at, connection, body = self._parts(number, line)
            if at < before:
                raise self._error(number, f"time runs back, from {before} to {at} ns")
            before = at
            if connection == _GAP_MARK and self.header.version == MARKED_VERSION:
                self.gaps.append(Mark(at, self.frame_count, self._gap(number, body)))
                self._take(line)
                continue
            name = self._connections.get(connection) or self._known(number, connection)
            self._take(line)
            self.frame_count += 1
            yield Frame(at, name, body)
        raise self._error(number, "the file is cut: the last line, with count and SHA-256, is missing")

    def _take(self, line: bytes) -> None:
        self.text_bytes += len(line) + 1
        self._digest.update(line)
        self._digest.update(b"\n")

    def _header(self, line: bytes) -> Header:
        try:
            version = msgspec.json.decode(line, type=_Preamble)
            if version.format == FORMAT and version.version not in _READABLE:
                known = " and ".join(map(str, _READABLE))
                raise self._error(
                    1, f"format version {version.version}; this tickproof reads versions {known}: use a newer one"
                )
            return msgspec.json.decode(line, type=Header)
        except msgspec.MsgspecError as error:
            raise self._error(1, f"not the header of a tickproof recording: {error}") from error

    def _parts(self, number: int, line: bytes) -> tuple[Nanoseconds, bytes, bytes]:
        parts = line.split(b" ", 2)
        if len(parts) != 3:
            raise self._error(number, "not `<ns since start> <connection> <frame>`")
        at, connection, body = parts
        if not at.isdigit() or len(at) > _MAX_TIME_DIGITS:
            raise self._error(number, f"{at[:40]!r} is no time in nanoseconds")
        return Nanoseconds(int(at)), connection, body

    def _gap(self, number: int, body: bytes) -> Gap:
        try:
            return msgspec.json.decode(body, type=Gap)
        except msgspec.MsgspecError as error:
            raise self._error(number, f"not the mark of a gap: {error}") from error

    def _known(self, number: int, raw: bytes) -> str:
        name = raw.decode()
        if not check_connection(name):
            raise self._error(number, f"unknown connection {name[:40]!r}; known: market, user, rest:<path>")
        self._connections[raw] = name
        return name

    def _finish(self, number: int, line: bytes) -> None:
        try:
            self.seal = msgspec.json.decode(line, type=Seal)
        except msgspec.MsgspecError as error:
            raise self._error(number, f"neither a frame nor the last line: {error}") from error
        if self.seal.frames != self.frame_count:
            told = f"the last line tells of {self.seal.frames} frames, the file has {self.frame_count}"
            raise self._error(number, told)
        if self.seal.frames == 0:
            raise self._error(number, "the recording holds no frame")
        if self.seal.sha256 != self._digest.hexdigest():
            raise self._error(number, "the text was changed: its SHA-256 is not the one in the last line")
        self.text_bytes += len(line) + 1
        for extra, _ in self._lines:
            raise self._error(extra, "data follows the last line")

    def _error(self, line: int, problem: str) -> RecordingError:
        return RecordingError(self._path, line, problem)


class Writer:
    """Writes a recording: a context manager, with `write` for each frame.

    The text goes to a temporary file beside `path`, which takes the final name once it is whole and on disk. When the
    block ends by an exception nothing is left, or the temporary file as it is where `keep` is asked for. Raises
    RecordingError for a frame that the format cannot hold (a newline inside, bytes that are not UTF-8, time that runs
    back), for no frame at all, and for a full disk.
    """

    def __init__(self, path: Path, header: Header, *, keep: bool = False) -> None:
        self.partial = path.with_name(f".{path.name}.{secrets.token_hex(4)}.partial")
        """The temporary file."""
        self.frames = 0
        """Frames written so far."""
        self.text_bytes = 0
        """Of the uncompressed text so far."""
        self._path = path
        self._header = header
        self._keep = keep
        self._digest = hashlib.sha256()
        self._line = 1
        self.at = Nanoseconds(0)
        """Of the last line."""
        self._file: BinaryIO
        self._text: BinaryIO | zstandard.ZstdCompressionWriter

    def __enter__(self) -> Self:
        compressed = is_compressed(self._path)
        try:
            self._file = self.partial.open("xb")
        except OSError as error:
            raise self._error(f"cannot be written: {error.strerror or error}") from error
        self._text = self._file
        if compressed:
            packer = zstandard.ZstdCompressor(level=_ZSTD_LEVEL, write_checksum=True)
            self._text = packer.stream_writer(self._file, closefd=False)
        try:
            self._put(msgspec.json.encode(self._header))
        except RecordingError:
            self.abandon()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self._finish()
        finally:
            self.leave()  # a full disk was already told of, or nothing is wanted of the file
            if not self._keep:
                self.partial.unlink(missing_ok=True)

    def write(self, frame: Frame) -> None:
        """Append one frame."""
        if b"\n" in frame.body:
            raise self._error("the frame holds a newline, which the format cannot; the exchange sends none")
        if len(frame.body) > MAX_LINE_BYTES // 2:
            raise self._error(f"the frame is larger than {MAX_LINE_BYTES // 2:,} bytes")
        if not check_connection(frame.connection):
            raise self._error(f"unknown connection {frame.connection[:40]!r}; known: market, user, rest:<path>")
        if not frame.body.isascii():
            self._check_utf8(frame.body)
        self._put_at(frame.at, frame.connection, frame.body)
        self.frames += 1

    def mark(self, at: Nanoseconds, gap: Gap) -> None:
        """Append the mark of a gap, for which the header's version must be MARKED_VERSION."""
        if self._header.version != MARKED_VERSION:
            raise self._error(f"marks need format version {MARKED_VERSION}")
        self._put_at(at, GAP_MARK, msgspec.json.encode(gap))

    def flush(self) -> None:
        """Hand all that was written to the system, so that the temporary file holds it even when this process dies."""
        try:
            if isinstance(self._text, zstandard.ZstdCompressionWriter):
                self._text.flush(zstandard.FLUSH_BLOCK)
            self._file.flush()
        except OSError as error:
            raise self._error(f"cannot be written: {error.strerror or error}") from error

    def leave(self) -> None:
        """Close the temporary file as it is, without a seal."""
        with contextlib.suppress(OSError):
            self._file.close()

    def abandon(self) -> None:
        """Close the temporary file without a seal and delete it, whatever `keep` says."""
        self.leave()
        self.partial.unlink(missing_ok=True)

    def _put_at(self, at: Nanoseconds, connection: str, body: bytes) -> None:
        if at < self.at or len(str(at)) > _MAX_TIME_DIGITS:
            raise self._error(f"time runs back or too far, from {self.at} to {at} ns")
        self.at = at
        self._put(b"%d %s %s" % (at, connection.encode(), body))

    def _check_utf8(self, body: bytes) -> None:
        try:
            body.decode()
        except UnicodeDecodeError as error:
            raise self._error(f"the frame is not UTF-8 at byte {error.start + 1}") from error

    def _put(self, line: bytes) -> None:
        self._digest.update(line)
        self._digest.update(b"\n")
        try:
            self._text.write(line + b"\n")
        except OSError as error:
            raise self._error(f"cannot be written: {error.strerror or error}") from error
        self._line += 1
        self.text_bytes += len(line) + 1

    def _finish(self) -> None:
        if self.frames == 0:
            raise self._error("there is no frame to write")
        self._put(msgspec.json.encode(Seal(frames=self.frames, sha256=self._digest.hexdigest())))
        try:
            if self._text is not self._file:
                self._text.close()
            self._file.flush()
            os.fsync(self._file.fileno())
            self.partial.replace(self._path)
        except OSError as error:
            raise self._error(f"cannot be written: {error.strerror or error}") from error

    def _error(self, problem: str) -> RecordingError:
        return RecordingError(self._path, self._line, problem)


class _Preamble(msgspec.Struct):
    """As much of a header as every version has."""

    format: str = ""
    version: int = 0
