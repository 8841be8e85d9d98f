from __future__ import annotations

import pytest

from harness.bot.valve import Valve


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def valve(said: list[str]) -> Valve:
    made = Valve()
    made.attach(lambda: said.append("pause"), lambda: said.append("resume"))
    return made


def test_the_market_is_paused_by_the_first_and_read_on_after_the_last(valve: Valve, said: list[str]) -> None:
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


def test_whoever_holds_nothing_lets_nothing_go(valve: Valve, said: list[str]) -> None:
    hold, _ = valve.handles("outbox")
    _, release = valve.handles("book")
    hold()
    release()
    assert said == ["pause"]


def test_what_is_attached_while_somebody_holds_it_is_paused_at_once(said: list[str]) -> None:
    valve = Valve()
    hold, release = valve.handles("outbox")
    hold()
    valve.attach(lambda: said.append("pause"), lambda: said.append("resume"))
    assert said == ["pause"]
    release()
    assert said == ["pause", "resume"]
