from __future__ import annotations

import asyncio
import json
import random
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, cast

import pytest

from harness.backends.caches import MemoryCache
from harness.backends.registry import registry
from harness.bot.decision import SignalRecord
from harness.bot.ledger import TradeRecord
from harness.bot.storage import records
from harness.bot.storage.data_service import FILTERS, MAX_ROWS, TTL_S, TradingDataService
from harness.bot.storage.database import PerCallDatabase, PooledDatabase
from harness.bot.storage.failures import DataRefused
from harness.errors import ServiceError, UnknownName

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from harness.backends.contracts import Cache
    from harness.bot.storage.data_service import TradeFilter
    from harness.bot.storage.database import Database

DAY = date(2026, 10, 5)
NOON_MS = int(datetime(2026, 10, 5, 12, tzinfo=UTC).timestamp() * 1_000)
MIDNIGHT_MS = int(datetime(2026, 10, 5, tzinfo=UTC).timestamp() * 1_000)
DAY_MS = 86_400_000
FEATURES = {"momentum": 1.5, "imbalance": -0.25, "flow": 0.125, "spread": 0.001, "trend": 1e-7}
NOTHING = {"trades": 0, "win_rate": 0.0, "total_pnl": 0.0, "average_pnl": 0.0, "best": 0.0, "worst": 0.0}
JSON = registry().codec("json")


def opened(number: int, *, time_ms: int = NOON_MS) -> TradeRecord:
    return TradeRecord(
        trade_id=f"BTCUSDT-{number}-B",
        symbol="BTCUSDT",
        quantity=Decimal("0.01162000"),
        entry_price=Decimal("86000.01"),
        opened_ms=time_ms,
        features=FEATURES,
        fees=Decimal("0.99932012"),
        strategy="momentum",
    )


def closed(number: int, pnl: str, *, time_ms: int = NOON_MS) -> TradeRecord:
    return replace(
        opened(number),
        exit_price=Decimal("86100.5"),
        pnl=Decimal(pnl),
        closed_ms=time_ms,
        reason="take-profit",
        fees=Decimal("1.99980793"),
    )


class Clock:
    def __init__(self) -> None:
        self.seconds = 100.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
async def database(database_url: str, schema: str) -> AsyncIterator[PooledDatabase]:
    opened = await PooledDatabase.open(database_url, schema, JSON, size=2)
    yield opened
    await opened.close()


@pytest.fixture
async def service(database: PooledDatabase) -> TradingDataService:
    """Without cache."""
    made = TradingDataService(database, None, JSON)
    await made.migrate()
    return made


async def counts_of(service: TradingDataService) -> list[int]:
    return [await service.get_trade_count(name) for name in FILTERS]


async def column(database: Database, name: str) -> Any:
    (value,) = await database.fetchrow(f"select {name} from trades")  # noqa: S608 - our own words
    return value


async def test_tables_are_made_where_they_are_missing_and_stay_where_they_are(
    database: PooledDatabase, service: TradingDataService
) -> None:
    await service.save_trade(opened(1))
    await service.migrate()
    assert await service.rows() == (1, 0)
    (indexes,) = await database.fetchrow(
        "select count(*) from pg_indexes where schemaname = current_schema() and tablename = 'trades'"
    )
    assert indexes == 3


async def test_a_table_without_indexes_is_to_be_had(database: PooledDatabase) -> None:
    await TradingDataService(database, None, JSON).migrate(indexes=False)
    (indexes,) = await database.fetchrow(
        "select count(*) from pg_indexes where schemaname = current_schema() and tablename = 'trades'"
    )
    assert indexes == 1


async def test_a_trade_saved_when_opened_and_when_closed_is_one_row_brought_up_to_date(
    database: PooledDatabase, service: TradingDataService
) -> None:
    await service.save_trade(opened(1))
    assert await database.fetchrow("select status, exit_price, pnl, closed_at, reason from trades") == (
        "open",
        None,
        None,
        None,
        None,
    )
    for _ in range(2):
        await service.save_trade(closed(1, "-1.25", time_ms=NOON_MS + 1_500))
    assert await service.rows() == (1, 1)
    row = await database.fetchrow(
        "select trade_id, symbol, quantity, entry_price, exit_price, fees, pnl, status, reason, opened_at, closed_at,"
        " metadata from trades"
    )
    assert row == (
        "BTCUSDT-1-B",
        "BTCUSDT",
        Decimal("0.01162000"),
        Decimal("86000.01"),
        Decimal("86100.5"),
        Decimal("1.99980793"),
        Decimal("-1.25"),
        "closed",
        "take-profit",
        datetime(2026, 10, 5, 12, tzinfo=UTC),
        datetime(2026, 10, 5, 12, 0, 1, 500_000, tzinfo=UTC),
        {"features": FEATURES, "fees": "1.99980793"},
    )


async def test_a_batch_may_hold_a_trade_s_opening_and_its_close(service: TradingDataService) -> None:
    await service.save_trades([opened(1), opened(2), closed(1, "5")])
    assert await counts_of(service) == [2, 1, 1]


async def test_a_batch_is_written_whole_or_not_at_all(service: TradingDataService) -> None:
    broken = replace(opened(2), quantity=cast("Decimal", None))
    with pytest.raises(DataRefused, match="null value"):
        await service.save_trades([opened(1), broken])
    assert await service.rows() == (0, 0)


async def test_counts_by_filter(service: TradingDataService) -> None:
    assert await counts_of(service) == [0, 0, 0]
    await service.save_trades([opened(number) for number in range(5)])
    await service.save_trades([closed(number, "1") for number in range(3)])
    assert [await service.get_trade_count(name) for name in ("all", "closed", "open")] == [5, 3, 2]
    assert await service.get_trade_count() == 5


@pytest.mark.parametrize("name", ["", "ALL", "won", "all; drop table trades"])
async def test_an_unknown_filter_is_refused_with_those_known(name: str, service: TradingDataService) -> None:
    with pytest.raises(UnknownName, match="known: all, closed, open"):
        await service.get_trade_count(cast("TradeFilter", name))


def expected(trades: Sequence[TradeRecord], day: date) -> dict[str, float]:
    """The day's figures by hand."""
    pnl = [
        trade.pnl
        for trade in trades
        if trade.pnl is not None
        and trade.closed_ms is not None
        and datetime.fromtimestamp(trade.closed_ms / 1_000, UTC).date() == day
    ]
    if not pnl:
        return {"trades": 0, "win_rate": 0, "total_pnl": 0, "average_pnl": 0, "best": 0, "worst": 0}
    return {
        "trades": len(pnl),
        "win_rate": len([value for value in pnl if value > 0]) / len(pnl),
        "total_pnl": float(sum(pnl, Decimal(0))),
        "average_pnl": float(sum(pnl, Decimal(0)) / len(pnl)),
        "best": float(max(pnl)),
        "worst": float(min(pnl)),
    }


async def test_statistics_are_those_reckoned_by_hand(service: TradingDataService) -> None:
    dice = random.Random(7)
    trades = [opened(1_000 + number) for number in range(20)]
    trades += [
        closed(
            number,
            f"{dice.uniform(-20, 20):.8f}",
            time_ms=MIDNIGHT_MS + dice.randrange(-DAY_MS, 2 * DAY_MS),
        )
        for number in range(400)
    ]
    await service.save_trades(trades)
    for offset in (-2, -1, 0, 1, 2):
        day = DAY + timedelta(days=offset)
        found = await service.get_statistics(day)
        assert found == pytest.approx(expected(trades, day), rel=1e-12)
        assert (found["trades"] > 50) == (abs(offset) < 2)


async def test_a_day_begins_and_ends_at_midnight_utc(service: TradingDataService) -> None:
    edges = [-1, 0, DAY_MS - 1, DAY_MS]
    await service.save_trades(
        [closed(number, str(10**number), time_ms=MIDNIGHT_MS + at) for number, at in enumerate(edges)]
    )
    assert (await service.get_statistics(DAY))["total_pnl"] == 110.0
    assert (await service.get_statistics(DAY - timedelta(days=1)))["total_pnl"] == 1.0
    assert (await service.get_statistics(DAY + timedelta(days=1)))["total_pnl"] == 1_000.0


async def test_a_trade_that_gained_nothing_is_no_win(service: TradingDataService) -> None:
    await service.save_trades([closed(1, "0"), closed(2, "-1"), closed(3, "0.00000001"), closed(4, "-2")])
    assert (await service.get_statistics(DAY))["win_rate"] == 0.25


async def test_losses_alone_have_a_best_and_a_worst(service: TradingDataService) -> None:
    await service.save_trades([closed(1, "-1"), closed(2, "-3")])
    found = await service.get_statistics(DAY)
    assert (found["best"], found["worst"], found["average_pnl"]) == (-1.0, -3.0, -2.0)


async def test_a_day_without_trades_is_all_zero_and_today_is_the_default(service: TradingDataService) -> None:
    assert dict(await service.get_statistics()) == NOTHING
    now_ms = int(datetime.now(UTC).timestamp() * 1_000)
    await service.save_trade(closed(1, "2", time_ms=now_ms))
    assert (await service.get_statistics(datetime.fromtimestamp(now_ms / 1_000, UTC).date()))["trades"] == 1


async def test_an_answer_from_the_cache_is_at_most_its_time_to_live_old(database: PooledDatabase) -> None:
    clock = Clock()
    cache = MemoryCache(now=clock)
    service = TradingDataService(database, cache, JSON, ttl_s=3.0)
    await service.migrate()
    await service.save_trade(closed(1, "1"))
    first = await service.get_statistics(DAY)
    assert await counts_of(service) == [1, 1, 0]
    await records.save(database, [closed(2, "2")])  # behind the service's back
    clock.seconds += 2.999
    assert await counts_of(service) == [1, 1, 0]
    assert await service.get_statistics(DAY) == first
    assert (cache.statistics.hits, cache.statistics.misses) == (4, 4)
    clock.seconds += 0.001
    assert await counts_of(service) == [2, 2, 0]
    assert (await service.get_statistics(DAY))["trades"] == 2


async def test_the_time_to_live_is_the_seed_s_five_seconds_unless_told_otherwise(database: PooledDatabase) -> None:
    clock = Clock()
    service = TradingDataService(database, MemoryCache(now=clock), JSON)
    await service.migrate()
    assert await service.get_trade_count() == 0
    await records.save(database, [opened(1)])
    clock.seconds += TTL_S - 0.001
    assert await service.get_trade_count() == 0
    clock.seconds += 0.001
    assert await service.get_trade_count() == 1
    assert TTL_S == 5.0


async def test_a_trade_that_is_saved_changes_every_answer_that_it_touches_at_once(database: PooledDatabase) -> None:
    service = TradingDataService(database, MemoryCache(), JSON)
    await service.migrate()
    for saved, counts, trades in (
        ([], [0, 0, 0], 0),
        ([opened(1), opened(2)], [2, 0, 2], 0),
        ([closed(1, "1")], [2, 1, 1], 1),
        ([closed(2, "-1")], [2, 2, 0], 2),
    ):
        await service.save_trades(saved)
        for _ in range(2):  # loaded, then remembered
            assert await counts_of(service) == counts
            assert (await service.get_statistics(DAY))["trades"] == trades


async def test_a_day_on_which_nothing_closed_stays_remembered(database: PooledDatabase) -> None:
    cache = MemoryCache()
    service = TradingDataService(database, cache, JSON)
    await service.migrate()
    await service.get_statistics(DAY)
    await service.save_trades([opened(1), closed(2, "1", time_ms=NOON_MS + DAY_MS)])
    await service.get_statistics(DAY)
    assert (cache.statistics.hits, cache.statistics.misses) == (1, 1)
    await service.save_trades([])
    assert len(cache._values) == 1


async def test_answers_are_forgotten_also_when_saving_failed_since_it_may_have_been_done(
    database: PooledDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = TradingDataService(database, MemoryCache(), JSON)
    await service.migrate()
    assert await counts_of(service) == [0, 0, 0]

    async def saved_but_the_answer_was_lost(*arguments: Any) -> None:
        await save(*arguments)
        raise ServiceError("the connection was lost")

    save = records.save
    monkeypatch.setattr(records, "save", saved_but_the_answer_was_lost)
    with pytest.raises(ServiceError):
        await service.save_trade(opened(1))
    assert await counts_of(service) == [1, 0, 1]


async def test_a_trade_that_closed_beyond_all_calendars_is_refused_by_name(service: TradingDataService) -> None:
    with pytest.raises(DataRefused):
        await service.save_trade(replace(closed(1, "1"), closed_ms=10**18))


async def test_what_is_forgotten_is_asked_again(database: PooledDatabase) -> None:
    service = TradingDataService(database, MemoryCache(), JSON)
    await service.migrate()
    await counts_of(service)
    await service.get_statistics(DAY)
    await service.save_trade(closed(1, "1"))
    await service.forget(DAY)
    assert await counts_of(service) == [1, 1, 0]
    assert (await service.get_statistics(DAY))["trades"] == 1
    await TradingDataService(database, None, JSON).forget(DAY)  # nothing to forget is fine


async def test_two_namespaces_on_one_cache_do_not_meet(database: PooledDatabase) -> None:
    cache = MemoryCache()
    services = [TradingDataService(database, cache, JSON, namespace=name) for name in ("one:", "two:")]
    await services[0].migrate()
    assert await counts_of(services[0]) == [0, 0, 0]
    await records.save(database, [opened(1)])
    assert await counts_of(services[1]) == [1, 0, 1]
    assert await counts_of(services[0]) == [0, 0, 0]
    await services[1].forget(DAY)
    assert await counts_of(services[0]) == [0, 0, 0]


async def test_the_four_hot_questions_are_warmed_up_and_then_cost_no_query(database: PooledDatabase) -> None:
    service = TradingDataService(database, MemoryCache(), JSON)
    await service.migrate()
    await service.save_trades([opened(1), closed(2, "1")])
    assert await service.warm_cache(DAY) == 4
    asked = database.statistics.queries
    assert await counts_of(service) == [2, 1, 1]
    assert (await service.get_statistics(DAY))["trades"] == 1
    assert database.statistics.queries == asked
    assert str(service.get_stats()).startswith("Hit Rate=100.0%, Hits=4, Misses=0, Errors=0, ")
    assert await service.warm_cache() == 4  # today


async def test_warming_up_asks_anew_what_an_earlier_bot_left_behind(database: PooledDatabase) -> None:
    cache = MemoryCache()
    earlier, later = (TradingDataService(database, cache, JSON) for _ in range(2))
    await earlier.migrate()
    assert await counts_of(earlier) == [0, 0, 0]
    await records.save(database, [opened(1)])
    await later.warm_cache(DAY)
    assert await counts_of(later) == [1, 0, 1]


async def test_without_a_cache_there_is_nothing_to_warm_up_and_no_question_is_shared(
    database: PooledDatabase, service: TradingDataService
) -> None:
    assert await service.warm_cache(DAY) == 0
    asked = database.statistics.queries
    await asyncio.gather(*(service.get_trade_count() for _ in range(5)))
    assert database.statistics.queries == asked + 5
    assert service.get_stats().state == "none"
    await service.close()


async def test_many_who_ask_the_same_at_once_cost_one_query(database: PooledDatabase) -> None:
    service = TradingDataService(database, MemoryCache(), JSON)
    await service.migrate()
    asked = database.statistics.queries
    assert set(await asyncio.gather(*(service.get_trade_count() for _ in range(50)))) == {0}
    assert database.statistics.queries == asked + 1
    assert service.get_stats().shared == 49


async def test_daily_statistics_are_those_of_each_day_the_last_one_first(service: TradingDataService) -> None:
    dice = random.Random(11)
    trades = [
        closed(number, f"{dice.uniform(-20, 20):.8f}", time_ms=MIDNIGHT_MS + dice.randrange(3 * DAY_MS))
        for number in range(100)
    ]
    await service.save_trades(trades)
    found = await service.get_daily_statistics(30)
    days = [DAY + timedelta(days=offset) for offset in (2, 1, 0)]
    assert [row["day"] for row in found] == [day.isoformat() for day in days]
    for row, day in zip(found, days, strict=True):
        figures = {name: value for name, value in row.items() if name != "day"}
        assert figures == pytest.approx(expected(trades, day), rel=1e-12)
        assert figures == pytest.approx(await service.get_statistics(day), rel=1e-12)
    assert await service.get_daily_statistics(2) == found[:2]


async def test_positions_are_what_is_open_the_oldest_first(service: TradingDataService) -> None:
    assert await service.get_positions() == []
    late, early = opened(1, time_ms=NOON_MS + 5), replace(opened(2), symbol="币安人生USDT")
    await service.save_trades([late, early, replace(closed(3, "1"), symbol="ETHUSDT")])
    first, second = await service.get_positions()
    assert first == {
        "symbol": "币安人生USDT",
        "trade_id": "BTCUSDT-2-B",
        "quantity": "0.01162000",
        "entry_price": "86000.01",
        "fees": "0.99932012",
        "opened_at": "2026-10-05T12:00:00+00:00",
        "strategy": "momentum",
        "features": FEATURES,
    }
    assert second["trade_id"] == "BTCUSDT-1-B"


def signal(number: int) -> SignalRecord:
    return SignalRecord(
        signal_id=f"1-{number}",
        symbol="BTCUSDT",
        strategy="momentum",
        signal="ENTER",
        confidence=0.75,
        features=FEATURES,
        outcome="refused cool-down",
        time_ms=NOON_MS + number,
    )


async def test_signals_come_with_their_features_the_last_one_first(service: TradingDataService) -> None:
    await service.save([], [signal(number) for number in range(5)])
    last, *others = await service.get_signals(3)
    assert last == {
        "signal_id": "1-4",
        "symbol": "BTCUSDT",
        "strategy": "momentum",
        "signal": "ENTER",
        "confidence": 0.75,
        "features": FEATURES,
        "outcome": "refused cool-down",
        "decided_at": "2026-10-05T12:00:00.004000+00:00",
    }
    assert [row["signal_id"] for row in others] == ["1-3", "1-2"]
    assert len(await service.get_signals(MAX_ROWS + 1)) == 5


async def test_features_read_equal_by_a_connection_that_knows_no_codec(
    service: TradingDataService, database_url: str, schema: str
) -> None:
    await service.save([opened(1)], [signal(1)])
    other = TradingDataService(PerCallDatabase(database_url, schema, JSON), None, JSON)
    assert await other.get_positions() == await service.get_positions()
    assert await other.get_signals(1) == await service.get_signals(1)


@pytest.mark.parametrize("rows", [0, -1])
async def test_no_rows_at_all_is_no_question(rows: int, service: TradingDataService) -> None:
    with pytest.raises(ValueError, match="at least 1"):
        await service.get_signals(rows)
    with pytest.raises(ValueError, match="at least 1"):
        await service.get_daily_statistics(rows)


@pytest.mark.parametrize("garbage", [b"", b"{", b"\xff", b"nan", b"5", b"[]", b'[1,"many"]'])
async def test_garbage_in_the_cache_is_as_good_as_a_miss(garbage: bytes, database: PooledDatabase) -> None:
    cache = MemoryCache()
    service = TradingDataService(database, cache, JSON)
    await service.migrate()
    for key in (*(f"trade_count:{name}" for name in FILTERS), f"daily_stats:{DAY.isoformat()}"):
        cache.put(key, garbage, 60.0)
    assert await counts_of(service) == [0, 0, 0]
    assert (await service.get_statistics(DAY))["trades"] == 0


@pytest.fixture
async def redis_cache(redis_url: str) -> AsyncIterator[Cache]:
    if not registry().is_installed("cache", "redis"):
        pytest.skip("redis is not installed")
    cache = registry().cache("redis", redis_url)
    assert await cache.open()
    yield cache
    await cache.close()


async def test_a_real_cache_answers_what_was_put_and_forgets_it_in_time(
    database: PooledDatabase, redis_cache: Cache, redis_url: str, schema: str
) -> None:
    import redis.asyncio  # noqa: PLC0415 - skipped above where it is absent

    service = TradingDataService(database, redis_cache, JSON, namespace=f"{schema}:", ttl_s=60.0)
    await service.migrate()
    assert await counts_of(service) == [0, 0, 0]
    first = await service.get_statistics(DAY)
    await redis_cache.flush()
    await records.save(database, [closed(1, "1")])
    assert await counts_of(service) == [0, 0, 0]
    assert await service.get_statistics(DAY) == first
    assert redis_cache.statistics.hits == 4
    async with redis.asyncio.from_url(redis_url) as client:
        lives = [await client.pttl(key) async for key in client.scan_iter(match=f"{schema}:*")]
    assert len(lives) == 4
    assert all(0 < life <= 60_000 for life in lives)
    await service.forget(DAY)
    assert await counts_of(service) == [1, 1, 0]


async def test_a_cache_that_is_away_costs_no_answer(database: PooledDatabase) -> None:
    if not registry().is_installed("cache", "redis"):
        pytest.skip("redis is not installed")
    cache = registry().cache("redis", None)
    assert await cache.open() == ""
    service = TradingDataService(database, cache, JSON)
    await service.migrate()
    await service.save_trade(opened(1))
    assert await counts_of(service) == [1, 0, 1]
    await cache.close()


async def test_metadata_goes_through_every_codec_and_reads_equal_through_every_other(
    database: PooledDatabase, database_url: str, schema: str, codec_name: str
) -> None:
    codec = registry().codec(codec_name)
    pooled = await PooledDatabase.open(database_url, schema, codec, size=1)
    writers: list[Database] = [pooled, PerCallDatabase(database_url, schema, codec)]
    for writer in writers:
        service = TradingDataService(writer, None, codec)
        await service.migrate()
        await writer.execute_many([("delete from trades", [()])])
        await service.save_trade(opened(1))
        written = {"features": FEATURES, "fees": "0.99932012"}
        for reader in (pooled, database):
            assert await column(reader, "metadata") == written
            assert json.loads(await column(reader, "metadata::text")) == written
    await pooled.close()


@pytest.mark.parametrize("kind", ["pooled", "per call"])
async def test_the_four_questions_have_the_same_answers_with_and_without_a_pool(
    kind: str, database: PooledDatabase, service: TradingDataService, database_url: str, schema: str
) -> None:
    await service.save_trades([opened(1), closed(2, "1.5"), closed(3, "-0.5")])
    asked = database if kind == "pooled" else PerCallDatabase(database_url, schema, JSON)
    other = TradingDataService(asked, None, JSON)
    assert await counts_of(other) == [3, 2, 1]
    assert await other.get_statistics(DAY) == await service.get_statistics(DAY)
    assert await other.rows() == (3, 2)


async def test_cached_answers_are_equal_through_every_codec(
    database: PooledDatabase, service: TradingDataService, codec_name: str
) -> None:
    await service.save_trades([closed(1, "0.1"), closed(2, "0.2"), closed(3, "-0.33333333")])
    cached = TradingDataService(database, MemoryCache(), registry().codec(codec_name))
    direct = await service.get_statistics(DAY)
    assert [await cached.get_statistics(DAY) for _ in range(2)] == [direct, direct]
    assert [await counts_of(cached) for _ in range(2)] == [[3, 3, 0], [3, 3, 0]]
