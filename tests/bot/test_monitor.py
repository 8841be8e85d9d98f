from __future__ import annotations

import asyncio
import time
from bisect import bisect_left
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.bot.status.monitor import BOUNDS_NS, SAMPLE_S, WINDOW_S, Histogram, Monitor
from harness.bot.status.snapshot import Distribution
from harness.clock import ManualClock
from harness.units import NS_PER_MS, NS_PER_S, Nanoseconds

DURATIONS = st.integers(0, 10**12)


def milliseconds(count: float) -> Nanoseconds:
    return Nanoseconds(round(count * NS_PER_MS))


def test_every_frame_is_handled_once_counted_and_timed() -> None:
    clock, handled = ManualClock(), list[bytes]()
    monitor = Monitor(now=clock.now)

    def on_frame(frame: bytes) -> None:
        clock.advance(milliseconds(len(frame)))
        handled.append(frame)

    watched = monitor.watch(on_frame)
    for frame in (b"a", b"bb", b"cccc"):
        watched(frame)
        clock.advance(milliseconds(500))  # between frames nothing is timed
    traffic = monitor.traffic
    assert handled == [b"a", b"bb", b"cccc"]
    assert traffic.frames == traffic.handling.count == 3
    assert traffic.handling.total_s == pytest.approx(0.007)
    assert traffic.handling.largest_s == pytest.approx(0.004)
    assert traffic.handling.quantile(0.5) == pytest.approx(0.0022)


def test_a_connection_that_is_made_anew_counts_on() -> None:
    monitor = Monitor()
    for _ in range(3):
        monitor.watch(lambda _frame: None)(b"x")
    assert monitor.traffic.frames == 3


def test_what_the_handler_raises_goes_through() -> None:
    def broken(_frame: bytes) -> None:
        raise LookupError("broken")

    with pytest.raises(LookupError, match="broken"):
        Monitor().watch(broken)(b"x")


def test_the_rate_is_of_the_last_ten_seconds_and_the_mean_of_all() -> None:
    clock = ManualClock(Nanoseconds(7 * NS_PER_S))
    monitor = Monitor(now=clock.now)
    watched = monitor.watch(lambda _frame: None)
    sampling = Sampling(monitor, clock)
    for second in range(60):
        for _ in range(1_000 if second < 30 else 100):
            watched(b"x")
        sampling.run(round(1 / SAMPLE_S))
    assert monitor.traffic.rate == pytest.approx(100.0, rel=0.02)
    assert monitor.traffic.mean_rate == pytest.approx((30_000 + 3_000) / 60.0)
    assert len(monitor._seen) <= WINDOW_S / SAMPLE_S + 1
    clock.advance(Nanoseconds(10 * NS_PER_S))
    sampling.run(1)
    clock.advance(Nanoseconds(10 * NS_PER_S))
    sampling.run(1)
    assert monitor.traffic.rate == 0.0


def test_before_the_first_frame_all_is_zero() -> None:
    traffic = Monitor(now=ManualClock().now).traffic
    assert (traffic.frames, traffic.rate, traffic.mean_rate, traffic.lag_last_s) == (0, 0.0, 0.0, 0.0)
    assert traffic.handling.quantile(0.99) == traffic.lag.quantile(0.5) == 0.0


class Sampling:
    """The sampler of a monitor, run for a number of sleeps that end late by the given times."""

    def __init__(self, monitor: Monitor, clock: ManualClock) -> None:
        self._monitor, self._clock = monitor, clock
        monitor._sleep = self._sleep
        self._late: list[float] = []

    def run(self, times: int, late_ms: float = 0.0) -> None:
        self._late = [late_ms] * times
        with pytest.raises(asyncio.CancelledError):
            asyncio.run(self._monitor.sample())

    async def _sleep(self, seconds: float) -> None:
        if not self._late:
            raise asyncio.CancelledError
        self._clock.advance(milliseconds(seconds * 1e3 + self._late.pop()))


def test_lag_is_by_how_much_the_loop_woke_too_late() -> None:
    clock = ManualClock()
    monitor = Monitor(now=clock.now)
    sampling = Sampling(monitor, clock)
    sampling.run(8)
    sampling.run(1, late_ms=40.0)
    sampling.run(1, late_ms=3.0)
    traffic = monitor.traffic
    assert traffic.lag_last_s == pytest.approx(0.003)
    assert traffic.lag.largest_s == pytest.approx(0.040)
    assert traffic.lag.count == 10
    assert traffic.lag.quantile(0.8) == 1e-6
    assert traffic.lag.quantile(0.9) == pytest.approx(0.0033)


def test_a_timer_that_fires_early_is_not_late() -> None:
    clock = ManualClock()
    monitor = Monitor(now=clock.now)
    Sampling(monitor, clock).run(1, late_ms=-0.9)
    assert monitor.traffic.lag_last_s == monitor.traffic.lag.total_s == 0.0


async def test_a_real_loop_that_is_held_up_is_late_by_at_least_what_held_it_up() -> None:
    monitor = Monitor()
    sampler = asyncio.create_task(monitor.sample())
    await asyncio.sleep(0)  # the sampler sleeps now, and its timer runs while nobody else may
    time.sleep(SAMPLE_S + 0.1)  # noqa: ASYNC251 - this is the offence to be found
    await asyncio.sleep(SAMPLE_S / 10)  # a timer that is long due fires before a new one
    sampler.cancel()
    assert monitor.traffic.lag.largest_s >= 0.09


def test_the_buckets_rise_twelve_to_the_decade_by_at_most_a_quarter() -> None:
    assert (BOUNDS_NS[0], BOUNDS_NS[-1], len(BOUNDS_NS)) == (1_000, 10_000_000_000, 85)
    assert all(1.0 < after / before <= 1.26 for before, after in pairwise(BOUNDS_NS))


@given(st.lists(DURATIONS, min_size=1), st.floats(0.0, 1.0))
def test_a_quantile_is_never_too_low_and_at_most_a_bucket_too_high(durations: list[int], share: float) -> None:
    histogram = Histogram()
    for duration in durations:
        histogram.add(duration)
    rank = max(1.0, share * len(durations))
    exact = next(value for place, value in enumerate(sorted(durations), 1) if place >= rank)
    told = histogram.distribution.quantile(share) * 1e9
    place = bisect_left(BOUNDS_NS, exact)
    assert exact <= told * (1 + 1e-12)
    assert told <= (BOUNDS_NS[place] if place < len(BOUNDS_NS) else max(durations)) * (1 + 1e-12)
    assert told <= max(durations) * (1 + 1e-12)


@given(st.lists(DURATIONS))
def test_the_buckets_hold_every_duration_once(durations: list[int]) -> None:
    histogram = Histogram()
    for duration in durations:
        histogram.add(duration)
    told = histogram.distribution
    assert told.count == len(durations)
    assert len(told.counts) == len(told.bounds_s) + 1
    assert told.total_s == pytest.approx(sum(durations) / 1e9)


def test_a_bucket_includes_its_upper_bound() -> None:
    histogram = Histogram()
    histogram.add(1_000)
    histogram.add(1_001)
    assert histogram.counts[:3] == [1, 1, 0]


def test_a_distribution_that_was_taken_does_not_change_any_more() -> None:
    histogram = Histogram()
    before = histogram.distribution
    histogram.add(5)
    assert before == Distribution(bounds_s=before.bounds_s, counts=(0,) * 86, total_s=0.0, largest_s=0.0)
