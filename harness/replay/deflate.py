"""Data frames compressed one by one, so that they can be built before any clock starts.

Source: RFC 7692, 7.2.1, with `server_no_context_takeover` in force: no frame needs the one before. What the handshake
says about it is protocol/compression.py's.
"""

from __future__ import annotations

import zlib
from typing import Final

#: A final text frame with RSV1 (RFC 7692, 6).
_FINAL_DEFLATED_TEXT: Final = 0xC1
#: A raw deflate stream with a window of 32 KiB, which every client has that is accepted.
_WINDOW_BITS: Final = -15
#: What ends a flushed block, and is not sent.
_TAIL: Final = b"\x00\x00\xff\xff"


def deflated_frame(body: bytes) -> bytes:
    """The wire bytes of a server's compressed final text frame with that body."""
    squeezed = zlib.compressobj(wbits=_WINDOW_BITS)
    payload = (squeezed.compress(body) + squeezed.flush(zlib.Z_SYNC_FLUSH)).removesuffix(_TAIL)
    return _header(len(payload)) + payload


def _header(size: int) -> bytes:
    """RFC 6455, 5.2: 7 bits of length, or 126 and 16 bits, or 127 and 64 bits."""
    if size < 126:
        return bytes((_FINAL_DEFLATED_TEXT, size))
    if size < 1 << 16:
        return bytes((_FINAL_DEFLATED_TEXT, 126)) + size.to_bytes(2, "big")
    return bytes((_FINAL_DEFLATED_TEXT, 127)) + size.to_bytes(8, "big")
