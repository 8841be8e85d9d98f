"""What the server knows of its own market when an order arrives: which frame triggered it, and when that was sent.

The measurement is the server's alone: the frame was sent and the order's bytes arrived by one clock, whatever the
client is written in.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.exchange.orders import Order

#: The client order ids of the bundled bot: `<epoch>-<frame>-<B or S>`.
FRAME_IN_ID: Final = r"[0-9]+-(?P<frame>[0-9]+)-[BS]"
#: No recording has as many frames, looped or not.
_MAX_FRAME: Final = 2**63 - 1


class Stamps(NamedTuple):
    """By `time.monotonic_ns`; None for what is not known."""

    trigger_frame: int | None = None
    """The market frame that the order answers, counted from 1 on the client's market connection."""
    trigger_sent_ns: int | None = None
    """When that frame was sent."""
    last_sent_ns: int | None = None
    """When the last market frame of the order's symbol was sent before the order arrived."""


UNSTAMPED: Final = Stamps()

if TYPE_CHECKING:
    StampsOf = Callable[[Order, int], Stamps | None]
    """The stamps of an order that arrived at a time by `time.monotonic_ns`; None where there is no market."""


class FrameNames:
    """How a client's order ids name the frame that triggered them."""

    def __init__(self, pattern: str = FRAME_IN_ID) -> None:
        """`pattern` must match a whole id and name a group `frame`; raises ValueError for one that cannot."""
        try:
            self._pattern = re.compile(pattern)
        except re.error as error:
            raise ValueError(f"no regular expression: {error}") from error
        if "frame" not in self._pattern.groupindex:
            raise ValueError("names no group: write (?P<frame>[0-9]+) where the frame number stands")

    def frame_in(self, client_order_id: str) -> int | None:
        """The number of the frame; None for an id that names none."""
        found = self._pattern.fullmatch(client_order_id)
        text = found["frame"] if found else None
        if not text or not text.isascii() or not text.isdigit():
            return None
        number = int(text)
        return number if 1 <= number <= _MAX_FRAME else None
