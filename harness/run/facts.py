"""What the result says of the recording that was replayed."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from harness.exchange import streams
from harness.results.model import Recording as RecordingFacts
from harness.units import NS_PER_S

if TYPE_CHECKING:
    from harness.recordings.format import Recording


def recording_facts(recording: Recording) -> RecordingFacts:
    """Name, hash, and shape of a recording."""
    frames = recording.frames
    names = [streams.parse(name) for name in recording.header.streams]
    return RecordingFacts(
        name=recording.name,
        sha256=recording.sha256,
        market=recording.header.market,
        source=recording.header.source,
        frames=len(frames),
        span_s=(frames[-1].at - frames[0].at) / NS_PER_S if frames else 0.0,
        symbols=len({stream.symbol for stream in names if stream.symbol}),
        size_bytes=sum(len(frame.body) for frame in frames),
        frames_by_kind=dict(sorted(Counter(_kind(frame.connection, frame.body) for frame in frames).items())),
    )


def _kind(connection: str, body: bytes) -> str:
    if connection != "market":
        return connection.partition(":")[0]
    prefix = b'{"stream":"'
    if not body.startswith(prefix):
        return "other"
    name = body[len(prefix) : body.find(b'"', len(prefix))]
    return streams.parse(name.decode(errors="replace")).kind
