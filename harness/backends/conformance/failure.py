"""What a conformance check finds, and how a check that hangs is kept from hanging all."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

#: No promise takes longer to keep on a healthy machine.
TIMEOUT_S = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """A promise of the contract that a backend did not keep, and what happened instead."""

    promise: str
    happened: str

    def __str__(self) -> str:
        """Both, in a line."""
        return f"{self.promise}: {self.happened}"


class BrokenPromise(AssertionError):
    """Raised inside a check; its text is what happened instead."""


def require(kept: object, happened: str) -> None:
    """Raises BrokenPromise with that text when the condition is false."""
    if not kept:
        raise BrokenPromise(happened)


def shown(value: object) -> str:
    """A value's repr, cut to what one can read; never raises."""
    try:
        text = repr(value)
    except RecursionError:
        text = f"a deep {type(value).__name__}"
    return text if len(text) <= 100 else f"{text[:97]}..."


def told(error: BaseException) -> str:
    """An error as one says it."""
    if isinstance(error, BrokenPromise):
        return str(error)
    return f"raised {type(error).__name__}({shown(str(error))})"


async def failures_of(checks: dict[str, Callable[[], Awaitable[None]]]) -> list[Failure]:
    """Runs each check under its promise; one that raises, or takes longer than ten seconds, is a failure."""
    found = []
    for promise, check in checks.items():
        limit = asyncio.timeout(TIMEOUT_S)
        try:
            async with limit:
                await check()
        except Exception as error:  # noqa: BLE001 - any error of a backend is a finding, not an end
            happened = f"nothing within {TIMEOUT_S:g} s" if limit.expired() else told(error)
            found.append(Failure(promise=promise, happened=happened))
    return found
