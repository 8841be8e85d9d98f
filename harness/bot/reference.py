"""The reader that is the same on all stacks: what a codec refuses, or must not see, is read here.

Slow, and off the path of every frame that an exchange sends.
"""

from __future__ import annotations

import json
import re
from typing import Any, NoReturn

import msgspec

#: What `read`, and the conversion of what it returns, raise for a malformed frame.
ERRORS: tuple[type[Exception], ...] = (ValueError, RecursionError, msgspec.ValidationError)

#: Binance nests four deep. JSON libraries give up from about 1,000 on, each at a depth of its own.
MAX_DEPTH = 400
#: A whole frame of no more bytes cannot nest deeper than that: every level has two brackets.
SHALLOW_BYTES = 2 * MAX_DEPTH

_BACKSLASH = 0x5C
_STRING = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)
_OPEN = b"[{"
_NO_BRACKETS = bytes(byte for byte in range(256) if byte not in b"[]{}")


def is_deep(frame: bytes) -> bool:
    """Whether the frame nests deeper than `MAX_DEPTH`."""
    if len(frame) <= SHALLOW_BYTES:
        return False
    arrays = frame.count(b"[")
    # A market frame has its braces at its head, and where the last one stands is found sooner than how many there are.
    if arrays + frame.rfind(b"{") < MAX_DEPTH or arrays + frame.count(b"{") <= MAX_DEPTH:
        return False
    depth = deepest = 0
    for bracket in _STRING.sub(b"", frame).translate(None, _NO_BRACKETS):
        depth += 1 if bracket in _OPEN else -1
        deepest = max(deepest, depth)
    return deepest > MAX_DEPTH


def read(frame: bytes) -> Any:
    """The document, by the standard library's json; raises one of `ERRORS`.

    Numbers may be of any size, since bounds are the business of the fields that somebody reads. Refused are NaN and
    Infinity, bytes that are not UTF-8, half surrogate pairs, and what nests too deep.
    """
    if is_deep(frame):
        raise ValueError("nested too deep")
    document = _DECODER.decode(frame.decode())
    if _BACKSLASH in frame:
        json.dumps(document, ensure_ascii=False).encode()  # only half a surrogate pair does not encode
    return document


def _integer(text: str) -> int | float:
    # Python refuses to read integers beyond 4,300 digits; beyond 64 bits nobody here tells them from floats.
    return int(text) if len(text) <= 20 else float(text)


def _refuse(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


_DECODER = json.JSONDecoder(parse_int=_integer, parse_constant=_refuse)
