"""A whole recording of what an interrupted writing left: every whole line, under a header that says so."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import msgspec
import zstandard

from harness.errors import RecordingError
from harness.recordings.capture.names import is_held
from harness.recordings.format import DEFAULT_MAX_BYTES, MAX_LINE_BYTES, Reader, Writer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import BinaryIO

_ZSTD_MAGIC: Final = b"\x28\xb5\x2f\xfd"
#: A KiB of packed bytes is at most 32 MiB of text, so a bomb is stopped by the limit.
_CHUNK_BYTES: Final = 1 << 10
_MAX_WINDOW_BYTES: Final = 128 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Salvaged:
    """What was saved."""

    target: Path
    frames: int
    gaps: int
    problem: str
    """Why the rest was not, with its line; empty when nothing was missing."""


def salvage(source: Path, target: Path, *, max_bytes: int = DEFAULT_MAX_BYTES) -> Salvaged:
    """Write what is whole of `source`, an unsealed or cut recording, as the recording `target`.

    Lines are taken up to the first that is not whole or not right; the header's note then tells that it was cut. Raises
    RecordingError when `source` has no header or no whole frame, holds more than `max_bytes` or is still written to,
    and when `target` is there already.
    """
    if target.exists():
        raise RecordingError(target, 1, "is there already; name another file")
    try:
        held = is_held(source)
    except OSError as error:
        raise RecordingError(source, 1, f"cannot be read: {error.strerror or error}") from error
    if held:
        raise RecordingError(source, 1, "is being written to at this moment; end that capture first")
    frames, problem = _whole(source, max_bytes)
    reader = Reader(source, _lines(source, max_bytes))
    entries = reader.frames()
    frame = next(entries)
    note = reader.header.note
    if problem:
        note = "; ".join(filter(None, [note, f"cut after {frames} frames, and made whole"]))
    marked = 0
    with Writer(target, msgspec.structs.replace(reader.header, note=note)) as writer:
        while True:
            marked = _mark(writer, reader, marked)
            writer.write(frame)
            if writer.frames == frames:
                break
            frame = next(entries)
        with contextlib.suppress(RecordingError):  # marks may stand between the last frame and the cut
            next(entries, None)
        _mark(writer, reader, marked)
    return Salvaged(target=target, frames=frames, gaps=len(reader.gaps), problem=problem)


def _whole(source: Path, max_bytes: int) -> tuple[int, str]:
    """How many frames are whole, and what is wrong behind them."""
    reader = Reader(source, _lines(source, max_bytes))
    problem = ""
    try:
        for _ in reader.frames():
            pass
    except RecordingError as error:
        if not reader.frame_count:
            raise
        problem = f"line {error.line}: {error.problem}"
    return reader.frame_count, problem


def _mark(writer: Writer, reader: Reader, marked: int) -> int:
    """Write the marks that stand before the next frame; how many have been written."""
    for mark in reader.gaps[marked:]:
        writer.mark(mark.at, mark.gap)
    return len(reader.gaps)


def _lines(source: Path, max_bytes: int) -> Iterator[tuple[int, bytes]]:
    """Whole lines with their numbers from 1, up to wherever the file can be read."""
    rest = b""
    number = 1
    total = 0
    for chunk in _chunks(source):
        total += len(chunk)
        if total > max_bytes or len(rest) > MAX_LINE_BYTES:
            raise RecordingError(source, number, f"more than {max_bytes:,} bytes of text, or a line without an end")
        *whole, rest = (rest + chunk).split(b"\n")
        for line in whole:
            try:
                line.decode()
            except UnicodeDecodeError as error:
                raise RecordingError(source, number, f"not UTF-8 at byte {error.start + 1} of the line") from error
            yield number, line
            number += 1


def _chunks(source: Path) -> Iterator[bytes]:
    """The text in pieces, up to where the file ends or its zstd data is damaged."""
    with source.open("rb") as file:
        if file.read(len(_ZSTD_MAGIC)) != _ZSTD_MAGIC:
            file.seek(0)
            yield from iter(lambda: file.read(_CHUNK_BYTES), b"")
            return
        file.seek(0)
        unpack = _unpacker()
        while chunk := file.read(_CHUNK_BYTES):
            try:
                yield unpack.decompress(chunk)
            except zstandard.ZstdError:
                yield from _up_to_the_damage(file, file.tell() - len(chunk))
                return
            if unpack.eof:
                return


def _up_to_the_damage(file: BinaryIO, good: int) -> Iterator[bytes]:
    """What can be had of the bytes behind the first `good` ones, byte by byte: a failed piece gives nothing at all."""
    file.seek(0)
    unpack = _unpacker()
    while good > 0:
        chunk = file.read(min(good, _CHUNK_BYTES))
        unpack.decompress(chunk)
        good -= len(chunk)
    while byte := file.read(1):
        try:
            yield unpack.decompress(byte)
        except zstandard.ZstdError:
            return


def _unpacker() -> zstandard.ZstdDecompressionObj:
    return zstandard.ZstdDecompressor(max_window_size=_MAX_WINDOW_BYTES).decompressobj()
