"""What a capture took so far, connection by connection."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, Final

import msgspec

from harness.units import NS_PER_MS, NS_PER_S

if TYPE_CHECKING:
    from collections.abc import Iterable

    from harness.recordings.capture.files import SealedFile

#: Event times stand near the start of a payload, behind the envelope; all-market streams have many, this is the first.
_EVENT_TIME: Final = re.compile(rb'"E":(\d{13,16})[,}]')
_HEAD_BYTES: Final = 256
#: Times of this many digits are microseconds (`timeUnit=MICROSECOND`).
_MICROSECONDS: Final = 16
#: What is off by more is no live event, or no clock.
_MOST_LATE_MS: Final = 600_000
_STREAM: Final = b'{"stream":"'


class Lateness(msgspec.Struct, frozen=True, kw_only=True):
    """Receive time minus event time, in whole milliseconds: the way, and how far two clocks differ."""

    p50_ms: int
    p99_ms: int
    frames: int
    """That told an event time, within ten minutes of when they came."""


class ConnectionSummary(msgspec.Struct, frozen=True, kw_only=True):
    """One connection of a capture."""

    number: int
    """0 for the account's, else from 1."""
    host: str
    streams: int
    """Asked for."""
    frames: int
    body_bytes: int
    frames_per_second: float
    """Mean from the capture's first frame to its last; 0 before two are there."""
    largest_bytes: int
    unheld: int
    """Frames that no recording can hold: binary ones, or such with a newline. They are not kept."""
    connects: int
    reconnects: dict[str, int]
    """By why the connection before was left."""
    refused_requests: int
    gaps: int
    away_seconds: float
    """Of all gaps together."""
    lateness: Lateness | None
    silent_streams: tuple[str, ...]
    """Of which no frame came; not told for connections whose frames do not name their stream."""


class FileSummary(msgspec.Struct, frozen=True, kw_only=True):
    """One whole file."""

    path: str
    frames: int
    text_bytes: int
    gaps: int


class CaptureSummary(msgspec.Struct, frozen=True, kw_only=True):
    """A capture as a whole."""

    frames: int
    body_bytes: int
    span_seconds: float
    frames_per_second: float
    ended_by: str
    held_back: int
    """How often reading was stopped since the disk was slower: receive times are late then."""
    redacted: int
    """Identifiers that were replaced."""
    connections: tuple[ConnectionSummary, ...]
    files: tuple[FileSummary, ...]


class Tally:
    """Counts the frames of one connection; `seen` for each."""

    def __init__(self) -> None:
        self.frames = 0
        self.body_bytes = 0
        self.largest = 0
        self.unheld = 0
        self.gaps = 0
        self.away_ns = 0
        self.first_at = 0
        self.last_at = 0
        self._late: Counter[int] = Counter()
        self._spoke: set[bytes] = set()

    def seen(self, at_ns: int, body: bytes) -> None:
        """Count a frame that was received then, in unix nanoseconds."""
        size = len(body)
        self.first_at = self.first_at or at_ns
        self.last_at = at_ns
        self.frames += 1
        self.body_bytes += size
        self.largest = max(self.largest, size)
        if body.startswith(_STREAM):
            self._spoke.add(body[len(_STREAM) : body.find(b'"', len(_STREAM))])
        found = _EVENT_TIME.search(body, 0, _HEAD_BYTES)
        if found:
            event = int(found[1])
            event_ms = event // 1_000 if len(found[1]) == _MICROSECONDS else event
            late = at_ns // NS_PER_MS - event_ms
            if abs(late) <= _MOST_LATE_MS:
                self._late[late] += 1

    def lateness(self) -> Lateness | None:
        """None without any event time of about now."""
        total = self._late.total()
        if not total:
            return None
        return Lateness(p50_ms=self._quantile(total, 0.5), p99_ms=self._quantile(total, 0.99), frames=total)

    def silent(self, streams: Iterable[str]) -> tuple[str, ...]:
        """Those of the streams that have not spoken; none of them when no frame named its stream."""
        if self.frames and not self._spoke:
            return ()
        return tuple(name for name in streams if name.encode() not in self._spoke)

    def _quantile(self, total: int, share: float) -> int:
        """The least value that so large a share does not exceed."""
        below = 0
        for value in sorted(self._late):
            below += self._late[value]
            if below >= share * total:
                return value
        raise AssertionError("a share of at most 1 is reached")


def files_of(sealed: Iterable[SealedFile]) -> tuple[FileSummary, ...]:
    """The whole files, as a summary tells them."""
    return tuple(
        FileSummary(path=str(found.path), frames=found.frames, text_bytes=found.text_bytes, gaps=found.gaps)
        for found in sealed
    )


def rate(frames: int, first_ns: int, last_ns: int) -> float:
    """Frames a second; 0 for no span."""
    return frames / ((last_ns - first_ns) / NS_PER_S) if last_ns > first_ns else 0.0
