from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest
from prometheus_client.parser import text_string_to_metric_families

from harness.bot.status.exposition import CONTENT_TYPE, MOST_LABELS, Exposition
from harness.bot.status.monitor import Histogram
from harness.bot.status.snapshot import Snapshot, State

if TYPE_CHECKING:
    from prometheus_client.core import Metric

Make = Callable[..., Snapshot]
PREFIX = "tickproof_bot_"


def scraped(snapshot: Snapshot) -> dict[str, Metric]:
    """The families that the library's own parser reads, by name without our prefix."""
    text = Exposition(lambda: snapshot).text().decode()
    families = list(text_string_to_metric_families(text))
    names = [family.name for family in families]
    assert len(names) == len(set(names)), "a family is told once"
    return {family.name.removeprefix(PREFIX): family for family in families}


def value(families: dict[str, Metric], name: str, **labels: str) -> float:
    """The one sample of a family with exactly these labels."""
    (found,) = [
        sample.value
        for sample in families[name].samples
        if sample.labels == labels and sample.name in {PREFIX + name, f"{PREFIX}{name}_total"}
    ]
    return found


def test_every_figure_of_the_snapshot_is_read_back(snapshot_of: Make) -> None:
    told = scraped(snapshot_of())
    expected = {
        "frames": 12_345_678,
        "frames_per_second": 1_234.56,
        "loop_lag_last_seconds": 0.000081,
        "loop_lag_max_seconds": 0.0015,
        "start_time_seconds": 1_795_530_000.0,
        "event_time_seconds": 1_795_623_783.512,
        "open_positions": 2,
        "realised_pnl": 128.40317,
        "unrealised_pnl": float(Decimal("0.0848832") - Decimal("4.48")),
        "trades_opened": 812,
        "trades_closed": 810,
        "cache_hits": 9_000,
        "cache_misses": 1_000,
        "cache_errors": 4,
        "cache_hit_ratio": 0.9,
        "cache_away": 0,
        "cache_operation_max_seconds": 0.012,
        "database_queries": 54_321,
        "database_errors": 2,
        "database_outages": 1,
        "database_away": 0,
        "database_pending": 3,
    }
    assert {name: value(told, name) for name in expected} == expected
    assert value(told, "malformed_frames", kind="not JSON") == 2
    assert value(told, "unknown_frames", kind="unknown_stream") == 17
    assert value(told, "reconnects", reason="silent") == 1
    assert value(told, "refusals", reason="cool-down") == 311
    assert value(told, "queue_waiting", queue="outbox") == 12
    assert value(told, "queue_peak", queue="journal") == 1_998
    assert value(told, "queue_capacity", queue="gateway") == 64
    assert value(told, "queue_pauses", queue="journal") == 2
    assert value(told, "queue_merged", queue="conflation") == 31_415
    operations = {sample.name.rpartition("_")[2]: sample.value for sample in told["cache_operation_seconds"].samples}
    assert operations == {"count": 10_000, "sum": 2.5}


def test_the_build_tells_version_stack_backends_and_policy_of_the_collector(snapshot_of: Make) -> None:
    (sample,) = scraped(snapshot_of())["build_info"].samples
    assert sample.value == 1
    assert sample.labels == {
        "version": "1.2.3",
        "stack": "uvloop+orjson+redis",
        "loop": "uvloop.Loop",
        "codec": "orjson.loads",
        "cache": "Valkey 9.1.2",
        "transport": "websockets.asyncio.client.ClientConnection",
        "gc_policy": "gc.freeze() after start, thresholds 10000, 20, 20",
    }


@pytest.mark.parametrize("state", State)
def test_exactly_one_state_is_one(snapshot_of: Make, state: State) -> None:
    told = scraped(snapshot_of(state=state))
    assert {sample.labels["state"]: sample.value for sample in told["state"].samples} == {
        each.value: float(each is state) for each in State
    }


def test_the_buckets_of_a_histogram_rise_to_its_count(snapshot_of: Make) -> None:
    snapshot = snapshot_of()
    family = scraped(snapshot)["frame_handling_seconds"]
    buckets = {float(sample.labels["le"]): sample.value for sample in family.samples if sample.name.endswith("_bucket")}
    others = {sample.name.rpartition("_")[2]: sample.value for sample in family.samples if "_bucket" not in sample.name}
    assert list(buckets) == sorted(buckets)
    assert list(buckets.values()) == sorted(buckets.values())
    assert (buckets[1e-5], buckets[2.2e-5], buckets[4.7e-5], buckets[1e-4]) == (0, 900, 900, 995)
    assert buckets[float("inf")] == others["count"] == 1_000
    assert others["sum"] == pytest.approx(snapshot.traffic.handling.total_s)
    assert len(buckets) == 23


def test_what_is_longer_than_the_last_bucket_is_in_the_infinite_one(snapshot_of: Make) -> None:
    histogram = Histogram()
    histogram.add(11_000_000_000)
    traffic = replace(snapshot_of().traffic, lag=histogram.distribution)
    text = Exposition(lambda: snapshot_of(traffic=traffic)).text()
    assert b'tickproof_bot_loop_lag_seconds_bucket{le="10"} 0.0\n' in text
    assert b'tickproof_bot_loop_lag_seconds_bucket{le="+Inf"} 1.0\n' in text


def test_what_is_read_is_the_snapshot_of_that_moment(snapshot_of: Make) -> None:
    following = iter([snapshot_of(trades_closed=1), snapshot_of(trades_closed=2)])
    exposition = Exposition(lambda: next(following))
    assert b"trades_closed_total 1.0" in exposition.text()
    assert b"trades_closed_total 2.0" in exposition.text()


def test_a_bot_without_cache_and_database_tells_nothing_of_them(snapshot_of: Make) -> None:
    assert not [name for name in scraped(snapshot_of(cache=None, database=None)) if name.startswith(("cache", "data"))]


def test_names_units_and_help_follow_the_conventions(snapshot_of: Make) -> None:
    for name, family in scraped(snapshot_of()).items():
        assert re.fullmatch(r"[a-z]+(_[a-z]+)*", name)
        assert family.documentation
        assert not re.search(r"_(ms|us|ns|milliseconds|microseconds|kb|percent|count|total)$", name)
        is_ours = not name.startswith("process_")
        text = Exposition(snapshot_of).text().decode()
        assert is_ours == (f"\n# TYPE {PREFIX}{name}" in text)
        if family.type == "counter" and is_ours:
            assert f"# TYPE {PREFIX}{name}_total counter" in text


def test_hostile_names_are_read_back_as_labels_and_nothing_else(hostile: Snapshot, snapshot_of: Make) -> None:
    told = scraped(hostile)
    assert set(told) == set(scraped(snapshot_of()))
    kinds = {sample.labels["kind"] for sample in told["malformed_frames"].samples}
    assert len(kinds) == len(hostile.malformed)
    assert "<script>alert(1)</script>" in kinds
    assert '"} 1\\n# HELP forged x\\nforged{a="' in kinds
    assert "back\\slash\\" in kinds
    assert "half \\ud800 pair" in kinds
    assert max(len(kind) for kind in kinds) <= 200


def test_a_flood_of_kinds_ends_in_one_label(snapshot_of: Make) -> None:
    flood = {f"kind {number}": number for number in range(1, 5_001)}
    told = scraped(snapshot_of(malformed=flood))["malformed_frames"].samples
    assert len(told) == MOST_LABELS + 1
    by_kind = {sample.labels["kind"]: sample.value for sample in told}
    assert by_kind["kind 5000"] == 5_000
    assert by_kind["other"] == sum(range(1, 5_001 - MOST_LABELS))


def test_names_that_are_equal_once_cut_count_together(snapshot_of: Make) -> None:
    told = scraped(snapshot_of(malformed={"x" * 300: 1, "x" * 301: 2}))["malformed_frames"].samples
    assert [sample.value for sample in told] == [3]


def test_the_process_is_told_too_and_the_librarys_own_registry_is_left_alone(snapshot_of: Make) -> None:
    prometheus = pytest.importorskip("prometheus_client")
    assert PREFIX.encode() not in prometheus.generate_latest()
    text = Exposition(snapshot_of).text()
    assert b"python_gc" not in text
    assert CONTENT_TYPE.startswith("text/plain; version=")
