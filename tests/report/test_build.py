from __future__ import annotations

from collections.abc import Callable, Iterator

import msgspec
import pytest

from harness.report.build import build
from harness.report.context import Absent, Item, Mark, Number, Paragraph, Report, Table, Text
from harness.results.model import Result
from harness.results.table import Table as Measured

Made = Callable[..., Result]


def tables(report: Report) -> dict[str, Table]:
    return {part.id: part for section in report.sections for part in section.parts if isinstance(part, Table)}


def row(table: Table, head: str) -> tuple[Item, ...]:
    return next(row for row in table.rows if isinstance(row[0], Text) and row[0].text == head)


def paragraphs(report: Report) -> str:
    parts = (part for section in report.sections for part in section.parts)
    return " ".join(part.text for part in parts if isinstance(part, Paragraph))


def numbers_of(report: Report) -> Iterator[Number]:
    for table in tables(report).values():
        for one in table.rows:
            yield from (item for item in one if isinstance(item, Number))
    yield from (upgrade.number for upgrade in report.upgrades if isinstance(upgrade.number, Number))


def test_the_sections_stand_in_their_order(made: Made) -> None:
    assert [section.id for section in build(made(blocks=2)).sections] == [
        "performance-improvements",
        "expected-system-impact",
        "test-scenarios",
        "stacks",
        "latency",
        "queries",
        "claims",
        "outputs",
        "ceiling",
        "environment",
        "method",
        "reproduce",
        "trouble",
    ]


def test_every_number_of_every_table_carries_a_known_interval(made: Made) -> None:
    found = list(numbers_of(build(made(grid="full", blocks=3))))
    assert len(found) > 1_000
    for number in found:
        assert number.estimate.is_known
        assert number.estimate.low <= number.estimate.point <= number.estimate.high
        assert number.interval.startswith("[")


def test_with_one_block_there_is_no_number_at_all(made: Made) -> None:
    report = build(made(blocks=1))
    kept = [number for number in numbers_of(report) if number.estimate.n == 1]
    assert kept == []
    matrix = tables(report)["matrix"]
    assert row(matrix, "uvloop+orjson+none")[1] == Absent(reason="n too small")
    assert {upgrade.decision for upgrade in report.upgrades} == {"cannot tell"}


def test_performance_improvements_has_a_row_a_component_and_a_row_a_query(made: Made) -> None:
    table = tables(build(made()))["improvements"]
    heads = [one[0].text for one in table.rows if isinstance(one[0], Text)]
    assert heads == [
        "Event loop",
        "JSON parsing",
        "get_trade_count('all')",
        "get_trade_count('closed')",
        "get_trade_count('open')",
        "get_statistics()",
    ]
    _, before, after, ratio, claimed, verdict = row(table, "Event loop")
    assert isinstance(before, Number)
    assert isinstance(after, Number)
    assert isinstance(ratio, Number)
    assert ratio.estimate.point == pytest.approx(after.estimate.point / before.estimate.point)
    assert claimed == Text(text="2-4x")
    assert verdict == Mark(word="refuted", shape="cross")


def test_test_scenarios_has_four_rows_and_three_columns_with_the_mix_beside_the_hit(made: Made) -> None:
    table = tables(build(made()))["scenarios"]
    assert [column.title for column in table.columns] == ["Scenario", "Before", "After", "After, with Redis"]
    assert len(table.rows) == 4
    with_redis = row(table, "get_statistics()")[3]
    assert isinstance(with_redis, Number)
    assert with_redis.note.startswith("mix ")
    assert "[" in with_redis.note


def test_decode_and_encode_of_a_kilobyte_are_added_up_block_by_block(made: Made) -> None:
    result = made()
    table = Measured(result)
    cells = {cell.metric: cell for cell in table.cells("json") if dict(cell.labels) == {"document": "1 KB"}}
    arm = "asyncio+json+none"
    sums = [
        table.blocks(cells["decode_us"], arm)[block] + table.blocks(cells["encode_us"], arm)[block]
        for block in range(6)
    ]
    shown = row(tables(build(result))["scenarios"], "JSON, 1 KB document")[1]
    assert isinstance(shown, Number)
    assert min(sums) < shown.estimate.point < max(sums)


def test_the_matrix_holds_every_stack_and_the_reference_again(made: Made) -> None:
    table = tables(build(made()))["matrix"]
    assert len(table.rows) == 9
    assert row(table, "uvloop+orjson+none")[5] == Mark(word="improved", shape="full")
    assert row(table, "a/a")[5] == Mark(word="equivalent", shape="open")


def test_a_stack_that_decides_otherwise_shows_no_speed_anywhere(made: Made) -> None:
    report = build(made(digests={"uvloop+orjson+none": "00" * 32}))
    assert report.status.headline.startswith("Outputs differ in ws-flood") or report.status.headline == "Outputs differ"
    found = tables(report)
    assert set(row(found["matrix"], "uvloop+orjson+none")[1:5]) == {Absent(reason="outputs differ")}
    assert row(found["scenarios"], "WebSocket message processing")[2] == Absent(reason="outputs differ")
    assert row(found["latency-levels"], "Latency, median")[2] == Absent(reason="outputs differ")
    assert row(found["grid-1"], "10,000")[4] == Absent(reason="outputs differ")
    assert all(column.title != "After" for column in found["percentile-levels"].columns)
    assert "parts between frames 30,001 and 31,000 (block 1)" in paragraphs(report)


@pytest.mark.parametrize("scenario", ["ws-flood", "ws-paced", "json", "queries"])
def test_a_scenario_that_did_not_run_is_said_to_be_missing(made: Made, scenario: str) -> None:
    others = tuple(name for name in ("ws-flood", "ws-paced", "json", "queries") if name != scenario)
    report = build(made(scenarios=others, blocks=2))
    untested = [
        verdict
        for verdict in tables(report)["claims-table"].rows
        if isinstance(verdict[3], Mark) and f"scenario {scenario} is not in this run" in verdict[3].note
    ]
    assert untested
    if scenario != "json":
        assert f"Scenario {scenario} is missing from this run" in paragraphs(report)


def test_a_result_without_any_trial_still_makes_a_report(made: Made) -> None:
    empty = msgspec.structs.replace(made(blocks=1), trials=[], ceilings=[], recordings=[], scenarios=[])
    report = build(empty)
    assert list(numbers_of(report)) == []
    assert {upgrade.decision for upgrade in report.upgrades} == {"cannot tell"}


def test_a_damaged_histogram_is_left_out_and_no_crash(made: Made) -> None:
    result = made(blocks=2, scenarios=("ws-paced",))
    trials = [msgspec.structs.replace(trial, histograms={"latency": "not a histogram"}) for trial in result.trials]
    assert "no percentile curve" in paragraphs(build(msgspec.structs.replace(result, trials=trials)))


def test_percentiles_that_too_few_frames_carry_are_left_out(made: Made) -> None:
    table = tables(build(made(blocks=2)))["percentile-levels"]
    assert [one[0].text for one in table.rows if isinstance(one[0], Text)] == ["50 %", "75 %", "90 %", "95 %", "99 %"]


@pytest.mark.parametrize(("counting", "word"), [(610_000.0, "yes"), (100_000.0, "below ten times")])
def test_the_ceiling_is_compared_with_the_fastest_stack(made: Made, counting: float, word: str) -> None:
    result = made()
    ceiling = msgspec.structs.replace(result.ceilings[0], counting_frames_per_s=[counting, counting * 1.01])
    table = tables(build(msgspec.structs.replace(result, ceilings=[ceiling])))["ceiling-table"]
    mark = row(table, "counts bytes only")[3]
    assert isinstance(mark, Mark)
    assert mark.word == word


def test_the_command_names_the_seed_that_the_user_did_not_give(made: Made) -> None:
    report = build(made(seed=99, blocks=1))
    section = next(section for section in report.sections if section.id == "reproduce")
    assert "--seed 99" in str(section.parts[0])
    assert "ab" * 32 in str(section.parts)


def test_secrets_in_errors_and_warnings_are_masked(hostile_result: Result) -> None:
    assert "hunter2" not in str(build(hostile_result))


def test_the_report_is_plain_data_that_json_can_hold(made: Made) -> None:
    assert msgspec.json.decode(msgspec.json.encode(build(made(blocks=2))))["title"]
