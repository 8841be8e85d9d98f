from __future__ import annotations

from harness.bot.connection.watchdog import Watchdog
from harness.clock import ManualClock
from harness.units import seconds

TRADE, TICKER = b'{"stream":"btcusdt@trade","data":{}}', b'{"stream":"ethusdt@bookTicker","data":{}}'


def ignore(_: bytes) -> None:
    """What comes is no matter."""


def test_frames_are_handed_on_and_counted() -> None:
    seen: list[bytes] = []
    watchdog = Watchdog(ManualClock())
    watched = watchdog.watch(seen.append)
    watched(TRADE)
    watched(TICKER)
    assert seen == [TRADE, TICKER]
    assert watchdog.frames == 2


def test_a_connection_is_silent_after_more_than_its_time() -> None:
    clock = ManualClock()
    watchdog = Watchdog(clock, silent_s=10.0)
    watched = watchdog.watch(ignore)
    clock.advance(seconds(10.0))
    assert not watchdog.is_silent()
    watched(TRADE)
    assert not watchdog.is_silent()
    clock.advance(seconds(10.0))
    assert not watchdog.is_silent()
    clock.advance(seconds(0.001))
    assert watchdog.is_silent()


def test_one_that_never_spoke_is_silent_too() -> None:
    clock = ManualClock()
    watchdog = Watchdog(clock, silent_s=10.0)
    clock.advance(seconds(10.1))
    assert watchdog.is_silent()


def test_without_a_limit_nothing_is_ever_silent() -> None:
    clock = ManualClock()
    watchdog = Watchdog(clock, names=["btcusdt@trade"])
    watchdog.watch(ignore)(TRADE)
    assert not watchdog.is_silent()
    clock.advance(seconds(1e6))
    assert not watchdog.is_silent()
    assert watchdog.silent_streams() == []


def test_a_silence_can_be_forgiven() -> None:
    clock = ManualClock()
    watchdog = Watchdog(clock, silent_s=10.0, stream_silent_s={"trade": 10.0}, names=["btcusdt@trade"])
    watchdog.watch(ignore)(TRADE)
    assert watchdog.silent_streams() == []
    clock.advance(seconds(11.0))
    watchdog.forgive()
    assert not watchdog.is_silent()
    assert watchdog.silent_streams() == []
    clock.advance(seconds(11.0))
    assert watchdog.is_silent()
    assert watchdog.silent_streams() == ["btcusdt@trade"]


def test_streams_of_the_named_kinds_that_have_spoken_are_told_when_they_are_silent() -> None:
    clock = ManualClock()
    names = ["btcusdt@trade", "ethusdt@trade", "ethusdt@bookTicker"]
    watchdog = Watchdog(clock, stream_silent_s={"trade": 10.0, "bookTicker": 0.0}, names=names)
    watched = watchdog.watch(ignore)
    watched(TRADE)
    watched(TICKER)
    assert watchdog.silent_streams() == []
    clock.advance(seconds(11.0))
    watched(TICKER)
    assert watchdog.silent_streams() == ["btcusdt@trade"]
    # It has its whole time again.
    clock.advance(seconds(10.0))
    assert watchdog.silent_streams() == []
    clock.advance(seconds(1.0))
    assert watchdog.silent_streams() == ["btcusdt@trade"]
    watched(TRADE)
    assert watchdog.silent_streams() == []


def test_names_that_nobody_subscribed_are_not_remembered() -> None:
    watchdog = Watchdog(ManualClock(), stream_silent_s={"trade": 10.0}, names=["btcusdt@trade"])
    watched = watchdog.watch(ignore)
    for number in range(100):
        watched(b'{"stream":"x%d@trade","data":{}}' % number)
    assert len(watchdog._counts) == 1
