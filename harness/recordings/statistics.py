"""What is in a recording: how many frames of which kind, how large, how fast, and whether sequences have gaps."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import msgspec
import numpy as np

from harness.errors import RecordingError
from harness.exchange import streams
from harness.recordings.format import MARKET, USER
from harness.recordings.numbers import Place, numbers_of, place_of
from harness.units import NS_PER_MS, NS_PER_S, Nanoseconds

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from harness.recordings.format import Frame, Recording

_PEAK_WINDOWS_NS: Final = (NS_PER_S, 100 * NS_PER_MS)


@dataclass(frozen=True, slots=True, kw_only=True)
class KindStatistics:
    """Frames of one kind: stream kinds as in `exchange.streams`, event names for account events, or "rest"."""

    kind: str
    count: int
    share: float
    """Of all frames, REST bodies included."""
    bytes_min: int
    bytes_median: float
    bytes_p95: float
    bytes_max: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Description:
    """A recording in figures; rates are over market and account frames, peaks over sliding windows."""

    name: str
    title: str
    market: str
    source: str
    sha256: str
    frames: int
    span_ns: Nanoseconds
    messages_per_second: float
    peak_in_1_s: int
    peak_in_100_ms: int
    kinds: tuple[KindStatistics, ...]
    """The most frequent first."""
    messages_per_second_by_symbol: dict[str, float]
    """Of market frames, the busiest first."""
    depth_levels_median: float | None
    depth_levels_p95: float | None
    """Bids and asks of a diff event together; None without depth events."""
    depth_events: int
    sequence_gaps: int
    """Depth events that do not follow the one before of their stream."""


def describe(recording: Recording) -> Description:
    """The figures of a recording; raises RecordingError for a depth event that is not JSON."""
    frames = recording.frames
    places = [place_of(frame.connection, frame.body) for frame in frames]
    served = np.array([frame.at for frame in frames if frame.connection in {MARKET, USER}], dtype=np.int64)
    span_s = max(recording.span_ns, 1) / NS_PER_S
    # The first frame stands in line 2.
    depth = [
        (line, frame, place)
        for line, (frame, place) in enumerate(zip(frames, places, strict=True), 2)
        if place.event == "depthUpdate"
    ]
    levels = _levels(recording.path, depth)
    return Description(
        name=recording.name,
        title=recording.header.title,
        market=recording.header.market,
        source=recording.header.source,
        sha256=recording.sha256,
        frames=len(frames),
        span_ns=recording.span_ns,
        messages_per_second=len(served) / span_s,
        peak_in_1_s=_peak(served, _PEAK_WINDOWS_NS[0]),
        peak_in_100_ms=_peak(served, _PEAK_WINDOWS_NS[1]),
        kinds=_kinds(frames, places),
        messages_per_second_by_symbol=_symbol_rates(frames, places, span_s),
        depth_levels_median=float(np.median(levels)) if levels else None,
        depth_levels_p95=float(np.percentile(levels, 95)) if levels else None,
        depth_events=len(depth),
        sequence_gaps=_gaps(depth),
    )


def _peak(times_ns: np.ndarray[tuple[int], np.dtype[np.int64]], window_ns: int) -> int:
    """The most frames in any window of that length, from each frame on."""
    if not len(times_ns):
        return 0
    ends = np.searchsorted(times_ns, times_ns + window_ns, side="left")
    return int((ends - np.arange(len(times_ns))).max())


def _kind(frame: Frame, place: Place) -> str:
    if frame.connection == MARKET:
        kind: str = streams.parse(place.stream).kind if place.stream else "other"
        # Without an envelope, or for a stream of no known name, the event is the better name.
        return kind if kind != "other" else place.event or "other"
    return place.event or "other" if frame.connection == USER else "rest"


def _kinds(frames: Sequence[Frame], places: Sequence[Place]) -> tuple[KindStatistics, ...]:
    sizes: dict[str, list[int]] = defaultdict(list)
    for frame, place in zip(frames, places, strict=True):
        sizes[_kind(frame, place)].append(len(frame.body))
    ranked = sorted(sizes.items(), key=lambda item: (-len(item[1]), item[0]))
    return tuple(
        KindStatistics(
            kind=kind,
            count=len(found),
            share=len(found) / len(frames),
            bytes_min=min(found),
            bytes_median=float(np.median(found)),
            bytes_p95=float(np.percentile(found, 95)),
            bytes_max=max(found),
        )
        for kind, found in ranked
    )


def _symbol_rates(frames: Sequence[Frame], places: Sequence[Place], span_s: float) -> dict[str, float]:
    counts: dict[str, int] = defaultdict(int)
    for frame, place in zip(frames, places, strict=True):
        if frame.connection == MARKET:
            counts[place.symbol] += 1
    return {symbol: count / span_s for symbol, count in sorted(counts.items(), key=lambda item: (-item[1], item[0]))}


class _Depth(msgspec.Struct):
    b: list[msgspec.Raw] = []
    a: list[msgspec.Raw] = []


class _Enveloped(_Depth):
    data: _Depth | None = None


def _levels(path: Path, depth: Iterable[tuple[int, Frame, Place]]) -> list[int]:
    decode = msgspec.json.Decoder(_Enveloped).decode
    found = []
    for line, frame, _ in depth:
        try:
            event = decode(frame.body)
        except msgspec.MsgspecError as error:
            raise RecordingError(path, line, f"a depth event that is not of that shape: {error}") from error
        inner = event.data or event
        found.append(len(inner.b) + len(inner.a))
    return found


def _gaps(depth: Iterable[tuple[int, Frame, Place]]) -> int:
    """Spot: U is not the previous u + 1. USD-M: pu is not the previous u."""
    last: dict[str, int] = {}
    gaps = 0
    for _, frame, place in depth:
        ids = {number.key: number.value for number in numbers_of(place, frame.body)}
        stream = place.stream or place.symbol
        before = last.get(stream)
        if before is not None:
            follows = ids["pu"] == before if "pu" in ids else ids.get("U") == before + 1
            gaps += not follows
        last[stream] = ids.get("u", 0)
    return gaps
