"""Recording live frames: what to write when; the transport that receives them is the caller's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.recordings.format import Frame
from harness.units import NS_PER_S, Nanoseconds

if TYPE_CHECKING:
    from harness.clock import Clock
    from harness.recordings.format import Writer


@dataclass(frozen=True, slots=True, kw_only=True)
class CaptureSummary:
    """What was captured so far."""

    frames: int
    body_bytes: int
    span_ns: Nanoseconds
    frames_by_connection: dict[str, int]

    @property
    def messages_per_second(self) -> float:
        """Mean over the span; 0 before two frames are there."""
        return self.frames / (self.span_ns / NS_PER_S) if self.span_ns else 0.0


class Capture:
    """Stamps frames with the time since the capture was made, and writes them in the order in which they came."""

    def __init__(self, writer: Writer, clock: Clock) -> None:
        """`writer` is open; its header's `start_ms` is the wall time of now."""
        self._writer = writer
        self._clock = clock
        self._start = clock.now()
        self._bytes = 0
        self._last = Nanoseconds(0)
        self._counts: dict[str, int] = {}

    def on_frame(self, connection: str, body: bytes) -> None:
        """Take one frame of "market", "user" or "rest:<path?query>"; raises RecordingError as `Writer.write` does."""
        at = Nanoseconds(self._clock.now() - self._start)
        self._writer.write(Frame(at, connection, body))
        self._last = at
        self._bytes += len(body)
        self._counts[connection] = self._counts.get(connection, 0) + 1

    def summary(self) -> CaptureSummary:
        """The state so far."""
        return CaptureSummary(
            frames=self._writer.frames,
            body_bytes=self._bytes,
            span_ns=self._last,
            frames_by_connection=dict(self._counts),
        )
