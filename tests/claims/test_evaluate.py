from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec
import pytest

from harness.claims import catalogue
from harness.claims.evaluate import Judge, as_ratios
from harness.claims.model import Claim, Measure, Range
from harness.claims.verdict import Status
from harness.results.model import Measurement, Result

if TYPE_CHECKING:
    from harness.claims.verdict import Verdict

Made = Callable[..., Result]


def verdict(result: Result, claim_id: str) -> Verdict:
    claim = next(claim for claim in catalogue.load().claims if claim.id == claim_id)
    return Judge(result).one(claim)


def test_a_gain_below_the_claim_refutes_it_with_the_interval(made: Made) -> None:
    found = verdict(made(loop_gain=1.05), "loop.ws")
    assert found.status is Status.REFUTED
    assert found.estimate is not None
    assert found.estimate.low < 1.05 < found.estimate.high
    assert found.estimate.n == 6


def test_a_gain_inside_the_claim_supports_it(made: Made) -> None:
    found = verdict(made(loop_gain=3.0), "loop.ws")
    assert (found.status, found.exceeded) == (Status.SUPPORTED, False)


def test_a_gain_above_the_claim_supports_it_and_says_exceeded(made: Made) -> None:
    found = verdict(made(loop_gain=6.0), "loop.ws")
    assert (found.status, found.word) == (Status.SUPPORTED, "supported, exceeded")


def test_a_gain_at_the_edge_with_noise_is_inconclusive(made: Made) -> None:
    assert verdict(made(loop_gain=2.0, noise=0.1), "loop.ws").status is Status.INCONCLUSIVE


def test_one_block_is_inconclusive_and_says_why(made: Made) -> None:
    found = verdict(made(loop_gain=3.0, blocks=1), "loop.ws")
    assert found.status is Status.INCONCLUSIVE
    assert "n too small" in found.reason


def test_less_of_a_lower_is_better_metric_is_more_than_one(made: Made) -> None:
    found = verdict(made(loop_gain=1.3), "loop.cpu")
    assert found.estimate is not None
    assert found.estimate.point == pytest.approx(1.3, rel=0.03)
    assert found.status is Status.SUPPORTED


def test_a_reduction_is_judged_on_the_scale_of_ratios(made: Made) -> None:
    assert verdict(made(loop_gain=1.13, codec_gain=1.0, noise=0.002), "sys.cpu").status is Status.SUPPORTED
    assert verdict(made(loop_gain=1.02, codec_gain=1.0, noise=0.002), "sys.cpu").status is Status.REFUTED


def test_a_cached_query_is_compared_with_the_uncached_one_at_the_same_corner(made: Made) -> None:
    found = verdict(made(hit_gain=40.0), "db.latency")
    assert found.status is Status.SUPPORTED
    assert len(found.cells) == 16
    assert found.main is not None
    assert dict(found.main.labels) == {
        "query": "get_trade_count('all')",
        "rows": "100000",
        "index": "yes",
        "connection": "pooled",
        "round_trip_ms": "1",
    }
    assert found.before is not None
    assert found.after is not None
    assert found.before.point / found.after.point == pytest.approx(40.0, rel=0.05)


def test_a_claim_that_holds_in_some_cells_says_in_which(made: Made) -> None:
    found = verdict(made(grid="full"), "premise.pg")
    assert found.status is Status.INCONCLUSIVE
    assert found.depends
    assert found.word == "inconclusive: depends"
    assert "30 ms round trip" in found.reason
    assert {dict(cell.labels)["round_trip_ms"] for cell in found.holds_in} == {"30"}


def test_a_claim_of_two_scenarios_names_the_one_in_which_it_holds(made: Made) -> None:
    found = verdict(made(loop_gain=1.05, codec_gain=1.3), "roi.noredis")
    assert found.status is Status.INCONCLUSIVE
    assert "json" in found.reason


@pytest.mark.parametrize("claim_id", ["loop.ws", "ws.throughput"])
def test_a_scenario_that_did_not_run_leaves_the_claim_untested(made: Made, claim_id: str) -> None:
    found = verdict(made(scenarios=("json",)), claim_id)
    assert found.status is Status.NOT_TESTED
    assert found.reason == "scenario ws-flood is not in this run"


def test_a_claim_without_measures_says_what_it_would_need(made: Made) -> None:
    found = verdict(made(), "db.hit")
    assert found.status is Status.NOT_TESTED
    assert found.reason.startswith("would need the hit rate")


def test_a_stack_that_decides_otherwise_has_no_verdict_anywhere(made: Made) -> None:
    result = made(loop_gain=3.0, digests={"uvloop+orjson+none": "00" * 32})
    for claim_id in ("ws.throughput", "db.latency", "sys.cpu"):
        found = verdict(result, claim_id)
        assert found.status is Status.NOT_TESTED
        assert "decides otherwise" in found.reason
    assert verdict(result, "loop.ws").status is Status.SUPPORTED


def test_a_run_that_differs_from_itself_supports_and_refutes_nothing(made: Made) -> None:
    judge = Judge(made(loop_gain=3.0, twin_gain=1.2))
    statuses = {found.status for found in judge.all(catalogue.load()) if found.claim.kind != "equality"}
    assert statuses == {Status.INCONCLUSIVE, Status.NOT_TESTED}


def test_a_smoke_run_tests_no_claim(made: Made) -> None:
    found = Judge(made(profile="smoke")).all(catalogue.load())
    assert {one.status for one in found} == {Status.NOT_TESTED}


def test_equal_outputs_support_the_claim_of_correctness(made: Made) -> None:
    assert verdict(made(), "safe.correct").status is Status.SUPPORTED


def test_different_outputs_refute_it_by_name(made: Made) -> None:
    found = verdict(made(digests={"uvloop+json+redis": "00" * 32}), "safe.correct")
    assert found.status is Status.REFUTED
    assert "uvloop+json+redis" in found.reason


@pytest.mark.parametrize("changes", [{"decisions": 5}, {"blocks": 1, "failed": {"uvloop+json+none": "broke"}}])
def test_outputs_that_are_not_proven_equal_leave_it_open(made: Made, changes: dict[str, object]) -> None:
    assert verdict(made(**changes), "safe.correct").status is Status.INCONCLUSIVE


def test_a_run_without_digests_does_not_test_it(made: Made) -> None:
    assert verdict(made(scenarios=("json",)), "safe.correct").status is Status.NOT_TESTED


def test_values_that_have_no_ratio_leave_the_claim_untested(made: Made) -> None:
    result = made(blocks=2, scenarios=("ws-flood",))
    idle = [Measurement(metric="messages_per_second", values=[0.0])]
    trials = [msgspec.structs.replace(trial, measurements=idle) for trial in result.trials]
    found = verdict(msgspec.structs.replace(result, trials=trials), "loop.ws")
    assert found.status is Status.NOT_TESTED
    assert found.reason == "no good trials of both arms in ws-flood"


def test_ninety_five_to_ninety_seven_percent_less_is_twenty_to_thirty_three_times() -> None:
    claim = Claim(
        id="x", section="s", sentence="s", kind="reduction", expected=Range(low=0.95, high=0.97), needs="nothing"
    )
    low, high = as_ratios(claim)
    assert low == pytest.approx(20.0)
    assert high == pytest.approx(100 / 3)


def test_a_measure_that_excludes_a_label_leaves_those_cells_out(made: Made) -> None:
    claim = Claim(
        id="x",
        section="s",
        sentence="s",
        kind="ratio",
        expected=Range(low=2.0),
        measures=[
            Measure(
                scenario="json",
                metric="decode_us",
                arm="asyncio+msgspec+none",
                reference="asyncio+json+none",
                excluding={"document": "kline"},
            )
        ],
    )
    found = Judge(made(blocks=2)).one(claim)
    assert {dict(cell.labels)["document"] for cell in found.cells}.isdisjoint({"kline"})
    assert len(found.cells) == 5
