"""Wire bytes of a connection, built before any clock starts.

A server's text frame is `0x81`, the length (RFC 6455, 5.2: 7 bits, or 126 and 16 bits, or 127 and 64 bits), the body;
servers do not mask.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass, field
from itertools import chain
from typing import TYPE_CHECKING, Final, Literal

import numpy as np

from harness.recordings.format import MARKET
from harness.replay.deflate import deflated_frame
from harness.replay.envelope import payload_of
from harness.replay.protocol.pushed import account_text
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
#: Places on a strip that were asked for last.
_REMEMBERED: Final = 64
#: Compressed frames that are kept, by body: the next selection has most of them in common with the last.
_SQUEEZED: Final = 500_000


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
    _befores: dict[int, int] = field(default_factory=dict, repr=False, compare=False)
    _wholes: dict[int, int] = field(default_factory=dict, repr=False, compare=False)

    def __len__(self) -> int:
        return len(self.position)

    def before(self, position: int) -> int:
        """How many of its frames stand before that position on the tape."""
        found = self._befores.get(position)
        return found if found is not None else _remembered(self._befores, position, self.position, "left")

    def whole(self, offset: int) -> int:
        """How many whole frames lie before that byte of the blob."""
        found = self._wholes.get(offset)
        return (found if found is not None else _remembered(self._wholes, offset, self.offsets, "right")) - 1

    def is_boundary(self, offset: int) -> bool:
        """Whether a frame begins or ends at that byte of the blob."""
        return int(self.offsets[self.whole(offset)]) == offset


def _remembered(found: dict[int, int], key: int, places: NDArray[np.int64], side: Literal["left", "right"]) -> int:
    # All who share a strip ask for the same places one after another, and a search costs as much as a small send.
    if len(found) >= _REMEMBERED:
        found.clear()
    found[key] = place = int(np.searchsorted(places, key, side=side))
    return place


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
    texts = [_text(tape, place, selection) for place in chosen.tolist()]
    bodies = [text for text in texts if text is not None]
    if len(bodies) < len(texts):
        chosen = chosen[[text is not None for text in texts]]
    binary = [number for number, place in enumerate(chosen.tolist()) if place in tape.binary] if tape.binary else []
    blob, offsets = _squeezed(bodies, binary, squeeze) if selection.deflated else wire(bodies, binary)
    return Strip(
        position=chosen,
        offsets=offsets,
        blob=blob,
        account=selection.account and not selection.streams,
        tape_frames=len(tape),
    )


def _squeezed(
    bodies: Sequence[bytes], binary: Collection[int], squeeze: Callable[[bytes], bytes]
) -> tuple[memoryview, NDArray[np.int64]]:
    plain = frozenset(binary)
    frames = [
        header(len(body), _FINAL_BINARY) + body if number in plain else squeeze(body)
        for number, body in enumerate(bodies)
    ]
    return memoryview(b"".join(frames)), _offsets(np.fromiter(map(len, frames), np.int64, len(frames)))


def _text(tape: Tape, place: int, selection: Selection) -> bytes | None:
    """The body at a place as the connection receives it; None for an account event that it did not ask for."""
    body = tape.bodies[place]
    if tape.stream[place] == ACCOUNT:
        return account_text(selection, body)
    if selection.microseconds:
        body = in_microseconds(MARKET, body)
    return payload_of(body) if selection.wrapping is Wrapping.RAW else body


def _chosen(tape: Tape, selection: Selection) -> NDArray[np.int64]:
    wanted = [number for number, name in enumerate(tape.names) if name in selection.streams]
    if selection.streams:
        wanted.append(NO_STREAM)  # a fault in the recording reaches everybody who listens
    if selection.account:
        wanted.append(ACCOUNT)
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
