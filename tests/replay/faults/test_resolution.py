from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest

from harness.errors import ConfigError
from harness.recordings.format import Frame
from harness.replay.faults import resolution
from harness.replay.faults.fault import ClockStep, Content, Duplicate, Faults, Gap, Malformed
from harness.replay.faults.plan import FaultPlan, read_plan, shipped_plans
from harness.replay.faults.prepared import prepared
from harness.replay.faults.resolution import resolve
from harness.replay.tape import tape_of
from harness.units import Nanoseconds

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.replay.tape import Tape

    Resolve = Callable[[str], Faults]


def numbers(faults: Faults) -> list[int]:
    return [fault.frame for fault in faults.faults]


def error_of(faults: Resolve, text: str) -> tuple[str, str]:
    with pytest.raises(ConfigError) as caught:
        faults(text)
    assert caught.value.source == "made.toml"
    return caught.value.key, caught.value.problem


def test_a_frame_or_several_may_be_named(faults: Resolve) -> None:
    assert numbers(faults('kind = "gap"\nat = 7')) == [7]
    assert numbers(faults('kind = "gap"\nat = [50, 7, 100]')) == [7, 50, 100]


def test_every_so_many_frames(faults: Resolve) -> None:
    assert numbers(faults('kind = "gap"\nevery = 30')) == [30, 60, 90]
    assert numbers(faults('kind = "gap"\nevery = 10\nonly = "trade"')) == [38, 78]


def test_a_count_of_frames_is_drawn_without_repeating_one(faults: Resolve) -> None:
    drawn = numbers(faults('kind = "gap"\ncount = 60'))
    assert len(set(drawn)) == 60
    assert min(drawn) >= 1
    assert max(drawn) <= 100
    assert drawn != list(range(drawn[0], drawn[0] + 60))
    assert numbers(faults('kind = "gap"\ncount = 100')) == list(range(1, 101))


def test_a_chance_is_that_of_each_frame() -> None:
    long = tape_of(Frame(Nanoseconds(n), "market", b'{"e":"trade"}') for n in range(20_000))
    drawn = resolve(msgspec.convert({"fault": [{"kind": "gap", "chance": 0.05}]}, type=FaultPlan), long)
    assert 850 < len(drawn.faults) < 1_150


@pytest.mark.parametrize(
    ("only", "frames"),
    [
        ('"depth"', {1, 5, 9}),
        ('"trade"', {2, 6, 10}),
        ('"btcusdt@*"', {1, 2, 5, 6, 9, 10}),
        ('"*@bookTicker"', {3, 7, 11}),
        ('["trade", "!miniTicker@arr"]', {2, 4, 6, 8, 10, 12}),
    ],
)
def test_frames_are_chosen_by_kind_or_name_of_stream(faults: Resolve, only: str, frames: set[int]) -> None:
    found = set(numbers(faults(f'kind = "gap"\nevery = 1\nonly = {only}')))
    assert {frame for frame in found if frame <= 12} == frames


def test_a_named_frame_of_another_stream_means_the_next_one_that_is_of_it(faults: Resolve) -> None:
    assert numbers(faults('kind = "gap"\nat = [6, 13]\nonly = "depth"')) == [9, 13]
    assert error_of(faults, 'kind = "gap"\nat = 98\nonly = "depth"') == (
        "fault[0].at",
        "no frame from 98 on is of 'depth'",
    )


def test_a_stream_that_the_recording_has_not_is_told_with_the_kinds_there_are(faults: Resolve) -> None:
    key, problem = error_of(faults, 'kind = "gap"\nat = 1\nonly = "depht"')
    assert key == "fault[0].only"
    assert problem.startswith("no frame of the recording is of 'depht'; allowed: a kind of stream (aggTrade, trade,")


@pytest.mark.parametrize(
    ("text", "key", "problem"),
    [
        ('kind = "gap"\nat = [1, 101]', "fault[0].at[1]", "frame 101 is beyond the recording, which has 100 frames"),
        ('kind = "gap"\nat = 0', "fault[0].at", "frames are counted from 1; only a refusal can be at 0, the start"),
        ('kind = "reorder"\nat = 99\nby = 2', "fault[0].by",
         "frame 99 and 2 more is beyond the recording, which has 100 frames"),
        ('kind = "reorder"\nat = 97\nwithin = "stream"', "fault[0].by", "the stream of frame 97 has no frame 1 later"),
        ('kind = "burst"\nat = 1\nframes = 100', "fault[0].frames",
         "frame 1 and 100 more is beyond the recording, which has 100 frames"),
        ('kind = "trickle"\nat = 1\nframes = 100\nbytes_per_second = 1', "fault[0].frames",
         "frame 1 and 100 more is beyond the recording, which has 100 frames"),
        ('kind = "cut"\nat = 100\nhow = "mid_frame"', "fault[0].how",
         "frame 100 and 1 more is beyond the recording, which has 100 frames"),
        ('kind = "cut"\nat = 90\nskip = 11', "fault[0].skip",
         "frame 90 and 11 more is beyond the recording, which has 100 frames"),
        ('kind = "close_code"\nat = 90\nskip = 11\ncode = 1000', "fault[0].skip",
         "frame 90 and 11 more is beyond the recording, which has 100 frames"),
        ('kind = "oversized"\nat = 1\nbytes = 40', "fault[0].bytes", "frame 1 can be padded to 129 bytes or more"),
        ('kind = "oversized"\nat = 4\npadding = "field"', "fault[0].padding",
         "frame 4 is no JSON object that could have one more field"),
        ('kind = "gap"\ncount = 101', "fault[0].count", "the recording has room for 100 such faults only"),
        ('kind = "gap"\nevery = 101', "fault[0].every", "the recording has room for 0 such faults only"),
    ],
)  # fmt: skip
def test_what_does_not_fit_the_recording_is_refused(faults: Resolve, text: str, key: str, problem: str) -> None:
    assert error_of(faults, text) == (key, problem)


@pytest.mark.parametrize(
    ("one", "other", "why"),
    [
        ('kind = "gap"\nat = 9', 'kind = "gap"\nat = 9', "another one of its kind is there"),
        ('kind = "gap"\nat = 9', 'kind = "binary"\nat = 9', "the frame is altered by another fault"),
        ('kind = "reorder"\nat = 7\nby = 2', 'kind = "gap"\nat = 9', "the frame is altered by another fault"),
        ('kind = "gap"\nat = 11', 'kind = "reorder"\nat = 9\nby = 2', "the frame is altered by another fault"),
        ('kind = "burst"\nat = 5\nframes = 5', 'kind = "burst"\nat = 9\nframes = 3', "it meets another burst"),
        ('kind = "burst"\nat = 10\nframes = 3', 'kind = "burst"\nat = 9\nframes = 30', "it meets another burst"),
        ('kind = "clock_step"\nat = 9\nms = 1', 'kind = "clock_step"\nat = 9\nms = 2',
         "another one of its kind is there"),
        ('kind = "cut"\nat = 9', 'kind = "close_code"\nat = 9\ncode = 1000', "a connection ends there already"),
        ('kind = "cut"\nat = 5\nskip = 4', 'kind = "cut"\nat = 9',
         "the frame is lost with a connection that ends before it"),
        ('kind = "cut"\nat = 10', 'kind = "cut"\nat = 9\nskip = 1', "a connection ends there already"),
        ('kind = "silence"\nat = 10\nseconds = 1', 'kind = "cut"\nat = 9\nskip = 1',
         "another fault of the line lies among the frames that are lost with it"),
        ('kind = "trickle"\nat = 5\nframes = 9\nbytes_per_second = 1', 'kind = "cut"\nat = 9\nskip = 1',
         "another fault of the line lies among the frames that are lost with it"),
        ('kind = "cut"\nat = 12\nskip = 1', 'kind = "trickle"\nat = 9\nframes = 4\nbytes_per_second = 1',
         "its frames are lost with a connection that ends before"),
        ('kind = "trickle"\nat = 5\nframes = 5\nbytes_per_second = 1',
         'kind = "trickle"\nat = 9\nframes = 1\nbytes_per_second = 1', "it meets another trickle"),
    ],
)  # fmt: skip
def test_faults_that_contradict_each_other_are_refused(faults: Resolve, one: str, other: str, why: str) -> None:
    kind = other.split('"')[1]
    key, problem = error_of(faults, f"[[fault]]\n{one}\n[[fault]]\n{other}")
    assert (key, problem) == ("fault[1].at", f"no {kind} can be at frame 9: {why}")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ('kind = "clock_step"\nat = 9\nms = 1', 'kind = "gap"\nat = 9'),
        ('kind = "burst"\nat = 9\nframes = 2', 'kind = "malformed"\nat = 10'),
        ('kind = "cut"\nat = 9', 'kind = "gap"\nat = 9'),
        ('kind = "cut"\nat = 8\nskip = 1', 'kind = "cut"\nat = 10'),
        ('kind = "cut"\nat = 9\nskip = 3', 'kind = "silence"\nat = 9\nseconds = 1'),
        ('kind = "trickle"\nat = 5\nframes = 9\nbytes_per_second = 1', 'kind = "cut"\nat = 9'),
        ('kind = "refuse"\nat = 9', 'kind = "close_code"\nat = 9\ncode = 1005'),
    ],
)
def test_faults_that_go_together_may_be_together(faults: Resolve, one: str, other: str) -> None:
    assert len(faults(f"[[fault]]\n{one}\n[[fault]]\n{other}").faults) == 2
    assert len(faults(f"[[fault]]\n{other}\n[[fault]]\n{one}").faults) == 2


def test_chosen_frames_pass_over_those_that_are_taken_or_cannot_be(faults: Resolve) -> None:
    text = '[[fault]]\nkind = "binary"\nevery = 10\n[[fault]]\nkind = "gap"\nat = [20, 30]'
    assert numbers(faults(text)) == [10, 20, 30, 40, 50, 60, 70, 80, 90, 100]
    assert [fault.__struct_config__.tag for fault in faults(text).faults].count("gap") == 2
    assert numbers(faults('kind = "burst"\nevery = 1\nframes = 40')) == [1, 41]
    assert not [
        frame for frame in numbers(faults('kind = "oversized"\nevery = 1\npadding = "field"')) if frame % 4 == 0
    ]


def test_no_more_faults_than_a_result_can_list(monkeypatch: pytest.MonkeyPatch, faults: Resolve) -> None:
    monkeypatch.setattr(resolution, "MAX_FAULTS", 20)
    assert len(faults('kind = "gap"\ncount = 20').faults) == 20
    assert error_of(faults, 'kind = "gap"\ncount = 21') == ("fault[0]", "more than 20 faults in all")


def test_no_more_bytes_than_memory_has_room_for(faults: Resolve) -> None:
    text = 'kind = "oversized"\nat = {}\nbytes = 16777216'
    assert len(faults(text.format(list(range(1, 9)))).faults) == 8
    assert error_of(faults, text.format(list(range(1, 10)))) == (
        "fault[0]",
        "more than 134,217,728 bytes are added in all",
    )


def test_copies_count_among_the_bytes_that_are_added() -> None:
    tape = tape_of([Frame(Nanoseconds(0), "market", b'"' + b"x" * 200_000 + b'"')])
    plan = msgspec.convert({"fault": [{"kind": "duplicate", "at": 1, "times": 1_000}]}, type=FaultPlan)
    with pytest.raises(ConfigError, match="134,217,728 bytes are added"):
        resolve(plan, tape)


def test_a_rule_draws_the_same_whatever_rules_follow(faults: Resolve) -> None:
    alone = faults('[[fault]]\nkind = "clock_step"\ncount = 5\nms = 1')
    more = faults('[[fault]]\nkind = "clock_step"\ncount = 5\nms = 1\n[[fault]]\nkind = "duplicate"\ncount = 9')
    assert [fault for fault in more.faults if isinstance(fault, ClockStep)] == list(alone.faults)
    assert sum(isinstance(fault, Duplicate) for fault in more.faults) == 9


def test_another_seed_draws_other_frames(faults: Resolve) -> None:
    text = '[[fault]]\nkind = "gap"\ncount = 10'
    assert numbers(faults(text)) == numbers(faults(f"seed = 0\n{text}"))
    assert numbers(faults(text)) != numbers(faults(f"seed = 1\n{text}"))


def test_the_frames_of_a_seed_are_the_same_everywhere_and_always(faults: Resolve) -> None:
    """Written down once: a change to it would make every result that lists a plan unrepeatable."""
    found = faults('seed = 3\n[[fault]]\nkind = "gap"\ncount = 5\n[[fault]]\nkind = "malformed"\nchance = 0.1')
    assert [fault.frame for fault in found.faults if isinstance(fault, Gap)] == [3, 51, 52, 69, 83]
    broken = [(fault.frame, fault.way, fault.offset) for fault in found.faults if isinstance(fault, Malformed)]
    assert broken[:5] == [(9, "quote", 108), (31, "text", 0), (35, "quote", 39), (36, "text", 0), (41, "colon", 43)]
    assert broken[-3:] == [(81, "tail", 129), (94, "quote", 68), (99, "quote", 71)]


def test_the_shipped_plan_fits_the_shipped_recordings_and_smaller_ones() -> None:
    body = b'{"stream":"btcusdt@depth@100ms","data":{"e":"depthUpdate","E":1700000000000,"s":"BTCUSDT","U":1,"u":2}}'
    tape = tape_of(Frame(Nanoseconds(n), "market", body) for n in range(5_000))
    found = resolve(read_plan(shipped_plans()["rough-day"]), tape)
    made = prepared(tape, found)
    assert len({type(fault) for fault in found.faults}) == 15
    assert not found.lossless
    assert len(made.line) == sum(not isinstance(fault, Content) for fault in found.faults)


def test_what_was_resolved_goes_through_json_unchanged(tape: Tape) -> None:
    names = ("duplicate", "gap", "malformed", "truncated", "binary", "cut", "ping_flood", "refuse", "reorder")
    plan = msgspec.convert({"fault": [{"kind": name, "count": 2} for name in names]}, type=FaultPlan)
    found = resolve(plan, tape)
    assert len(found.faults) == 18
    assert msgspec.json.decode(msgspec.json.encode(found), type=Faults) == found
