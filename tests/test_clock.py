from __future__ import annotations

import subprocess
import sys
import time

import pytest

from harness.clock import ManualClock, MonotonicClock
from harness.units import Nanoseconds, milliseconds, seconds


def test_a_manual_clock_stands_until_it_is_advanced() -> None:
    clock = ManualClock()
    assert clock.now() == clock.now() == 0
    clock.advance(seconds(1.5))
    clock.advance(milliseconds(2))
    assert clock.now() == 1_502_000_000


def test_a_manual_clock_may_start_anywhere_and_stand_still() -> None:
    clock = ManualClock(Nanoseconds(7))
    clock.advance(Nanoseconds(0))
    assert clock.now() == 7


def test_a_manual_clock_does_not_go_back() -> None:
    clock = ManualClock(Nanoseconds(7))
    with pytest.raises(ValueError, match="does not go back"):
        clock.advance(Nanoseconds(-1))
    assert clock.now() == 7


def test_the_monotonic_clock_is_the_systems_and_never_goes_back() -> None:
    before = time.monotonic_ns()
    readings = [MonotonicClock().now() for _ in range(1_000)]
    assert before <= readings[0]
    assert readings == sorted(readings)
    assert readings[-1] <= time.monotonic_ns()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux promises one monotonic clock to all processes")
def test_the_monotonic_clock_is_one_for_all_processes() -> None:
    before = MonotonicClock().now()
    told = subprocess.run(
        [sys.executable, "-c", "import time; print(time.monotonic_ns())"], capture_output=True, check=True, timeout=60
    )
    assert before < int(told.stdout) < MonotonicClock().now()


@pytest.mark.parametrize(
    ("value", "nanoseconds"), [(0, 0), (1, 10**9), (0.1, 10**8), (1e-9, 1), (4e-10, 0), (-1.5, -15 * 10**8)]
)
def test_seconds_become_the_nearest_nanosecond(value: float, nanoseconds: int) -> None:
    assert seconds(value) == nanoseconds
    assert milliseconds(value * 1_000) == nanoseconds
