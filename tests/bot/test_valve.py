from __future__ import annotations

from harness.bot.valve import Valve


def test_the_market_is_paused_by_the_first_and_read_on_after_the_last() -> None:
    said: list[str] = []
    valve = Valve(lambda: said.append("pause"), lambda: said.append("resume"))
    (hold_one, release_one), (hold_two, release_two) = valve.handles("outbox"), valve.handles("book")
    hold_one()
    hold_two()
    hold_one()
    assert valve.holders == ("book", "outbox")
    release_one()
    assert said == ["pause"]
    release_two()
    release_two()
    assert said == ["pause", "resume"]
    assert not valve.holders


def test_whoever_holds_nothing_lets_nothing_go() -> None:
    said: list[str] = []
    valve = Valve(lambda: said.append("pause"), lambda: said.append("resume"))
    hold, _ = valve.handles("outbox")
    _, release = valve.handles("book")
    hold()
    release()
    assert said == ["pause"]
