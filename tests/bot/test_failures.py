from __future__ import annotations

import asyncpg
import pytest

from harness.bot.storage.failures import DatabaseStatistics, DataRefused, Unreachable, Watch, failed
from harness.errors import ServiceError

URL = "postgresql://bot:hunter2@127.0.0.1/trades"


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (ConnectionRefusedError("refused"), Unreachable),
        (TimeoutError(), Unreachable),
        (asyncpg.InterfaceError("connection is closed"), Unreachable),
        (asyncpg.ConnectionDoesNotExistError("closed in the middle"), Unreachable),
        (asyncpg.AdminShutdownError("terminating"), Unreachable),
        (asyncpg.CannotConnectNowError("starting up"), Unreachable),
        (asyncpg.TooManyConnectionsError("sorry"), Unreachable),
        (asyncpg.DiskFullError("no space"), Unreachable),
        (asyncpg.QueryCanceledError("statement timeout"), Unreachable),
        (asyncpg.DataError("invalid input"), DataRefused),
        (asyncpg.NumericValueOutOfRangeError("too large"), DataRefused),
        (asyncpg.NotNullViolationError("null"), DataRefused),
        (asyncpg.ProgramLimitExceededError("index row size"), DataRefused),
        (asyncpg.UndefinedTableError("no such table"), ServiceError),
        (asyncpg.InsufficientPrivilegeError("not yours"), ServiceError),
        (asyncpg.DeadlockDetectedError("deadlock"), ServiceError),
        (asyncpg.PostgresError("no state at all"), ServiceError),
    ],
    ids=lambda value: value.__name__ if isinstance(value, type) else type(value).__name__,
)
def test_an_error_is_told_by_what_helps(error: Exception, kind: type[ServiceError]) -> None:
    told = failed(URL, error)
    assert type(told) is kind
    assert "PostgreSQL at postgresql://bot:***@127.0.0.1/trades failed: " in str(told)
    assert (str(error) or "no answer in time") in str(told)


def test_a_watch_counts_what_was_asked_and_what_failed() -> None:
    statistics = DatabaseStatistics()
    with Watch(URL, statistics):
        pass
    with pytest.raises(Unreachable, match="failed"), Watch(URL, statistics):
        raise OSError("gone")
    with pytest.raises(Unreachable, match="does not answer"), Watch(URL, statistics, connected=False):
        raise OSError("gone")
    with pytest.raises(DataRefused), Watch(URL, statistics):
        raise asyncpg.DataError("bad")
    with pytest.raises(KeyError), Watch(URL, statistics):
        raise KeyError("ours")
    assert (statistics.queries, statistics.errors, statistics.unreachable) == (5, 4, 2)
    assert statistics.time_ns > 0
