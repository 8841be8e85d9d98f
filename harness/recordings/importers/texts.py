"""Lines of a file that may be packed (gzip, zstd, zip), never more than a chunk of it in memory."""

from __future__ import annotations

import zipfile
import zlib
from typing import TYPE_CHECKING, Final

import zstandard

from harness.errors import RecordingError
from harness.recordings.text import MAX_LINE_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from typing import BinaryIO

#: The largest uncompressed text that is read: a day of the busiest stream is a tenth of it. It streams, so a bomb
#: costs time up to here, and no memory.
MAX_TEXT_BYTES: Final = 64 << 30
_GZIP: Final = b"\x1f\x8b"
_ZSTD: Final = b"\x28\xb5\x2f\xfd"
_ZIP: Final = b"PK\x03\x04"
_CHUNK_BYTES: Final = 1 << 20
_PACKED_CHUNK_BYTES: Final = 64 << 10
#: A zstd block of 4 bytes can hold 128 KiB: what one chunk becomes stays below 64 MiB.
_ZSTD_CHUNK_BYTES: Final = 2 << 10
_MAX_WINDOW_BYTES: Final = 128 << 20
#: The table of contents of a zip file is held whole.
_MAX_MEMBERS: Final = 1_000


class _DamagedError(Exception):
    """A reason for refusal that does not know its line yet."""


def lines(
    path: Path, on_progress: Callable[[int], None] | None = None, *, max_bytes: int = MAX_TEXT_BYTES
) -> Iterator[tuple[int, bytes]]:
    """Each line with its number from 1, without its end; a last line without one is given as well.

    A zip file is read member after member, as one text; `on_progress` gets the bytes of the file read so far. Raises
    RecordingError for a file that cannot be read, damaged or cut packing, a line beyond MAX_LINE_BYTES, and more text
    than `max_bytes`.
    """
    number = 0
    rest = b""
    chunks = _chunks(path, on_progress, max_bytes)
    while True:
        try:
            chunk = next(chunks, None)
        except OSError as error:
            raise RecordingError(path, number + 1, f"cannot be read: {error.strerror or error}") from error
        except (zlib.error, zstandard.ZstdError, zipfile.BadZipFile, RuntimeError, NotImplementedError) as error:
            problem = f"the packed data is damaged or of an unknown kind: {error}"
            raise RecordingError(path, number + 1, problem) from error
        except (_DamagedError, EOFError) as error:
            raise RecordingError(path, number + 1, str(error)) from error
        if chunk is None:
            break
        *whole, rest = (rest + chunk).split(b"\n")
        for line in whole:
            number += 1
            yield number, _checked(path, number, line)
        _checked(path, number + 1, rest)
    if rest:
        yield number + 1, rest.rstrip(b"\r")


def member_name(path: Path) -> str:
    """The name by which a file tells what it holds: that of a zip file's only member, else its own."""
    try:
        with path.open("rb") as file:
            if file.read(4) != _ZIP:
                return path.name
        with zipfile.ZipFile(path) as packed:
            names = packed.namelist()
    except (OSError, zipfile.BadZipFile, NotImplementedError):
        return path.name  # whoever reads the lines tells what is wrong
    return names[0] if len(names) == 1 else path.name


def _checked(path: Path, number: int, line: bytes) -> bytes:
    if len(line) > MAX_LINE_BYTES:
        raise RecordingError(path, number, f"the line is longer than {MAX_LINE_BYTES:,} bytes")
    return line.rstrip(b"\r")


def _chunks(path: Path, on_progress: Callable[[int], None] | None, max_bytes: int) -> Iterator[bytes]:
    total = 0
    with path.open("rb") as file:
        start = file.read(4)
        file.seek(0)
        unpacked = _plain
        if start.startswith(_GZIP):
            unpacked = _gunzipped
        elif start == _ZSTD:
            unpacked = _unzstd
        elif start == _ZIP:
            unpacked = _unzipped
        for chunk in unpacked(file):
            total += len(chunk)
            if total > max_bytes:
                raise _DamagedError(f"the text has more than the {max_bytes:,} bytes allowed")
            yield chunk
            if on_progress is not None:
                on_progress(file.tell())


def _plain(file: BinaryIO) -> Iterator[bytes]:
    while chunk := file.read(_CHUNK_BYTES):
        yield chunk


def _gunzipped(file: BinaryIO) -> Iterator[bytes]:
    """Of one or several gzip members; each decompressed no more than a chunk at a time."""
    unpack = zlib.decompressobj(wbits=31)
    fed = False
    while packed := file.read(_PACKED_CHUNK_BYTES):
        while packed:
            if unpack.eof:
                unpack = zlib.decompressobj(wbits=31)
            yield unpack.decompress(packed, _CHUNK_BYTES)
            fed = True
            packed = unpack.unused_data if unpack.eof else unpack.unconsumed_tail
    while fed and not unpack.eof:
        if not (chunk := unpack.decompress(b"", _CHUNK_BYTES)):
            raise _DamagedError("the gzip stream is cut; record or download it again")
        yield chunk


def _unzstd(file: BinaryIO) -> Iterator[bytes]:
    """Of one or several zstd frames."""
    reader = zstandard.ZstdDecompressor(max_window_size=_MAX_WINDOW_BYTES)
    unpack = reader.decompressobj()
    while packed := file.read(_ZSTD_CHUNK_BYTES):
        while packed:
            if unpack.eof:
                unpack = reader.decompressobj()
            yield unpack.decompress(packed)
            packed = unpack.unused_data
    if not unpack.eof:
        raise _DamagedError("the zstd stream is cut; record or download it again")


def _unzipped(file: BinaryIO) -> Iterator[bytes]:
    with zipfile.ZipFile(file) as packed:
        members = [info for info in packed.infolist() if not info.is_dir()]
        if len(members) > _MAX_MEMBERS:
            raise _DamagedError(f"the zip file has more than the {_MAX_MEMBERS:,} members allowed")
        for info in members:
            with packed.open(info) as member:
                while chunk := member.read(_CHUNK_BYTES):
                    yield chunk
