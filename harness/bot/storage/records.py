"""Trades and signals as rows, written so that a repetition changes nothing and the order does not matter."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

from harness.bot.storage.failures import DataRefused

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from harness.bot.decision import SignalRecord
    from harness.bot.ledger import TradeRecord
    from harness.bot.storage.database import Database, Statement

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DAY = timedelta(days=1)

# One writer at a time in a schema, a transaction of a lost connection that still runs included: what is reckoned below
# from the trades must see all of them.
_LOCK = "select pg_advisory_xact_lock(hashtextextended('tickproof records ' || current_schema(), 0))"
# A closed trade is final: its opening may come again, or late, and opens nothing.
_SAVE_TRADE = """
    insert into trades (trade_id, symbol, quantity, entry_price, exit_price, fees, pnl, status, reason,
                        opened_at, closed_at, metadata, strategy)
    values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
    on conflict (trade_id) do update set
        exit_price = excluded.exit_price, fees = excluded.fees, pnl = excluded.pnl, status = excluded.status,
        reason = excluded.reason, closed_at = excluded.closed_at, metadata = excluded.metadata
    where trades.status = 'open'
"""
_SAVE_SIGNAL = """
    insert into signals (signal_id, symbol, strategy, signal, confidence, features, outcome, decided_at)
    values ($1, $2, $3, $4, $5, $6, $7, $8)
    on conflict (signal_id) do nothing
"""
# Positions and statistics are functions of the trades alone, so neither repetitions nor the order can spoil them.
_FORGET_POSITIONS = "delete from positions where symbol = any($1)"
_SAVE_POSITIONS = """
    insert into positions (symbol, trade_id, quantity, entry_price, fees, opened_at, strategy, features)
    select distinct on (symbol) symbol, trade_id, quantity, entry_price, fees, opened_at, strategy,
           coalesce(metadata->'features', '{}')
    from trades where status = 'open' and symbol = any($1) order by symbol, opened_at desc, trade_id desc
"""
_SAVE_DAY = """
    insert into daily_statistics (day, trades, wins, pnl, best, worst, updated_at)
    select $1::date, count(*), count(*) filter (where pnl > 0),
           coalesce(sum(pnl), 0), coalesce(max(pnl), 0), coalesce(min(pnl), 0), now()
    from trades where status = 'closed' and closed_at >= $2 and closed_at < $3
    on conflict (day) do update set
        trades = excluded.trades, wins = excluded.wins, pnl = excluded.pnl, best = excluded.best,
        worst = excluded.worst, updated_at = excluded.updated_at
"""


async def save(database: Database, trades: Iterable[TradeRecord], signals: Iterable[SignalRecord] = ()) -> None:
    """Write them in one transaction, with the open positions and daily statistics that follow from them.

    Raises DataRefused when a record holds what the database cannot, ServiceError when the server fails.
    """
    await database.execute_many(statements(list(trades), list(signals)))


def statements(trades: Sequence[TradeRecord], signals: Sequence[SignalRecord]) -> list[Statement]:
    """What `save` does, in its order; raises DataRefused."""
    try:
        found = [(_LOCK, [()]), *_of_trades(trades)] if trades else []
        return [*found, (_SAVE_SIGNAL, [_signal_row(signal) for signal in signals])] if signals else found
    except (ValueError, OverflowError, TypeError) as error:
        raise DataRefused(f"a record that is no row: {error}") from error


def time_of(milliseconds: int) -> datetime:
    """An event time as PostgreSQL keeps it; raises OverflowError beyond the year 9999."""
    return _EPOCH + timedelta(milliseconds=milliseconds)


def milliseconds_of(time: datetime) -> int:
    """The event time again."""
    return (time - _EPOCH) // timedelta(milliseconds=1)


def _of_trades(trades: Sequence[TradeRecord]) -> list[Statement]:
    symbols = sorted({trade.symbol for trade in trades})
    found: list[Statement] = [
        (_SAVE_TRADE, [_trade_row(trade) for trade in trades]),
        (_FORGET_POSITIONS, [(symbols,)]),
        (_SAVE_POSITIONS, [(symbols,)]),
    ]
    days = sorted({time_of(trade.closed_ms).date() for trade in trades if trade.closed_ms is not None})
    if days:
        found.append((_SAVE_DAY, [_day_row(day) for day in days]))
    return found


def _day_row(day: date) -> tuple[object, ...]:
    start = datetime(day.year, day.month, day.day, tzinfo=UTC)
    return (day, start, start + _DAY)


def _trade_row(trade: TradeRecord) -> tuple[object, ...]:
    return (
        trade.trade_id,
        trade.symbol,
        trade.quantity,
        trade.entry_price,
        trade.exit_price,
        trade.fees,
        trade.pnl,
        "open" if trade.closed_ms is None else "closed",
        trade.reason,
        time_of(trade.opened_ms),
        None if trade.closed_ms is None else time_of(trade.closed_ms),
        {"features": trade.features, "fees": trade.fees},
        trade.strategy,
    )


def _signal_row(signal: SignalRecord) -> tuple[object, ...]:
    return (
        signal.signal_id,
        signal.symbol,
        signal.strategy,
        signal.signal,
        signal.confidence,
        signal.features,
        signal.outcome,
        time_of(signal.time_ms),
    )
