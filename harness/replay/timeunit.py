"""The times of a frame in microseconds, for a client that asked for `timeUnit=MICROSECOND`.

Source: Binance, web-socket-streams.md: "all time and timestamp related fields". Which numbers are times, the
recordings know. A kline closes with the last microsecond of its interval, as in Binance's daily files of 2025.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from harness.recordings.numbers import Role, numbers_of, place_of

if TYPE_CHECKING:
    from harness.recordings.numbers import Number

#: The year 5138 in milliseconds, March 1973 in microseconds: what is not below is in microseconds already.
_MICROSECONDS_FROM: Final = 10**14
_KLINES: Final = frozenset({"kline", "continuous_kline"})


def in_microseconds(connection: str, body: bytes) -> bytes:
    """The body with its times in microseconds; those that are in microseconds already stay as they are.

    `connection` is where the body was recorded, as in the recording's frames. What is no UTF-8 travels as it is.
    """
    try:
        place = place_of(connection, body)
    except UnicodeDecodeError:
        return body
    closes = place.event in _KLINES
    parts: list[bytes] = []
    end = 0
    for number in numbers_of(place, body):
        if number.role is Role.TIME and number.value < _MICROSECONDS_FROM:
            parts += (body[end : number.start], str(_microseconds(number, closes=closes)).encode())
            end = number.end
    return b"".join((*parts, body[end:])) if parts else body


def _microseconds(number: Number, *, closes: bool) -> int:
    if closes and number.key == "T":
        return (number.value + 1) * 1000 - 1
    return number.value * 1000
