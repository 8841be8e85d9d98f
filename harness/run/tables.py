"""Tables of trades for the queries scenario: loaded once a run, read by all trials."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import asyncpg

from harness.backends.registry import registry
from harness.bot.storage.data_service import TradingDataService
from harness.bot.storage.database import PooledDatabase, create_schema, drop_schema
from harness.errors import ServiceError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from harness.run.scenario import GridCell

#: The day that `get_statistics` is asked for: a thirtieth of the rows, as one day of a month would be.
STATISTICS_DAY = datetime(2026, 1, 15, tzinfo=UTC)
_FIRST_DAY = STATISTICS_DAY - timedelta(days=14)
_DAYS = 30

# One row in ten is open. The values follow from the row's number: every run loads the same table.
_FILL = """
    insert into trades (trade_id, symbol, quantity, entry_price, exit_price, fees, pnl, status, reason,
                        opened_at, closed_at, metadata)
    select 'T' || n, 'S' || n % 20, 1 + n % 7, 100 + n % 13, case when n % 10 > 0 then 100 + n % 17 end, 0.1,
           case when n % 10 > 0 then n % 17 - n % 13 end, case when n % 10 > 0 then 'closed' else 'open' end,
           case when n % 10 > 0 then 'reversal' end,
           $2::timestamptz + (n * 7919 % $1::bigint) * ($3::interval / $1::bigint),
           case when n % 10 > 0 then $2::timestamptz + (n * 7919 % $1::bigint) * ($3::interval / $1::bigint) end,
           jsonb_build_object('features', jsonb_build_object('momentum', n % 5))
    from generate_series(1, $1::bigint) as n
"""


def schema_of(prefix: str, rows: int, *, index: bool) -> str:
    """Name of the schema that holds the table of this size."""
    return f"{prefix}_{rows}_{'index' if index else 'bare'}"


def load(url: str, prefix: str, cells: Iterable[GridCell], on_table: Callable[[str], None]) -> dict[str, str]:
    """Make every table that the cells read; returns schema by "rows/yes" or "rows/no". Raises ServiceError."""
    wanted = sorted({(cell.rows, cell.index) for cell in cells})
    schemas = {}
    for rows, index in wanted:
        schema = schema_of(prefix, rows, index=index)
        on_table(f"loading {rows:,} rows {'with' if index else 'without'} index")
        asyncio.run(_load(url, schema, rows, index=index))
        schemas[f"{rows}/{'yes' if index else 'no'}"] = schema
    return schemas


def drop(url: str, schemas: Iterable[str]) -> None:
    """Remove them; raises ServiceError."""
    for schema in schemas:
        asyncio.run(drop_schema(url, schema))


async def _load(url: str, schema: str, rows: int, *, index: bool) -> None:
    await create_schema(url, schema)
    codec = registry().codec("json")
    database = await PooledDatabase.open(url, schema, codec, size=1)
    try:
        service = TradingDataService(database, None, codec)
        await service.migrate(indexes=index)
        await database.execute_many([(_FILL, [(rows, _FIRST_DAY, timedelta(days=_DAYS))])])
        # Statistics and visibility map as a table in use has them: else the first queries would pay for it.
        await database.execute("vacuum (analyze) trades")
    except asyncpg.PostgresError as error:
        raise ServiceError(f"the table of {rows:,} rows cannot be loaded: {error}") from error
    finally:
        await database.close()
