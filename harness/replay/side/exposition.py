"""The replay's own figures in the Prometheus text format, written by Prometheus's own client library."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, get_args

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.registry import Collector

from harness.replay.stage import State
from harness.units import US_PER_S

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from prometheus_client.core import Metric

    from harness.replay.side.showing import About, Counts, Showing
    from harness.replay.stage import StageStatus

CONTENT_TYPE: Final = CONTENT_TYPE_LATEST
_PREFIX: Final = "tickproof_replay_"


class ReplayCollector(Collector):
    """Reads the state when it is scraped; costs the replay nothing otherwise."""

    def __init__(self, read: Callable[[], Showing]) -> None:
        self._read = read

    def collect(self) -> Iterator[Metric]:
        """All figures of the replay."""
        shown = self._read()
        yield from _identity(shown.about)
        yield from _progress(shown.stage)
        yield from _traffic(shown.stage)
        yield from _counts(shown.counts)


class Exposition:
    """The figures of the replay and of its process (CPU, memory, open files; on Linux) as text."""

    def __init__(self, read: Callable[[], Showing]) -> None:
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(ReplayCollector(read))
        ProcessCollector(registry=self._registry)

    def text(self) -> bytes:
        """All of it, UTF-8, of type `CONTENT_TYPE`."""
        return generate_latest(self._registry)


def _identity(about: About) -> Iterator[Metric]:
    facts = {"name": about.recording, "market": about.market, "source": about.source, "pace": about.pace}
    yield InfoMetricFamily(f"{_PREFIX}recording", "What is served.", {**facts, "sha256": about.sha256})
    yield GaugeMetricFamily(f"{_PREFIX}planned_faults", "Faults on purpose, in all.", len(about.faults))


def _progress(stage: StageStatus) -> Iterator[Metric]:
    state = GaugeMetricFamily(f"{_PREFIX}state", "1 for the state it is in, 0 for the others.", labels=["state"])
    for name in get_args(State):
        state.add_metric([name], float(stage.state == name))
    yield state
    # A seek goes back to turn 0, and back in a turn: none of these is a counter.
    yield GaugeMetricFamily(f"{_PREFIX}turn", "Whole turns of the recording before this one.", stage.turn)
    yield GaugeMetricFamily(f"{_PREFIX}due_frames", "Frames of this turn that are due.", stage.place)
    yield GaugeMetricFamily(f"{_PREFIX}turn_frames", "Frames of a turn.", stage.frames)
    yield GaugeMetricFamily(f"{_PREFIX}recorded_seconds", "Of the recording, up to the last due frame.", stage.seconds)


def _traffic(stage: StageStatus) -> Iterator[Metric]:
    yield GaugeMetricFamily(f"{_PREFIX}subscribed_connections", "Connections that are sent data.", stage.connections)
    yield GaugeMetricFamily(f"{_PREFIX}lagging_connections", "Of them, those that take nothing now.", stage.lagging)
    sent = CounterMetricFamily(f"{_PREFIX}sent_frames", "Data frames handed over.", labels=["connection"])
    sent.add_metric(["market"], stage.sent_market_frames)
    sent.add_metric(["account"], stage.sent_user_frames)
    yield sent
    late = GaugeMetricFamily(
        f"{_PREFIX}lateness_seconds",
        "How late the last frames were handed over to clients that read; 1 is the most.",
        labels=["quantile"],
    )
    for name, value in zip(("0.5", "0.99", "1"), stage.lateness_us, strict=True):
        late.add_metric([name], value / US_PER_S)
    yield late


def _counts(counts: Counts) -> Iterator[Metric]:
    yield GaugeMetricFamily(f"{_PREFIX}open_connections", "All connections, HTTP among them.", counts.open_connections)
    # Seeking back lets faults happen again, and the count begins anew.
    yield GaugeMetricFamily(
        f"{_PREFIX}happened_faults", "Faults on the line since the last rewind.", counts.faults_happened
    )
    counters = {
        "connections": ("Connections accepted.", counts.accepted_connections),
        "refused_connections": ("Connections refused on purpose.", counts.refused_connections),
        "orders": ("Orders accepted.", counts.orders),
    }
    for name, (words, value) in counters.items():
        if value is not None:
            yield CounterMetricFamily(f"{_PREFIX}{name}", words, value)
