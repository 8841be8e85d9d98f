from __future__ import annotations

import asyncio
import itertools
import math
import random
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, cast

import pytest

from harness.backends.registry import registry
from harness.bot.storage import records
from harness.bot.storage.database import PooledDatabase
from harness.bot.storage.failures import DataRefused
from harness.bot.storage.migrations import migrate

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable
    from types import ModuleType

    from harness.bot.ledger import TradeRecord
    from harness.bot.storage.database import Database

JSON = registry().codec("json")


@pytest.fixture
async def database(database_url: str, schema: str) -> AsyncIterator[PooledDatabase]:
    opened = await PooledDatabase.open(database_url, schema, JSON, size=2)
    await migrate(opened)
    yield opened
    await opened.close()


async def state(database: Database) -> dict[str, list[tuple[Any, ...]]]:
    """All that is kept, but for the time of writing."""
    return {
        "trades": await database.fetch("select * from trades order by trade_id"),
        "signals": await database.fetch("select * from signals order by signal_id"),
        "positions": await database.fetch("select * from positions order by symbol"),
        "days": await database.fetch(
            "select day, trades, wins, pnl, best, worst from daily_statistics where trades > 0 order by day"
        ),
    }


async def emptied(database: PooledDatabase) -> None:
    await database.execute("truncate trades, signals, positions, daily_statistics")


async def test_a_trade_is_kept_with_all_that_is_known_of_it(database: PooledDatabase, samples: ModuleType) -> None:
    opened = samples.opened(1)
    await records.save(database, [opened, samples.closed(opened, "-1.25")])
    (row,) = await database.fetch(
        "select trade_id, symbol, strategy, quantity::text, entry_price, exit_price, fees, pnl, status, reason,"
        " opened_at, closed_at, metadata from trades"
    )
    assert row == (
        "1-1-B",
        "BTCUSDT",
        "momentum",
        "0.01162000",
        Decimal("86000.01"),
        Decimal("86100.5"),
        Decimal("1.99980793"),
        Decimal("-1.25"),
        "closed",
        "take-profit",
        datetime(2026, 10, 5, 12, 0, 0, 1_000, tzinfo=UTC),
        datetime(2026, 10, 5, 12, 0, 0, 501_000, tzinfo=UTC),
        {"features": samples.FEATURES, "fees": "1.99980793"},
    )


async def test_a_signal_is_kept_once_and_as_it_was(database: PooledDatabase, samples: ModuleType) -> None:
    await records.save(database, [], [samples.signal(1)])
    await records.save(database, [], [replace(samples.signal(1), confidence=0.1), samples.signal(2)])
    assert await database.fetch("select * from signals order by signal_id") == [
        (
            f"1-{number}",
            "BTCUSDT",
            "momentum",
            "ENTER",
            0.75,
            samples.FEATURES,
            f"1-{number}-B",
            datetime(2026, 10, 5, 12, 0, 0, number * 1_000, tzinfo=UTC),
        )
        for number in (1, 2)
    ]


async def test_an_open_trade_is_a_position_and_a_closed_one_is_none(
    database: PooledDatabase, samples: ModuleType
) -> None:
    opened = samples.opened(1)
    await records.save(database, [opened, samples.opened(2, symbol="ETHUSDT")])
    assert await database.fetch("select * from positions order by symbol") == [
        (
            symbol,
            trade_id,
            Decimal("0.01162000"),
            Decimal("86000.01"),
            Decimal("0.99932012"),
            records.time_of(time_ms),
            "momentum",
            samples.FEATURES,
        )
        for symbol, trade_id, time_ms in (
            ("BTCUSDT", "1-1-B", samples.NOON_MS + 1),
            ("ETHUSDT", "1-2-B", samples.NOON_MS + 2),
        )
    ]
    await records.save(database, [samples.closed(opened)])
    assert await database.fetch("select symbol from positions") == [("ETHUSDT",)]


async def test_a_late_opening_reopens_no_closed_trade(database: PooledDatabase, samples: ModuleType) -> None:
    opened = samples.opened(1)
    for trade in (samples.closed(opened), opened, samples.closed(opened), opened):
        await records.save(database, [trade])
    assert await database.fetch("select status, pnl from trades") == [("closed", Decimal("1.25"))]
    assert await database.fetch("select 1 from positions") == []
    assert await database.fetch("select trades, pnl from daily_statistics") == [(1, Decimal("1.25"))]


async def test_of_two_open_trades_of_a_symbol_the_last_opened_is_the_position(
    database: PooledDatabase, samples: ModuleType
) -> None:
    earlier, later = samples.opened(7), samples.opened(30)
    for trade, expected in ((later, "1-30-B"), (earlier, "1-30-B"), (samples.closed(later), "1-7-B")):
        await records.save(database, [trade])
        assert await database.fetch("select trade_id from positions") == [(expected,)]


async def test_writers_at_once_leave_books_that_agree(
    database: PooledDatabase, database_url: str, schema: str, samples: ModuleType
) -> None:
    writers = [database, await PooledDatabase.open(database_url, schema, JSON, size=4)]
    trades = [samples.opened(number) for number in range(40)]
    await asyncio.gather(*(records.save(writers[number % 2], [trade]) for number, trade in enumerate(trades)))
    assert await database.fetch("select trade_id from positions") == [("1-39-B",)]
    await asyncio.gather(
        *(records.save(writers[number % 2], [samples.closed(trade)]) for number, trade in enumerate(trades))
    )
    assert await database.fetch("select trades, pnl from daily_statistics") == [(40, 40 * Decimal("1.25"))]
    assert await database.fetch("select 1 from positions") == []
    await writers[1].close()


def life_of_a_symbol(samples: ModuleType) -> list[TradeRecord]:
    """Opened and closed twice, opened a third time."""
    trades = [samples.opened(number) for number in (1, 1_000, 2_000)]
    return [trades[0], samples.closed(trades[0], "2"), trades[1], samples.closed(trades[1], "-3"), trades[2]]


async def test_whatever_the_order_the_end_is_the_same(database: PooledDatabase, samples: ModuleType) -> None:
    life = life_of_a_symbol(samples)
    for trade in life:
        await records.save(database, [trade], [samples.signal(1)])
    expected = await state(database)
    assert [row[1] for row in expected["positions"]] == ["1-2000-B"]
    assert [row[1:] for row in expected["days"]] == [(2, 1, Decimal(-1), Decimal(2), Decimal(-3))]
    for order in itertools.islice(itertools.permutations(life), 0, None, 11):
        await emptied(database)
        for trade in order:
            await records.save(database, [trade], [samples.signal(1)])
        assert await state(database) == expected


async def test_whatever_is_repeated_and_however_it_is_cut_the_end_is_the_same(
    database: PooledDatabase, samples: ModuleType
) -> None:
    life = life_of_a_symbol(samples)
    life += [replace(trade, symbol="ETHUSDT", trade_id=f"2{trade.trade_id}") for trade in life]
    await records.save(database, life)
    expected = await state(database)
    dice = random.Random(5)
    for _ in range(20):
        await emptied(database)
        written = [*life, *dice.choices(life, k=10)]
        dice.shuffle(written)
        while written:
            size = dice.randint(1, 5)
            await records.save(database, written[:size])
            del written[:size]
        assert await state(database) == expected


async def test_a_day_ends_at_midnight_utc(database: PooledDatabase, samples: ModuleType) -> None:
    midnight = samples.NOON_MS + samples.DAY_MS // 2
    times = [midnight - samples.DAY_MS, midnight - 1, midnight]
    trades = [samples.opened(number) for number in range(3)]
    await records.save(
        database,
        [
            samples.closed(trade, str(10**trade_number), time_ms=time)
            for trade_number, (trade, time) in enumerate(zip(trades, times, strict=True))
        ],
    )
    assert await database.fetch(
        "select day::text, trades, wins, pnl, best, worst from daily_statistics order by 1"
    ) == [
        ("2026-10-05", 2, 2, Decimal(11), Decimal(10), Decimal(1)),
        ("2026-10-06", 1, 1, Decimal(100), Decimal(100), Decimal(100)),
    ]


async def test_nothing_is_nothing(database: PooledDatabase) -> None:
    await records.save(database, [])
    assert database.statistics.errors == 0
    assert await state(database) == {"trades": [], "signals": [], "positions": [], "days": []}


def spoilt(samples: ModuleType) -> Iterable[tuple[str, TradeRecord]]:
    good = samples.opened(1)
    yield "no symbol", replace(good, symbol=cast("str", None))
    yield "a zero byte", replace(good, reason="a\x00b")
    yield "half a pair", replace(good, strategy="\ud800")
    yield "beyond time", replace(good, opened_ms=10**18)
    yield "no number", replace(good, quantity=cast("Decimal", "many"))
    yield "no JSON", replace(good, features=cast("dict[str, float]", {"x": object()}))
    yield (
        "an id beyond an index",
        replace(good, trade_id="".join(map(str, random.Random(1).choices(range(10**9), k=9999)))),
    )


async def test_a_record_that_is_no_row_is_refused_as_such_and_nothing_is_written(
    database: PooledDatabase, samples: ModuleType
) -> None:
    for what, bad in spoilt(samples):
        try:
            await records.save(database, [samples.opened(2), bad], [samples.signal(2)])
        except DataRefused:
            pass
        else:
            pytest.fail(f"{what} was taken")
        assert await state(database) == {"trades": [], "signals": [], "positions": [], "days": []}
    with pytest.raises(DataRefused):
        await records.save(database, [samples.opened(2)], [replace(samples.signal(2), time_ms=10**18)])


async def test_features_go_through_every_codec_and_come_back_to_the_last_bit(
    database: PooledDatabase, database_url: str, schema: str, codec_name: str, samples: ModuleType
) -> None:
    features = {"pi": math.pi, "tiny": 5e-324, "huge": 1.7976931348623157e308, "third": -1 / 3}
    own = await PooledDatabase.open(database_url, schema, registry().codec(codec_name), size=1)
    await records.save(own, [replace(samples.opened(1), features=features)])
    for reader in (own, database):
        ((found,),) = await reader.fetch("select features from positions")
        assert {name: float(value).hex() for name, value in found.items()} == {
            name: value.hex() for name, value in features.items()
        }
    await own.close()


@pytest.mark.parametrize("time_ms", [0, 1, 999, 1_760_000_000_123, 32_503_680_000_000 - 1])
def test_an_event_time_survives_to_the_millisecond(time_ms: int) -> None:
    assert records.milliseconds_of(records.time_of(time_ms)) == time_ms
