"""The bot with one replay as its whole exchange: market, account and orders, and what a witness outside it saw."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import asyncpg
import pytest

from harness.backends.registry import registry
from harness.bot.app import Bot
from harness.errors import TickproofError
from harness.replay.orders.log import read_log
from harness.replay.orders.trades import trades_of
from harness.replay.pacing import Pace

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.bot.metrics import BotReport
    from harness.bot.plan import Plan
    from harness.recordings.format import Recording
    from tests.bot.conftest import Traded, Watched
    from tests.bot.replaying import Replay

FRAMES = 6_000
STACKS = ("asyncio+json+none", "uvloop+orjson+none")
LIMIT_S = 60.0


@pytest.fixture(scope="module")
def decided(shipped_frames: list[bytes], shipped: Recording, trade_on: Callable[..., Traded]) -> str:
    """The digest of a desk without any connection."""
    return trade_on(shipped_frames[:FRAMES], filters=shipped.header.filters).desk.finish()


def run(plan: Plan, watched: type[Watched]) -> BotReport:
    """Until its market ends, or it has seen all frames."""
    try:
        plan.stack.check_installed()
    except TickproofError as error:
        pytest.skip(str(error))
    bot = Bot(plan, watched(FRAMES, lambda: bot.stop()))  # noqa: PLW0108 - there is no bot yet

    async def bounded() -> BotReport:
        return await asyncio.wait_for(bot.run(), LIMIT_S)

    with asyncio.Runner(loop_factory=registry().loop(plan.stack.loop)) as runner:
        return runner.run(bounded())


async def trades_in(url: str, schema: str) -> dict[str, Any]:
    connection = await asyncpg.connect(url)
    try:
        rows = await connection.fetch(f'select * from "{schema}".trades')  # noqa: S608
        return {row["trade_id"]: row for row in rows}
    finally:
        await connection.close()


@pytest.mark.parametrize("stack", STACKS)
@pytest.mark.parametrize("pace", [Pace(), Pace(rate=6_000.0)], ids=["flood", "paced"])
def test_orders_on_the_replay_leave_the_same_digest_as_orders_on_paper(
    stack: str,
    pace: Pace,
    replay_of: Callable[..., Replay],
    decided: str,
    plan_of: Callable[..., Plan],
    watched: type[Watched],
    database_url: str,
    schema: str,
) -> None:
    # A frame more than is played: the last orders of a bot are answered as long as the replay has not ended.
    with replay_of(FRAMES + 1, pace=pace, hold=True) as replay:
        replay.start_when(3, until_frame=FRAMES)
        plan = plan_of(
            replay.market_url,
            stack,
            account_url=replay.api_url,
            orders_url=replay.api_url,
            filters=replay.recording.header.filters,
        )
        report = run(plan, watched)
        accepted = read_log(replay.log)
    assert (report.frames, report.digest) == (FRAMES, decided)
    assert report.counters["order_differences"] == 0
    assert report.counters["orders_sent"] == len(accepted) > 20
    booked = {trade.trade_id: trade for trade in trades_of(accepted)}
    rows = asyncio.run(trades_in(database_url, schema))
    assert rows.keys() == booked.keys()
    for trade_id, trade in booked.items():
        row = rows[trade_id]
        for name in ("symbol", "quantity", "entry_price", "exit_price"):
            assert row[name] == getattr(trade, name)
