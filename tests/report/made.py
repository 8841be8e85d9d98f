"""Made-up results for tests: every number here is invented, none was ever measured."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass, field
from typing import Any, Literal

from hdrh.histogram import HdrHistogram

from harness.results.model import (
    SCHEMA_VERSION,
    Arm,
    Ceiling,
    Environment,
    Measurement,
    Recording,
    Result,
    Run,
    Scenario,
    Trial,
)

REFERENCE = "asyncio+json+none"
STACKS = [
    f"{loop}+{codec}+{cache}"
    for loop in ("asyncio", "uvloop")
    for codec in ("json", "orjson")
    for cache in ("none", "redis")
]
COLUMNS = [REFERENCE, "uvloop+orjson+none", "uvloop+orjson+redis"]
QUERIES = ["get_trade_count('all')", "get_trade_count('closed')", "get_trade_count('open')", "get_statistics()"]
DOCUMENTS = ["aggTrade", "bookTicker", "depthUpdate", "kline", "recorded mix", "1 KB"]
DIGEST = "5f0c" * 16
NAME = "made-up-recording"


@dataclass
class Recipe:
    """What a made result shall look like."""

    seed: int = 7
    blocks: int = 6
    noise: float = 0.01
    """Standard deviation of the log of a block's value."""
    profile: str = "quick"
    complete: bool = True
    loop_gain: float = 1.05
    codec_gain: float = 1.35
    twin_gain: float = 1.0
    hit_gain: float = 12.0
    grid: Literal["corner", "full"] = "corner"
    scenarios: tuple[str, ...] = ("ws-flood", "ws-paced", "json", "queries")
    digests: dict[str, str] = field(default_factory=dict)
    """By arm, where it is not the reference's."""
    failed: dict[str, str] = field(default_factory=dict)
    """Arm to the error of its first trial of ws-flood."""
    recording: str = NAME
    recording_sha256: str = "ab" * 32
    cpu: str = "Made-up CPU 3000"
    versions: int = 1
    warnings: list[str] = field(default_factory=list)
    extra_arm: str = ""
    decisions: int = 4_321
    settings: dict[str, Any] = field(default_factory=dict)


def result(**changes: Any) -> Result:
    """A result of that recipe."""
    recipe = Recipe(**changes)
    return _Maker(recipe).result()


class _Maker:
    def __init__(self, recipe: Recipe) -> None:
        self.recipe = recipe
        self.random = random.Random(recipe.seed)

    def result(self) -> Result:
        recipe = self.recipe
        makers = {"ws-flood": self.flood, "ws-paced": self.paced, "json": self.json, "queries": self.queries}
        trials = [trial for name in recipe.scenarios for trial in makers[name]()]
        return Result(
            schema=SCHEMA_VERSION,
            run=Run(
                id="20260101-000000-made-up",
                profile=recipe.profile,
                seed=recipe.seed,
                started="2026-01-01T00:00:00Z",
                finished="2026-01-01T00:07:00Z" if recipe.complete else None,
                command=["tickproof", "bench", "--profile", recipe.profile],
                complete=recipe.complete,
                broken_by=None if recipe.complete else "interrupted in block 3",
                tickproof="0.0",
            ),
            environment=self.environment(),
            scenarios=[self.scenario(name) for name in recipe.scenarios],
            recordings=[
                Recording(
                    name=recipe.recording,
                    sha256=recipe.recording_sha256,
                    market="spot",
                    source="generated",
                    frames=60_000,
                    span_s=600.0,
                    symbols=20,
                    size_bytes=12_345_678,
                    frames_by_kind={"bookTicker": 30_000, "trade": 20_000, "kline": 10_000},
                )
            ],
            trials=trials,
            ceilings=[
                Ceiling(
                    recording=recipe.recording,
                    counting_frames_per_s=[self.noisy(610_000.0) for _ in range(3)],
                    parsing_frames_per_s=[self.noisy(201_000.0) for _ in range(3)],
                    frames=60_000,
                    bytes=12_345_678,
                )
            ],
            warnings=recipe.warnings,
        )

    def environment(self) -> Environment:
        return Environment(
            system="Linux, made up",
            cpu=self.recipe.cpu,
            cores=2,
            memory_bytes=8 << 30,
            python="3.11.2",
            packages={"uvloop": "0.22.1", "orjson": "3.11.4", "redis": "7.0.1", "websockets": "15.0.1"},
            services={"postgresql": "18.6, made up", "redis": "Redis-compatible: Valkey 9.1, made up"},
            revision="0123abcd",
            pinned=True,
            facts={"GC": "default thresholds"},
        )

    def arms(self, name: str) -> list[Arm]:
        names = {
            "ws-flood": [*STACKS, *filter(None, [self.recipe.extra_arm])],
            "ws-paced": COLUMNS,
            "json": [f"asyncio+{codec}+none" for codec in ("json", "orjson", "msgspec")],
            "queries": COLUMNS,
        }[name]
        arms = [Arm(name=stack, stack=stack, role="reference" if stack == REFERENCE else "arm") for stack in names]
        return [*arms, Arm(name="a/a", stack=REFERENCE, role="a/a")] if name == "ws-flood" else arms

    def scenario(self, name: str) -> Scenario:
        titles = {"ws-flood": "WebSocket flood", "ws-paced": "Paced feed", "json": "JSON codecs", "queries": "Queries"}
        return Scenario(
            name=name,
            title=titles[name],
            version=self.recipe.versions,
            kind=name,
            arms=self.arms(name),
            blocks=self.recipe.blocks,
            settings=self.recipe.settings if name == "queries" else {},
            recording=self.recipe.recording if name.startswith("ws-") else None,
        )

    def noisy(self, value: float) -> float:
        return value * math.exp(self.random.gauss(0.0, self.recipe.noise))

    def passes(self, value: float) -> list[float]:
        level = self.noisy(value)
        return [level * math.exp(self.random.gauss(0.0, 0.002)) for _ in range(8)]

    def gain(self, arm: Arm) -> float:
        loop, codec, *_ = arm.stack.split("+") if "+" in arm.stack else ("asyncio", "json")
        gain = 1.0 if loop == "asyncio" else self.recipe.loop_gain
        gain *= 1.0 if codec == "json" else self.recipe.codec_gain
        return gain * (self.recipe.twin_gain if arm.role == "a/a" else 1.0)

    def trials(self, name: str) -> list[tuple[Arm, int, Trial]]:
        """The frames of trials, without measurements, in a random order in each block."""
        made = []
        for block in range(self.recipe.blocks):
            arms = self.arms(name)
            self.random.shuffle(arms)
            for position, arm in enumerate(arms):
                made.append((arm, block, self.trial(name, arm, block, position)))
        return made

    def trial(self, name: str, arm: Arm, block: int, position: int) -> Trial:
        decides = name.startswith("ws-")
        digest = self.recipe.digests.get(arm.name, DIGEST)
        error = self.recipe.failed.get(arm.name) if name == "ws-flood" and block == 0 else None
        return Trial(
            scenario=name,
            arm=arm.name,
            block=block,
            position=position,
            seed=block + 1,
            status="failed" if error else "ok",
            error=error,
            active={"loop": arm.stack.split("+", maxsplit=1)[0]},
            digest=digest if decides and not error else None,
            digest_trail=[DIGEST] * 30 + [digest] * 30 if decides and not error else [],
            decisions=self.recipe.decisions if decides else 0,
            frames=60_000,
            counters={"trades_closed": 212, "rows_written": 212, "malformed": 0} if decides else {},
            duration_s=2.0,
        )

    def flood(self) -> list[Trial]:
        return [self.with_flood(arm, trial) for arm, _, trial in self.trials("ws-flood")]

    def with_flood(self, arm: Arm, trial: Trial) -> Trial:
        if trial.status == "failed":
            return trial
        gain = self.gain(arm)
        hits = {"cache_hits": 40 + trial.block, "cache_misses": 3} if "redis" in arm.stack else {}
        measurements = [
            Measurement(metric="messages_per_second", values=self.passes(14_000 * gain)),
            Measurement(metric="cpu_us_per_message", values=self.passes(70 / gain)),
        ]
        return _changed(trial, measurements=measurements, counters={**trial.counters, **hits})

    def paced(self) -> list[Trial]:
        made = []
        for arm, _, trial in self.trials("ws-paced"):
            histogram = self.histogram(180_000 / self.gain(arm))
            micros = [histogram.get_value_at_percentile(q) / 1_000 for q in (50, 90, 99)]
            measurements = [
                *(
                    Measurement(metric=f"latency_p{q}_us", values=[value])
                    for q, value in zip((50, 90, 99), micros, strict=True)
                ),
                Measurement(metric="cpu_percent", values=self.passes(31 / self.gain(arm))),
            ]
            text = histogram.encode()
            histograms = {"latency": text.decode() if isinstance(text, bytes) else text}
            made.append(_changed(trial, measurements=measurements, histograms=histograms))
        return made

    def histogram(self, median_ns: float) -> HdrHistogram:
        histogram = HdrHistogram(1, 60_000_000_000, 3)
        level = self.noisy(median_ns)
        for step in range(1, 400):
            # An even sweep of a log-normal's quantiles: cheap, and smooth into the tail.
            share = step / 400
            spread = math.log(share / (1 - share)) * 0.3
            histogram.record_value(max(1, int(level * math.exp(spread))), 40)
        return histogram

    def json(self) -> list[Trial]:
        speed = {"json": 1.0, "orjson": 2.4, "msgspec": 2.7}
        made = []
        for arm, _, trial in self.trials("json"):
            gain = speed[arm.stack.split("+")[1]]
            measurements = [
                Measurement(metric="decode_us", labels={"document": name}, values=self.passes((2 + place) / gain))
                for place, name in enumerate(DOCUMENTS)
            ]
            encode = Measurement(metric="encode_us", labels={"document": "1 KB"}, values=self.passes(9 / gain))
            made.append(_changed(trial, measurements=[*measurements, encode]))
        return made

    def corners(self) -> list[dict[str, str]]:
        full = self.recipe.grid == "full"
        return [
            {"rows": rows, "index": index, "connection": connection, "round_trip_ms": trip}
            for rows in (("10000", "100000", "500000") if full else ("10000", "100000"))
            for index in (("yes", "no") if full else ("yes",))
            for connection in (("pooled", "per-call") if full else ("pooled",))
            for trip in (("0", "1", "5", "15", "30") if full else ("0", "1"))
        ]

    def queries(self) -> list[Trial]:
        made = []
        for arm, _, trial in self.trials("queries"):
            measurements = [
                Measurement(
                    metric="query_ms",
                    labels={**corner, "query": query, "cache": cache},
                    values=self.passes(self.query_ms(corner, cache)),
                )
                for corner in self.corners()
                for query in QUERIES
                for cache in (("hit", "miss", "mix") if "redis" in arm.stack else ("off",))
            ]
            made.append(_changed(trial, measurements=measurements))
        return made

    def query_ms(self, corner: dict[str, str], cache: str) -> float:
        base = 0.4 + int(corner["rows"]) / 40_000 + float(corner["round_trip_ms"])
        return {"off": base, "hit": base / self.recipe.hit_gain, "miss": base * 1.1, "mix": base / 3}[cache]


def _changed(trial: Trial, **changes: Any) -> Trial:
    return Trial(**{name: getattr(trial, name) for name in trial.__struct_fields__} | changes)
