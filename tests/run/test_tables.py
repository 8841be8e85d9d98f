from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import asyncpg
import pytest

from harness.backends.registry import registry
from harness.bot.storage.data_service import TradingDataService
from harness.bot.storage.database import PooledDatabase
from harness.errors import ServiceError
from harness.run import tables
from harness.run.scenario import GridCell

if TYPE_CHECKING:
    from harness.services.opening import Services

#: The largest table of the full grid: row numbers and their products must fit.
ROWS = 500_000
CELLS = [
    GridCell(rows=1_000, index=True, connection="pooled", round_trip_ms=0),
    GridCell(rows=1_000, index=True, connection="per-call", round_trip_ms=5),
    GridCell(rows=1_000, index=False, connection="pooled", round_trip_ms=0),
    GridCell(rows=ROWS, index=False, connection="pooled", round_trip_ms=0),
]


async def figures(url: str, schema: str) -> tuple[int, int, int, int]:
    codec = registry().codec("json")
    database = await PooledDatabase.open(url, schema, codec, size=1)
    try:
        service = TradingDataService(database, None, codec)
        statistics = await service.get_statistics(tables.STATISTICS_DAY.date())
        counts = [await service.get_trade_count(name) for name in ("all", "closed", "open")]
        return counts[0], counts[1], counts[2], statistics["trades"]
    finally:
        await database.close()


async def indexes(url: str, schema: str) -> int:
    connection = await asyncpg.connect(url)
    try:
        return int(
            await connection.fetchval(
                "select count(*) from pg_indexes where schemaname = $1 and tablename = 'trades'", schema
            )
        )
    finally:
        await connection.close()


def test_each_table_is_loaded_once_with_the_rows_that_its_name_says(servers: Services) -> None:
    url = servers.postgresql.url
    said: list[str] = []
    schemas = tables.load(url, "tickproof_tables", CELLS, said.append)
    try:
        assert set(schemas) == {"1000/yes", "1000/no", f"{ROWS}/no"}
        assert len(said) == 3
        for key, schema in schemas.items():
            rows = int(key.partition("/")[0])
            every, closed, still_open, of_the_day = asyncio.run(figures(url, schema))
            assert (every, closed, still_open) == (rows, rows * 9 // 10, rows // 10)
            # One day of thirty, nine in ten of it closed.
            assert of_the_day == pytest.approx(rows * 0.9 / 30, rel=0.02)
        assert asyncio.run(indexes(url, schemas["1000/yes"])) == 3
        assert asyncio.run(indexes(url, schemas["1000/no"])) == 1
    finally:
        tables.drop(url, schemas.values())
    with pytest.raises(ServiceError):
        tables.drop("postgresql://nobody@127.0.0.1:1/x", ["tickproof_tables"])
