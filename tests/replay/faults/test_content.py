from __future__ import annotations

import json
from typing import TYPE_CHECKING

import msgspec
import pytest

from harness.recordings.format import Frame
from harness.replay.envelope import payload_of, stream_of
from harness.replay.faults.altering import DRAWN_WAYS, broken, kept_of, least_padded, moved, padded, places
from harness.replay.faults.fault import Binary, Duplicate, Faults, Gap, Reorder
from harness.replay.faults.prepared import prepared
from harness.replay.faults.resolution import resolve
from harness.replay.tape import ACCOUNT, tape_of
from harness.units import Nanoseconds

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.replay.faults.plan import FaultPlan
    from harness.replay.faults.prepared import Prepared
    from harness.replay.faults.values import Padding, Way
    from harness.replay.tape import Tape

    Served = Callable[[str], Prepared]


def market(tape: Tape) -> list[bytes]:
    return [body for body, stream in zip(tape.bodies, tape.stream, strict=True) if stream != ACCOUNT]


def changed(before: Tape, after: Tape) -> dict[int, bytes]:
    """By frame number, where two tapes of one length differ in a body."""
    pairs = zip(market(before), market(after), strict=True)
    return {number: new for number, (old, new) in enumerate(pairs, start=1) if old != new}


def is_json(body: bytes) -> bool:
    try:
        msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return False
    return True


def test_a_plan_without_faults_serves_the_very_tape(served: Served, tape: Tape) -> None:
    assert served("").tape is tape
    assert served("").line == ()
    assert served('kind = "silence"\nat = 3\nseconds = 1').tape is tape


def test_a_duplicate_follows_its_frame_and_is_due_with_it(served: Served, tape: Tape) -> None:
    made = served('kind = "duplicate"\nat = 12').tape
    before = market(tape)
    assert market(made) == [*before[:12], before[11], *before[12:]]
    assert made.at_ns.tolist()[11:16] == [11_000_000, 12_000_000, 12_000_000, 13_000_000, 14_000_000]
    assert made.user_frames == tape.user_frames


def test_a_frame_may_be_sent_many_times(served: Served, tape: Tape) -> None:
    made = served('kind = "duplicate"\nat = 100\ntimes = 7').tape
    assert market(made)[99:] == [market(tape)[99]] * 7


def test_frames_that_change_places_leave_the_schedule_as_it_was(served: Served, tape: Tape) -> None:
    made = served('kind = "reorder"\nat = 9\nby = 2').tape
    before = market(tape)
    assert changed(tape, made) == {9: before[10], 11: before[8]}
    assert made.at_ns.tolist() == tape.at_ns.tolist()
    assert [stream_of(body) for body in market(made)] == [
        made.names[number] for number in made.stream if number != ACCOUNT
    ]


def test_frames_of_one_stream_change_places(served: Served, tape: Tape) -> None:
    made = served('kind = "reorder"\nat = 5\nby = 2\nwithin = "stream"').tape
    before = market(tape)
    assert changed(tape, made) == {5: before[12], 13: before[4]}


def test_a_gap_leaves_one_frame_out(served: Served, tape: Tape) -> None:
    made = served('kind = "gap"\nat = 2\nonly = "depth"').tape
    before = market(tape)
    assert market(made) == before[:4] + before[5:]
    assert made.user_frames == tape.user_frames
    assert 5_000_000 not in made.at_ns.tolist()


@pytest.mark.parametrize("way", [*DRAWN_WAYS, "utf8"])
@pytest.mark.parametrize("frame", [1, 2, 3, 4])
def test_broken_json_is_read_by_nobody_in_either_form(tape: Tape, way: Way, frame: int) -> None:
    body = market(tape)[frame - 1]
    assert places(body, way)
    for place in places(body, way):
        for form in (broken(body, way, place), payload_of(broken(body, way, place))):
            assert not is_json(form)
            with pytest.raises((json.JSONDecodeError, UnicodeDecodeError)):
                json.loads(form)


def test_broken_json_is_broken_in_the_payload_so_that_everybody_sees_it(tape: Tape) -> None:
    body = market(tape)[0]
    for way in ("comma", "colon", "quote", "tail"):
        for place in places(body, way):
            assert stream_of(broken(body, way, place)[: body.index(b'"data"')] + b'"data":1}') == "btcusdt@depth@100ms"
            assert payload_of(broken(body, way, place)) != payload_of(body)


def test_only_the_named_frame_is_broken_and_the_way_may_be_named(served: Served, tape: Tape) -> None:
    made = served('kind = "malformed"\nat = 8\nway = "comma"').tape
    ((frame, body),) = changed(tape, made).items()
    assert frame == 8
    assert body.replace(b",,", b",") == market(tape)[7]
    assert made.stream.tolist() == tape.stream.tolist()


def test_all_ways_but_broken_utf8_are_drawn(served: Served, tape: Tape) -> None:
    bodies = changed(tape, served('kind = "malformed"\nevery = 1').tape)
    assert len(bodies) == 100
    assert all(body.decode() for body in bodies.values())
    originals = market(tape)
    lengths = {len(body) - len(originals[frame - 1]) for frame, body in bodies.items() if not body.startswith(b"<")}
    assert lengths == {-1, 1}
    assert sum(body.startswith(b"<html>") for body in bodies.values()) > 5


def test_a_truncated_frame_keeps_its_fraction(served: Served, tape: Tape) -> None:
    made = served('kind = "truncated"\nat = 3\nfraction = 0.25').tape
    whole = market(tape)[2]
    assert changed(tape, made) == {3: whole[: len(whole) // 4]}


def test_no_character_is_cut_in_two_and_something_is_always_lost(tape: Tape) -> None:
    for body in market(tape)[:4]:
        for percent in range(1, 1_000):
            kept = kept_of(body, percent / 1_000)
            assert 0 < kept < len(body)
            assert body[:kept].decode()
            assert not is_json(body[:kept])


@pytest.mark.parametrize("padding", ["whitespace", "field"])
@pytest.mark.parametrize("frame", [1, 2, 3])
def test_an_oversized_frame_has_its_size_and_says_the_same(tape: Tape, padding: Padding, frame: int) -> None:
    body = market(tape)[frame - 1]
    least = least_padded(body, padding)
    assert least is not None
    for size in (least, least + 1, 5_000):
        made = padded(body, padding, size)
        assert len(made) == size
        data = json.loads(made)["data"]
        data.pop("padding", None)
        assert data == json.loads(body)["data"]
        assert json.loads(payload_of(made)).items() >= data.items()
        assert len(payload_of(made)) > len(payload_of(body))


def test_an_array_and_an_empty_object_are_padded_as_far_as_json_lets(tape: Tape) -> None:
    array = market(tape)[3]
    assert least_padded(array, "field") is None
    assert json.loads(padded(array, "whitespace", 4_000)) == json.loads(array)
    assert json.loads(padded(b"{}", "field", 100)).keys() == {"padding"}
    assert len(padded(b"{}", "field", 100)) == 100


def test_an_oversized_frame_is_a_megabyte_unless_told(served: Served, tape: Tape) -> None:
    ((frame, body),) = changed(tape, served('kind = "oversized"\nat = 6').tape).items()
    assert (frame, len(body)) == (6, 1_048_576)


def test_a_binary_frame_keeps_its_body(served: Served, tape: Tape) -> None:
    made = served('[[fault]]\nkind = "duplicate"\nat = 2\n[[fault]]\nkind = "binary"\nat = 11').tape
    assert made.binary == {12}  # one copy and one account frame before it
    assert made.bodies[12] == market(tape)[10]


def test_what_was_binary_stays_so_through_gaps_copies_and_changed_places(tape: Tape) -> None:
    binary = prepared(tape, Faults(seed=0, faults=(Binary(frame=3), Binary(frame=5)))).tape
    made = prepared(
        binary, Faults(seed=0, faults=(Gap(frame=1), Reorder(frame=3, by=1), Duplicate(frame=5, times=2)))
    ).tape
    assert {made.bodies[position] for position in made.binary} == {market(tape)[2], market(tape)[4]}
    assert made.binary == {2, 3, 4}


def test_times_move_from_a_frame_on_and_nothing_else_does(served: Served, tape: Tape) -> None:
    made = served(
        '[[fault]]\nkind = "clock_step"\nat = 10\nms = -4000\n[[fault]]\nkind = "clock_step"\nat = 51\nms = 4000'
    )
    bodies = changed(tape, made.tape)
    assert set(bodies) == {frame for frame in range(10, 51) if frame % 4 != 3}  # a spot book ticker tells no time
    assert bodies[10] == market(tape)[9].replace(b"1700000000010", b"1699999996010")
    assert bodies[12] == market(tape)[11].replace(b"1700000000012", b"1699999996012")
    accounts = [body for body, stream in zip(made.tape.bodies, made.tape.stream, strict=True) if stream == ACCOUNT]
    assert accounts == [body for body, stream in zip(tape.bodies, tape.stream, strict=True) if stream == ACCOUNT]


def test_microseconds_move_by_microseconds_and_no_time_stays_no_time() -> None:
    body = b'{"e":"trade","E":1700000000000123,"t":5,"T":0}'
    assert moved(body, 2) == b'{"e":"trade","E":1700000000002123,"t":5,"T":0}'


@pytest.mark.parametrize(
    ("rule", "text"),
    [
        ('kind = "malformed"\nway = "colon"', b'{"e":"trade","E":1000,"s""A"}'),
        ('kind = "oversized"\nbytes = 32', b'   {"e":"trade","E":1000,"s":"A"}'[1:]),
        ('kind = "truncated"\nfraction = 0.99', b'{"e":"trade","E":1000,"s":"A"'),
    ],
)
def test_other_faults_find_the_bytes_as_the_clock_left_them(
    plan: Callable[[str], FaultPlan], rule: str, text: bytes
) -> None:
    """A time that gets another digit moves the bytes behind it."""
    tape = tape_of([Frame(Nanoseconds(0), "market", b'{"e":"trade","E":999,"s":"A"}')])
    written = f'seed = 6\n[[fault]]\n{rule}\nat = 1\n[[fault]]\nkind = "clock_step"\nms = 1\nevery = 1'
    made = prepared(tape, resolve(plan(written), tape))
    assert made.tape.bodies == (text,)


def test_the_frames_of_a_burst_are_due_at_once(served: Served, tape: Tape) -> None:
    made = served('kind = "burst"\nat = 8\nframes = 4').tape
    assert made.at_ns.tolist()[6:14] == [7_000_000, *[8_000_000] * 6, 13_000_000]  # an account frame among them
    assert made.bodies == tape.bodies
    assert (made.at_ns[1:] >= made.at_ns[:-1]).all()


def test_bursts_one_after_another_are_one(served: Served) -> None:
    made = served('kind = "burst"\nat = [20, 24]\nframes = 4').tape
    assert made.at_ns.tolist().count(20_000_000) == 10  # nine market frames, and the account frame after the twentieth
