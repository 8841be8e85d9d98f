"""What a strategy would like to do."""

from __future__ import annotations

from enum import IntEnum


class Signal(IntEnum):
    """The numbers enter the digest and are never reused."""

    HOLD = 0
    ENTER = 1
    LEAVE = 2
