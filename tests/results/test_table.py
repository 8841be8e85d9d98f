from __future__ import annotations

import random
from collections.abc import Callable

import msgspec
import pytest

from harness.results.model import Measurement, Result, Trial
from harness.results.table import Cell, Table

Made = Callable[..., Result]
RATE = Cell.of("ws-flood", "messages_per_second")


def test_a_cell_is_the_same_whatever_the_order_of_its_labels() -> None:
    assert Cell.of("s", "m", {"a": "1", "b": "2"}) == Cell.of("s", "m", {"b": "2", "a": "1"})


def test_a_block_is_the_median_of_its_passes_or_the_minimum_where_the_metric_says_so(made: Made) -> None:
    result = made(blocks=1, scenarios=("ws-flood", "json"))
    table = Table(result)
    rate = sorted(table.passes(RATE, "asyncio+json+none")[0])
    assert table.blocks(RATE, "asyncio+json+none")[0] == pytest.approx((rate[3] + rate[4]) / 2)
    decode = Cell.of("json", "decode_us", {"document": "kline"})
    assert table.blocks(decode, "asyncio+json+none")[0] == min(table.passes(decode, "asyncio+json+none")[0])


def test_arms_are_paired_by_block_and_not_by_the_order_of_trials(made: Made) -> None:
    result = made(blocks=5, scenarios=("ws-flood",))
    shuffled = list(result.trials)
    random.Random(1).shuffle(shuffled)
    other = msgspec.structs.replace(result, trials=shuffled)
    pair = ((RATE, "uvloop+json+none"), (RATE, "asyncio+json+none"))
    assert Table(other).paired(*pair) == Table(result).paired(*pair)


def test_a_block_in_which_one_arm_failed_is_left_out_of_the_pair(made: Made) -> None:
    result = made(blocks=4, scenarios=("ws-flood",), failed={"uvloop+json+none": "broke"})
    arm, reference = Table(result).paired((RATE, "uvloop+json+none"), (RATE, "asyncio+json+none"))
    assert len(arm) == len(reference) == 3
    assert len(Table(result).blocks(RATE, "asyncio+json+none")) == 4


def test_labels_of_the_trial_and_of_the_measurement_make_one_cell(made: Made) -> None:
    result = made(blocks=1, scenarios=("queries",))
    trial = Trial(
        scenario="queries",
        arm="asyncio+json+none",
        block=0,
        position=0,
        seed=1,
        status="ok",
        cell={"rows": "7"},
        measurements=[Measurement(metric="query_ms", values=[1.0], labels={"query": "q"})],
    )
    table = Table(msgspec.structs.replace(result, trials=[trial]))
    assert table.cells() == [Cell.of("queries", "query_ms", {"query": "q", "rows": "7"})]


def test_what_was_not_measured_is_empty_and_no_error(made: Made) -> None:
    table = Table(made(blocks=1, scenarios=("ws-flood",)))
    nowhere = Cell.of("ws-paced", "latency_p50_us")
    assert table.arms(nowhere) == []
    assert table.blocks(nowhere, "x") == {}
    assert table.paired((nowhere, "x"), (RATE, "asyncio+json+none")) == ([], [])


def test_cells_can_be_asked_for_by_scenario_and_metric(made: Made) -> None:
    table = Table(made(blocks=1))
    assert table.cells("ws-flood", "messages_per_second") == [RATE]
    assert {cell.scenario for cell in table.cells(metric="decode_us")} == {"json"}
