from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from harness.replay.faults.fault import CloseCodeSent, Cut, PingFlood, Refuse, Silence, Trickle

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.replay.faults.fault import Faults
    from harness.replay.faults.prepared import Prepared
    from harness.replay.tape import Tape

    Served = Callable[[str], Prepared]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ('kind = "cut"\nat = 7', Cut(frame=7, on="market", how="reset", code=None, resume="next", skip=0)),
        (
            'kind = "cut"\nat = 7\nhow = "clean"\non = "all"',
            Cut(frame=7, on="all", how="clean", code=1000, resume="next", skip=0),
        ),
        (
            'kind = "cut"\nat = 7\nhow = "clean"\ncode = 1001\nresume = "live"',
            Cut(frame=7, on="market", how="clean", code=1001, resume="live", skip=0),
        ),
        (
            'kind = "cut"\nat = 7\nhow = "half_open"',
            Cut(frame=7, on="market", how="half_open", code=None, resume="next", skip=0),
        ),
        (
            'kind = "cut"\nat = 99\nhow = "mid_frame"',
            Cut(frame=99, on="market", how="mid_frame", code=None, resume="next", skip=0),
        ),
        ('kind = "silence"\nat = 7\nseconds = 2', Silence(frame=7, on="market", seconds=2.0)),
        (
            'kind = "trickle"\nat = 7\nbytes_per_second = 90\nframes = 5',
            Trickle(frame=7, on="market", bytes_per_second=90, frames=5),
        ),
        ('kind = "ping_flood"\nat = 7\npings = 40', PingFlood(frame=7, on="market", pings=40)),
        (
            'kind = "close_code"\nat = 7\ncode = 1006\nreason = "\u5e01"',
            CloseCodeSent(frame=7, on="market", code=1006, reason="\u5e01", resume="next", skip=0),
        ),
        ('kind = "refuse"\nat = 0', Refuse(frame=0, on="market", times=1, how="reset", status=None)),
        (
            'kind = "refuse"\nat = 7\ntimes = 3\nhow = "http"',
            Refuse(frame=7, on="market", times=3, how="http", status=503),
        ),
        (
            'kind = "refuse"\nat = 7\nhow = "http"\nstatus = 418',
            Refuse(frame=7, on="market", times=1, how="http", status=418),
        ),
    ],
)
def test_each_kind_is_filled_in(faults: Callable[[str], Faults], text: str, fault: object) -> None:
    assert faults(text).faults == (fault,)


def positions(made: Prepared) -> list[tuple[int, int]]:
    return [(line.position, line.until) for line in made.line]


def test_a_fault_of_the_line_comes_after_its_frame_and_before_the_account_frame_behind(served: Served) -> None:
    made = served('[[fault]]\nkind = "refuse"\nat = 0\n[[fault]]\nkind = "cut"\nat = [1, 10, 11, 100]')
    assert positions(made) == [(0, 0), (1, 1), (10, 10), (12, 12), (109, 109)]


def test_the_place_follows_copies_and_gaps(served: Served) -> None:
    text = (
        '[[fault]]\nkind = "duplicate"\nat = 5\ntimes = 4\n[[fault]]\nkind = "gap"\nat = [7, 9]\n'
        '[[fault]]\nkind = "silence"\nat = [4, 5, 6, 7, 8, 9, 10]\nseconds = 1'
    )
    assert positions(served(text)) == [(place, place) for place in (4, 8, 9, 9, 10, 10, 11)]


def test_frames_that_change_places_do_not_move_the_line(served: Served, tape: Tape) -> None:
    made = served('[[fault]]\nkind = "reorder"\nat = 5\nby = 3\n[[fault]]\nkind = "cut"\nat = 5')
    assert positions(made) == [(5, 5)]
    assert made.tape.bodies[4] == tape.bodies[7]


def test_a_cut_that_loses_frames_says_where_it_goes_on(served: Served) -> None:
    text = '[[fault]]\nkind = "gap"\nat = 8\n[[fault]]\nkind = "cut"\nat = 6\nskip = 5\n'
    assert positions(served(text)) == [(6, 11)]  # frames 7 to 11 less the gap, and an account frame
    assert positions(served('kind = "close_code"\nat = 98\ncode = 1000\nskip = 2')) == [(107, 109)]


def test_a_trickle_says_where_it_ends(served: Served) -> None:
    assert positions(served('kind = "trickle"\nat = 9\nbytes_per_second = 1\nframes = 2')) == [(9, 12)]
    assert positions(served('kind = "trickle"\nat = 98\nbytes_per_second = 1\nframes = 2')) == [(107, 109)]


def test_at_one_frame_refusals_come_first_and_the_rest_as_written(served: Served) -> None:
    text = (
        '[[fault]]\nkind = "cut"\nat = 5\n[[fault]]\nkind = "silence"\nat = 5\nseconds = 1\n'
        '[[fault]]\nkind = "refuse"\nat = 5\n[[fault]]\nkind = "ping_flood"\nat = 3\n'
    )
    made = [type(line.fault) for line in served(text).line]
    assert made == [PingFlood, Refuse, Cut, Silence]


def test_the_tape_can_be_cut_by_the_numbers_of_the_recording(served: Served) -> None:
    made = served('[[fault]]\nkind = "duplicate"\nat = 5\ntimes = 3\n[[fault]]\nkind = "gap"\nat = 7')
    assert [made.market_frames_after(frame) for frame in (0, 4, 5, 6, 7, 8, 100)] == [0, 4, 7, 8, 8, 9, 101]
    assert [int(made.after[frame]) for frame in (0, 10, 11, 100)] == [0, 11, 13, 110]


LOSSLESS = [
    "",
    'kind = "cut"\nat = 5',
    'kind = "cut"\nat = 5\nhow = "mid_frame"',
    'kind = "close_code"\nat = 5\ncode = 1015',
    'kind = "refuse"\nat = 0\ntimes = 4',
    'kind = "silence"\nat = 5\nseconds = 1',
    'kind = "trickle"\nat = 5\nbytes_per_second = 1\nframes = 1',
    'kind = "ping_flood"\nat = 5',
    'kind = "burst"\nat = 5\nframes = 9',
]
LOSSY = [
    'kind = "cut"\nat = 5\nskip = 1',
    'kind = "cut"\nat = 5\nresume = "live"',
    'kind = "close_code"\nat = 5\ncode = 1000\nskip = 1',
    'kind = "close_code"\nat = 5\ncode = 1000\nresume = "live"',
    'kind = "duplicate"\nat = 5',
    'kind = "reorder"\nat = 5',
    'kind = "gap"\nat = 5',
    'kind = "malformed"\nat = 5',
    'kind = "truncated"\nat = 5',
    'kind = "oversized"\nat = 5',
    'kind = "binary"\nat = 5',
    'kind = "clock_step"\nat = 5\nms = 1',
]


@pytest.mark.parametrize("text", LOSSLESS)
def test_digests_can_be_compared_where_every_frame_arrives_once_and_unaltered(
    faults: Callable[[str], Faults], text: str
) -> None:
    assert faults(text).lossless


@pytest.mark.parametrize("text", LOSSY)
def test_one_fault_that_loses_or_alters_a_frame_makes_the_whole_lossy(
    faults: Callable[[str], Faults], text: str
) -> None:
    assert not faults(text).lossless
    assert not faults(f'[[fault]]\nkind = "silence"\nat = 50\nseconds = 1\n[[fault]]\n{text}').lossless
