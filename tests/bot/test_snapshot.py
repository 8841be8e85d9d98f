from __future__ import annotations

from collections import Counter
from dataclasses import FrozenInstanceError, replace

import pytest

from harness.bot.status.monitor import Monitor
from harness.bot.status.snapshot import CacheFigures, Distribution, Snapshot, State


def snapshot(counts: Counter[str]) -> Snapshot:
    return Snapshot(
        taken_s=2.0,
        started_s=1.0,
        version="1",
        stack="asyncio+json+none",
        active={},
        gc_policy="",
        market="",
        state=State.TRADING,
        reason="",
        event_time_ms=0,
        traffic=Monitor().traffic,
        malformed=counts,
        refusals=counts,
    )


def test_a_snapshot_does_not_change_when_the_bot_counts_on() -> None:
    counts = Counter({"price": 1})
    one = snapshot(counts)
    other = replace(one, unknown=counts)
    counts["price"] += 1
    counts["new"] += 1
    assert one.malformed == one.refusals == other.malformed == other.unknown == {"price": 1}
    with pytest.raises(FrozenInstanceError):
        one.reason = "other"  # type: ignore[misc] # what is forbidden


def test_a_quantile_is_the_upper_bound_of_its_bucket_and_never_above_the_largest() -> None:
    durations = Distribution(bounds_s=(1.0, 2.0, 4.0), counts=(1, 1, 1, 1), total_s=15.0, largest_s=9.0)
    assert [durations.quantile(share) for share in (0.0, 0.25, 0.26, 0.75, 0.76, 1.0)] == [1.0, 1.0, 2.0, 4.0, 9.0, 9.0]
    assert replace(durations, counts=(1, 1, 1, 0), largest_s=2.5).quantile(1.0) == 2.5
    assert replace(durations, counts=(0, 0, 0, 0)).quantile(0.5) == 0.0


def test_a_cache_that_was_not_asked_has_no_rate_and_no_mean() -> None:
    cache = CacheFigures(
        server="", away=True, hits=0, misses=0, errors=0, operations=0, operations_s=0.0, slowest_s=0.0
    )
    assert cache.hit_rate == cache.mean_s == 0.0
    used = replace(cache, hits=3, misses=1, operations=4, operations_s=0.002)
    assert (used.hit_rate, used.mean_s) == (0.75, 0.0005)
