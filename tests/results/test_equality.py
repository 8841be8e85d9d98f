from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec
import pytest

from harness.results.equality import NO_DIGEST, Difference, equalities
from harness.results.model import Result

if TYPE_CHECKING:
    from harness.results.equality import Equality

Made = Callable[..., Result]
ODD = "0dd0" * 16


def flood(result: Result) -> Equality:
    return next(equality for equality in equalities(result) if equality.scenario == "ws-flood")


def test_equal_digests_are_equal_stacks_in_every_scenario_that_decides(made: Made) -> None:
    found = equalities(made())
    assert [equality.scenario for equality in found] == ["ws-flood", "ws-paced"]
    assert all(equality.stacks_equal for equality in found)
    assert found[0].trials == dict.fromkeys(found[0].digests, 6)
    assert next(iter(found[0].digests)) == found[0].reference == "asyncio+json+none"


def test_one_arm_that_decides_otherwise_is_named_with_the_frames_where_it_parts(made: Made) -> None:
    found = flood(made(digests={"uvloop+orjson+none": ODD}))
    assert not found.stacks_equal
    assert found.different == ("uvloop+orjson+none",)
    expected = Difference(arm="uvloop+orjson+none", block=0, first_frame=30_001, last_frame=31_000)
    assert found.first_difference == expected


def test_a_single_odd_trial_of_one_block_is_enough(made: Made) -> None:
    result = made()
    index = next(i for i, trial in enumerate(result.trials) if trial.arm == "a/a" and trial.block == 4)
    trials = list(result.trials)
    trials[index] = msgspec.structs.replace(trials[index], digest=ODD)
    found = flood(msgspec.structs.replace(result, trials=trials))
    assert found.different == ("a/a",)
    assert len(found.digests["a/a"]) == 2
    assert found.first_difference is not None
    assert found.first_difference.block == 4


def test_a_reference_that_does_not_repeat_itself_is_different_from_itself(made: Made) -> None:
    result = made()
    index = max(i for i, t in enumerate(result.trials) if t.arm == "asyncio+json+none" and t.scenario == "ws-flood")
    trials = list(result.trials)
    trials[index] = msgspec.structs.replace(trials[index], digest=ODD)
    assert flood(msgspec.structs.replace(result, trials=trials)).different == ("asyncio+json+none",)


def test_digests_that_part_after_the_last_step_of_the_trail_point_to_the_end(made: Made) -> None:
    result = made(blocks=1)
    trials = [
        msgspec.structs.replace(trial, digest=ODD, frames=60_500)
        if trial.scenario == "ws-flood" and trial.arm == "a/a"
        else trial
        for trial in result.trials
    ]
    found = flood(msgspec.structs.replace(result, trials=trials)).first_difference
    assert found == Difference(arm="a/a", block=0, first_frame=60_001, last_frame=60_500)


def test_without_a_trail_the_frames_are_not_known(made: Made) -> None:
    result = made(blocks=1, digests={"a/a": ODD})
    trials = [msgspec.structs.replace(trial, digest_trail=[]) for trial in result.trials]
    found = flood(msgspec.structs.replace(result, trials=trials)).first_difference
    assert found == Difference(arm="a/a", block=0, first_frame=None, last_frame=None)


def test_a_good_trial_without_a_digest_is_not_equal(made: Made) -> None:
    result = made(blocks=1)
    trials = [
        msgspec.structs.replace(trial, digest=None) if trial.arm == "uvloop+json+redis" else trial
        for trial in result.trials
    ]
    found = flood(msgspec.structs.replace(result, trials=trials))
    assert found.different == ("uvloop+json+redis",)
    assert found.digests["uvloop+json+redis"] == (NO_DIGEST,)


def test_an_arm_without_a_good_trial_is_missing_and_not_equal_by_silence(made: Made) -> None:
    found = flood(made(blocks=1, failed={"uvloop+json+none": "broke"}))
    assert found.missing == ("uvloop+json+none",)
    assert "uvloop+json+none" not in found.digests


def test_without_the_reference_the_others_are_compared_with_each_other(made: Made) -> None:
    found = flood(made(blocks=1, failed={"asyncio+json+none": "broke"}))
    assert found.stacks_equal
    assert found.missing == ("asyncio+json+none",)


@pytest.mark.parametrize(("decisions", "enough"), [(19, False), (20, True)])
def test_too_few_decisions_prove_nothing(made: Made, decisions: int, enough: bool) -> None:  # noqa: FBT001 - a table
    found = flood(made(blocks=1, decisions=decisions))
    assert found.stacks_equal is enough
    assert found.different == ()


def test_a_run_without_digests_has_nothing_to_compare(made: Made) -> None:
    assert equalities(made(scenarios=("json", "queries"))) == []
