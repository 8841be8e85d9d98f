from __future__ import annotations

from harness.replay.hand_overs import HandOvers
from harness.units import Nanoseconds


def test_a_frame_that_is_being_handed_over_has_its_time_already() -> None:
    overs = HandOvers()
    overs.note(3, Nanoseconds(10))
    overs.offer(4, Nanoseconds(20))
    assert [overs.sent_ns(number) for number in (3, 4, 7, 8)] == [10, 20, 20, None]
    assert overs.reached == 7
    overs.note(2, Nanoseconds(20))
    assert [overs.sent_ns(number) for number in (3, 4, 5, 6)] == [10, 20, 20, None]
    assert overs.reached == overs.count == 5


def test_an_offer_of_which_nothing_was_taken_leaves_nothing() -> None:
    overs = HandOvers(7)
    overs.offer(4, Nanoseconds(20))
    overs.note(0, Nanoseconds(20))
    assert overs.sent_ns(8) is None
    assert overs.reached == 7
