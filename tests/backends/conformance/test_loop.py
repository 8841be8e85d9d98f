"""Loops that break one promise each."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from harness.backends.conformance import check_loop


def promises(factory: Any) -> set[str]:
    return {failure.promise for failure in check_loop(factory)}


class Hasty(asyncio.SelectorEventLoop):
    def call_at(  # type: ignore[override]  # every argument list will do
        self, when: float, callback: Any, *args: Any, context: Any = None
    ) -> Any:
        now = self.time()
        return super().call_at(now + (when - now) / 10, callback, *args, context=context)


class Careless(asyncio.SelectorEventLoop):
    def call_exception_handler(self, context: Any) -> None:
        """Tells nobody."""


def test_a_loop_that_keeps_all_is_not_accused() -> None:
    assert check_loop(asyncio.SelectorEventLoop) == []


@pytest.mark.parametrize(
    ("factory", "promise"),
    [
        (Hasty, "timers are called in the order of their times, not before, and not when cancelled"),
        (Careless, "an exception in a callback reaches the loop's handler, and the loop runs on"),
        (dict, "the factory makes a new loop that nobody runs, and that can be closed"),
        (lambda: 1 / 0, "the factory makes a new loop that nobody runs, and that can be closed"),
    ],
)
def test_a_broken_promise_is_found(factory: Any, promise: str) -> None:
    assert promise in promises(factory)


def test_a_factory_that_gives_the_same_loop_twice_is_found() -> None:
    loop = asyncio.new_event_loop()
    assert [failure.happened for failure in check_loop(lambda: loop)] == ["the loop is not new"]
    assert loop.is_closed()
