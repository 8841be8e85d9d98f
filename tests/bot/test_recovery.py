from __future__ import annotations

import math
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from harness.backends.registry import registry
from harness.bot.decision import Decision
from harness.bot.storage.database import PooledDatabase
from harness.bot.storage.delivery import Delivery
from harness.bot.storage.journal import Journal
from harness.bot.storage.migrations import migrate
from harness.bot.storage.recovery import OpenPosition, recover
from harness.errors import ServiceError
from harness.exchange.orders import Fill

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path
    from types import ModuleType

    from harness.bot.storage.recovery import Recovered

JSON = registry().codec("json")


@pytest.fixture
async def journal(tmp_path: Path) -> AsyncIterator[Journal]:
    opened = await Journal.open(tmp_path / "bot.journal")
    yield opened
    await opened.close()


@pytest.fixture
async def database(database_url: str, schema: str) -> AsyncIterator[PooledDatabase]:
    opened = await PooledDatabase.open(database_url, schema, JSON, size=2)
    await migrate(opened)
    yield opened
    await opened.close()


async def recovered(database: PooledDatabase, journal: Journal, days: int = 7) -> Recovered:
    return await recover(database, journal, Delivery(journal, database), days=days)


async def test_a_bot_that_never_ran_has_nothing_to_recover(database: PooledDatabase, journal: Journal) -> None:
    found = await recovered(database, journal)
    assert (found.positions, found.closed_ms, found.realised, found.realised_by_day, found.unsettled) == (
        (),
        {},
        Decimal(0),
        {},
        (),
    )


async def test_what_only_the_journal_knew_is_delivered_first_and_then_found(
    database: PooledDatabase, journal: Journal, samples: ModuleType
) -> None:
    entries = [samples.entry(number, symbol=symbol) for number, symbol in enumerate(("BTCUSDT", "ETHUSDT"))]
    leaving = samples.leaving(5, entries[0].trade)
    await journal.append([*entries, leaving])
    await journal.settle([entries[0].order.client_order_id])
    found = await recovered(database, journal)
    assert journal.counts.writes == 0
    assert found.positions == (
        OpenPosition(
            entry=Fill(order=entries[1].order, price=entries[1].trade.entry_price, fee=entries[1].trade.fees),
            features=samples.FEATURES,
            strategy="momentum",
        ),
    )
    assert str(found.positions[0].entry.order.quantity) == "0.01162000", "digits as they were booked"
    assert found.closed_ms == {"BTCUSDT": leaving.trade.closed_ms}
    assert found.realised == Decimal("1.25")
    assert found.unsettled == (entries[1].order, leaving.order)


async def test_positions_come_in_the_order_in_which_they_were_opened(
    database: PooledDatabase, journal: Journal, samples: ModuleType
) -> None:
    opened = [samples.opened(number, symbol=f"S{9 - number}") for number in range(5)]
    await journal.append([Decision(trade=trade) for trade in reversed(opened)])
    found = await recovered(database, journal)
    assert [position.entry.order.client_order_id for position in found.positions] == [one.trade_id for one in opened]


async def test_profit_is_told_in_all_and_of_the_latest_days(
    database: PooledDatabase, journal: Journal, samples: ModuleType
) -> None:
    trades = [samples.opened(number) for number in range(4)]
    days = (0, 0, 1, 3)
    closes = [
        samples.closed(trade, pnl, time_ms=samples.NOON_MS + day * samples.DAY_MS)
        for trade, pnl, day in zip(trades, ("1.5", "-2", "0.25", "10"), days, strict=True)
    ]
    await journal.append([Decision(trade=trade) for trade in closes])
    found = await recovered(database, journal, days=2)
    assert found.realised == Decimal("9.75")
    assert found.realised_by_day == {date(2026, 10, 8): Decimal(10), date(2026, 10, 6): Decimal("0.25")}
    assert found.closed_ms == {"BTCUSDT": samples.NOON_MS + 3 * samples.DAY_MS}


async def test_features_come_back_as_floats_whatever_json_made_of_them(
    database: PooledDatabase, journal: Journal, samples: ModuleType
) -> None:
    features = {"whole": 3.0, "large": 1e22, "small": -1e-300, "third": 1 / 3}
    await journal.append([Decision(trade=replace(samples.opened(1), features=features))])
    (position,) = (await recovered(database, journal)).positions
    assert {name: value.hex() for name, value in position.features.items()} == {
        name: value.hex() for name, value in features.items()
    }
    await database.execute("""update positions set features = '{"none": null}'""")
    (position,) = (await recovered(database, journal)).positions
    assert math.isnan(position.features["none"])


async def test_a_database_that_is_away_is_said_and_can_be_asked_again(
    database: PooledDatabase, journal: Journal, samples: ModuleType
) -> None:
    await journal.append([samples.entry(1)])
    await database.execute("alter table trades rename to elsewhere")
    with pytest.raises(ServiceError, match="trades"):
        await recovered(database, journal)
    await database.execute("alter table elsewhere rename to trades")
    assert len((await recovered(database, journal)).positions) == 1
