"""The bot on a generated USD-M market, on the path of old that carries all streams."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from harness.bot.app import Bot
from harness.bot.rest import RestClient
from harness.bot.settings import BotSettings
from harness.exchange import streams
from harness.recordings.format import load
from harness.recordings.generate import find_profile, generate
from harness.replay.envelope import stream_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from harness.bot.plan import Plan
    from harness.recordings.format import Recording
    from tests.bot.conftest import Traded, Watched
    from tests.bot.replaying import Replay

LIMIT_S = 60.0


@pytest.fixture(scope="module")
def usdm(tmp_path_factory: pytest.TempPathFactory) -> Recording:
    path: Path = tmp_path_factory.mktemp("usdm") / "usdm.jsonl"
    generate(find_profile("usdm-10-symbols", duration_ms=20_000), path)
    return load(path)


def test_a_usdm_market_is_read_whole_and_what_nobody_reads_is_counted_as_such(
    usdm: Recording,
    replay_of: Callable[..., Replay],
    trade_on: Callable[..., Traded],
    plan_of: Callable[..., Plan],
    watched: type[Watched],
) -> None:
    frames = [frame.body for frame in usdm.frames if frame.connection == "market"]
    unread = sum(streams.parse(stream_of(frame) or "").kind in {"ticker", "forceOrder"} for frame in frames)
    settings = BotSettings(book=True)

    async def run() -> tuple[Bot, str, dict[str, int]]:
        async with RestClient(replay.rest_url, "usdm") as rest:
            filters = await rest.exchange_filters(usdm.header.filters)
            assert filters == usdm.header.filters
            plan = plan_of(replay.market_url, account_url=replay.api_url, filters=filters, rest=rest, settings=settings)
            bot = Bot(plan, watched())
            report = await asyncio.wait_for(bot.run(), LIMIT_S)
            return bot, report.digest, report.counters

    with replay_of(recording=usdm, snapshots="fixed") as replay:
        bot, digest, counters = asyncio.run(run())
    traded = trade_on(frames, filters=usdm.header.filters)
    assert digest == traded.desk.finish()
    assert traded.desk.digest.decisions > 0
    assert bot.trading is not None
    assert (bot.trading.wire.malformed, bot.trading.wire.unknown) == ({}, {})
    assert counters["unread_stream"] == unread > 0
    assert "malformed" not in counters
    assert counters["books"] == len(usdm.header.filters) == 10
    assert counters["depth_gaps"] == 0
    assert counters["account_events"] > 0
