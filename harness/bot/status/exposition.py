"""A snapshot in the Prometheus text format, written by Prometheus's own client library."""

from __future__ import annotations

from itertools import accumulate
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    SummaryMetricFamily,
)
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.registry import Collector

from harness.bot.status.log_lines import plain
from harness.bot.status.snapshot import State

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from prometheus_client.core import Metric

    from harness.bot.status.snapshot import CacheFigures, DatabaseFigures, Distribution, Queue, Snapshot

CONTENT_TYPE = CONTENT_TYPE_LATEST
_PREFIX = "tickproof_bot_"

#: A metric has no more label values than this: the largest, and the rest together as `other`.
MOST_LABELS = 50
_MOST_CHARACTERS = 100
#: Every fourth bound of twelve a decade: 1, 2.2 and 4.7 are enough for a graph.
_EVERY = 4


class BotCollector(Collector):
    """Reads one snapshot when it is scraped; costs the bot nothing otherwise."""

    def __init__(self, read: Callable[[], Snapshot]) -> None:
        self._read = read

    def collect(self) -> Iterator[Metric]:
        """All figures of the bot."""
        snapshot = self._read()
        yield from _identity(snapshot)
        yield from _traffic(snapshot)
        yield from _queues(snapshot.queues)
        yield from _trading(snapshot)
        if snapshot.cache is not None:
            yield from _cache(snapshot.cache)
        if snapshot.database is not None:
            yield from _database(snapshot.database)


class Exposition:
    """The figures of the bot and of its process (CPU, memory, open files; on Linux) as text."""

    def __init__(self, read: Callable[[], Snapshot]) -> None:
        self._registry = CollectorRegistry(auto_describe=False)
        ProcessCollector(registry=self._registry)
        self._registry.register(BotCollector(read))

    def text(self) -> bytes:
        """What /metrics answers; raises what `read` raises."""
        return generate_latest(self._registry)


def _identity(snapshot: Snapshot) -> Iterator[Metric]:
    facts = {
        "version": snapshot.version,
        "stack": snapshot.stack,
        "gc_policy": snapshot.gc_policy,
        **{slot: snapshot.active.get(slot, "") for slot in ("loop", "codec", "cache", "transport")},
    }
    yield InfoMetricFamily(
        f"{_PREFIX}build",
        "Version of the bot, the stack asked for, and the backends that are really in use.",
        {name: _label(value) for name, value in facts.items()},
    )
    yield _gauge("start_time_seconds", "When the bot started, in seconds since 1970.", snapshot.started_s)
    yield _gauge(
        "event_time_seconds",
        "The bot's own time, in seconds since 1970: the largest event time seen.",
        snapshot.event_time_ms / 1e3,
    )
    state = GaugeMetricFamily(f"{_PREFIX}state", "1 for the state the bot is in, 0 for the others.", labels=["state"])
    for each in State:
        state.add_metric([each.value], float(each is snapshot.state))
    yield state


def _traffic(snapshot: Snapshot) -> Iterator[Metric]:
    traffic = snapshot.traffic
    yield _counter("frames", "Market frames that were handled.", traffic.frames)
    yield _gauge("frames_per_second", "Market frames a second over the last ten seconds.", traffic.rate)
    yield _histogram(
        "frame_handling_seconds",
        "From the moment a frame is handed over until all is decided; the way from the exchange is not in it.",
        traffic.handling,
    )
    yield _histogram("loop_lag_seconds", "By how much a sleeping task of the loop woke too late.", traffic.lag)
    yield _gauge("loop_lag_last_seconds", "The last of these.", traffic.lag_last_s)
    yield _gauge("loop_lag_max_seconds", "The largest of these since the start.", traffic.lag.largest_s)
    yield _counters("malformed_frames", "Frames that could not be read.", "kind", snapshot.malformed)
    yield _counters("unknown_frames", "Streams and events that nobody here reads.", "kind", snapshot.unknown)
    yield _counters("reconnects", "Market connections that were made anew.", "reason", snapshot.reconnects)


def _queues(queues: Mapping[str, Queue]) -> Iterator[Metric]:
    def per_queue(take: Callable[[Queue], int]) -> dict[str, int]:
        return {name: take(queue) for name, queue in queues.items()}

    yield _gauges("queue_waiting", "Items in the queue.", "queue", per_queue(lambda queue: queue.waiting))
    yield _gauges("queue_peak", "The most items it ever held.", "queue", per_queue(lambda queue: queue.peak))
    yield _gauges(
        "queue_capacity", "Items that make it full; 0 for not stated.", "queue", per_queue(lambda queue: queue.capacity)
    )
    yield _counters(
        "queue_pauses",
        "How often it was full, and the market had to wait.",
        "queue",
        per_queue(lambda queue: queue.pauses),
    )
    yield _counters(
        "queue_merged",
        "Market frames that gave way to newer ones of the same stream.",
        "queue",
        per_queue(lambda queue: queue.merged),
    )


def _trading(snapshot: Snapshot) -> Iterator[Metric]:
    yield _gauge("open_positions", "Positions held.", len(snapshot.positions))
    yield _gauge(
        "realised_pnl", "Profit of all closed trades in quote assets, fees taken off.", float(snapshot.realised)
    )
    yield _gauge(
        "unrealised_pnl", "Profit of all open positions in quote assets, if sold now.", float(snapshot.unrealised)
    )
    yield _counter("trades_opened", "Trades that were opened.", snapshot.trades_opened)
    yield _counter("trades_closed", "Trades that were closed.", snapshot.trades_closed)
    yield _counters("refusals", "Orders that risk refused.", "reason", snapshot.refusals)


def _cache(cache: CacheFigures) -> Iterator[Metric]:
    yield _counter("cache_hits", "Look-ups that found something.", cache.hits)
    yield _counter("cache_misses", "Look-ups that found nothing.", cache.misses)
    yield _counter("cache_errors", "Operations that failed.", cache.errors)
    yield _gauge("cache_hit_ratio", "Hits among all answered look-ups, 0 to 1.", cache.hit_rate)
    yield _gauge("cache_away", "1 while the cache cannot be reached.", int(cache.away))
    yield SummaryMetricFamily(
        f"{_PREFIX}cache_operation_seconds",
        "Duration of the answered operations.",
        count_value=cache.operations,
        sum_value=cache.operations_s,
    )
    yield _gauge("cache_operation_max_seconds", "The slowest of these since the start.", cache.slowest_s)


def _database(database: DatabaseFigures) -> Iterator[Metric]:
    yield _counter("database_queries", "Queries that were answered.", database.queries)
    yield _counter("database_errors", "Queries that failed.", database.errors)
    yield _counter("database_outages", "How often the database went away.", database.outages)
    yield _gauge("database_away", "1 while the database does not answer.", int(database.away))
    yield _gauge("database_pending", "Decisions in the journal, not yet in the database.", database.pending)


def _counter(name: str, meaning: str, value: float) -> Metric:
    return CounterMetricFamily(_PREFIX + name, meaning, value=value)


def _gauge(name: str, meaning: str, value: float) -> Metric:
    return GaugeMetricFamily(_PREFIX + name, meaning, value=value)


def _counters(name: str, meaning: str, label: str, values: Mapping[str, int]) -> Metric:
    family = CounterMetricFamily(_PREFIX + name, meaning, labels=[label])
    for value, count in _bounded(values):
        family.add_metric([value], count)
    return family


def _gauges(name: str, meaning: str, label: str, values: Mapping[str, int]) -> Metric:
    family = GaugeMetricFamily(_PREFIX + name, meaning, labels=[label])
    for value, count in _bounded(values):
        family.add_metric([value], count)
    return family


def _bounded(values: Mapping[str, int]) -> Iterable[tuple[str, int]]:
    """The largest by name, then `other`; names that become equal when they are cut count together."""
    told: dict[str, int] = {}
    for name, count in sorted(values.items(), key=lambda item: (-item[1], item[0])):
        kept = _label(name)
        if kept not in told and len(told) >= MOST_LABELS:
            kept = "other"
        told[kept] = told.get(kept, 0) + count
    return told.items()


def _histogram(name: str, meaning: str, durations: Distribution) -> Metric:
    below = list(accumulate(durations.counts))
    buckets = [
        (f"{bound:g}", float(count))
        for bound, count in zip(durations.bounds_s[::_EVERY], below[::_EVERY], strict=False)
    ]
    buckets.append(("+Inf", float(below[-1])))
    return HistogramMetricFamily(_PREFIX + name, meaning, buckets=buckets, sum_value=durations.total_s)


def _label(value: str) -> str:
    """The library escapes quotes and backslashes; it fails at half a surrogate pair, and knows no limit."""
    return plain(value, most=_MOST_CHARACTERS)
