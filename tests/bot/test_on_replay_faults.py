"""The bot on a replay that breaks off on purpose: with cuts that lose nothing it decides as without them."""

from __future__ import annotations

import asyncio
import dataclasses
from collections import Counter
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from harness.bot.app import Bot
from harness.bot.connection.policy import ConnectionPolicy
from harness.bot.status.exposition import Exposition
from harness.bot.status.monitor import Monitor
from harness.bot.status.showing import Showcase
from harness.replay.faults.plan import FaultPlan, find_plan, read_plan
from harness.replay.orders.log import read_log
from harness.replay.orders.trades import trades_of
from harness.replay.pacing import Pace
from harness.replay.tape import ACCOUNT

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.bot.connection.policy import ConnectionStatistics
    from harness.bot.metrics import BotReport
    from harness.bot.plan import Plan
    from tests.bot.conftest import Traded, Watched
    from tests.bot.replaying import Replay

FRAMES = 6_000
LIMIT_S = 60.0
PREFIX = "tickproof_bot_"
#: Every way in which a connection may end, and doors that are shut meanwhile.
CUTS: list[dict[str, Any]] = [
    {"kind": "refuse", "at": 0, "times": 2, "how": "http", "status": 503},
    {"kind": "cut", "at": 700, "how": "clean", "code": 1000},
    {"kind": "cut", "at": [1_100, 1_101], "how": "clean", "code": 1001},
    {"kind": "cut", "at": [1_900, 1_950], "how": "reset"},
    {"kind": "cut", "at": 2_600, "how": "mid_frame"},
    {"kind": "refuse", "at": 3_500, "times": 1, "how": "reset"},
    {"kind": "cut", "at": 3_500, "how": "reset"},
    {"kind": "close_code", "at": 5_000, "code": 1011, "reason": "Internal error"},
]
STEADY = ConnectionPolicy(first_pause_s=0.01, longest_pause_s=0.05, silent_s=0.0)
WATCHFUL = dataclasses.replace(STEADY, silent_s=0.5, check_s=0.05)


def plan_with(*rules: dict[str, Any]) -> FaultPlan:
    return msgspec.convert({"seed": 7, "fault": list(rules)}, FaultPlan)


class Ending:
    """Counts frames, looks on at the last one, and ends the bot."""

    def __init__(self, frames: int) -> None:
        self.monitor = Monitor()
        self.bot: Bot | None = None
        self.look: Callable[[], bytes] = bytes
        self.seen = b""
        self._left = frames

    def watch(self, on_frame: Callable[[bytes], None]) -> Callable[[bytes], None]:
        def watched(frame: bytes) -> None:
            on_frame(frame)
            self._left -= 1
            if self._left == 0 and self.bot is not None:
                self.seen = self.look()
                self.bot.stop()

        return self.monitor.watch(watched)


def kept_by(bot: Bot) -> ConnectionStatistics:
    """What its market connection went through."""
    assert bot.trading is not None
    return bot.trading.market.statistics


def run_to(frames: int, plan: Plan, watched: type[Watched]) -> tuple[Bot, BotReport]:
    """Until it has seen so many frames: an orderly close does not end a bot that is kept."""
    bot = Bot(plan, watched(frames, lambda: bot.stop()))  # noqa: PLW0108 - there is no bot yet

    async def bounded() -> BotReport:
        return await asyncio.wait_for(bot.run(), LIMIT_S)

    return bot, asyncio.run(bounded())


@pytest.mark.parametrize("pace", [Pace(), Pace(rate=6_000.0)], ids=["flood", "paced"])
@pytest.mark.parametrize("on", ["market", "all"])
def test_cuts_of_every_kind_leave_the_digest_and_the_trades_as_without_them(
    pace: Pace,
    on: str,
    replay_of: Callable[..., Replay],
    shipped_frames: list[bytes],
    trade_on: Callable[..., Traded],
    plan_of: Callable[..., Plan],
    watched: type[Watched],
) -> None:
    rules = [rule if rule["kind"] == "refuse" else {**rule, "on": on} for rule in CUTS]
    with replay_of(FRAMES + 1, pace=pace, faults=plan_with(*rules), hold=True) as replay:
        assert replay.opened.faults.lossless
        replay.start_when(2, until_frame=FRAMES)
        filters = replay.recording.header.filters
        bot, report = run_to(
            FRAMES,
            plan_of(replay.market_url, orders_url=replay.api_url, filters=filters, policy=STEADY),
            watched,
        )
        accepted = read_log(replay.log)
    traded = trade_on(shipped_frames[:FRAMES], filters=filters)
    assert (report.frames, report.digest) == (FRAMES, traded.desk.finish())
    assert report.counters["order_differences"] == 0
    assert len(trades_of(accepted)) == traded.desk.ledger.trades_opened > 10
    statistics = kept_by(bot)
    assert statistics.reconnects == {"closed": 3, "broken": 5}
    assert statistics.failed_attempts >= 1


def test_a_half_open_connection_is_found_by_its_silence_and_costs_no_frame(
    replay_of: Callable[..., Replay],
    shipped_frames: list[bytes],
    trade_on: Callable[..., Traded],
    plan_of: Callable[..., Plan],
    watched: type[Watched],
) -> None:
    faults = plan_with({"kind": "cut", "at": 400, "how": "half_open"})
    with replay_of(1_200, faults=faults) as replay:
        bot, report = run_to(1_200, plan_of(replay.market_url, policy=WATCHFUL), watched)
    assert report.digest == trade_on(shipped_frames[:1_200]).desk.finish()
    statistics = kept_by(bot)
    assert (statistics.reconnects, statistics.silent_periods) == ({"silent": 1}, 1)


def test_a_bot_survives_a_rough_day_and_its_metrics_tell_of_it(
    replay_of: Callable[..., Replay],
    trade_on: Callable[..., Traded],
    plan_of: Callable[..., Plan],
) -> None:
    faults = read_plan(find_plan("rough-day"))
    with replay_of(FRAMES, pace=Pace(rate=8_000.0), faults=faults, hold=True) as replay:
        replay.start_when(2)
        tape = replay.opened.tape
        served = [body for body, stream in zip(tape.bodies, tape.stream.tolist(), strict=True) if stream != ACCOUNT]
        plan = plan_of(replay.market_url, account_url=replay.api_url, policy=WATCHFUL)
        probe = Ending(len(served))
        bot = probe.bot = Bot(plan, probe)
        shown = Exposition(Showcase(bot, plan, probe.monitor).snapshot)
        probe.look = shown.text
        report = asyncio.run(asyncio.wait_for(bot.run(), LIMIT_S))
        kinds = Counter(type(fault).__name__ for fault in replay.opened.faults.faults)
    # Cuts and silences cost nothing: what was altered is all that the desk alone sees altered.
    traded = trade_on(served)
    assert (report.frames, report.digest) == (len(served), traded.desk.finish())
    assert report.counters["malformed"] == kinds["Malformed"] + kinds["Truncated"] == 15
    assert report.counters["depth_gaps"] == traded.desk.depth.statistics["depth_gaps"] >= 1
    statistics = kept_by(bot)
    assert statistics.silent_periods == statistics.reconnects["silent"] >= 1
    assert statistics.reconnects["closed"] == 2
    assert statistics.reconnects["broken"] >= 3
    metrics = dict(line.rsplit(" ", 1) for line in probe.seen.decode().splitlines() if not line.startswith("#"))
    malformed = [float(value) for name, value in metrics.items() if name.startswith(f"{PREFIX}malformed_frames_total")]
    assert sum(malformed) == 15
    for reason, count in statistics.reconnects.items():
        assert float(metrics[f'{PREFIX}reconnects_total{{reason="{reason}"}}']) == count
