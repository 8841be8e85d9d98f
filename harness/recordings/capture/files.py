"""Frames onto the disk, file after file: each whole and sealed by itself, and no frame between two of them lost."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Literal

import msgspec

from harness.recordings.capture.names import Hold
from harness.recordings.format import DEFAULT_MAX_BYTES, MARKED_VERSION, MAX_LINE_BYTES, Frame, Gap, Writer
from harness.units import NS_PER_MS, NS_PER_S, Nanoseconds

if TYPE_CHECKING:
    from pathlib import Path

    from harness.recordings.capture.names import Names
    from harness.recordings.format import Header

#: A file is ended before it holds more than a reader takes, whatever is asked for: a line, marks and the seal fit in.
MOST_TEXT_BYTES: Final = DEFAULT_MAX_BYTES - 2 * MAX_LINE_BYTES
#: Around a frame's body, and the seal.
_AROUND_BYTES: Final = 256
#: What a crash may cost besides the line that is being written.
FLUSH_NS: Final = NS_PER_S


@dataclass(frozen=True, slots=True, kw_only=True)
class Rotation:
    """When a file is followed by the next; by default only when a reader would not take more."""

    text_bytes: int = MOST_TEXT_BYTES
    """Of uncompressed text."""
    span_ns: Nanoseconds | None = None
    """From the file's start."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outage:
    """A connection that is away, or was. Times are unix times in nanoseconds."""

    connection: Literal["market", "user"]
    number: int
    streams: tuple[str, ...]
    lost_ns: Nanoseconds
    back_ns: Nanoseconds | None
    reason: str

    def gap(self, start_ms: int) -> Gap:
        """As it is told in a recording that starts then."""
        start = start_ms * NS_PER_MS
        return Gap(
            connection=self.connection,
            number=self.number,
            streams=self.streams,
            lost_at_ns=self.lost_ns - start,
            back_at_ns=None if self.back_ns is None else self.back_ns - start,
            reason=self.reason,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class SealedFile:
    """A whole file of the capture."""

    path: Path
    frames: int
    text_bytes: int
    """Uncompressed."""
    gaps: int


class Files:
    """Takes frames and outages in the order of their times, which are unix times in nanoseconds; for one thread.

    A file begins with its first frame, on a whole millisecond. Methods raise RecordingError for a disk that is full or
    cannot be written: what was sealed stays, and so does the unsealed file, which `recordings.salvage` makes whole.
    """

    def __init__(
        self, names: Names, header: Header, *, rotation: Rotation | None = None, first_number: int = 1
    ) -> None:
        """`header` is that of all files but for `start_ms`, and for a note that tells of the file before."""
        self.sealed: list[SealedFile] = []
        self._names = names
        self._header = header
        self._rotation = rotation or Rotation()
        self._number = first_number
        self._writer: Writer | None = None
        self._hold: Hold | None = None
        self._path = names.path(first_number)
        self._start_ms = 0
        self._gaps = 0
        self._flushed_at = 0
        self._waiting: list[Outage] = []
        self._away: dict[int, Outage] = {}

    @property
    def partial(self) -> Path | None:
        """The unsealed file, where there is one."""
        return self._writer.partial if self._writer else None

    @property
    def open_frames(self) -> int:
        """Frames in the unsealed file."""
        return self._writer.frames if self._writer else 0

    def write(self, at: Nanoseconds, connection: str, body: bytes) -> None:
        """Append a frame."""
        if self._writer and self._is_full(at, len(body)):
            self._seal()
        writer = self._writer or self._open(at)
        writer.write(Frame(Nanoseconds(at - self._start_ms * NS_PER_MS), connection, body))

    def lost(self, outage: Outage) -> None:
        """A connection is away from now on; told where the file ends before it is back."""
        self._away[outage.number] = outage

    def back(self, outage: Outage) -> None:
        """It is back: the gap is told here, or where the next file begins."""
        self._away.pop(outage.number, None)
        if self._writer:
            self._mark(self._writer, outage, outage.back_ns or outage.lost_ns)
        else:
            self._waiting.append(outage)

    def tick(self, now: Nanoseconds) -> None:
        """To be called about every second: writes out what waits, and seals a file whose time is over."""
        if self._writer is None:
            return
        if self._writer.frames and self._is_old(now):
            self._seal()
        elif now - self._flushed_at >= FLUSH_NS:
            self._writer.flush()
            self._flushed_at = now

    def close(self) -> None:
        """Seal the last file; one without a frame is not kept."""
        if self._writer:
            self._seal()

    def give_up(self) -> None:
        """Leave the unsealed file as it is: for after an error."""
        if self._writer:
            self._writer.leave()
        if self._hold:
            self._hold.release()
            self._hold = None

    def _is_full(self, at: int, more: int) -> bool:
        writer = self._writer
        if writer is None or not writer.frames:
            return False
        return writer.text_bytes + more + _AROUND_BYTES > min(
            self._rotation.text_bytes, MOST_TEXT_BYTES
        ) or self._is_old(at)

    def _is_old(self, at: int) -> bool:
        span = self._rotation.span_ns
        return span is not None and at - self._start_ms * NS_PER_MS >= span

    def _open(self, at: Nanoseconds) -> Writer:
        first = min([at, *(outage.back_ns for outage in self._waiting if outage.back_ns is not None)])
        self._path = self._names.path(self._number)
        self._start_ms = first // NS_PER_MS
        note = f"continues {self._names.path(self._number - 1).name}" if self._number > 1 else None
        notes = "; ".join(filter(None, [self._header.note, note])) or None
        header = msgspec.structs.replace(self._header, version=MARKED_VERSION, start_ms=self._start_ms, note=notes)
        writer = Writer(self._path, header, keep=True).__enter__()  # left by `_seal`, in another call
        self._writer = writer
        self._hold = Hold(writer.partial)
        self._gaps = 0
        self._flushed_at = at
        for outage in self._waiting:
            self._mark(writer, outage, outage.back_ns or first)
        self._waiting.clear()
        return writer

    def _mark(self, writer: Writer, outage: Outage, at: int) -> None:
        writer.mark(Nanoseconds(max(at - self._start_ms * NS_PER_MS, writer.at)), outage.gap(self._start_ms))
        self._gaps += 1

    def _seal(self) -> None:
        writer = self._writer
        if writer is None:
            return
        if not writer.frames:
            writer.abandon()
        else:
            for outage in self._away.values():
                self._mark(writer, replace(outage, back_ns=None), 0)
            writer.__exit__(None, None, None)
            found = SealedFile(path=self._path, frames=writer.frames, text_bytes=writer.text_bytes, gaps=self._gaps)
            self.sealed.append(found)
            self._number += 1
        self._writer = None
        if self._hold:
            self._hold.release()
            self._hold = None
