from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import ConfigError
from harness.recordings.format import Frame
from harness.replay.faults.fault import Burst, ClockStep, Content, Duplicate, Faults, Gap, Reorder
from harness.replay.faults.plan import FaultPlan
from harness.replay.faults.prepared import prepared
from harness.replay.faults.resolution import resolve
from harness.replay.tape import ACCOUNT, tape_of
from harness.units import Nanoseconds

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.replay.faults.fault import Fault
    from harness.replay.tape import Tape

small = st.integers(1, 12)
PARAMETERS: dict[str, dict[str, st.SearchStrategy[Any]]] = {
    "duplicate": {"times": st.integers(2, 4)},
    "reorder": {"by": small, "within": st.sampled_from(["market", "stream"])},
    "gap": {},
    "malformed": {},
    "truncated": {"fraction": st.floats(0.01, 0.99)},
    "oversized": {"bytes": st.integers(60, 400), "padding": st.sampled_from(["whitespace", "field"])},
    "binary": {},
    "clock_step": {"ms": st.integers(-5_000, 5_000)},
    "burst": {"frames": small},
    "cut": {"how": st.sampled_from(["clean", "reset", "half_open", "mid_frame"]), "skip": st.integers(0, 5)},
    "silence": {"seconds": st.just(1.0)},
    "trickle": {"frames": small, "bytes_per_second": small},
    "ping_flood": {"pings": small},
    "close_code": {"code": st.integers(0, 65_535), "skip": st.integers(0, 5)},
    "refuse": {"times": small},
}
WHERE = st.one_of(
    st.fixed_dictionaries({"count": st.integers(1, 5)}),
    st.fixed_dictionaries({"chance": st.floats(0.01, 0.5)}),
    st.fixed_dictionaries({"every": st.integers(1, 20)}),
    st.fixed_dictionaries({"at": st.integers(1, 30)}),
)
rules = st.sampled_from(sorted(PARAMETERS)).flatmap(
    lambda kind: st.builds(
        lambda where, more: {"kind": kind, **where, **more}, WHERE, st.fixed_dictionaries(PARAMETERS[kind])
    )
)
plans = st.builds(
    lambda seed, fault: msgspec.convert({"seed": seed, "fault": fault}, type=FaultPlan),
    st.integers(0, 2**63 - 1),
    st.lists(rules, max_size=6),
)


@st.composite
def tapes(draw: st.DrawFn) -> Tape:
    """Market frames of three streams, and account frames anywhere; the times stand still now and then."""
    at = 0
    frames = []
    for number, user in enumerate(draw(st.lists(st.booleans(), min_size=20, max_size=60)), start=1):
        at += draw(st.integers(0, 2))
        if user:
            frames.append(Frame(Nanoseconds(at), "user", b'{"u":%d}' % number))
        body = b'{"stream":"%c@trade","data":{"e":"trade","E":%d,"p":"%d"}}' % (b"abc"[number % 3], 10**12 + at, number)
        frames.append(Frame(Nanoseconds(at), "market", body))
    return tape_of(frames)


def resolved(plan: FaultPlan, tape: Tape) -> Faults:
    """As it is, or none: what contradicts itself has tests of its own."""
    try:
        return resolve(plan, tape)
    except ConfigError:
        return Faults(seed=plan.seed)


def served(faults: Faults, tape: Tape) -> Iterator[tuple[int, int]]:
    """What must be on the tape: the number of each market frame as recorded, or 0 and which account frame, in order."""
    order = list(range(tape.market_frames + 1))
    copies = dict.fromkeys(order, 1)
    for fault in faults.faults:
        if isinstance(fault, Reorder):
            here, there = fault.frame, fault.frame + fault.by
            order[here], order[there] = order[there], order[here]
        elif isinstance(fault, Duplicate):
            copies[fault.frame] = fault.times
        elif isinstance(fault, Gap):
            copies[fault.frame] = 0
    market = accounts = 0
    for stream in tape.stream.tolist():
        if stream == ACCOUNT:
            accounts += 1
            yield 0, accounts
        else:
            market += 1
            yield from [(order[market], 0)] * copies[market]


@given(plans, tapes())
def test_the_same_plan_on_the_same_tape_is_always_the_same(plan: FaultPlan, tape: Tape) -> None:
    faults = resolved(plan, tape)
    assert resolved(plan, tape) == faults
    assert [fault.frame for fault in faults.faults] == sorted(fault.frame for fault in faults.faults)
    assert msgspec.json.decode(msgspec.json.encode(faults), type=Faults) == faults
    one, other = prepared(tape, faults), prepared(tape, faults)
    assert one.tape.bodies == other.tape.bodies
    assert one.line == other.line


@given(plans, tapes())
def test_every_frame_that_no_fault_names_is_served_as_it_was(plan: FaultPlan, tape: Tape) -> None:
    faults = resolved(plan, tape)
    made = prepared(tape, faults).tape
    altered = {fault.frame for fault in faults.faults if _alters(fault)}
    step = min((fault.frame for fault in faults.faults if isinstance(fault, ClockStep)), default=10**9)
    market = [i for i, stream in enumerate(tape.stream.tolist()) if stream != ACCOUNT]
    accounts = [i for i, stream in enumerate(tape.stream.tolist()) if stream == ACCOUNT]
    expected = list(served(faults, tape))
    assert len(made) == len(expected)
    for position, (frame, account) in enumerate(expected):
        source = accounts[account - 1] if account else market[frame - 1]
        assert made.stream[position] == tape.stream[source]
        if account or (frame not in altered and frame < step):
            assert made.bodies[position] == tape.bodies[source]
            assert position not in made.binary


def _alters(fault: Fault) -> bool:
    return isinstance(fault, Content) and not isinstance(fault, Duplicate | Reorder | Gap | ClockStep | Burst)


@given(plans, tapes())
def test_time_never_runs_back_and_moves_in_bursts_only(plan: FaultPlan, tape: Tape) -> None:
    faults = resolved(plan, tape)
    made = prepared(tape, faults).tape
    assert (made.at_ns[1:] >= made.at_ns[:-1]).all()
    if not any(isinstance(fault, Burst) for fault in faults.faults):
        assert set(made.at_ns.tolist()) <= set(tape.at_ns.tolist())


@given(plans, tapes())
def test_faults_of_the_line_stand_behind_all_that_came_up_to_their_frame(plan: FaultPlan, tape: Tape) -> None:
    faults = resolved(plan, tape)
    made = prepared(tape, faults)
    lines = [fault for fault in faults.faults if not isinstance(fault, Content)]
    assert [line.fault for line in made.line] == lines
    positions = [line.position for line in made.line]
    assert positions == sorted(positions)
    place = _places(faults, tape)
    for line in made.line:
        frames = getattr(line.fault, "skip", 0) + getattr(line.fault, "frames", 0)
        assert line.position == place[line.fault.frame]
        assert line.until == (place[line.fault.frame + frames] if frames else line.position)


def _places(faults: Faults, tape: Tape) -> list[int]:
    """By frame number, counted one by one."""
    copies = {fault.frame: fault.times if isinstance(fault, Duplicate) else 0 for fault in faults.faults
              if isinstance(fault, Duplicate | Gap)}  # fmt: skip
    places = [0]
    sent = 0
    for stream in tape.stream.tolist():
        if stream == ACCOUNT:
            sent += 1
            continue
        sent += copies.get(len(places), 1)
        places.append(sent)
    return places


@given(tapes())
def test_without_faults_the_tape_is_the_very_one(tape: Tape) -> None:
    assert prepared(tape, resolve(FaultPlan(), tape)).tape is tape


@given(st.lists(rules, min_size=1, max_size=8), tapes())
def test_faults_on_the_line_alone_leave_the_tape_alone(fault: list[dict[str, Any]], tape: Tape) -> None:
    lines = [
        rule for rule in fault if rule["kind"] in {"cut", "silence", "trickle", "ping_flood", "close_code", "refuse"}
    ]
    plan = msgspec.convert({"fault": lines}, type=FaultPlan)
    faults = resolved(plan, tape)
    assert prepared(tape, faults).tape is tape
    assert faults.lossless == (not any(getattr(one, "skip", 0) for one in faults.faults))


def test_an_empty_tape_has_room_for_refusals_only() -> None:
    empty = tape_of([])
    plan = msgspec.convert({"fault": [{"kind": "refuse", "at": 0}]}, type=FaultPlan)
    assert [line.position for line in prepared(empty, resolve(plan, empty)).line] == [0]
    with pytest.raises(ConfigError, match="frame 1 is beyond the recording, which has 0 frames"):
        resolve(msgspec.convert({"fault": [{"kind": "gap", "at": 1}]}, type=FaultPlan), empty)
