"""The tape at the edges that a short recording seldom meets."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from harness.recordings.generate import find_profile
from harness.recordings.generate.candle import Day
from harness.recordings.generate.dice import Dice
from harness.recordings.generate.rhythm import rhythm_of
from harness.recordings.generate.schedule import Schedule
from harness.recordings.generate.tape import Tape
from harness.recordings.generate.wire.usdm import UsdmWire

if TYPE_CHECKING:
    from collections.abc import Callable

MINUTE_MS = 60_000
START_MS = 1_791_201_600_000
TICK = 1_000


@pytest.fixture
def schedule() -> Schedule:
    return Schedule(START_MS)


@pytest.fixture
def tape(schedule: Schedule) -> Tape:
    spec = find_profile("usdm-10-symbols").symbols[0]
    kinds = frozenset({"aggTrade", "kline_1m"})
    return Tape(spec, Dice(1), schedule, wire=UsdmWire(spec), rhythm=rhythm_of("usdm"), kinds=kinds)


@pytest.fixture
def told(schedule: Schedule) -> Callable[[], list[dict[str, Any]]]:
    """Lets a second go by; what the market connection got in it."""

    def run() -> list[dict[str, Any]]:
        return [json.loads(body)["data"] for _, _, body in schedule.run(schedule.now_us + 1_000_000)]

    return run


def test_a_trade_told_of_in_a_new_minute_is_never_of_the_minute_before(tape: Tape) -> None:
    tape.minutes(START_MS + MINUTE_MS)
    moments = [tape.moment(START_MS + MINUTE_MS) for _ in range(200)]
    assert set(moments) == {START_MS + MINUTE_MS}


def test_moments_lie_a_little_before_the_event_and_never_run_back(tape: Tape) -> None:
    told = [(ms, tape.moment(ms)) for ms in range(START_MS + 1_000, START_MS + 3_000, 5)]
    assert [moment for _, moment in told] == sorted(moment for _, moment in told)
    assert all(0 <= ms - moment <= 100 for ms, moment in told)
    assert any(ms - moment > 1 for ms, moment in told)


def test_trades_at_one_price_are_told_of_together_after_100_ms(
    tape: Tape, told: Callable[[], list[dict[str, Any]]]
) -> None:
    for tick, maker in ((TICK, True), (TICK, True), (TICK, False), (TICK + 1, False), (TICK + 1, False)):
        _, frames = tape.add(tick, [3, 2], at_ms=START_MS, ms=START_MS, buyer_is_maker=maker)
        assert frames == []
    found = told()
    assert [(data["l"] - data["f"] + 1, data["q"], data["m"]) for data in found] == [
        (4, "0.010", True),
        (2, "0.005", False),
        (4, "0.010", False),
    ]
    assert [data["E"] - data["T"] for data in found] == [100, 100, 100]
    assert [data["a"] - found[0]["a"] for data in found] == [0, 1, 2]


def test_trades_of_two_minutes_are_not_told_of_together(tape: Tape, told: Callable[[], list[dict[str, Any]]]) -> None:
    for at_ms in (START_MS + MINUTE_MS - 1, START_MS + MINUTE_MS):
        tape.add(TICK, [1], at_ms=at_ms, ms=at_ms, buyer_is_maker=True)
    assert [data["T"] for data in told()] == [START_MS + MINUTE_MS - 1, START_MS + MINUTE_MS]


def test_a_day_keeps_its_highest_and_its_lowest_price_and_counts_from_its_first_trade() -> None:
    day = Day(price=1_000, open_price=1_010, tick=10, base=5, first=7, last=9)
    assert (day.open, day.close, day.high, day.low, day.count) == (1_010, 1_000, 1_040, 970, 3)
    day.add(price=2_000, quantity=4, last_quantity=3, last=11)
    assert (day.close, day.high, day.low, day.base, day.count) == (2_000, 2_000, 970, 9, 5)
    day.add(price=505, quantity=1, last_quantity=1, last=12)
    assert (day.close, day.high, day.low, day.last_quantity, day.count) == (505, 2_000, 505, 1, 6)
    assert (day.change, day.change_percent_thousandths) == (-505, -50_000)
