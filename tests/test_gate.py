from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from harness.errors import ExitCode, ResultError
from harness.gate import Policy, judge
from harness.results.model import Result
from harness.stats.outcome import Outcome

Made = Callable[..., Result]
FLOOD: dict[str, Any] = {"scenarios": ("ws-flood",), "noise": 0.003}


def test_a_quiet_repetition_passes_with_every_stack_and_metric_compared(made: Made) -> None:
    decision = judge(made(seed=1, **FLOOD), made(seed=2, **FLOOD))
    assert decision.passed
    assert decision.exit_code == ExitCode.GOOD
    assert len(decision.rows) == 7 * 2
    assert {row.outcome for row in decision.rows} == {Outcome.EQUIVALENT}


def test_a_gain_that_shrank_is_a_regression_with_the_interval_in_its_reason(made: Made) -> None:
    decision = judge(made(seed=1, codec_gain=1.2, **FLOOD), made(seed=2, codec_gain=1.35, **FLOOD))
    assert decision.exit_code == ExitCode.REGRESSION
    assert {row.arm for row in decision.rows if row.outcome is Outcome.REGRESSED} == {
        "asyncio+orjson+none",
        "asyncio+orjson+redis",
        "uvloop+orjson+none",
        "uvloop+orjson+redis",
    }
    assert "0.88" in decision.reasons[0] or "0.89" in decision.reasons[0]


def test_a_gain_that_grew_passes(made: Made) -> None:
    decision = judge(made(seed=1, codec_gain=1.5, **FLOOD), made(seed=2, codec_gain=1.35, **FLOOD))
    assert decision.passed
    assert Outcome.IMPROVED in {row.outcome for row in decision.rows}


def test_a_slower_machine_of_the_same_kind_changes_nothing(made: Made) -> None:
    head, base = made(seed=1, **FLOOD), made(seed=2, **FLOOD)
    slower = [
        msgspec.structs.replace(
            trial,
            measurements=[
                msgspec.structs.replace(one, values=[value * 1.7 for value in one.values]) for one in trial.measurements
            ],
        )
        for trial in head.trials
    ]
    assert judge(msgspec.structs.replace(head, trials=slower), base).passed


def test_too_noisy_to_tell_is_never_green(made: Made) -> None:
    noisy: dict[str, Any] = {**FLOOD, "noise": 0.1}
    decision = judge(made(seed=1, **noisy), made(seed=2, **noisy))
    assert not decision.passed
    assert decision.verdict == "inconclusive"
    assert decision.exit_code == ExitCode.NOT_TRUSTWORTHY


def test_a_wider_margin_in_the_policy_settles_what_is_too_noisy(made: Made) -> None:
    noisy: dict[str, Any] = {**FLOOD, "noise": 0.02}
    head, base = made(seed=1, **noisy), made(seed=2, **noisy)
    assert not judge(head, base).passed
    wide = Policy(margins={"messages_per_second": 0.15, "cpu_us_per_message": 0.15})
    assert judge(head, base, wide).passed


@pytest.mark.parametrize("which", ["head", "base"])
def test_different_outputs_on_either_side_have_their_own_exit_code(made: Made, which: str) -> None:
    odd, good = made(digests={"uvloop+json+none": "00" * 32}, **FLOOD), made(**FLOOD)
    decision = judge(odd, good) if which == "head" else judge(good, odd)
    assert decision.exit_code == ExitCode.OUTPUTS_DIFFER
    assert "uvloop+json+none" in decision.reasons[0]
    assert decision.rows == []


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"complete": False}, "incomplete run"),
        ({"twin_gain": 1.2}, "difference between the reference and itself"),
        ({"blocks": 1}, "no a/a arm with two blocks"),
        ({"decisions": 3}, "too few decisions"),
        ({"blocks": 1, "failed": {"uvloop+json+none": "broke"}}, "no good trial of uvloop+json+none"),
    ],
)
def test_a_run_that_cannot_be_trusted_is_not_judged(made: Made, changes: dict[str, Any], told: str) -> None:
    for decision in (judge(made(**{**FLOOD, **changes}), made(**FLOOD)), judge(made(**FLOOD), made(**FLOOD | changes))):
        assert decision.exit_code == ExitCode.NOT_TRUSTWORTHY
        assert any(told in reason for reason in decision.reasons)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"profile": "smoke"}, "is a smoke run"),
        ({"cpu": "Another CPU"}, "make a baseline on this machine"),
        ({"versions": 2}, "scenario ws-flood has version 2 here and 1 in the baseline"),
        ({"recording_sha256": "cd" * 32}, "another recording in the baseline"),
    ],
)
def test_what_cannot_be_compared_is_refused_with_what_to_do(made: Made, changes: dict[str, Any], told: str) -> None:
    with pytest.raises(ResultError, match=told) as caught:
        judge(made(**FLOOD, **changes), made(**FLOOD))
    assert caught.value.exit_code is ExitCode.BAD_INPUT


def test_without_a_common_metric_there_is_nothing_to_compare(made: Made) -> None:
    decision = judge(made(**FLOOD), made(**FLOOD), Policy(metrics=("query_ms",)))
    assert decision.exit_code == ExitCode.NOTHING_MEASURED
    assert not decision.passed


def test_false_alarms_over_many_repetitions_stay_below_the_significance(made: Made) -> None:
    alarms = sum(
        judge(made(seed=2 * seed, blocks=4, **FLOOD), made(seed=2 * seed + 1, blocks=4, **FLOOD)).exit_code == 1
        for seed in range(40)
    )
    assert alarms <= 4


def test_a_decision_is_plain_data(made: Made) -> None:
    decision = judge(made(seed=1, **FLOOD), made(seed=2, **FLOOD))
    row = msgspec.json.decode(msgspec.json.encode(decision))["rows"][0]
    assert row["change"].keys() == {"point", "low", "high", "level", "n"}
