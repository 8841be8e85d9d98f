"""Every metric: its name, unit, direction, margin, and how the passes of a block become one value."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from harness.errors import UnknownName


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """A kind of number that a trial measures."""

    name: str
    title: str
    unit: str
    better: Literal["higher", "lower"]
    margin: float
    """The relative difference that nobody would act upon (MEASURING.md, rule 5)."""
    robust: Literal["median", "minimum"] = "median"
    """How the passes of one trial become the block's value (MEASURING.md, rule 3)."""


_TABLE = (
    Metric(name="messages_per_second", title="Throughput", unit="messages/s", better="higher", margin=0.03),
    Metric(name="cpu_us_per_message", title="CPU per message", unit="µs", better="lower", margin=0.02),
    Metric(name="cpu_percent", title="CPU of one core", unit="%", better="lower", margin=0.02),
    Metric(name="latency_p50_us", title="Latency, median", unit="µs", better="lower", margin=0.03),
    Metric(name="latency_p90_us", title="Latency, 90th percentile", unit="µs", better="lower", margin=0.03),
    Metric(name="latency_p99_us", title="Latency, 99th percentile", unit="µs", better="lower", margin=0.05),
    Metric(name="decode_us", title="Decode", unit="µs", better="lower", margin=0.03, robust="minimum"),
    Metric(name="encode_us", title="Encode", unit="µs", better="lower", margin=0.03, robust="minimum"),
    Metric(name="query_ms", title="Query", unit="ms", better="lower", margin=0.03),
)
METRICS = {metric.name: metric for metric in _TABLE}


def metric(name: str) -> Metric:
    """The metric of that name; raises UnknownName."""
    try:
        return METRICS[name]
    except KeyError:
        raise UnknownName("metric", name, METRICS) from None
