from __future__ import annotations

from threading import Event
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.clock import ManualClock
from harness.replay.pacing import SPIN_NS, Lateness, SendLog, lateness_us, since_start, wait_until
from harness.units import NS_PER_S, Nanoseconds, milliseconds, seconds

if TYPE_CHECKING:
    from pathlib import Path


class TickingClock(ManualClock):
    """Reading it takes 100 ns, as it does."""

    def now(self) -> Nanoseconds:
        self.advance(Nanoseconds(100))
        return super().now()


class Sleeper:
    """An attention whose sleeping advances the clock, and is late."""

    def __init__(self, clock: ManualClock, *, late_ns: int = 0) -> None:
        self.slept: list[float] = []
        self._clock = clock
        self._late_ns = late_ns

    def is_set(self) -> bool:
        return False

    def wait(self, timeout: float | None = None) -> bool:
        assert timeout is not None
        self.slept.append(timeout)
        self._clock.advance(Nanoseconds(round(timeout * NS_PER_S) + self._late_ns))
        return False


def test_the_schedule_is_the_recorded_time_divided_by_the_speed() -> None:
    at = np.asarray([0, 1_000, 3_001, 10**15], np.int64)
    assert since_start(at, 4.0).tolist() == [0, 250, 750, 25 * 10**13]
    assert since_start(at, 0.5).tolist() == [0, 2_000, 6_002, 2 * 10**15]


@given(st.lists(st.integers(0, 10**14)).map(sorted), st.floats(0.01, 1000))
def test_the_schedule_never_runs_back(at: list[int], speed: float) -> None:
    due = since_start(np.asarray(at, np.int64), speed)
    assert (np.diff(due) >= 0).all()
    assert due.dtype == np.int64


def test_a_wait_sleeps_to_the_last_millisecond_and_spins_the_rest() -> None:
    clock = TickingClock()
    sleeper = Sleeper(clock)
    now = wait_until(seconds(2), clock, sleeper)
    assert seconds(2) <= now <= seconds(2) + 200
    assert sum(sleeper.slept) == pytest.approx((seconds(2) - SPIN_NS) / NS_PER_S, abs=1e-6)


def test_a_sleep_that_ends_late_is_not_made_later() -> None:
    clock = TickingClock()
    now = wait_until(seconds(1), clock, Sleeper(clock, late_ns=milliseconds(5)))
    assert now == pytest.approx(seconds(1) + milliseconds(4), abs=1_000)


def test_what_is_due_is_not_waited_for() -> None:
    clock = TickingClock(seconds(10))
    sleeper = Sleeper(clock)
    assert wait_until(seconds(9), clock, sleeper) == seconds(10) + 100
    assert sleeper.slept == []


def test_a_wait_ends_when_something_wants_attention() -> None:
    attention = Event()
    attention.set()
    assert wait_until(seconds(3600), ManualClock(), attention) == 0


def test_a_send_log_survives_its_file(tmp_path: Path) -> None:
    log = SendLog(np.asarray([1, 2, 3], np.int64), np.asarray([4, 5, 2**62], np.int64))
    path = tmp_path / "send.log"
    log.write(path)
    read = SendLog.read(path)
    assert read.scheduled_ns.tolist() == [1, 2, 3]
    assert read.sent_ns.tolist() == [4, 5, 2**62]


def test_another_file_is_no_send_log(tmp_path: Path) -> None:
    np.save(tmp_path / "other.npy", np.zeros((3, 4)))
    (tmp_path / "text.npy").write_text("hello")
    for name in ("other.npy", "text.npy"):
        with pytest.raises(ValueError, match=r"."):
            SendLog.read(tmp_path / name)


def test_lateness_is_told_in_microseconds() -> None:
    scheduled = np.zeros(101, np.int64)
    log = SendLog(scheduled, np.arange(101, dtype=np.int64) * 1_000)
    assert lateness_us(log) == Lateness(50.0, 99.0, 100.0)
    assert lateness_us(SendLog.joined([])) == Lateness(0.0, 0.0, 0.0)
    assert len(SendLog.joined([log, log]).sent_ns) == 202
