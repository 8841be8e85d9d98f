from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from harness.backends.conformance import check_loop
from harness.backends.registry import registry

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.backends.contracts import LoopFactory


def test_each_loop_that_ships_keeps_every_promise(loop_factory: LoopFactory) -> None:
    assert [str(failure) for failure in check_loop(loop_factory)] == []


def test_making_a_loop_changes_no_policy_and_sets_no_current_loop(loop_factory: LoopFactory) -> None:
    loop = loop_factory()
    try:
        assert asyncio._get_running_loop() is None
        assert not loop.is_running()
    finally:
        loop.close()


def test_uvloop_is_uvloops_own(needs: Callable[[str, str], None]) -> None:
    needs("loop", "uvloop")
    loop = registry().loop("uvloop")()
    try:
        assert type(loop).__module__ == "uvloop"
    finally:
        loop.close()
