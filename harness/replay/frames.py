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

from harness.replay.envelope import api_frame, event_of, payload_of
from harness.replay.protocol.selection import Selection, Wrapping
from harness.replay.tape import ACCOUNT, NO_STREAM, Tape

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

_FINAL_TEXT: Final = 0x81
#: Selections whose bytes are kept; a bench needs two, a changing client makes many.
_KEPT: Final = 8

_SHAPES: Final[dict[tuple[bool, Wrapping], Callable[[bytes], bytes]]] = {
    (False, Wrapping.RAW): payload_of,
    (True, Wrapping.RAW): event_of,
    (True, Wrapping.API): api_frame,
}


def header(size: int) -> bytes:
    """The header of an unmasked final text frame with a body of `size` bytes: 2, 4 or 10 bytes."""
    if size < 126:
        return bytes((_FINAL_TEXT, size))
    if size < 1 << 16:
        return bytes((_FINAL_TEXT, 126)) + size.to_bytes(2, "big")
    return bytes((_FINAL_TEXT, 127)) + size.to_bytes(8, "big")


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

    def __len__(self) -> int:
        return len(self.position)


class _Headers(dict[int, bytes]):
    def __missing__(self, size: int) -> bytes:
        self[size] = made = header(size)
        return made


def wire(bodies: Sequence[bytes]) -> tuple[memoryview, NDArray[np.int64]]:
    """One contiguous blob of frames, and the offsets of each with the end."""
    headers = _Headers()
    heads = [headers[len(body)] for body in bodies]
    sizes = np.fromiter(map(len, bodies), np.int64, len(bodies)) + np.fromiter(map(len, heads), np.int64, len(heads))
    offsets = np.concatenate((np.zeros(1, np.int64), np.cumsum(sizes)))
    blob = b"".join(chain.from_iterable(zip(heads, bodies, strict=True)))
    return memoryview(blob), offsets


def strip_of(tape: Tape, selection: Selection) -> Strip:
    """What a connection with that selection receives of the tape; a stream that the tape does not hold is silent."""
    chosen = _chosen(tape, selection)
    shape = _SHAPES.get((selection.account, selection.wrapping))
    bodies = [tape.bodies[place] for place in chosen.tolist()]
    blob, offsets = wire(list(map(shape, bodies)) if shape else bodies)
    return Strip(position=chosen, offsets=offsets, blob=blob, account=selection.account)


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

    def get(self, selection: Selection, market_frames: int | None = None) -> Strip:
        """The strip for a selection of the tape, cut after that many market frames."""
        key = (selection, market_frames)
        with self._lock:
            strip = self._kept.get(key)
            if strip is None:
                strip = self._kept[key] = strip_of(self.tape.cut(market_frames), selection)
            self._kept.move_to_end(key)
            if len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
            return strip
