"""Wire bytes of a connection, built before any clock starts.

A server's text frame is `0x81`, the length (RFC 6455, 5.2: 7 bits, or 126 and 16 bits, or 127 and 64 bits), the body;
servers do not mask.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Final

import numpy as np

from harness.recordings.format import MARKET, USER
from harness.replay.deflate import deflated_frame
from harness.replay.envelope import api_frame, event_of, payload_of
from harness.replay.protocol.selection import Selection, Wrapping
from harness.replay.tape import ACCOUNT, NO_STREAM, Tape
from harness.replay.timeunit import in_microseconds

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from numpy.typing import NDArray

_FINAL_TEXT: Final = 0x81
_FINAL_BINARY: Final = 0x82
#: Selections whose bytes are kept; a bench needs two, a changing client makes many.
_KEPT: Final = 16
#: Compressed frames that are kept, by body: the next selection has most of them in common with the last.
_SQUEEZED: Final = 500_000

_SHAPES: Final[dict[tuple[bool, Wrapping], Callable[[bytes], bytes]]] = {
    (False, Wrapping.RAW): payload_of,
    (True, Wrapping.RAW): event_of,
    (True, Wrapping.API): api_frame,
}


def header(size: int, first: int = _FINAL_TEXT) -> bytes:
    """The 2, 4 or 10 bytes before a body of `size` bytes in an unmasked final frame; `first` tells its kind."""
    if size < 126:
        return bytes((first, size))
    if size < 1 << 16:
        return bytes((first, 126)) + size.to_bytes(2, "big")
    return bytes((first, 127)) + size.to_bytes(8, "big")


@dataclass(frozen=True, slots=True, kw_only=True)
class Strip:
    """All that one connection receives: frame i is `blob[offsets[i]:offsets[i + 1]]`."""

    position: NDArray[np.int64]
    """Position on the tape of each frame."""
    offsets: NDArray[np.int64]
    """One more than there are frames; the first is 0."""
    blob: memoryview
    account: bool
    """Whether it holds account events rather than market data."""
    tape_frames: int
    """How many frames the tape has."""

    def __len__(self) -> int:
        return len(self.position)

    def before(self, position: int) -> int:
        """How many of its frames stand before that position on the tape."""
        return int(np.searchsorted(self.position, position))

    def whole(self, offset: int) -> int:
        """How many whole frames lie before that byte of the blob."""
        return int(np.searchsorted(self.offsets, offset, side="right")) - 1

    def is_boundary(self, offset: int) -> bool:
        """Whether a frame begins or ends at that byte of the blob."""
        return int(self.offsets[self.whole(offset)]) == offset


class _Headers(dict[int, bytes]):
    def __missing__(self, size: int) -> bytes:
        self[size] = made = header(size)
        return made


def wire(bodies: Sequence[bytes], binary: Collection[int] = ()) -> tuple[memoryview, NDArray[np.int64]]:
    """One contiguous blob of frames, and the offsets of each with the end; those numbered in `binary` are no text."""
    headers = _Headers()
    heads = [headers[len(body)] for body in bodies]
    for number in binary:
        heads[number] = header(len(bodies[number]), _FINAL_BINARY)
    sizes = np.fromiter(map(len, bodies), np.int64, len(bodies)) + np.fromiter(map(len, heads), np.int64, len(heads))
    return memoryview(b"".join(chain.from_iterable(zip(heads, bodies, strict=True)))), _offsets(sizes)


def _offsets(sizes: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.concatenate((np.zeros(1, np.int64), np.cumsum(sizes)))


def strip_of(tape: Tape, selection: Selection, squeeze: Callable[[bytes], bytes] = deflated_frame) -> Strip:
    """What a connection with that selection receives of the tape; a stream that the tape does not hold is silent.

    `squeeze` makes the whole frame of a body for a connection that compresses.
    """
    chosen = _chosen(tape, selection)
    places = chosen.tolist()
    bodies = _shaped([tape.bodies[place] for place in places], selection)
    binary = [number for number, place in enumerate(places) if place in tape.binary] if tape.binary else []
    if selection.deflated:
        plain = set(binary)
        frames = [
            header(len(body), _FINAL_BINARY) + body if number in plain else squeeze(body)
            for number, body in enumerate(bodies)
        ]
        blob, offsets = memoryview(b"".join(frames)), _offsets(np.fromiter(map(len, frames), np.int64, len(frames)))
    else:
        blob, offsets = wire(bodies, binary)
    return Strip(position=chosen, offsets=offsets, blob=blob, account=selection.account, tape_frames=len(tape))


def _shaped(bodies: list[bytes], selection: Selection) -> list[bytes]:
    if selection.microseconds:
        connection = USER if selection.account else MARKET
        bodies = [in_microseconds(connection, body) for body in bodies]
    shape = _SHAPES.get((selection.account, selection.wrapping))
    return list(map(shape, bodies)) if shape else bodies


def _chosen(tape: Tape, selection: Selection) -> NDArray[np.int64]:
    if selection.account:
        return np.flatnonzero(tape.stream == ACCOUNT).astype(np.int64)
    wanted = [number for number, name in enumerate(tape.names) if name in selection.streams]
    if selection.streams:
        wanted.append(NO_STREAM)  # a fault in the recording reaches everybody who listens
    return np.flatnonzero(np.isin(tape.stream, wanted)).astype(np.int64)


class Strips:
    """Strips of one tape, kept between serves by selection and cut."""

    def __init__(self, tape: Tape) -> None:
        self.tape = tape
        self._kept: OrderedDict[tuple[Selection, int | None], Strip] = OrderedDict()
        self._lock = threading.Lock()
        self._squeezed: dict[bytes, bytes] = {}

    def wanted(self) -> list[Selection]:
        """The selections whose strips are kept."""
        with self._lock:
            return [selection for selection, cut in self._kept if cut is None]

    def get(self, selection: Selection, market_frames: int | None = None) -> Strip:
        """The strip for a selection of the tape, cut after that many market frames."""
        key = (selection, market_frames)
        with self._lock:
            strip = self._kept.get(key)
            if strip is None:
                strip = self._kept[key] = strip_of(self.tape.cut(market_frames), selection, self._squeeze)
            self._kept.move_to_end(key)
            if len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
            return strip

    def _squeeze(self, body: bytes) -> bytes:
        frame = self._squeezed.get(body)
        if frame is None:
            frame = deflated_frame(body)
            if len(self._squeezed) < _SQUEEZED:
                self._squeezed[body] = frame
        return frame
