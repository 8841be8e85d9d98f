"""Trades in the database are trades that a witness outside the bot accepted, to the last one, whatever happens."""

from __future__ import annotations

import itertools
import random
import signal
import time
from typing import TYPE_CHECKING, Any

import pytest

from harness.replay.faults.plan import FaultPlan
from harness.replay.faults.rules import CutRule
from harness.replay.orders.account import Faults
from harness.replay.pacing import Pace

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from harness.bot.settings import BotSettings
    from tests.bot.conftest import Traded
    from tests.bot.lossless.conftest import Scene, Tally
    from tests.bot.lossless.feed import Feed
    from tests.bot.replaying import Replay
    from tests.bot.servers import Mortal
    from tests.conftest import OwnRedis

    SceneOn = Callable[..., Scene]

STACKS = tuple(
    "+".join(parts) for parts in itertools.product(("asyncio", "uvloop"), ("json", "orjson"), ("none", "redis"))
)
#: Enough for some hundred trades.
FRAMES = 6_000
#: A second kind of cache and of codec besides those of the eight.
MORE_STACKS = ("asyncio+msgspec+none", "asyncio+json+memory")
#: How Redis can be there and of no use, or not be there.
TROUBLES = {"away": "never there", "locked": "with another password", "full": "full", "other type": "with other types"}
A_LIST = "redis.call('DEL', KEYS[1]); return redis.call('RPUSH', KEYS[1], 'no number')"
#: Every step between a decision and its confirmation, and a number of times to have passed it.
POINTS = (
    "before-journal:2",
    "after-journal:2",
    "before-send:9",
    "after-send:9",
    "before-commit:3",
    "after-commit:2",
    "after-confirm:2",
)


@pytest.fixture(scope="module")
def frames(shipped_frames: list[bytes]) -> list[bytes]:
    return shipped_frames[:FRAMES]


def assert_whole(tally: Tally, *, at_least: int) -> None:
    assert (tally.lost, tally.doubled, tally.different) == (0, 0, 0), tally
    assert tally.written == tally.decided >= at_least, tally


def wait_until(reached: Callable[[], bool], life: Any = None) -> None:
    deadline = time.monotonic() + 60.0
    while not reached():
        assert time.monotonic() < deadline, "it did not come to that"
        assert life is None or life.poll() is None, life.communicate()[1].decode()[-3_000:]
        time.sleep(0.002)


@pytest.mark.parametrize("stack", [*STACKS, *MORE_STACKS])
def test_a_clean_run_writes_what_was_decided_and_all_stacks_decide_the_same(
    stack: str,
    scene_on: SceneOn,
    feed_of: type[Feed],
    eager: BotSettings,
    frames: Sequence[bytes],
    trade_on: Callable[..., Traded],
    installed: Callable[[str], str],
    database_url: str,
    redis_url: str,
) -> None:
    scene = scene_on(database_url, redis_url)
    with feed_of(frames, rate=6_000) as feed:
        report = scene.ended(scene.live(installed(stack), feed.url))
    traded = trade_on(frames, settings=eager, filters=scene.recording.header.filters)
    assert report["digest"] == traded.desk.finish()
    assert report["frames"] == len(frames)
    assert report["counters"]["order_differences"] == 0
    tally = scene.tally("a clean run")
    assert_whole(tally, at_least=100)
    assert tally.written == traded.desk.ledger.trades_opened


@pytest.mark.parametrize("stack", STACKS)
def test_a_postgresql_that_is_restarted_twice_in_mid_run_costs_no_trade(
    stack: str,
    scene_on: SceneOn,
    feed_of: type[Feed],
    eager: BotSettings,
    frames: Sequence[bytes],
    trade_on: Callable[..., Traded],
    installed: Callable[[str], str],
    mortal_postgresql: Mortal,
    redis_url: str,
) -> None:
    scene = scene_on(mortal_postgresql.url, redis_url)
    with feed_of(frames, rate=3_000) as feed:
        life = scene.live(installed(stack), feed.url)
        for sent, end in ((FRAMES // 4, mortal_postgresql.stop), (FRAMES // 2, mortal_postgresql.kill)):
            wait_until(lambda sent=sent: feed.sent >= sent, life)  # type: ignore[misc]
            end()
            mortal_postgresql.start()
        report = scene.ended(life)
    traded = trade_on(frames, settings=eager, filters=scene.recording.header.filters)
    assert report["counters"]["database_outages"] >= 1
    assert report["digest"] == traded.desk.finish()
    assert_whole(scene.tally("PostgreSQL stopped, then killed, each time started again, in mid-run"), at_least=100)


@pytest.mark.parametrize("stack", [stack for stack in STACKS if stack.endswith("redis")])
def test_a_redis_that_is_killed_frozen_and_back_costs_no_trade(
    stack: str,
    scene_on: SceneOn,
    feed_of: type[Feed],
    eager: BotSettings,
    frames: Sequence[bytes],
    trade_on: Callable[..., Traded],
    installed: Callable[[str], str],
    redis_server: OwnRedis,
    database_url: str,
) -> None:
    redis_server.start()
    scene = scene_on(database_url, redis_server.url)
    with feed_of(frames, rate=2_500) as feed:
        life = scene.live(installed(stack), feed.url)
        wait_until(lambda: feed.sent >= FRAMES // 6, life)
        redis_server.kill()
        wait_until(lambda: feed.sent >= FRAMES * 2 // 6, life)
        redis_server.start()
        wait_until(lambda: feed.sent >= FRAMES * 3 // 6, life)
        redis_server.freeze()
        wait_until(lambda: feed.sent >= FRAMES * 4 // 6, life)
        redis_server.thaw()
        report = scene.ended(life)
    traded = trade_on(frames, settings=eager, filters=scene.recording.header.filters)
    assert report["digest"] == traded.desk.finish()
    assert report["counters"]["cache_hits"] > 0
    assert_whole(scene.tally("Redis killed, back, frozen, back"), at_least=100)


@pytest.mark.parametrize("trouble", ["away", "locked", "full", "other type"])
def test_a_redis_that_is_of_no_use_is_told_once_and_costs_no_trade(
    trouble: str,
    scene_on: SceneOn,
    feed_of: type[Feed],
    eager: BotSettings,
    frames: Sequence[bytes],
    trade_on: Callable[..., Traded],
    installed: Callable[[str], str],
    redis_server: OwnRedis,
    database_url: str,
) -> None:
    scene = scene_on(database_url, redis_server.url)
    if trouble == "locked":
        redis_server.start("--requirepass", "another")
    elif trouble == "full":
        redis_server.start("--maxmemory", "1", "--maxmemory-policy", "noeviction")
    elif trouble == "other type":
        redis_server.start()
    with feed_of(frames, rate=3_000) as feed:
        life = scene.live(installed("uvloop+orjson+redis"), feed.url)
        while trouble == "other type" and life.poll() is None:
            redis_server.command("EVAL", A_LIST, "1", f"{scene.schema}:trade_count:all")
            time.sleep(0.01)
        report = scene.ended(life)
    traded = trade_on(frames, settings=eager, filters=scene.recording.header.filters)
    assert report["digest"] == traded.desk.finish()
    assert len(scene.warnings) == 1, scene.warnings
    assert report["counters"]["dashboard_polls"] > 5
    assert (report["counters"]["cache_hits"] > 0) == (trouble == "other type")
    assert_whole(scene.tally(f"Redis {TROUBLES[trouble]}"), at_least=100)


@pytest.mark.parametrize("point", POINTS)
def test_a_bot_killed_at_a_stated_point_and_started_again_loses_and_doubles_nothing(
    point: str,
    scene_on: SceneOn,
    feed_of: type[Feed],
    frames: Sequence[bytes],
    installed: Callable[[str], str],
    database_url: str,
    redis_url: str,
) -> None:
    scene = scene_on(database_url, redis_url)
    stacks = itertools.cycle(STACKS[POINTS.index(point) :] + STACKS)
    with feed_of(frames, rate=6_000) as feed:
        first = scene.live(installed(next(stacks)), feed.url, die=point)
        assert first.wait(60.0) == -signal.SIGKILL, first.communicate()[1].decode()[-3_000:]
        assert not feed.over
        # Another stack goes on where this one was ended.
        report = scene.ended(scene.live(installed(next(stacks)), feed.url))
    assert report["counters"]["order_differences"] == 0
    assert_whole(
        scene.tally("SIGKILL before and after each step from decision to confirmation"),
        at_least=50,
    )


def test_a_bot_killed_at_ten_random_moments_on_all_stacks_in_turn_loses_and_doubles_nothing(
    scene_on: SceneOn,
    feed_of: type[Feed],
    shipped_frames: list[bytes],
    installed: Callable[[str], str],
    database_url: str,
    redis_url: str,
) -> None:
    scene = scene_on(database_url, redis_url)
    chance = random.Random(20_261_124)
    stacks = itertools.cycle(STACKS)
    with feed_of(shipped_frames[:20_000], rate=5_000) as feed:
        for _ in range(10):
            before = feed.sent
            life = scene.live(installed(next(stacks)), feed.url)
            wait_until(lambda before=before: feed.sent > before, life)  # type: ignore[misc]
            time.sleep(chance.uniform(0.0, 0.2))
            assert life.poll() is None, life.communicate()[1].decode()[-3_000:]
            life.kill()
            life.wait(30.0)
        assert not feed.over
        scene.ended(scene.live(installed(next(stacks)), feed.url))
    assert_whole(scene.tally("SIGKILL at ten random moments"), at_least=100)


def test_a_bot_killed_while_postgresql_is_away_loses_and_doubles_nothing(
    scene_on: SceneOn,
    feed_of: type[Feed],
    frames: Sequence[bytes],
    installed: Callable[[str], str],
    mortal_postgresql: Mortal,
) -> None:
    scene = scene_on(mortal_postgresql.url, None)
    with feed_of(frames, rate=3_000) as feed:
        life = scene.live(installed("asyncio+json+none"), feed.url)
        wait_until(lambda: feed.sent >= FRAMES // 4, life)
        mortal_postgresql.kill()
        wait_until(lambda: feed.sent >= FRAMES // 2, life)
        life.kill()
        life.wait(30.0)
        mortal_postgresql.start()
        scene.ended(scene.live(installed("uvloop+orjson+none"), feed.url))
    assert_whole(scene.tally("SIGKILL while PostgreSQL is away"), at_least=100)


@pytest.mark.parametrize("stack", STACKS)
def test_a_feed_that_is_cut_twenty_times_costs_no_trade_and_no_frame(
    stack: str,
    scene_on: SceneOn,
    replay_of: Callable[..., Replay],
    eager: BotSettings,
    frames: Sequence[bytes],
    trade_on: Callable[..., Traded],
    installed: Callable[[str], str],
    database_url: str,
    redis_url: str,
) -> None:
    scene = scene_on(database_url, redis_url)
    cuts = [FRAMES * number // 21 for number in range(1, 21)]
    plan = FaultPlan(fault=(CutRule(how="reset", at=cuts[::2]), CutRule(how="mid_frame", at=cuts[1::2])))
    with replay_of(FRAMES, pace=Pace(rate=6_000.0), faults=plan) as replay:
        report = scene.ended(scene.live(installed(stack), replay.market_url, reconnects=True))
    assert sum("cut on purpose" in told for told in replay.told) == len(cuts)
    traded = trade_on(frames, settings=eager, filters=scene.recording.header.filters)
    assert report["digest"] == traded.desk.finish()
    assert report["counters"]["order_differences"] == 0
    assert_whole(scene.tally("the feed cut twenty times"), at_least=100)


def test_a_witness_that_drops_the_line_and_refuses_is_caught_up_with(
    scene_on: SceneOn,
    feed_of: type[Feed],
    eager: BotSettings,
    frames: Sequence[bytes],
    trade_on: Callable[..., Traded],
    installed: Callable[[str], str],
    database_url: str,
) -> None:
    scene = scene_on(database_url, None, faults=Faults(drop_after=5, drop_before=11))
    with feed_of(frames, rate=6_000) as feed:
        report = scene.ended(scene.live(installed("uvloop+orjson+none"), feed.url))
    traded = trade_on(frames, settings=eager, filters=scene.recording.header.filters)
    assert report["digest"] == traded.desk.finish()
    assert report["counters"]["orders_resent"] > 0
    assert_whole(scene.tally("the order gateway drops the line before and after accepting"), at_least=100)
