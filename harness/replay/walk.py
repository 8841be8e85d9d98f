"""The cheapest possible parsing of a server's frames: header by header through a buffer."""

from __future__ import annotations

from typing import Final

TEXT: Final = 0x81
CLOSE: Final = 0x88


def walk(buffer: bytearray, start: int, end: int) -> tuple[int, int, bool]:
    """Whole frames in `buffer[start:end]`: the place behind the last one, text frames counted, a close frame seen.

    Nothing behind a close frame is looked at. Frames are unmasked (RFC 6455, 5.2).
    """
    frames = 0
    while end - start >= 2:
        size = buffer[start + 1]
        if size < 126:
            behind = start + 2 + size
        elif end - start < 10:  # no frame with a longer header is so short
            break
        elif size == 126:
            behind = start + 4 + (buffer[start + 2] << 8 | buffer[start + 3])
        else:
            behind = start + 10 + int.from_bytes(buffer[start + 2 : start + 10], "big")
        if behind > end:
            break
        kind = buffer[start]
        if kind == TEXT:
            frames += 1
        elif kind == CLOSE:
            return behind, frames, True
        start = behind
    return start, frames, False
