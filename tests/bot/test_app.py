"""The whole bot: real servers, real WebSockets."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import signal
from typing import TYPE_CHECKING, Any

import asyncpg
import pytest

from harness.backends.registry import registry
from harness.backends.stack import Stack
from harness.bot.app import Bot
from harness.bot.settings import Addresses, BotSettings, MarketSettings, MomentumSettings, RiskSettings
from harness.bot.storage.outbox import Outbox
from harness.errors import ServiceError, TickproofError
from harness.replay.controller import ReplayProcess

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from harness.bot.metrics import BotReport
    from harness.bot.plan import Plan, Probe
    from harness.recordings.format import Recording
    from harness.services.server import Server
    from tests.bot.conftest import Traded, Watched

#: Trades close in it with the default settings.
FRAMES = 8_000
#: No run here takes a tenth of it.
LIMIT_S = 60.0

EAGER = BotSettings(
    market=MarketSettings(fast=2, slow=4),
    strategy=MomentumSettings(warm_up=2, entry=0.0, exit=0.0, flow=-1.0),
    risk=RiskSettings(maximum_open=20, cool_down_ms=0, maximum_hold_ms=1_000),
)


@pytest.fixture(scope="module")
def replay(shipped: Recording) -> Iterator[ReplayProcess]:
    with ReplayProcess.start(shipped.path) as process:
        yield process


@pytest.fixture(scope="module")
def streams(shipped: Recording) -> str:
    return "/".join(shipped.header.streams)


class Unwatched:
    def watch(self, on_frame: Callable[[bytes], None]) -> Callable[[bytes], None]:
        return on_frame


def run(plan: Plan, probe: Probe | None = None) -> BotReport:
    async def bounded() -> BotReport:
        return await asyncio.wait_for(Bot(plan, probe or Unwatched()).run(), LIMIT_S)

    with asyncio.Runner(loop_factory=registry().loop(plan.stack.loop)) as runner:
        return runner.run(bounded())


async def rows_of(url: str, schema: str) -> list[asyncpg.Record]:
    connection = await asyncpg.connect(url)
    try:
        rows: list[asyncpg.Record] = await connection.fetch(f'select * from "{schema}".trades')  # noqa: S608
        return rows
    finally:
        await connection.close()


@pytest.fixture(scope="module")
def expected(shipped: Recording, shipped_frames: list[bytes], trade_on: Callable[..., Traded]) -> tuple[Traded, str]:
    """What a desk without any connection decides on the same frames."""
    traded = trade_on(shipped_frames[:FRAMES], filters=shipped.header.filters)
    return traded, traded.desk.finish()


@pytest.mark.parametrize(
    ("stack", "loop", "codec", "cache"),
    [
        ("asyncio+json+none", "asyncio.", "json.decoder.JSONDecoder.decode", ""),
        ("asyncio+json+memory", "asyncio.", "json.decoder.JSONDecoder.decode", "memory"),
        ("asyncio+msgspec+none", "asyncio.", "msgspec.", ""),
        ("uvloop+orjson+none", "uvloop.Loop", "orjson.loads", ""),
        ("uvloop+orjson+redis", "uvloop.Loop", "orjson.loads", "(Valkey|Redis) "),
    ],
)
def test_the_whole_bot_decides_what_its_desk_alone_decides_and_proves_its_stack(
    stack: str,
    loop: str,
    codec: str,
    cache: str,
    replay: ReplayProcess,
    streams: str,
    shipped: Recording,
    expected: tuple[Traded, str],
    plan_of: Callable[..., Plan],
    database_url: str,
    redis_url: str,
    schema: str,
) -> None:
    try:
        Stack.parse(stack).check_installed()
    except TickproofError as error:
        pytest.skip(str(error))
    traded, digest = expected
    # A flood, and for a cache that must be hit a market at twenty times its pace: when a frame came decides nothing.
    pace: dict[str, Any] = {"mode": "paced", "speed": 20.0} if cache else {"mode": "flood"}
    address = f"ws://127.0.0.1:{replay.port}"
    serving = replay.serve(frames=FRAMES, connections=2, **pace)
    report = run(
        plan_of(
            f"{address}/stream?streams={streams}",
            stack,
            account_url=f"{address}/ws-api/v3",
            addresses=Addresses(database_url=database_url, redis_url=redis_url),
            filters=shipped.header.filters,
            poll_hz=50.0,
        )
    )
    done = serving.wait(30.0)
    assert report.frames == done.market_frames == FRAMES
    assert report.digest == digest
    assert report.digest_trail == traded.desk.digest.trail
    assert report.decisions == traded.desk.digest.decisions > BotSettings().minimum_decisions

    assert report.active["loop"].startswith(loop)
    assert report.active["codec"].startswith(codec)
    assert report.active["cache"].partition(" ")[0] in {"", "memory", "Valkey", "Redis"}
    assert bool(report.active["cache"]) == bool(cache)
    assert report.active["transport"].startswith("websockets.")

    counters = report.counters
    assert counters["trades_closed"] == traded.desk.ledger.trades_closed > 0
    assert (counters["rows_written"], counters["rows_closed"]) == (
        traded.desk.ledger.trades_opened,
        traded.desk.ledger.trades_closed,
    )
    assert counters["account_events"] == done.user_frames > 0
    assert counters["dashboard_polls"] > 0
    assert counters["cache_errors"] == counters["depth_gaps"] == counters["prices_ignored"] == 0
    assert "malformed" not in counters
    assert "unknown_account_event" not in counters
    assert (counters["cache_hits"] > 0) == bool(cache)

    rows = {row["trade_id"]: row for row in asyncio.run(rows_of(database_url, schema))}
    last_word = {trade.trade_id: trade for trade in traded.saved}
    assert rows.keys() == last_word.keys()
    for trade_id, trade in last_word.items():
        row = rows[trade_id]
        assert row["status"] == ("open" if trade.closed_ms is None else "closed")
        for name in ("symbol", "quantity", "entry_price", "exit_price", "fees", "pnl", "reason"):
            assert row[name] == getattr(trade, name)


def test_the_account_connection_is_optional(
    replay: ReplayProcess,
    streams: str,
    shipped: Recording,
    expected: tuple[Traded, str],
    plan_of: Callable[..., Plan],
) -> None:
    serving = replay.serve(mode="flood", frames=FRAMES, connections=1)
    url = f"ws://127.0.0.1:{replay.port}/stream?streams={streams}"
    report = run(plan_of(url, filters=shipped.header.filters))
    serving.wait(30.0)
    assert report.digest == expected[1]
    assert report.counters["account_events"] == 0
    assert report.counters["dashboard_polls"] == 0


def test_back_pressure_loses_nothing(
    replay: ReplayProcess,
    streams: str,
    shipped_frames: list[bytes],
    trade_on: Callable[..., Traded],
    plan_of: Callable[..., Plan],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Outbox, "HIGH", 20)
    monkeypatch.setattr(Outbox, "LOW", 5)
    monkeypatch.setattr(Outbox, "BATCH", 7)
    traded = trade_on(shipped_frames[:FRAMES], settings=EAGER)
    serving = replay.serve(mode="flood", frames=FRAMES, connections=1)
    report = run(plan_of(f"ws://127.0.0.1:{replay.port}/stream?streams={streams}", settings=EAGER))
    serving.wait(30.0)
    assert report.digest == traded.desk.finish()
    assert report.counters["outbox_pauses"] > 0
    assert report.counters["rows_written"] == traded.desk.ledger.trades_opened > 100
    assert report.counters["rows_closed"] == traded.desk.ledger.trades_closed


def test_a_trace_tells_every_evaluation_when_asked_for(
    replay: ReplayProcess, streams: str, plan_of: Callable[..., Plan]
) -> None:
    url = f"ws://127.0.0.1:{replay.port}/stream?streams={streams}"
    serving = replay.serve(mode="flood", frames=500, connections=1)
    report = run(plan_of(url, trace=True))
    serving.wait(30.0)
    assert report.trace is not None
    assert len(report.trace) > 250
    serving = replay.serve(mode="flood", frames=500, connections=1)
    without = run(plan_of(url))
    serving.wait(30.0)
    assert without.trace is None
    assert without.digest == report.digest


def test_a_run_leaves_the_collector_as_it_was(
    replay: ReplayProcess, streams: str, plan_of: Callable[..., Plan], watched: type[Watched]
) -> None:
    before = gc.get_threshold()
    inside: list[tuple[Any, int]] = []
    probe = watched(100, lambda: inside.append((gc.get_threshold(), gc.get_freeze_count())))
    serving = replay.serve(mode="flood", frames=500, connections=1)
    run(plan_of(f"ws://127.0.0.1:{replay.port}/stream?streams={streams}"), probe)
    serving.wait(30.0)
    assert inside[0][0] == (10_000, 20, 20) != before
    assert inside[0][1] > 0
    assert gc.get_threshold() == before
    assert gc.get_freeze_count() == 0


def test_a_database_that_dies_in_the_middle_ends_the_run_with_an_error_that_says_so(
    replay: ReplayProcess, streams: str, plan_of: Callable[..., Plan], own_postgresql: Server, watched: type[Watched]
) -> None:
    pid = own_postgresql.pid
    if pid is None:
        pytest.skip("the server is not ours to end")
    probe = watched(300, lambda: os.kill(pid, signal.SIGQUIT))  # at once, its connections too
    serving = replay.serve(mode="paced", speed=20.0, connections=1)
    plan = plan_of(
        f"ws://127.0.0.1:{replay.port}/stream?streams={streams}",
        addresses=Addresses(database_url=own_postgresql.url),
        drain_s=1.0,
        poll_hz=20.0,
    )
    with pytest.raises(ServiceError, match="PostgreSQL at"):
        run(plan, probe)
    assert probe.frames >= 300
    with contextlib.suppress(TickproofError):
        serving.cancel()
        serving.wait(30.0)


def test_a_database_that_dies_with_trades_to_write_is_an_error_too(
    replay: ReplayProcess, streams: str, plan_of: Callable[..., Plan], own_postgresql: Server, watched: type[Watched]
) -> None:
    pid = own_postgresql.pid
    if pid is None:
        pytest.skip("the server is not ours to end")
    serving = replay.serve(mode="paced", speed=20.0, connections=1)
    plan = plan_of(
        f"ws://127.0.0.1:{replay.port}/stream?streams={streams}",
        addresses=Addresses(database_url=own_postgresql.url),
        drain_s=1.0,
        settings=EAGER,
    )
    with pytest.raises(ServiceError, match="PostgreSQL at"):
        run(plan, watched(300, lambda: os.kill(pid, signal.SIGQUIT)))
    with contextlib.suppress(TickproofError):
        serving.cancel()
        serving.wait(30.0)


def test_no_database_is_an_error_before_any_market_is_asked(plan_of: Callable[..., Plan]) -> None:
    with pytest.raises(ServiceError, match="DATABASE_URL must read"):
        run(plan_of("ws://127.0.0.1:9/stream", addresses=Addresses(database_url="")))


def test_a_cache_without_an_address_is_none_and_the_bot_runs(
    replay: ReplayProcess, streams: str, plan_of: Callable[..., Plan]
) -> None:
    if not registry().is_installed("cache", "redis"):
        pytest.skip("redis is not installed")
    serving = replay.serve(mode="flood", frames=500, connections=1)
    url = f"ws://127.0.0.1:{replay.port}/stream?streams={streams}"
    report = run(plan_of(url, "asyncio+json+redis", poll_hz=50.0))
    serving.wait(30.0)
    assert report.active["cache"] == ""
    assert report.counters["cache_hits"] == 0
