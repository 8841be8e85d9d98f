"""What happens on the line on purpose, between two frames."""

from __future__ import annotations

from typing import NamedTuple


class Trickle(NamedTuple):
    """Up to position `until` on the tape, each client gets so many bytes per second; (0, 0.0) for no trickle."""

    until: int
    bytes_per_second: float


class Line: ...
