"""What PostgreSQL's failures mean to whoever asked, and how many there were."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import asyncpg

from harness.errors import ServiceError
from harness.redact import redact

if TYPE_CHECKING:
    from types import TracebackType

#: What a server that is away, or says no, can make asyncpg raise. Its InterfaceError is a lost connection too, and so
#: is its InternalClientError: a connection that was cut in the middle of a statement and does not know it yet.
FAILURES = (
    OSError,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.exceptions.InternalClientError,
    TimeoutError,
)
#: Classes of SQLSTATE that blame a row: data exception, integrity constraint violation, program limit exceeded
#: (PostgreSQL documentation, appendix A).
_BLAMES_THE_ROW = ("22", "23", "54")
#: Connection exception, insufficient resources, operator intervention: what was asked may be asked again.
_BLAMES_THE_MOMENT = ("08", "53", "57")


class Unreachable(ServiceError):
    """The server is away, starting, stopping, full or silent: the same may be asked again later."""


class DataRefused(ServiceError):
    """The server took nothing because of what a row holds: asking again will not help."""


@dataclass(slots=True, kw_only=True)
class DatabaseStatistics:
    """What was asked of a database so far; a transaction counts as one query."""

    queries: int = 0
    errors: int = 0
    """How many of the queries failed, for whatever reason."""
    unreachable: int = 0
    """How many of the errors were the server's absence or silence."""
    time_ns: int = 0
    """Time until the answers, failures included; of a transaction, its whole length."""


class Watch:
    """Counts what is asked in its block, and turns what asyncpg raises there into this house's errors."""

    __slots__ = ("_begun", "_statistics", "_url", "connected")

    def __init__(self, url: str, statistics: DatabaseStatistics, *, connected: bool = True) -> None:
        self.connected = connected
        """False while nobody has answered yet."""
        self._url = url
        self._statistics = statistics
        self._begun = 0

    def __enter__(self) -> Self:
        self._begun = time.perf_counter_ns()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        statistics = self._statistics
        statistics.queries += 1
        statistics.time_ns += time.perf_counter_ns() - self._begun
        if error is None:
            return
        statistics.errors += 1
        if isinstance(error, FAILURES):
            told = failed(self._url, error) if self.connected else no_answer(self._url, error)
            statistics.unreachable += isinstance(told, Unreachable)
            raise told from error


def no_answer(url: str, error: Exception) -> ServiceError:
    """For a connection that was not made; the password is not shown."""
    return _kind(error)(f"PostgreSQL at {redact(url)} does not answer: {_words(error)}")


def failed(url: str, error: Exception) -> ServiceError:
    """For a statement that was not done; the password is not shown."""
    return _kind(error)(f"PostgreSQL at {redact(url)} failed: {_words(error)}")


def _kind(error: Exception) -> type[ServiceError]:
    if not isinstance(error, asyncpg.PostgresError):
        return Unreachable
    state = (error.sqlstate or "")[:2]
    if state in _BLAMES_THE_ROW:
        return DataRefused
    return Unreachable if state in _BLAMES_THE_MOMENT else ServiceError


def _words(error: Exception) -> str:
    if isinstance(error, TimeoutError) and not str(error):
        return "no answer in time"
    return redact(str(error)) or type(error).__name__
