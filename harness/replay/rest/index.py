"""Where on a tape the frames of each stream stand: what a client that asks now may know."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from harness.exchange import streams
from harness.replay.envelope import payload_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness.exchange.streams import Kind, Stream
    from harness.replay.tape import Tape


class TapeIndex:
    """One tape's frames by stream; a stream is looked through when it is asked for first. Not thread-safe."""

    def __init__(self, tape: Tape) -> None:
        self.tape = tape
        self._numbers = {name: number for number, name in enumerate(tape.names)}
        self._places: dict[str, NDArray[np.int64]] = {}
        self._streams = {name: streams.parse(name) for name in tape.names}

    def names(self, symbol: str, kind: Kind) -> list[str]:
        """The tape's streams of a symbol and kind, in the order of their first frames."""
        return [name for name, stream in self._streams.items() if (stream.symbol, stream.kind) == (symbol, kind)]

    def stream(self, name: str) -> Stream:
        """What a name on this tape means."""
        return self._streams[name]

    def frames(self, name: str) -> int:
        """How many frames of the stream the tape holds."""
        return len(self._positions(name))

    def before(self, name: str, position: int) -> int:
        """How many frames of the stream stand before a position."""
        return int(np.searchsorted(self._positions(name), position))

    def payload(self, name: str, number: int) -> bytes:
        """The payload of the stream's frame of that number, counted from 0."""
        return payload_of(self.tape.bodies[int(self._positions(name)[number])])

    def place(self, name: str, number: int) -> int:
        """The position of that frame."""
        return int(self._positions(name)[number])

    def _positions(self, name: str) -> NDArray[np.int64]:
        found = self._places.get(name)
        if found is None:
            number = self._numbers.get(name)
            found = np.flatnonzero(self.tape.stream == number) if number is not None else np.empty(0, dtype=np.int64)
            self._places[name] = found
        return found
