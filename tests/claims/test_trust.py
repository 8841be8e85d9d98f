from __future__ import annotations

from collections.abc import Callable

import msgspec

from harness.claims.trust import trust_of, unequal_stacks
from harness.results.model import Result

Made = Callable[..., Result]


def test_a_sound_run_checks_both_metrics_against_itself_at_99_percent(made: Made) -> None:
    trust = trust_of(made())
    assert {check.cell.metric for check in trust.self_checks} == {"messages_per_second", "cpu_us_per_message"}
    assert all(check.holds and check.ratio.level == 0.99 for check in trust.self_checks)
    assert trust.allows_verdicts
    assert trust.was_checked


def test_a_reference_that_differs_from_itself_is_found(made: Made) -> None:
    trust = trust_of(made(twin_gain=1.1))
    assert len(trust.failed_checks) == 2
    assert not trust.allows_verdicts


def test_one_block_is_no_check_and_no_alarm(made: Made) -> None:
    trust = trust_of(made(blocks=1, twin_gain=1.5))
    assert not trust.was_checked
    assert trust.failed_checks == ()


def test_a_stack_that_differs_in_one_scenario_is_named_by_stack(made: Made) -> None:
    result = made(digests={"uvloop+orjson+redis": "00" * 32})
    assert unequal_stacks(result, trust_of(result)) == {"uvloop+orjson+redis"}


def test_a_twin_that_differs_condemns_the_stack_it_runs(made: Made) -> None:
    result = made(digests={"a/a": "00" * 32})
    assert unequal_stacks(result, trust_of(result)) == {"asyncio+json+none"}


def test_failed_trials_are_counted(made: Made) -> None:
    assert trust_of(made(failed={"a/a": "broke", "uvloop+json+none": "broke"})).failed_trials == 2


def test_a_run_without_trials_is_no_error(made: Made) -> None:
    trust = trust_of(msgspec.structs.replace(made(blocks=1), trials=[]))
    assert trust.equalities == ()
    assert trust.self_checks == ()
