"""A recording as it is served: its market and account frames in one order, with the stream of each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from harness.replay.envelope import stream_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from harness.recordings.format import Frame

#: In `Tape.stream`: a market frame whose stream cannot be read, and an account frame.
NO_STREAM: Final = -1
ACCOUNT: Final = -2


@dataclass(frozen=True, slots=True, kw_only=True)
class Tape:
    """Frames by position; REST bodies are not among them."""

    at_ns: NDArray[np.int64]
    """Nanoseconds since the recording's start, never decreasing."""
    stream: NDArray[np.int32]
    """Index into `names`, or NO_STREAM or ACCOUNT."""
    names: tuple[str, ...]
    bodies: tuple[bytes, ...]
    binary: frozenset[int] = frozenset()
    """Positions of frames that go out as binary frames; all others are text."""

    def __len__(self) -> int:
        return len(self.bodies)

    @property
    def market_frames(self) -> int:
        """How many frames are market data."""
        return int(np.count_nonzero(self.stream != ACCOUNT))

    @property
    def user_frames(self) -> int:
        """How many frames are account events."""
        return len(self) - self.market_frames

    @property
    def body_bytes(self) -> int:
        """Bytes of all bodies."""
        return sum(map(len, self.bodies))

    def cut(self, market_frames: int | None) -> Tape:
        """The tape up to and with its n-th market frame; the whole tape for None, or when it holds no more."""
        if market_frames is None or market_frames >= self.market_frames:
            return self
        last = int(np.flatnonzero(self.stream != ACCOUNT)[market_frames - 1]) if market_frames else -1
        end = last + 1
        return Tape(
            at_ns=self.at_ns[:end],
            stream=self.stream[:end],
            names=self.names,
            bodies=self.bodies[:end],
            binary=frozenset(place for place in self.binary if place < end),
        )


def tape_of(frames: Iterable[Frame]) -> Tape:
    """The tape of a recording's frames, or of a looped recording's; it may be empty."""
    numbers: dict[str, int] = {}
    at: list[int] = []
    stream: list[int] = []
    bodies: list[bytes] = []
    for frame in frames:
        if frame.connection == "market":
            name = stream_of(frame.body)
            stream.append(NO_STREAM if name is None else numbers.setdefault(name, len(numbers)))
        elif frame.connection == "user":
            stream.append(ACCOUNT)
        else:
            continue
        at.append(frame.at)
        bodies.append(frame.body)
    return Tape(
        at_ns=np.asarray(at, dtype=np.int64),
        stream=np.asarray(stream, dtype=np.int32),
        names=tuple(numbers),
        bodies=tuple(bodies),
    )
