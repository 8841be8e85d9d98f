"""The text of a recording as checked lines, from a plain or a zstd file, never more than a chunk at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import zstandard

from harness.errors import RecordingError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import BinaryIO

#: The largest uncompressed text that is read unless the caller allows more.
DEFAULT_MAX_BYTES: Final = 1 << 30
#: No exchange sends a larger frame; a longer line is a mistake or an attack.
MAX_LINE_BYTES: Final = 16 << 20
#: Windows up to here are what zstd's own level 22 asks for; larger ones only cost memory.
_MAX_WINDOW_BYTES: Final = 128 << 20
_PLAIN_CHUNK_BYTES: Final = 1 << 20
#: A zstd block of 4 bytes can hold 128 KiB: a KiB in is at most 32 MiB out, so a bomb is stopped by the limit.
_ZSTD_CHUNK_BYTES: Final = 1 << 10


def is_compressed(path: Path) -> bool:
    """Whether the suffix says zstd; raises RecordingError for a suffix that is no recording's."""
    if path.name.endswith(".jsonl.zst"):
        return True
    if path.name.endswith(".jsonl"):
        return False
    hint = "; make one of it with `tickproof recording import`" if path.suffix == ".raw" else ""
    raise RecordingError(path, 1, f"a recording's name ends in .jsonl or .jsonl.zst{hint}")


def lines_of(path: Path, *, max_bytes: int) -> Iterator[tuple[int, bytes]]:
    """Each line with its number from 1, without its newline.

    Raises RecordingError for what cannot be read, is cut (also a cut zstd stream), has bytes that are not UTF-8, has
    a line beyond MAX_LINE_BYTES, or more text than `max_bytes`.
    """
    number = 1
    rest = b""
    chunks = _chunks(path, max_bytes)
    while True:
        try:
            chunk = next(chunks, None)
        except zstandard.ZstdError as error:
            raise RecordingError(path, number, f"the zstd data is damaged: {error}") from error
        except _BadTextError as error:
            raise RecordingError(path, number, str(error)) from error
        except OSError as error:
            raise RecordingError(path, number, f"cannot be read: {error.strerror or error}") from error
        if chunk is None:
            break
        *whole, rest = (rest + chunk).split(b"\n")
        for line in whole:
            yield number, _checked(path, number, line)
            number += 1
        if len(rest) > MAX_LINE_BYTES:
            raise RecordingError(path, number, f"the line is longer than {MAX_LINE_BYTES:,} bytes")
    if rest:
        raise RecordingError(path, number, "the file is cut: the line has no end; record or import it again")


def _checked(path: Path, number: int, line: bytes) -> bytes:
    if len(line) > MAX_LINE_BYTES:
        raise RecordingError(path, number, f"the line is longer than {MAX_LINE_BYTES:,} bytes")
    if not line.isascii():
        try:
            line.decode()
        except UnicodeDecodeError as error:
            raise RecordingError(path, number, f"not UTF-8 at byte {error.start + 1} of the line") from error
    return line


class _BadTextError(Exception):
    """A reason for refusal that does not know its line yet."""


def _chunks(path: Path, max_bytes: int) -> Iterator[bytes]:
    compressed = is_compressed(path)
    with path.open("rb") as file:
        size = path.stat().st_size
        if size == 0:
            raise _BadTextError("the file is empty")
        if size > max_bytes:
            raise _BadTextError(f"the file has {size:,} bytes, more than the {max_bytes:,} allowed")
        total = 0
        for chunk in _unpacked(file) if compressed else iter(lambda: file.read(_PLAIN_CHUNK_BYTES), b""):
            total += len(chunk)
            if total > max_bytes:
                raise _BadTextError(f"the text has more than the {max_bytes:,} bytes allowed")
            yield chunk


def _unpacked(file: BinaryIO) -> Iterator[bytes]:
    unpack = zstandard.ZstdDecompressor(max_window_size=_MAX_WINDOW_BYTES).decompressobj()
    while packed := file.read(_ZSTD_CHUNK_BYTES):
        if unpack.eof:
            raise _BadTextError("data follows the end of the zstd stream")
        yield unpack.decompress(packed)
    if unpack.unused_data:
        raise _BadTextError("data follows the end of the zstd stream")
    if not unpack.eof:
        raise _BadTextError("the zstd stream is cut; record, import or download it again")
