"""A small tape of real shapes: market frames of four streams, and an account frame after every tenth."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from harness.config import parse_toml
from harness.recordings.format import Frame
from harness.replay.faults.plan import FaultPlan
from harness.replay.faults.prepared import prepared
from harness.replay.faults.resolution import resolve
from harness.replay.tape import tape_of
from harness.units import Nanoseconds

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.replay.faults.fault import Faults
    from harness.replay.faults.prepared import Prepared
    from harness.replay.tape import Tape

NOW_MS = 1_700_000_000_000
SHAPES = (
    '{"stream":"btcusdt@depth@100ms","data":{"e":"depthUpdate","E":%d,"s":"BTCUSDT","U":%d,"u":%d,"b":[["1.0","2"]],"a":[]}}',
    '{"stream":"btcusdt@trade","data":{"e":"trade","E":%d,"s":"BTCUSDT","t":%d,"T":%d,"p":"1.5","m":true,"n":"\u5e01"}}',
    '{"stream":"ethusdt@bookTicker","data":{"w":%d,"u":%d,"k":%d,"s":"ETHUSDT","b":"1","B":"2","a":"3","A":"4"}}',
    '{"stream":"!miniTicker@arr","data":[{"e":"24hrMiniTicker","E":%d,"s":"X%d","c":"%d"}]}',
)


def frames_of(count: int) -> list[Frame]:
    made = []
    for number in range(1, count + 1):
        at = Nanoseconds(number * 1_000_000)
        time = NOW_MS + number
        third = time if number % 4 == 2 else number
        body = SHAPES[(number - 1) % 4] % (time, number, third)
        made.append(Frame(at, "market", body.encode()))
        if number % 10 == 0:
            made.append(Frame(at, "user", b'{"e":"executionReport","E":%d}' % time))
    return made


@pytest.fixture(scope="session")
def tape() -> Tape:
    """Of 100 market frames; frame n is due at n ms and has n in it."""
    return tape_of(frames_of(100))


@pytest.fixture
def plan() -> Callable[[str], FaultPlan]:
    """A plan from the inside of one rule, or from whole tables."""

    def read(text: str) -> FaultPlan:
        whole = text if "[[fault]]" in text or not text else f"[[fault]]\n{text}"
        return parse_toml(whole, FaultPlan, source="made.toml")

    return read


@pytest.fixture
def faults(plan: Callable[[str], FaultPlan], tape: Tape) -> Callable[[str], Faults]:
    """Such a plan on the tape."""
    return lambda text: resolve(plan(text), tape, source="made.toml")


@pytest.fixture
def served(faults: Callable[[str], Faults], tape: Tape) -> Callable[[str], Prepared]:
    """What is served of the tape under such a plan."""
    return lambda text: prepared(tape, faults(text))
