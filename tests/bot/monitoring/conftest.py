"""A snapshot of a busy bot, every field of it set."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from harness.bot.status.monitor import Histogram
from harness.bot.status.snapshot import (
    CacheFigures,
    DatabaseFigures,
    ErrorLine,
    PositionFigures,
    Queue,
    Snapshot,
    State,
    Traffic,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.bot.status.snapshot import Distribution

STARTED_S = 1_795_530_000.0

#: What somebody who names a symbol may try on those who read it.
HOSTILE = (
    "<script>alert(1)</script>",
    "\"'><img src=x onerror=alert(1)>",
    '"} 1\n# HELP forged x\nforged{a="',
    "back\\slash\\",
    "{{ 7 * 7 }}{% raw %}",
    "\u202egnp.exe\u2066",
    "عربي\u200fUSDT",
    "half \ud800 pair",
    "nul \x00 and \x1b[31m",
    "X" * 5_000,
)


def distribution(*durations_us: float) -> Distribution:
    histogram = Histogram()
    for duration in durations_us:
        histogram.add(round(duration * 1_000))
    return histogram.distribution


def busy() -> Snapshot:
    return Snapshot(
        taken_s=STARTED_S + 93_784.0,
        started_s=STARTED_S,
        version="1.2.3",
        stack="uvloop+orjson+redis",
        active={
            "loop": "uvloop.Loop",
            "codec": "orjson.loads",
            "cache": "Valkey 9.1.2",
            "transport": "websockets.asyncio.client.ClientConnection",
        },
        gc_policy="gc.freeze() after start, thresholds 10000, 20, 20",
        market="wss://stream.binance.com:9443/stream?streams=btcusdt@bookTicker/ethusdt@aggTrade/btcusdt@kline_1m",
        state=State.TRADING,
        reason="",
        event_time_ms=1_795_623_783_512,
        traffic=Traffic(
            frames=12_345_678,
            rate=1_234.56,
            mean_rate=131.6,
            handling=distribution(*[14.0] * 500, *[21.0] * 400, *[60.0] * 95, *[900.0] * 5),
            lag=distribution(*[80.0] * 90, *[1_500.0] * 10),
            lag_last_s=0.000081,
        ),
        malformed={"not JSON": 2, "price": 1},
        unknown={"unknown_stream": 17},
        reconnects={"closed by the peer": 3, "silent": 1},
        queues={
            "outbox": Queue(waiting=12, peak=412, capacity=2_000),
            "journal": Queue(waiting=3, peak=1_998, capacity=100_000, pauses=2),
            "gateway": Queue(waiting=0, peak=7, capacity=64),
            "conflation": Queue(waiting=0, peak=20, merged=31_415),
        },
        cache=CacheFigures(
            server="Valkey 9.1.2",
            away=False,
            hits=9_000,
            misses=1_000,
            errors=4,
            operations=10_000,
            operations_s=2.5,
            slowest_s=0.012,
        ),
        database=DatabaseFigures(away=False, queries=54_321, errors=2, outages=1, pending=3),
        positions=(
            PositionFigures(
                symbol="BTCUSDT",
                strategy="momentum",
                quantity=Decimal("0.01600"),
                entry_price=Decimal("61234.56000000"),
                price=Decimal("61301.10000000"),
                unrealised=Decimal("0.0848832"),
                opened_s=STARTED_S + 93_700,
            ),
            PositionFigures(
                symbol="DOGEUSDT",
                strategy="mean-reversion",
                quantity=Decimal(4_000),
                entry_price=Decimal("0.25000000"),
                price=Decimal("0.24913000"),
                unrealised=Decimal("-4.48"),
                opened_s=STARTED_S + 90_000,
            ),
        ),
        realised=Decimal("128.40317"),
        trades_opened=812,
        trades_closed=810,
        refusals={"cool-down": 311, "too many open": 12, "below minimum notional": 2},
        errors=(
            ErrorLine(time_s=STARTED_S + 93_000, level="WARNING", message="the market is silent; connecting again"),
            ErrorLine(time_s=STARTED_S + 40_000, level="ERROR", message="PostgreSQL does not answer"),
        ),
    )


@pytest.fixture(scope="session")
def snapshot_of() -> Callable[..., Snapshot]:
    """The busy bot, with the fields that are given in place of its own."""

    def make(**fields: Any) -> Snapshot:
        return replace(busy(), **fields)

    return make


@pytest.fixture(scope="session")
def hostile() -> Snapshot:
    """A bot whose every name and message was chosen by somebody who means harm."""
    one = busy()
    counts = dict.fromkeys(HOSTILE, 1)
    return replace(
        one,
        version=HOSTILE[0],
        stack=HOSTILE[1],
        active=dict(zip(("loop", "codec", "cache", "transport"), HOSTILE, strict=False)),
        gc_policy=HOSTILE[2],
        market=HOSTILE[9],
        state=State.PAUSED,
        reason=HOSTILE[0] + HOSTILE[9],
        malformed=counts,
        unknown=counts,
        reconnects=counts,
        refusals=counts,
        queues={name: Queue(waiting=1, peak=1) for name in HOSTILE},
        positions=tuple(replace(one.positions[0], symbol=name, strategy=name) for name in HOSTILE),
        errors=tuple(ErrorLine(time_s=STARTED_S, level=name, message=name * 3) for name in HOSTILE),
    )
