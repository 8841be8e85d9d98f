from __future__ import annotations

import json
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pytest

from harness.clock import ManualClock
from harness.recordings.format import Header, Recording
from harness.replay.orders.latency import TickToOrder
from harness.replay.pacing import Pace
from harness.replay.reel import Reel
from harness.replay.side.showing import FRESH_NS, About, Counts, Shower, about, pace_in_words
from harness.replay.stage import Stage, StageStatus
from harness.units import Nanoseconds

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.replay.audience import Listing
    from harness.replay.side.showing import Showing
    from harness.replay.tape import Tape

ABOUT = About(recording="made", title="Made", market="spot", source="generated", sha256="0" * 64, pace="as recorded")


class Counted:
    """Counts how often it was asked."""

    def __init__(self) -> None:
        self.asked = 0

    def counts(self) -> Counts:
        self.asked += 1
        return Counts(url="ws://127.0.0.1:1", open_connections=self.asked)

    def tick_to_order(self) -> TickToOrder:
        self.asked += 1
        return TickToOrder(named=None, last=None, impossible=self.asked)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def stage(tape: Tape, clock: ManualClock) -> Stage:
    return Stage(Reel(tape), Pace(speed=1.0), clock=clock, notice=lambda _: None)


def test_what_costs_time_is_worked_out_once_a_second_however_many_ask(stage: Stage, clock: ManualClock) -> None:
    slow, quick = Counted(), Counted()
    shower = Shower(ABOUT, stage, quick.counts, clock=clock, tick_to_order=slow.tick_to_order)
    for seconds in range(3):
        for _ in range(5):
            shown = shower.showing()
            assert shown.tick_to_order is not None
            assert shown.tick_to_order.impossible == seconds + 1
        clock.advance(FRESH_NS)
    assert quick.asked == 15


def test_who_asks_again_and_again_sees_the_same_for_a_second_unless_something_was_changed(
    stage: Stage, clock: ManualClock
) -> None:
    shower = Shower(ABOUT, stage, Counted().counts, clock=clock)
    first = shower.recent()
    clock.advance(Nanoseconds(FRESH_NS - 1))
    assert shower.recent() is first
    clock.advance(Nanoseconds(1))
    second = shower.recent()
    assert second is not first
    shower.forget()
    assert shower.recent() is not second
    assert shower.showing() is not shower.showing()


def test_a_connection_that_ends_in_the_middle_of_the_look_is_listed_once_and_as_ended(
    listing_of: Callable[..., Listing], clock: ManualClock
) -> None:
    class Caught:
        def listings(self) -> list[Listing]:
            return [listing_of(1), listing_of(2), listing_of(2, is_open=False), listing_of(3, is_open=False)]

    shower = Shower(ABOUT, cast("Stage", Caught()), Counted().counts, clock=clock)
    assert [(one.number, one.open) for one in shower.listings()] == [(1, True), (2, False), (3, False)]


def test_the_state_is_one_flat_object_of_names_that_differ(showing_of: Callable[..., Showing]) -> None:
    told: dict[str, Any] = json.loads(showing_of().json())
    names = [field.name for part in (StageStatus, About, Counts) for field in fields(part)]
    assert sorted(told) == sorted([*names, "tick_to_order"])
    assert (told["state"], told["recording"], told["orders"]) == ("playing", "spot-30-symbols", 812)
    assert told["tick_to_order"]["named"]["p50_us"] == 61.4
    assert told["faults"][0]["kind"] == "cut"


@pytest.mark.parametrize(
    ("pace", "told"),
    [
        (Pace(), "a flood, as fast as each client reads"),
        (Pace(speed=1.0), "as recorded"),
        (Pace(speed=4.0), "4 times the recorded pace"),
        (Pace(speed=0.25), "0.25 times the recorded pace"),
        (Pace(rate=20_000.0), "20,000 frames a second, evenly"),
    ],
)
def test_a_pace_is_told_in_words(pace: Pace, told: str) -> None:
    assert pace_in_words(pace) == told


def test_what_is_said_of_a_recording_can_be_written_whatever_its_file_is_called() -> None:
    header = Header(market="usdm", streams=(), start_ms=0, source="imported", title="\u202e" + "T" * 5_000)
    recording = Recording(path=Path("x"), name="half \udcff pair", header=header, frames=[], sha256="ab")
    said = about(recording, ["btcusdt@trade"], Pace(), account=False)
    assert said == replace(
        ABOUT,
        recording="half \\udcff pair",
        title="\\u202e" + "T" * 298 + "…",
        market="usdm",
        source="imported",
        sha256="ab",
        pace="a flood, as fast as each client reads",
        streams=("btcusdt@trade",),
    )
