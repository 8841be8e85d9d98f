"""What content faults do to the body of one frame.

Where a frame has a combined envelope, its payload is altered, so that clients which get the payload alone see the fault
as well.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from harness.recordings.numbers import Role, numbers_of, place_of
from harness.replay.envelope import payload_of

if TYPE_CHECKING:
    from harness.replay.faults.values import Padding, Way

#: Ways that leave a frame of valid UTF-8, which no JSON parser reads.
DRAWN_WAYS: Final[tuple[Way, ...]] = ("comma", "colon", "quote", "tail", "text")
#: As a proxy answers in the place of the exchange.
_PAGE: Final = b"<html><body><h1>502 Bad Gateway</h1></body></html>"
_TOKEN: Final = re.compile(rb'"(?:[^"\\]|\\.)*"|[,:]', re.DOTALL)
_FIELD: Final = b'"padding":"'
#: Times above this are microseconds (`timeUnit=MICROSECOND`): in milliseconds it is the year 5138.
_MICROSECONDS_FROM: Final = 10**14


def span_of(body: bytes) -> tuple[int, int]:
    """Where the payload begins and ends; the whole body where there is no envelope."""
    payload = payload_of(body)
    start = body.rfind(payload) if payload else 0
    return (start, start + len(payload)) if payload else (0, len(body))


def places(body: bytes, way: Way) -> list[int]:
    """Bytes at which a body can be broken in that way."""
    start, end = span_of(body)
    if way == "text":
        return [0]
    if way == "tail":
        return [end]
    found = [(match.start(), body[match.start()]) for match in _TOKEN.finditer(body, start, end)]
    wanted = {"comma": b",", "colon": b":", "quote": b'"', "utf8": b'"'}[way][0]
    return [place + (way == "utf8") for place, token in found if token == wanted]


def broken(body: bytes, way: Way, offset: int) -> bytes:
    """The body broken at one of its `places`."""
    if way == "text":
        return _PAGE
    before, after = body[:offset], body[offset:]
    if way in {"colon", "quote"}:
        return before + after[1:]
    return before + {"comma": b",", "tail": b"}", "utf8": b"\xff"}[way] + after


def kept_of(body: bytes, fraction: float) -> int:
    """How many bytes that fraction is: never all of them, and no character is cut in two."""
    kept = min(max(1, int(len(body) * fraction)), len(body) - 1)
    while kept > 0 and body[kept] & 0xC0 == 0x80:
        kept -= 1
    return kept


def least_padded(body: bytes, padding: Padding) -> int | None:
    """The least number of bytes that this can be padded to; None for a field in what is no JSON object."""
    if padding == "whitespace":
        return len(body) + 1
    start, end = span_of(body)
    if body[start : start + 1] != b"{" or body[end - 1 : end] != b"}":
        return None
    return len(body) + len(_field(body, start, end, 0))


def padded(body: bytes, padding: Padding, size: int) -> bytes:
    """The body with so many bytes, from `least_padded` upwards."""
    start, end = span_of(body)
    if padding == "whitespace":
        return body[:start] + b" " * (size - len(body)) + body[start:]
    empty = _field(body, start, end, 0)
    return body[: end - 1] + _field(body, start, end, size - len(body) - len(empty)) + body[end - 1 :]


def moved(body: bytes, ms: int) -> bytes:
    """The body with its times so much later; a time of 0, which Binance writes where there is none, stays."""
    parts = []
    done = 0
    for number in numbers_of(place_of("market", body), body):
        if number.role is not Role.TIME or not number.value:
            continue
        unit = 1_000 if number.value >= _MICROSECONDS_FROM else 1
        parts += [body[done : number.start], b"%d" % (number.value + ms * unit)]
        done = number.end
    return b"".join((*parts, body[done:]))


def _field(body: bytes, start: int, end: int, size: int) -> bytes:
    joint = b"," if body[start + 1 : end - 1].strip() else b""
    return joint + _FIELD + b"x" * size + b'"'
