from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from harness.report.build import build
from harness.results.model import Result

Made = Callable[..., Result]


def test_a_sound_run_opens_with_the_count_of_its_verdicts(made: Made) -> None:
    status = build(made()).status
    assert status.shape == "full"
    assert status.headline.startswith("Of 39 claims: ")
    assert "the reference agrees with itself" in status.reasons[0]


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"complete": False}, "Incomplete run: interrupted in block 3"),
        ({"digests": {"uvloop+json+none": "00" * 32}}, "Outputs differ in ws-flood: uvloop+json+none decided"),
        ({"blocks": 1}, "Not checked against itself"),
        ({"scenarios": ("ws-paced",)}, "Not checked against itself"),
        ({"failed": {"uvloop+json+none": "broke"}}, "Failed trials: 1 of 108 trials failed"),
    ],
)
def test_one_thing_wrong_is_the_first_line(made: Made, changes: dict[str, Any], told: str) -> None:
    assert told in build(made(**changes)).status.headline


def test_a_run_that_differs_from_itself_says_so_with_the_interval(made: Made) -> None:
    status = build(made(twin_gain=1.2)).status
    assert status.headline == "Not trustworthy"
    assert "messages_per_second a/a 1.20x [1." in " ".join(status.reasons)
    assert "at 99%" in " ".join(status.reasons)


def test_several_things_wrong_all_stand_in_the_first_line(made: Made) -> None:
    status = build(made(twin_gain=1.2, complete=False, digests={"uvloop+json+none": "00" * 32})).status
    assert status.headline == "Outputs differ; not trustworthy; incomplete run"
    assert status.shape == "cross"


def test_a_smoke_run_says_that_it_is_no_measurement(made: Made) -> None:
    status = build(made(profile="smoke")).status
    assert status.headline == "Not a measurement: this run proves equal outputs only"


def test_a_smoke_run_whose_outputs_differ_does_not_claim_that_they_are_equal(made: Made) -> None:
    status = build(made(profile="smoke", digests={"uvloop+json+none": "00" * 32})).status
    assert status.headline == "Not a measurement; outputs differ"
    assert "proves equal outputs" not in " ".join(status.reasons)


def test_a_smoke_run_without_digests_proves_nothing(made: Made) -> None:
    status = build(made(profile="smoke", scenarios=("json",))).status
    assert status.headline == "Not a measurement, and no outputs to compare"


@pytest.mark.parametrize(
    ("changes", "decision"),
    [
        ({"loop_gain": 1.2}, "adopt"),
        ({"loop_gain": 1.0, "noise": 0.003}, "skip"),
        ({"loop_gain": 0.8}, "skip"),
        ({"loop_gain": 1.02, "noise": 0.08}, "cannot tell"),
        ({"loop_gain": 1.2, "twin_gain": 1.2}, "cannot tell"),
        ({"loop_gain": 1.2, "digests": {"uvloop+json+none": "00" * 32}}, "cannot tell"),
        ({"scenarios": ("json",)}, "cannot tell"),
    ],
)
def test_the_advice_on_the_loop_follows_from_its_interval(made: Made, changes: dict[str, Any], decision: str) -> None:
    loop = build(made(**changes)).upgrades[0]
    assert loop.decision == decision
    if decision == "cannot tell":
        assert loop.details


def test_the_advice_on_redis_names_its_corner_and_its_price(made: Made) -> None:
    redis = build(made()).upgrades[2]
    assert redis.decision == "adopt"
    assert redis.condition == "at 100,000 rows, 1 ms round trip, pooled connection, index yes"
    assert any(detail.startswith("message throughput with the cache in use") for detail in redis.details)


def test_a_smoke_run_gives_no_advice(made: Made) -> None:
    assert build(made(profile="smoke")).upgrades == ()
