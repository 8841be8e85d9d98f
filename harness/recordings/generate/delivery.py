"""When frames reach the reader: some milliseconds after they were sent, and often several at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from harness.recordings.format import Frame
from harness.units import NS_PER_US, Nanoseconds

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from harness.recordings.generate.dice import Dice

#: The way from the exchange at its best.
_DELAY_US: Final = 2_500
#: No stall holds frames back longer.
_LONGEST_STALL_US: Final = 250_000


def delivered(sent: Iterable[tuple[int, str, bytes]], dice: Dice, stalls_per_mille: int) -> Iterator[Frame]:
    """Frames with receive times, from (microseconds since the start, connection, body) in order of sending.

    Now and then the line holds frames back for some milliseconds and then lets them out back to back, as TCP does: in
    real recordings about half of the gaps are below a millisecond.
    """
    open_us = 0
    last_ns = 0
    for sent_us, connection, body in sent:
        at_us = sent_us + _DELAY_US
        if at_us < open_us:
            at_us = open_us
        elif dice.chance(stalls_per_mille):
            open_us = at_us + min(_LONGEST_STALL_US, dice.spread(7_000, 1.1))
        last_ns = max(at_us * NS_PER_US, last_ns + 5_000) + dice.below(30_000)
        yield Frame(Nanoseconds(last_ns), connection, body)
